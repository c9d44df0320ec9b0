"""What can be measured of a model's behaviour, each with its interval, from counted values. Pure.

Calibration is the expected calibration error (Naeini, Cooper, Hauskrecht, AAAI 2015) of ten bins. It is above zero by
chance also where a model is calibrated, the more so the fewer pairs there are; ``chance`` says by how much at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from math import pi, sqrt
from typing import NamedTuple

from quell.core.detect.intervals import Interval, deviations, difference, mean, share
from quell.model.detect import Behaviour
from quell.model.distribution import Distribution
from quell.model.sketch import Sketch, between, cells

BINS = 10
MOST_OUTSIDE = 0.01
"""So large a part of what should lie from 0 to 1 may not: it is counted as 0 or 1."""
_ROUNDING = 1e-6
Told = Mapping[tuple[str, str], Distribution]
"""By segment ("": all together) and field."""
_RATES: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "positive": ("positive", ("true",), ("false",)),
    "agreement": ("agreement", ("true",), ("false",)),
    "refusal": ("refusal", ("true",), ("false",)),
    "true_positive": ("confusion", ("true positive",), ("false negative",)),
    "false_positive": ("confusion", ("false positive",), ("true negative",)),
}
"""Of a rate: the field that it is told from, what counts for it, and what against it."""


class Measured(NamedTuple):
    """What was found. ``chance``: up to here a value says nothing. ``more`` are annotations.

    ``wrong`` says why nothing can be measured of what was told.
    """

    interval: Interval
    what: str
    chance: float = 0.0
    more: Mapping[str, str] = {}
    wrong: str = ""


def measured(of: Behaviour, told: Told) -> Measured | None:
    """The number that a rule asks for; None where nothing was told of it, or too little."""
    found = _no_chances(of, told) or _MEASURES[of.of](of, told)
    return found if found is not None and found.interval.n >= of.volume else None


def valued(sketch: Sketch) -> list[tuple[float, int]]:
    """Values and how many of each there are."""
    return [(cell.middle, cell.told) for cell in cells(sketch)]


def _numbers(of: Behaviour, told: Told) -> Iterator[tuple[str, Distribution]]:
    """The fields that the rule reads of its segment, in order."""
    for (segment, field), found in sorted(told.items()):
        if segment == of.segment:
            yield field, found


def _no_chances(of: Behaviour, told: Told) -> Measured | None:
    """What must lie from 0 to 1 does not: it may be told as a percentage, or be no chance at all."""
    limit = of.above if of.above is not None else of.below
    if of.of not in {"polarised", "calibration"} and (of.of != "confidence" or limit is None or limit > 1.0):
        return None
    for field, found in _numbers(of, told):
        n = found.numbers.count
        outside = n - between(found.numbers, -_ROUNDING, 1.0 + _ROUNDING)
        if outside > MOST_OUTSIDE * n:
            low, high = found.numbers.low, found.numbers.high
            span = f" ({low:.4g} to {high:.4g})" if low is not None and high is not None else ""
            said = f"{outside:,} of {n:,} values of {field} do not lie between 0 and 1{span}: is it a percentage?"
            return Measured(share(outside, n, deviations(of.sure)), f"{of.of} of {field}", wrong=said)
    return None


def _mean(of: Behaviour, told: Told) -> Measured | None:
    for field, found in _numbers(of, told):
        interval = mean(valued(found.numbers), found.numbers.total, deviations(of.sure))
        if interval is not None:
            return Measured(interval, f"mean {field} of {interval.n:,} predictions")
    return None


def _tokens(of: Behaviour, told: Told) -> Measured | None:
    """The mean of what goes in and comes out of a request, both together."""
    parts = [
        interval
        for _, found in _numbers(of, told)
        if (interval := mean(valued(found.numbers), found.numbers.total, deviations(of.sure))) is not None
    ]
    if not parts:
        return None
    # Long questions have long answers: nobody knows here how much the one follows the other, so as much as can be.
    value, half = sum(one.value for one in parts), sum(one.high - one.value for one in parts)
    n = max(one.n for one in parts)
    return Measured(Interval(value, value - half, value + half, n), f"mean tokens of {n:,} requests")


def _spend(of: Behaviour, told: Told) -> Measured | None:
    for _, found in _numbers(of, told):
        total, n = found.numbers.total, found.numbers.count
        if n:
            return Measured(Interval(total, total, total, n), f"cost of {n:,} requests")
    return None


def _polarised(of: Behaviour, told: Told) -> Measured | None:
    for field, found in _numbers(of, told):
        n = found.numbers.count
        if n:
            ends = between(found.numbers, most=of.ends) + between(found.numbers, least=1.0 - of.ends)
            what = f"share of {n:,} values of {field} within {of.ends:g} of 0 or 1"
            return Measured(share(ends, n, deviations(of.sure)), what)
    return None


def _said(found: Distribution, yes: tuple[str, ...], no: tuple[str, ...]) -> tuple[int, int]:
    hits = sum(found.categories.get(name, 0) for name in yes)
    return hits, hits + sum(found.categories.get(name, 0) for name in no)


def _disagreement(of: Behaviour, told: Told) -> Measured | None:
    for field, found in _numbers(of, told):
        wrong, n = _said(found, ("false",), ("true",))
        if n:
            by = " of people" if field.endswith(".human") else ""
            return Measured(share(wrong, n, deviations(of.sure)), f"disagreement with {n:,} labels{by}")
    return None


def _refusal(of: Behaviour, told: Told) -> Measured | None:
    for _, found in _numbers(of, told):
        refused, n = _said(found, ("true",), ("false",))
        if n:
            return Measured(share(refused, n, deviations(of.sure)), f"share of refusals among {n:,} requests")
    return None


def _missing(of: Behaviour, told: Told) -> Measured | None:
    """Of the field of which most is missing, or is no value of its type (NaN and infinities among them)."""
    worst: Measured | None = None
    fields = [(field, found) for field, found in _numbers(of, told) if found.count >= max(of.volume, 1)]
    z = deviations(of.sure, len(fields))
    for field, found in fields:
        interval = share(min(found.nulls + found.bad, found.count), found.count, z)
        if worst is None or interval.low > worst.interval.low:
            worst = Measured(
                interval, f"share of missing values among {found.count:,} of {field}", 0.0, {"field": field}
            )
    return worst


def _calibration(of: Behaviour, told: Told) -> Measured | None:
    """How far the chances that a model states are from how often it is right, on average."""
    counts, hits, chances = [0] * BINS, [0] * BINS, [0.0] * BINS
    for field, found in _numbers(of, told):
        for value, count in valued(found.numbers):
            chance = min(max(value, 0.0), 1.0)
            at = min(int(chance * BINS), BINS - 1)
            counts[at] += count
            chances[at] += chance * count
            hits[at] += count if field.endswith(".true") else 0
    n = sum(counts)
    if not n:
        return None
    error = expected = variance = 0.0
    said, came = sum(chances) / n, sum(hits) / n
    for at in range(BINS):
        if counts[at]:
            weight, p = counts[at] / n, min(max(chances[at] / counts[at], 0.0), 1.0)
            error += weight * abs(hits[at] / counts[at] - p)
            expected += weight * sqrt(2.0 * p * (1.0 - p) / (pi * counts[at]))
            variance += weight * weight * max(p * (1.0 - p), 1.0 / counts[at]) / counts[at]
    z, spread = deviations(of.sure), sqrt(variance)
    direction = "too sure of itself" if said > came else "not sure enough of itself"
    more = {"stated": f"{said:.4g}", "observed": f"{came:.4g}", "direction": direction}
    interval = Interval(error, max(error - z * spread, 0.0), min(error + z * spread, 1.0), n)
    return Measured(interval, f"expected calibration error of {n:,} labelled predictions", expected + z * spread, more)


def _fairness(of: Behaviour, told: Told) -> Measured | None:
    """The largest gap between two segments that have enough each; sure of it as one of all their pairs."""
    wanted, yes, no = _RATES[of.rate]
    counted = {
        segment.partition("=")[2]: said
        for (segment, field), found in told.items()
        if field == wanted
        and segment.partition("=")[0] == of.across
        and (said := _said(found, yes, no))[1] >= of.volume
    }
    widest = widest_gap(counted, of.sure)
    if widest is None:
        return None
    gap, high, low, rates = widest
    what = f"gap of {of.rate.replace('_', ' ')} rates between {of.across}={high} ({rates[high].value:.1%} of "
    what += f"{rates[high].n:,}) and {of.across}={low} ({rates[low].value:.1%} of {rates[low].n:,})"
    listed = ", ".join(f"{name} {rate.value:.1%} ({rate.low:.1%}–{rate.high:.1%})" for name, rate in rates.items())
    return Measured(gap, what, 0.0, {"rates": listed[:2000], "higher": high, "lower": low})


class Gap(NamedTuple):
    """Two segments, the rate of one above that of the other; ``rates`` are those of all."""

    between: Interval
    high: str
    low: str
    rates: Mapping[str, Interval]


def widest_gap(counted: Mapping[str, tuple[int, int]], sure: float) -> Gap | None:
    """The gap that is surely the largest, of (hits, all) by segment; None of fewer than two segments."""
    counted = {name: told for name, told in counted.items() if told[1]}
    if len(counted) < 2:
        return None
    z = deviations(sure, len(counted) * (len(counted) - 1) // 2)
    rates = {name: share(hits, n, z) for name, (hits, n) in sorted(counted.items())}
    gaps = []
    for one, other in combinations(rates, 2):
        high, low = (one, other) if rates[one].value >= rates[other].value else (other, one)
        gaps.append(Gap(difference(rates[high], rates[low]), high, low, rates))
    return max(gaps, key=lambda one: (one.between.low, one.between.value))


_MEASURES: Mapping[str, Callable[[Behaviour, Told], Measured | None]] = {
    "confidence": _mean,
    "quality": _mean,
    "cost": _mean,
    "tokens": _tokens,
    "spend": _spend,
    "polarised": _polarised,
    "calibration": _calibration,
    "disagreement": _disagreement,
    "fairness": _fairness,
    "refusal": _refusal,
    "missing": _missing,
}
