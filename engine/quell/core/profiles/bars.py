"""Histograms for people: before and after over the same few bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quell.core.profiles.cells import Cells, counted
from quell.model.drift_report import Bars

Floats = NDArray[np.float64]
MOST_BARS = 24
MOST_NAMES = 12
_OUTSIDE = 0.005
"""This share at each end is counted with the bar next to it, so that one outlier does not squeeze all the rest."""
_WIDE = 50.0
"""When the largest is so many times the smallest, bars grow by a factor."""
_LEVELS = " ▁▂▃▄▅▆▇█"


def bars_of(cells: Cells) -> Bars | None:
    """None where there is nothing to show."""
    if not cells.then.sum() and not cells.now.sum():
        return None
    if cells.names:
        return _named(cells)
    if len(cells.middles) <= MOST_NAMES:
        return Bars(
            before=_shares(cells.then), after=_shares(cells.now), names=tuple(f"{one:.6g}" for one in cells.middles)
        )
    edges, log = _edges(cells)
    where = np.clip(np.searchsorted(edges, cells.middles, "right") - 1, 0, len(edges) - 2)
    before, after = (counted(where, counts, len(edges) - 1) for counts in (cells.then, cells.now))
    return Bars(
        before=_shares(before), after=_shares(after), edges=tuple(float(f"{one:.6g}") for one in edges), log=log
    )


def spark(shares: tuple[float, ...]) -> str:
    """A histogram as one line of text."""
    top = max(shares, default=0.0)
    if top <= 0.0:
        return ""
    return "".join(_LEVELS[0 if one <= 0.0 else max(1, round(one / top * (len(_LEVELS) - 1)))] for one in shares)


def _named(cells: Cells) -> Bars:
    """The texts that are most frequent, then or now; the others as one."""
    before, after = np.array(_shares(cells.then)), np.array(_shares(cells.now))
    order = np.argsort(-np.maximum(before, after), kind="stable")
    kept, others = order[:MOST_NAMES], order[MOST_NAMES:]
    names = [cells.names[at] for at in kept]
    first, second = before[kept].tolist(), after[kept].tolist()
    if len(others):
        names.append(f"({len(others)} others)")
        first.append(float(before[others].sum()))
        second.append(float(after[others].sum()))
    return Bars(before=_rounded(first), after=_rounded(second), names=tuple(names))


def _edges(cells: Cells) -> tuple[Floats, bool]:
    low, high = np.inf, -np.inf
    for counts in (cells.then, cells.now):
        if counts.sum():
            reached = np.cumsum(counts) / counts.sum()
            first, last = np.searchsorted(reached, [_OUTSIDE, 1.0 - _OUTSIDE])
            low = min(low, float(cells.middles[first]))
            high = max(high, float(cells.middles[min(last, len(reached) - 1)]))
    if low == high:
        low, high = low - 0.5 - abs(low) * 0.01, high + 0.5 + abs(high) * 0.01
    if low > 0.0 and high / low > _WIDE:
        return np.geomspace(low, high, MOST_BARS + 1), True
    with np.errstate(over="ignore"):
        return np.linspace(low / 2, high / 2, MOST_BARS + 1) * 2.0, False


def _shares(counts: NDArray[np.float64]) -> tuple[float, ...]:
    total = counts.sum()
    return _rounded((counts / total).tolist() if total else [0.0] * len(counts))


def _rounded(shares: list[float]) -> tuple[float, ...]:
    return tuple(round(one, 4) for one in shares)
