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
from quell.model.sketch import Sketch, middle_of

BINS = 10
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
    """What was found. ``chance``: up to here a value says nothing. ``more`` are annotations."""

    interval: Interval
    what: str
    chance: float = 0.0
    more: Mapping[str, str] = {}


def measured(of: Behaviour, told: Told) -> Measured | None:
    """The number that a rule asks for; None where nothing was told of it, or too little."""
    found = _MEASURES[of.of](of, told)
    return found if found is not None and found.interval.n >= of.volume else None


def cells(sketch: Sketch) -> Iterator[tuple[float, int]]:
    """Values and how many of each there are."""
    if sketch.low is not None and sketch.low == sketch.high:
        yield sketch.low, sketch.count
        return
    for index, count in sketch.negative:
        yield -middle_of(index, sketch.scale), count
    if sketch.zero:
        yield 0.0, sketch.zero
    for index, count in sketch.positive:
        yield middle_of(index, sketch.scale), count


def _numbers(of: Behaviour, told: Told) -> Iterator[tuple[str, Distribution]]:
    """The fields that the rule reads of its segment, in order."""
    for (segment, field), found in sorted(told.items()):
        if segment == of.segment:
            yield field, found


def _mean(of: Behaviour, told: Told) -> Measured | None:
    for field, found in _numbers(of, told):
        interval = mean([*cells(found.numbers)], found.numbers.total, deviations(of.sure))
        if interval is not None:
            return Measured(interval, f"mean {field} of {interval.n:,} predictions")
    return None


def _tokens(of: Behaviour, told: Told) -> Measured | None:
    """The mean of what goes in and comes out of a request, both together."""
    parts = [
        interval
        for _, found in _numbers(of, told)
        if (interval := mean([*cells(found.numbers)], found.numbers.total, deviations(of.sure))) is not None
    ]
    if not parts:
        return None
    value, half = sum(one.value for one in parts), sqrt(sum((one.high - one.value) ** 2 for one in parts))
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
            ends = sum(count for value, count in cells(found.numbers) if value <= of.ends or value >= 1.0 - of.ends)
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
        for value, count in cells(found.numbers):
            at = min(max(int(value * BINS), 0), BINS - 1)
            counts[at] += count
            chances[at] += value * count
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
    if len(counted) < 2:
        return None
    z = deviations(of.sure, len(counted) * (len(counted) - 1) // 2)
    rates = {name: share(hits, n, z) for name, (hits, n) in sorted(counted.items()) if n}
    gaps = []
    for one, other in combinations(rates, 2):
        high, low = (one, other) if rates[one].value >= rates[other].value else (other, one)
        gaps.append((difference(rates[high], rates[low]), high, low))
    gap, high, low = max(gaps, key=lambda one: (one[0].low, one[0].value))
    what = f"gap of {of.rate.replace('_', ' ')} rates between {of.across}={high} ({rates[high].value:.1%} of "
    what += f"{rates[high].n:,}) and {of.across}={low} ({rates[low].value:.1%} of {rates[low].n:,})"
    listed = ", ".join(f"{name} {rate.value:.1%} ({rate.low:.1%}–{rate.high:.1%})" for name, rate in rates.items())
    return Measured(gap, what, 0.0, {"rates": listed[:2000], "higher": high, "lower": low})


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
