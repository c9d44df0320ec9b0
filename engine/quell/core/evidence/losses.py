"""What each node makes its callers wait or fail by its metrics: how much more than usual, less what chance explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Literal

import numpy as np

from quell.core.evidence.scales import TINY, Floats, least, quantiles, spread, worse_half
from quell.core.evidence.table import LEAST_POINTS, Block, Table

BAND = 0.95
TAIL = 95
"""Quantiles beyond this say little of the many."""
FAILURE_SHARE = 0.005
"""Failures of this share of requests are one unit."""
FEW = 0.1
"""So many failures per time are one unit of oddness where it is not known of how many requests."""
PERCENT = 1.5
"""A share that is ever above this is in percent."""
What = Literal["wait", "failure"]
Scale = Literal["level", "count", "share", "percent", "lack", "lack of percent"]


@dataclass(slots=True)
class Losses:
    """By node: ``excess`` over usual, ``beyond`` the band of chance, ``usual`` level; of requests per time.

    ``far`` is how many robust deviations each request left its usual level, ``said`` the metric, before and after.
    ``grown`` is how many times as much time is spent in all requests together.
    """

    excess: dict[int, float] = field(default_factory=dict)
    beyond: dict[int, float] = field(default_factory=dict)
    usual: dict[int, float] = field(default_factory=dict)
    far: dict[int, float] = field(default_factory=dict)
    grown: dict[int, float] = field(default_factory=dict)
    said: dict[int, tuple[str, float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Level:
    """Columns that tell one level of a node, how to read them, and its requests per time before and after."""

    node: int
    columns: Sequence[int]
    scale: Scale
    before: float
    after: float


def measured(table: Table, what: What, *, outgoing: bool) -> Losses:
    """Of all nodes that have such metrics, of calls to them or, ``outgoing``, of their own calls."""
    kinds = {"wait"} if what == "wait" else {"failure", "success"}
    loads: dict[int, int] = {}
    told: dict[tuple[int, str], list[int]] = {}
    for at, column in enumerate(table.columns):
        if column.meaning.version == 0 or np.isnan(table.middle[at]):
            continue
        if column.meaning.kind == "load":
            loads.setdefault(column.node, at)
        elif column.meaning.kind in kinds and column.meaning.outgoing == outgoing:
            told.setdefault((column.node, column.meaning.kind), []).append(at)
    by_block: dict[int, list[_Level]] = {}
    for (node, _), columns in sorted(told.items()):
        level = _level(table, node, _chosen(table, columns), loads.get(node))
        by_block.setdefault(table.columns[level.columns[0]].block, []).append(level)
    losses = Losses()
    for block, levels in by_block.items():
        _lost(table, table.blocks[block], levels, losses)
    return losses


def _chosen(table: Table, columns: list[int]) -> list[int]:
    """The mean where there is one, else the quantiles that speak of the many; told at the same times."""
    means = [at for at in columns if table.columns[at].meaning.quantile == 0]
    many = [at for at in columns if table.columns[at].meaning.quantile <= TAIL]
    chosen = means or many or columns[:1]
    return [at for at in chosen if table.columns[at].block == table.columns[chosen[0]].block]


def _level(table: Table, node: int, columns: Sequence[int], load: int | None) -> _Level:
    """Loads are medians: what a load does from one point to the next is chance."""
    scale = _scale(table, columns[0])
    if load is None or scale == "count":
        return _Level(node, columns, scale, 1.0, 1.0)
    settled = float(table.settled[load])
    return _Level(node, columns, scale, float(table.middle[load]), 0.0 if isnan(settled) else settled)


def _lost(table: Table, block: Block, levels: Sequence[_Level], losses: Losses) -> None:
    """Measures levels that were told at the same times."""
    seconds = np.array([[table.columns[one.columns[0]].meaning.seconds] for one in levels])
    before, recent, after = (
        seconds * np.array([_rates(part[[table.columns[at].row for at in one.columns]], one.scale) for one in levels])
        for part in (block.before, block.recent, block.after)
    )
    low, usual, high, band = quantiles(before, (0.1, 0.5, 0.9, BAND))
    scale = np.maximum(spread(low, high, usual), [_least_scale(one) for one in levels])
    come = np.maximum(0.0, worse_half(after - usual[:, None]))
    limit = np.fmax(np.maximum(0.0, band - usual), 0.0)
    held = least(recent) - usual
    enough = np.sum(~np.isnan(before), axis=1) >= LEAST_POINTS
    for at in np.flatnonzero(enough).tolist():
        one = levels[at]
        excess = one.after * float(come[at])
        chance = one.before * float(np.fmax(limit[at], held[at]))
        beyond = max(0.0, excess - chance) ** 2 / excess if excess > TINY else 0.0
        if beyond >= losses.beyond.get(one.node, -1.0):
            first = one.columns[0]
            came = table.fell[first] if one.scale in {"lack", "lack of percent"} else table.came[first]
            losses.said[one.node] = (table.columns[first].metric, float(table.middle[first]), float(came))
            losses.excess[one.node], losses.beyond[one.node] = excess, beyond
            losses.far[one.node] = float(come[at] / scale[at])
            much = losses.usual[one.node] = float(usual[at]) * one.before
            losses.grown[one.node] = (float(usual[at]) * one.after + excess) / much if much > TINY else 1.0


def _least_scale(level: _Level) -> float:
    """A service that never failed has no spread; one failure is no infinity. Of counts without requests see `FEW`."""
    if level.scale == "level":
        return 0.0
    return FEW if level.scale == "count" else FAILURE_SHARE


def _scale(table: Table, at: int) -> Scale:
    """How the numbers of a column are to be read."""
    kind = table.columns[at].meaning.kind
    if kind == "wait":
        return "level"
    block, row = table.column(at)
    highest = max((float(np.nanmax(part[row], initial=0.0)) for part in (block.before, block.after)), default=0.0)
    if kind == "success":
        return "lack of percent" if highest > PERCENT else "lack"
    words = table.columns[at].metric.lower()
    if any(word in words for word in ("percent", "pct")):
        return "percent"
    return "share" if "rat" in words and highest <= 1.0 else "count"


def _rates(rows: Floats, scale: Scale) -> Floats:
    """One rate per time: the mean of the rows, as seconds, counts or shares of requests that failed."""
    mean = rows[0]
    if len(rows) > 1:
        told = ~np.isnan(rows)
        number = told.sum(axis=0)
        mean = np.where(number > 0, np.where(told, rows, 0.0).sum(axis=0) / np.maximum(number, 1), np.nan)
    if scale == "percent":
        return np.asarray(mean / 100.0)
    if scale == "lack":
        return np.asarray(1.0 - mean)
    return np.asarray(1.0 - mean / 100.0) if scale == "lack of percent" else np.asarray(mean)
