"""What is to be explained, and what a cause would be worth: one group's symptoms as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quell.model.weights import DEFAULT, Timing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRIAL_TIMES = 8


@dataclass(frozen=True, slots=True)
class Symptoms:
    """The problem as flat arrays: one row per (unit, cause) claim, rows sorted by cause.

    ``onsets`` and ``ends`` per unit in seconds (inf: not over yet), ``stood`` per unit the how manieth incident of the
    group it stands in (-1: none), ``live`` per unit whether that one is open, ``held`` whether it has been for a
    while, ``weight`` per unit in nats (what explaining it earns); ``unit``, ``cost``, ``lag`` per row; ``keys``
    distinct causes and ``starts`` where the rows of each begin (one more entry than keys). ``beside`` are the units of
    the group that no cause here could explain, which are left out. ``near``, where ways are missing, is the same number
    for units of one namespace and family (below 0: in none). ``own`` per unit is the key of what it is itself,
    which need not be among ``keys``.
    """

    onsets: Floats
    ends: Floats
    stood: Ints
    live: NDArray[np.bool_]
    held: NDArray[np.bool_]
    weight: Floats
    own: Ints
    keys: Ints
    starts: Ints
    unit: Ints
    cost: Floats
    lag: Floats
    timing: Timing = DEFAULT.timing
    beside: int = 0
    near: Ints | None = None

    def first(self, key: int, began: float) -> float:
        """When the first symptom began of those that were due once this cause had begun then; ``began`` without any."""
        at = int(np.searchsorted(self.keys, key))
        if at == len(self.keys) or self.keys[at] != key:
            return began
        rows = slice(int(self.starts[at]), int(self.starts[at + 1]))
        onsets = self.onsets[self.unit[rows]]
        due = onsets - self.lag[rows] >= began - self.timing.early_s
        return float(onsets[due].min()) if due.any() else began


@dataclass(slots=True)
class Open:
    """An open cause: its index, when it began, what it is worth to every unit, its price, and the how manieth it is."""

    cause: int
    began: float
    line: Floats
    price: float
    number: int
    net: float = 0.0
    stays: Floats | None = None
    """What its units had without it when its beginning was found to be the best."""


class Problem:
    """The symptoms with all that is worked out of them once. A cause is told by its index among ``symptoms.keys``."""

    def __init__(self, symptoms: Symptoms) -> None:
        self.symptoms = symptoms
        self.plain: Floats = symptoms.weight[symptoms.unit] - symptoms.cost
        """Per row: what its cause is worth to its unit when it began just when it should."""
        self.cause: Ints = np.repeat(np.arange(len(symptoms.keys)), np.diff(symptoms.starts))
        """Per row: the index of its cause."""
        self._due = symptoms.onsets[symptoms.unit] - symptoms.lag
        timing = symptoms.timing
        spread = timing.lag_spread * symptoms.lag
        self._early = timing.early_s + spread
        self._late = timing.late_s + spread

    def index(self, key: int) -> int | None:
        """The index of a cause; None when it could explain nothing here."""
        at = int(np.searchsorted(self.symptoms.keys, key))
        return at if at < len(self.symptoms.keys) and self.symptoms.keys[at] == key else None

    def key(self, cause: int) -> int:
        """The key of a cause."""
        return int(self.symptoms.keys[cause])

    def rows(self, cause: int) -> slice:
        """The rows of a cause."""
        return slice(int(self.symptoms.starts[cause]), int(self.symptoms.starts[cause + 1]))

    def rows_of(self, causes: Sequence[int] | Ints) -> tuple[Ints, Ints]:
        """The rows of several causes, one after the other, and the how manieth of these causes each is of."""
        first, past = self.symptoms.starts[causes], self.symptoms.starts[np.add(causes, 1)]
        lengths = past - first
        place = np.repeat(np.arange(len(causes)), lengths)
        offset = np.cumsum(lengths) - lengths
        return np.arange(len(place)) + (first - offset)[place], place

    def worth(self, rows: slice | Ints, began: Floats | float) -> Floats:
        """What a cause begun then is worth to the units of its rows (a row a time when ``began`` is a column)."""
        off = self._due[rows] - began
        scale = np.where(off < 0.0, self._early[rows], self._late[rows])
        off /= scale
        off *= off
        off /= 3.0
        np.log1p(off, out=off)
        off *= -2.0
        off += self.plain[rows]
        return off

    def line(self, cause: int, began: float) -> Floats:
        """What a cause begun then is worth to every unit, at least nothing."""
        line = np.zeros(len(self.symptoms.onsets))
        rows = self.rows(cause)
        line[self.symptoms.unit[rows]] = np.maximum(self.worth(rows, began), 0.0)
        return line

    def lines(self, causes: Sequence[int], began: Sequence[float]) -> Floats:
        """The same of several causes, a row each."""
        rows, place = self.rows_of(causes)
        lines = np.zeros((len(causes), len(self.symptoms.onsets)))
        worth = self.worth(rows, np.array(began, dtype=np.float64)[place])
        lines[place, self.symptoms.unit[rows]] = np.maximum(worth, 0.0)
        return lines

    def asked(self, rows: slice) -> tuple[Floats, Floats, Floats]:
        """All that `worth` and `times` depend on, for these rows."""
        return self._due[rows], self.plain[rows], self.symptoms.lag[rows]

    def times(self, rows: slice) -> Floats:
        """Beginnings worth trying: when the units of these rows were due."""
        due = self._due[rows]
        if len(due) <= TRIAL_TIMES:
            return due
        ordered = np.sort(due)
        picks = ordered[np.arange(TRIAL_TIMES) * (len(due) - 1) // (TRIAL_TIMES - 1)]
        picks[-1] = due[self.plain[rows].argmax()]
        return picks
