"""Sketches of arrays: the same as `quell.model.sketch` counts, without a loop over values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quell.model.distribution import MOST_LETTERS, MOST_TEXTS, Distribution, hashed_counts
from quell.model.records import ValueType
from quell.model.sketch import FINEST, FLOOR, WANTED, Sketch, bounded, fitted

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Runs = tuple[Indices, Indices]
_SOME = 2048
_DENSE = 1 << 18
"""So many buckets are counted in place; more are sorted."""


def sketch_of_array(values: Floats) -> Sketch:
    """A sketch of finite numbers."""
    if not len(values):
        return Sketch()
    low, high = float(values.min()), float(values.max())
    positive = values if low > 0.0 else values[values > 0.0]
    negative = -values if high < 0.0 else -values[values < 0.0] if low < 0.0 else values[:0]
    scale, (above, below) = _scaled(positive, negative)
    with np.errstate(over="ignore"):
        total = bounded(float(values.sum()))
    zero = len(values) - len(positive) - len(negative)
    return fitted(Sketch(scale=scale, zero=zero, positive=above, negative=below, low=low, high=high, total=total))


def numbers(values: Floats, kind: ValueType = "number") -> Distribution:
    """Counts of an array: NaN is missing, an infinity is bad."""
    total, bad, nulls = len(values), 0, 0
    finite = np.isfinite(values)
    if not finite.all():
        nulls = int(np.isnan(values).sum())
        values = values[finite]
        bad = total - nulls - len(values)
    return Distribution(type=kind, count=total, nulls=nulls, bad=bad, numbers=sketch_of_array(values))


def texts(values: Sequence[Any], counts: Sequence[int], nulls: int, kind: ValueType = "text") -> Distribution:
    """Of different texts and how often each occurs."""
    told: dict[str, int] = {}
    for value, count in zip(values, counts, strict=True):
        name = str(value)[:MOST_LETTERS]
        told[name] = told.get(name, 0) + int(count)
    hashed = len(told) > MOST_TEXTS
    if hashed:
        told = hashed_counts(told)
    total = sum(told.values()) + nulls
    return Distribution(type=kind, count=total, nulls=nulls, categories=dict(sorted(told.items())), hashed=hashed)


def _scaled(*signs: Floats) -> tuple[int, list[tuple[tuple[int, int], ...]]]:
    """The finest scale at which each of the arrays of positive numbers fits, and their buckets there."""
    # What some of the numbers need too many buckets for, all of them do: so most scales need not be tried on all.
    some = [_runs(np.sort(_indices(part[:: len(part) // _SOME + 1], FINEST))) for part in signs]
    scale = _fitting(some, FINEST)[0]
    scale, told = _fitting([_counted(part, scale) for part in signs], scale)
    return scale, [tuple(zip(indices.tolist(), counts.tolist(), strict=True)) for indices, counts in told]


def _fitting(told: list[Runs], scale: int) -> tuple[int, list[Runs]]:
    while scale > FLOOR and max(len(indices) for indices, _ in told) > WANTED:
        told = [_coarser(indices, counts) for indices, counts in told]
        scale -= 1
    return scale, told


def _counted(values: Floats, scale: int) -> Runs:
    """The indices of positive numbers, and how often each occurs, without sorting them where that can be."""
    if not len(values):
        return _runs(np.empty(0, np.int64))
    if values.max() < _DENSE and not np.mod(values[:_SOME], 1.0).any() and not np.mod(values, 1.0).any():
        counts = np.bincount(values.astype(np.int64))
        whole = np.flatnonzero(counts)
        return _merged(_indices(whole.astype(np.float64), scale), counts[whole])
    indices = _indices(values, scale)
    lowest = int(indices.min())
    if int(indices.max()) - lowest >= _DENSE:
        indices.sort()
        return _runs(indices)
    indices -= lowest
    counts = np.bincount(indices)
    found = np.flatnonzero(counts)
    return found + lowest, counts[found]


def _indices(values: Floats, scale: int) -> Indices:
    logs = np.log2(values)
    logs *= 2.0**scale
    np.ceil(logs, out=logs)
    logs -= 1.0
    return logs.astype(np.int64)


def _runs(indices: Indices) -> Runs:
    """Each index of a sorted array once, and how often it stands there."""
    return _merged(indices, np.ones(len(indices), np.int64))


def _coarser(indices: Indices, counts: Indices) -> Runs:
    """One scale less."""
    return _merged(indices >> 1, counts)


def _merged(indices: Indices, counts: Indices) -> Runs:
    """Each index of a sorted array once, with its counts added up."""
    if not len(indices):
        return indices, counts
    starts = np.concatenate(([0], np.flatnonzero(indices[1:] != indices[:-1]) + 1))
    return indices[starts], np.add.reduceat(counts, starts)
