"""The metrics of a neighbourhood side by side, cut in two where trouble began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quell.core.evidence.scales import Floats, least, quantiles
from quell.core.evidence.words import Meaning, meaning
from quell.model.state import Series, Signals

RECENT_S = 1800.0
"""What deviated all through this time before trouble began is not part of it."""
AFTER_S = 3600.0
LEAST_POINTS = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of one node; its points are row ``row`` of block ``block``."""

    node: int
    metric: str
    meaning: Meaning
    block: int
    row: int


@dataclass(frozen=True, slots=True)
class Block:
    """Metrics with the same times: a row each, before trouble began, shortly before, and after."""

    times: Floats
    before: Floats
    recent: Floats
    after: Floats


@dataclass(slots=True)
class Table:
    """All columns, and of each what was usual and what came.

    ``low``, ``middle``, ``high``, ``top`` are quantiles of what was before (.1, .5, .9, .98), ``held`` what it never
    fell below shortly before, ``came`` the upper quartile of what came after (``fell`` the lower one, ``settled`` the
    median). NaN: too little was told.
    """

    columns: list[Column] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    low: Floats = field(default_factory=lambda: np.zeros(0))
    middle: Floats = field(default_factory=lambda: np.zeros(0))
    high: Floats = field(default_factory=lambda: np.zeros(0))
    top: Floats = field(default_factory=lambda: np.zeros(0))
    held: Floats = field(default_factory=lambda: np.zeros(0))
    came: Floats = field(default_factory=lambda: np.zeros(0))
    fell: Floats = field(default_factory=lambda: np.zeros(0))
    settled: Floats = field(default_factory=lambda: np.zeros(0))

    def column(self, at: int) -> tuple[Block, int]:
        """Where the points of a column are."""
        one = self.columns[at]
        return self.blocks[one.block], one.row


def table(signals: Sequence[Signals | None], began: float) -> Table:
    """The table of these nodes' metrics for trouble that began then."""
    by_times: dict[bytes, list[tuple[int, str, Series]]] = {}
    for node, told in enumerate(signals):
        series: Mapping[str, Series] = told.series if told is not None else {}
        for metric in sorted(series):
            by_times.setdefault(series[metric].times, []).append((node, metric, series[metric]))
    made = Table()
    stats: list[NDArray[np.float64]] = []
    for packed, members in by_times.items():
        block = _block(np.frombuffer(packed, dtype="<f8"), [series.values for _, _, series in members], began)
        if block is None:
            continue
        made.columns += [
            Column(node, metric, meaning(metric), len(made.blocks), row)
            for row, (node, metric, _) in enumerate(members)
        ]
        made.blocks.append(block)
        stats.append(_stats(block))
    if stats:
        usual, after = np.split(np.concatenate(stats, axis=1), [5])
        made.low, made.middle, made.high, made.top, made.held = usual
        made.came, made.fell, made.settled = after
    return made


def _block(times: Floats, values: Sequence[bytes], began: float) -> Block | None:
    start = int(np.searchsorted(times, began))
    recent = int(np.searchsorted(times, began - RECENT_S))
    stop = int(np.searchsorted(times, began + AFTER_S))
    if start < LEAST_POINTS or stop <= start:
        return None
    rows = np.frombuffer(b"".join(values), dtype="<f8").reshape(len(values), len(times))
    return Block(times, rows[:, :start], rows[:, recent:start], rows[:, start:stop])


def _stats(block: Block) -> Floats:
    told = np.sum(~np.isnan(block.before), axis=1) >= LEAST_POINTS
    usual = quantiles(block.before, (0.1, 0.5, 0.9, 0.98))
    came = quantiles(block.after, (0.75, 0.25, 0.5))
    return np.array([*(np.where(told, one, np.nan) for one in usual), least(block.recent), *came])
