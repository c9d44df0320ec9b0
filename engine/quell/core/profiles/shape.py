"""What became of a field's numbers as a whole: another unit, another zero, a logarithm, a turned sign.

A changed unit moves every number in the same way, so that the quantiles of now are those of then after one simple
step. The steps that people take by mistake are few, and each is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quell.model.sketch import Sketch, quantiles

Floats = NDArray[np.float64]
_SHARES = tuple(at / 20 for at in range(1, 20))
_FIT = 0.03
_FIT_MOST = 0.15
"""How far quantiles may lie from where a step would put them, on average and at most, as a share of the spread of now.

The outer ones wander by some percent in a few thousand numbers.
"""
_APART = 0.25
"""So far they must lie from where they were."""
_SEVERAL = 4
"""Of fewer different quantiles any line goes through all."""
_FACTORS: tuple[tuple[float, str], ...] = (
    (100.0, "unit change?"),
    (1000.0, "unit change?"),
    (10.0, "unit change?"),
    (1e6, "unit change?"),
    (1e9, "unit change?"),
    (1e4, "unit change?"),
    (60.0, "minutes and seconds?"),
    (3600.0, "hours and seconds?"),
    (86400.0, "days and seconds?"),
    (24.0, "days and hours?"),
    (1440.0, "days and minutes?"),
    (7.0, "weeks and days?"),
    (365.25, "years and days?"),
    (12.0, "years and months?"),
    (1024.0, "unit change?"),
    (1024.0**2, "unit change?"),
    (1024.0**3, "unit change?"),
    (8.0, "bytes and bits?"),
    (2.54, "inches and centimetres?"),
    (0.3048, "feet and metres?"),
    (1.609344, "miles and kilometres?"),
    (0.45359237, "pounds and kilograms?"),
    (180.0 / np.pi, "degrees and radians?"),
)
_CLOSE = 0.02
_CLOSE_LARGE = 0.1
_LARGE = 5.0
"""So far a factor may be off; a large one that is close to one that everybody knows is that one."""


class Step(NamedTuple):
    """How numbers would get from then to now, and how people say it."""

    said: str
    of: Callable[[Floats], Floats]


_STEPS = (
    Step("signs are turned", lambda values: -values[::-1]),
    Step("values are logarithms of those before", np.log),
    Step("values are log(1 + x) of those before", np.log1p),
    Step("values are logarithms to base 10 of those before", np.log10),
    Step("values are logarithms to base 2 of those before", np.log2),
    Step("values are exp(x) of those before (logarithm not taken?)", np.exp),
    Step("values are exp(x) - 1 of those before (logarithm not taken?)", np.expm1),
    Step("values were Celsius and are Fahrenheit (unit change?)", lambda values: values * 1.8 + 32.0),
    Step("values were Fahrenheit and are Celsius (unit change?)", lambda values: (values - 32.0) / 1.8),
    Step("values were Celsius and are Kelvin (unit change?)", lambda values: values + 273.15),
    Step("values were Kelvin and are Celsius (unit change?)", lambda values: values - 273.15),
)


def step_between(then: Sketch, now: Sketch) -> str:
    """Such as ``values ×100 (unit change?)``; "" when no simple step explains it."""
    before = np.array(quantiles(then, _SHARES))
    after = np.array(quantiles(now, _SHARES))
    if len(before) < len(_SHARES) or len(after) < len(_SHARES):
        return ""
    if min(len(np.unique(before)), len(np.unique(after))) < _SEVERAL:
        return _of_few(before, after)
    if _misfit(before, after) < _APART:
        return ""
    factor = _factor(before, after)
    if factor is not None and _fits(before * factor, after):
        return _worded(factor)
    with np.errstate(all="ignore"):
        tried = [
            (float(np.abs(found - after).mean()), step.said)
            for step in _STEPS
            if _fits(found := step.of(before), after)
        ]
    return min(tried)[1] if tried else _line(before, after)


def _misfit(wanted: Floats, found: Floats) -> float:
    spread = float(found[-1] - found[0])
    if not np.isfinite(wanted).all() or spread <= 0.0:
        return np.inf
    return float(np.abs(wanted - found).max()) / spread


def _fits(wanted: Floats, found: Floats) -> bool:
    if _misfit(wanted, found) > _FIT_MOST:
        return False
    return float(np.abs(wanted - found).mean()) <= _FIT * float(found[-1] - found[0])


def _of_few(before: Floats, after: Floats) -> str:
    """Of numbers that are nearly all one or the other a factor must be known to be believed."""
    factor = _factor(before, after)
    if factor is None or not np.allclose(before * factor, after, rtol=_CLOSE):
        return ""
    return _worded(factor) if _known(factor) else ""


def _factor(before: Floats, after: Floats) -> float | None:
    """The one factor that most quantiles changed by; that of somebody's conversion if it is close to one."""
    some = before != 0.0
    if not some.any():
        return None
    factor = float(np.median(after[some] / before[some]))
    if not np.isfinite(factor) or factor <= 0.0 or abs(factor - 1.0) < _CLOSE:
        return None
    known = _known(factor)
    return known[0] if known else factor


def _known(factor: float) -> tuple[float, str] | None:
    sizes = [(one, said) for size, said in _FACTORS for one in (size, 1.0 / size)]
    nearest = min(sizes, key=lambda pair: abs(np.log(factor / pair[0])))
    close = _CLOSE if 1.0 / _LARGE < nearest[0] < _LARGE else _CLOSE_LARGE
    return nearest if abs(factor / nearest[0] - 1.0) <= close else None


def _worded(factor: float) -> str:
    known = _known(factor)
    size, sign = (factor, "×") if factor >= 1.0 else (1.0 / factor, "÷")
    return f"values {sign}{_number(size)} ({known[1]})" if known else f"values {sign}{_about(size)}"


def _line(before: Floats, after: Floats) -> str:
    """Moved by a constant."""
    moved = float(np.median(after - before))
    if moved and _fits(before + moved, after):
        return f"values {'+' if moved > 0 else '-'}{_about(abs(moved))}"
    return ""


def _about(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _number(value: float) -> str:
    return f"{round(value):d}" if 100.0 <= value < 1e15 else f"{value:.3g}"
