"""The metrics of a neighbourhood side by side, cut in two where trouble began."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from quell.core.evidence.running import as_rates, means
from quell.core.evidence.scales import Floats, least, quantiles
from quell.core.evidence.words import Meaning, meaning
from quell.model.state import Series, Signals

RECENT_S = 1800.0
"""What deviated all through this time before trouble began is not part of it."""
AFTER_S = 3600.0
LEAST_POINTS = 4
DOUBTFUL_S = 150.0
"""Rules fire after trouble began: what came so shortly before is not taken for usual, where enough else is."""


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


def table(signals: Sequence[Signals | None], began: float, felt: Collection[str] = ()) -> Table:
    """The table of these nodes' metrics for trouble that began then.

    A metric of no known meaning on which an alert fires (``felt``) is what users feel, and is read like waiting.
    """
    by_times: dict[bytes, list[tuple[int, str, Series]]] = {}
    for node, told in enumerate(signals):
        series: Mapping[str, Series] = told.series if told is not None else {}
        for metric in sorted(series):
            by_times.setdefault(series[metric].times, []).append((node, metric, series[metric]))
    made = Table()
    stats: list[NDArray[np.float64]] = []
    for packed, members in by_times.items():
        times = np.frombuffer(packed, dtype="<f8")
        if not _spans(times, began):
            continue
        names, rows = _rates(members, times)
        block = _block(times, rows, began)
        made.columns += [
            Column(node, name, _meaning(name, felt), len(made.blocks), row)
            for row, ((node, _, _), name) in enumerate(zip(members, names, strict=True))
        ]
        made.blocks.append(block)
        stats.append(_stats(block))
    if stats:
        usual, after = np.split(np.concatenate(stats, axis=1), [5])
        made.low, made.middle, made.high, made.top, made.held = usual
        made.came, made.fell, made.settled = after
    return made


def _meaning(name: str, felt: Collection[str]) -> Meaning:
    found = meaning(name)
    return replace(found, kind="wait") if found.kind == "other" and name in felt else found


def _spans(times: Floats, began: float) -> bool:
    """Whether enough was told before trouble began, and something after."""
    start = int(np.searchsorted(times, began))
    return start >= LEAST_POINTS and int(np.searchsorted(times, began + AFTER_S)) > start


def _rates(members: Sequence[tuple[int, str, Series]], times: Floats) -> tuple[list[str], Floats]:
    """Names and points, running totals as rates, and sums of waiting as means where there is a count beside them."""
    names = [metric for _, metric, _ in members]
    rows = np.frombuffer(b"".join(series.values for _, _, series in members), dtype="<f8")
    rows = as_rates(names, times, rows.reshape(len(members), len(times)))
    counted = means([(node, metric) for node, metric, _ in members])
    if counted:
        rows = rows.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            for at, (count, name) in counted.items():
                rows[at] = np.where(rows[count] > 0.0, rows[at] / rows[count], np.nan)
                names[at] = name
    return names, rows


def _block(times: Floats, rows: Floats, began: float) -> Block:
    start, recent, stop, sure = np.searchsorted(
        times, (began, began - RECENT_S, began + AFTER_S, began - DOUBTFUL_S)
    ).tolist()
    usual = sure if sure > start / 2 and sure >= LEAST_POINTS else start
    return Block(times, rows[:, :usual], rows[:, recent:usual], rows[:, start:stop])


def _stats(block: Block) -> Floats:
    told = np.sum(~np.isnan(block.before), axis=1) >= LEAST_POINTS
    usual = quantiles(block.before, (0.1, 0.5, 0.9, 0.98))
    came = quantiles(block.after, (0.75, 0.25, 0.5))
    return np.array([*(np.where(told, one, np.nan) for one in usual), least(block.recent), *came])
