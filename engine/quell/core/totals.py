"""Running totals of processes, made into how much they grew.

A total is compared with the one that the same process told last. One that fell, or began later than that, began anew
from nothing. What is told for the first time says nothing yet, unless its process began just now.
"""

from __future__ import annotations

from itertools import islice
from math import isfinite

from quell.core.fold import SKEW_S
from quell.core.intake import EARLIEST
from quell.model.quantiles import QUANTILES, explicit, quantiles, with_ending
from quell.model.records import RunningHistogram, SamplesRecord, TotalsRecord
from quell.model.state import State, Total

MOST_TOTALS = 50_000
_FORGOTTEN_AT_ONCE = 1_000
MOST_BUCKETS = 300
"""Of a histogram that is remembered; of one with more only count and sum are."""
FRESH_S = 120.0
"""Of a process that began so short a time ago, all that it counted is new."""


def grown(state: State, record: TotalsRecord, now: float) -> SamplesRecord | None:
    """What became of the totals since they were told last; remembers them. None when nobody can say."""
    if not EARLIEST <= record.at <= now + SKEW_S:
        return None
    since = record.started_at if record.started_at is not None and isfinite(record.started_at) else None
    values: dict[str, list[float | None]] = {}
    place = f"{record.entity}\x00{record.instance}\x00"
    for series, value in sorted(record.values.items()):
        if isfinite(value):
            more = _grown(state, place + series, Total(record.at, value), since)
            if more is not None:
                values[series] = [more.value]
    for series, told in sorted(record.histograms.items()):
        total = _total(record.at, told)
        more = _grown(state, place + series, total, since) if total is not None else None
        if more is not None:
            values.update((name, [value]) for name, value in _told(series, more))
    if len(state.totals) > MOST_TOTALS:
        for oldest in list(islice(state.totals, _FORGOTTEN_AT_ONCE)):
            del state.totals[oldest]
    if not values:
        return None
    return SamplesRecord(
        at=record.at, seen=record.seen, source=record.source, entity=record.entity, times=[record.at], values=values
    )


def _total(at: float, told: RunningHistogram) -> Total | None:
    """A histogram as it is remembered; None for one that is none."""
    bounds, counts = told.bounds, told.counts
    ordered = all(map(isfinite, bounds)) and list(bounds) == sorted(bounds)
    if counts and (len(counts) != len(bounds) + 1 or not ordered or min(counts) < 0):
        return None
    if len(counts) > MOST_BUCKETS:
        counts = ()
    total = told.sum if told.sum is not None and isfinite(told.sum) else None
    return Total(at, float(told.count), total, bounds if counts else (), counts)


def _grown(state: State, key: str, total: Total, since: float | None) -> Total | None:
    """By how much it grew; None when that is not known."""
    last = state.totals.pop(key, None)
    if last is not None and last.at >= total.at:  # told late, or again
        state.totals[key] = last
        return None
    state.totals[key] = total
    if last is None:
        return total if since is not None and 0 <= total.at - since <= FRESH_S else None
    began_anew = total.value < last.value or (since is not None and since > last.at)
    if began_anew or last.bounds != total.bounds or len(last.counts) != len(total.counts):
        return total if began_anew else None
    counts = tuple(now - before for now, before in zip(total.counts, last.counts, strict=True))
    if any(count < 0 for count in counts):
        return total
    added = None if total.sum is None or last.sum is None else total.sum - last.sum
    return Total(total.at, total.value - last.value, added, total.bounds, counts)


def _told(series: str, more: Total) -> list[tuple[str, float]]:
    found = [(with_ending(series, "_count"), more.value)]
    if more.sum is not None:
        found.append((with_ending(series, "_sum"), more.sum))
    segments = explicit(more.bounds, more.counts, None, None) if any(more.counts) else []
    if segments:
        endings = (ending for ending, _ in QUANTILES)
        found += [
            (with_ending(series, f"_{ending}"), value)
            for ending, value in zip(endings, quantiles(segments), strict=True)
        ]
    return found
