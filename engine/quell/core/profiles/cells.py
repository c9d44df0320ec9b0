"""Two distributions side by side: counts over cells that are the same for both, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quell.model.distribution import Distribution, hashed_counts
from quell.model.sketch import Sketch, coarser

Floats = NDArray[np.float64]
_APART = 1 << 40
"""Added to indices of buckets: above all of them, so that cells of both signs ascend as one."""
REST = "(rest)"
"""The cell of texts that are not listed."""
FEWEST = 5
"""Fewer of both together in a cell of texts, and it is counted with the rest."""


class Cells(NamedTuple):
    """Counts of ``then`` and ``now``; numbers have ``middles``, ascending, texts have ``names``."""

    then: Floats
    now: Floats
    middles: Floats
    names: tuple[str, ...] = ()


def cells_of(then: Distribution, now: Distribution) -> Cells:
    """Of two distributions of one type."""
    if then.numeric:
        return _of_numbers(then.numbers, now.numbers)
    before, after = _named(then), _named(now)
    if then.hashed != now.hashed:
        before = before if then.hashed else hashed_counts(before)
        after = after if now.hashed else hashed_counts(after)
    return _of_texts(before, after)


def binned(cells: Cells, edges: Iterable[float]) -> Cells:
    """Numbers by bins with these upper edges, and one more for what is above them all."""
    upper = np.array(sorted(edges), dtype=np.float64)
    where = np.searchsorted(upper, cells.middles)
    then = counted(where, cells.then, len(upper) + 1)
    return Cells(then, counted(where, cells.now, len(upper) + 1), np.append(upper, np.inf))


def counted(where: NDArray[np.intp], counts: Floats, bins: int) -> Floats:
    """The counts added up by bin."""
    found: Floats = np.bincount(where, counts, bins).astype(np.float64)
    return found


def even_bins(told: Sketch, wanted: int) -> tuple[float, ...]:
    """Upper edges of bins that hold about as many numbers each; the last bin has none. Fewer where values repeat."""
    cells = _of_numbers(told, Sketch())
    reached = np.cumsum(cells.then)
    if not len(reached):
        return ()
    ends = np.searchsorted(reached, reached[-1] * np.arange(1, wanted) / wanted)
    uppers = _uppers(told)
    chosen = np.unique(ends[ends < len(reached) - 1])
    return tuple(float(uppers[at]) for at in chosen)


def _of_numbers(then: Sketch, now: Sketch) -> Cells:
    scale = min([one.scale for one in (then, now) if one.count] or [then.scale])
    keys_then, counts_then = _keyed(coarser(then, scale))
    keys_now, counts_now = _keyed(coarser(now, scale))
    keys = np.union1d(keys_then, keys_now)
    before, after = np.zeros(len(keys)), np.zeros(len(keys))
    before[np.searchsorted(keys, keys_then)] = counts_then
    after[np.searchsorted(keys, keys_now)] = counts_now
    return Cells(before, after, _values(keys, scale, 0.5))


def _of_texts(before: Mapping[str, int], after: Mapping[str, int]) -> Cells:
    names = sorted(name for name in before.keys() | after.keys() if name != REST)
    often = [name for name in names if before.get(name, 0) + after.get(name, 0) >= FEWEST]
    seldom = set(names) - set(often)
    rest = [told.get(REST, 0) + sum(told.get(name, 0) for name in seldom) for told in (before, after)]
    if any(rest):
        often.append(REST)
    then = np.array([before.get(name, 0) for name in often], dtype=np.float64)
    now = np.array([after.get(name, 0) for name in often], dtype=np.float64)
    if any(rest):
        then[-1], now[-1] = rest
    return Cells(then, now, np.empty(0), tuple(often))


def _named(told: Distribution) -> dict[str, int]:
    counts = dict(told.categories)
    if told.other:
        counts[REST] = counts.get(REST, 0) + told.other
    return counts


def _keyed(told: Sketch) -> tuple[NDArray[np.int64], Floats]:
    """Cells of both signs by an ascending key, which is 0 for zero."""
    negative = np.array(told.negative, dtype=np.int64).reshape(-1, 2)[::-1]
    positive = np.array(told.positive, dtype=np.int64).reshape(-1, 2)
    zero = np.zeros(1 if told.zero else 0, dtype=np.int64)
    keys = np.concatenate((-(negative[:, 0] + _APART), zero, positive[:, 0] + _APART))
    counts = np.concatenate((negative[:, 1], zero + told.zero, positive[:, 1]))
    return keys, counts.astype(np.float64)


def _values(keys: NDArray[np.int64], scale: int, share: float) -> Floats:
    """What lies so far within each cell, away from zero."""
    exponents = np.ldexp(np.abs(keys) - _APART + share, -scale)
    found = np.exp2(np.clip(exponents, -1074.0, 1023.9))
    return np.where(keys == 0, 0.0, np.sign(keys) * found)


def _uppers(told: Sketch) -> Floats:
    keys, _ = _keyed(told)
    return np.where(keys > 0, _values(keys, told.scale, 1.0), _values(keys, told.scale, 0.0))
