"""Unexplained impact by metrics: what a node makes its callers wait or fail, less what its own callees explain of it.

A node's *impact* is its requests times how much worse each one went than usual; so a node with three slow requests
does not look as broken as one with a thousand. Trouble below a node shows at the node, too: what its callees lost
together is subtracted, and the rest is the node's own. Only what goes beyond the band of chance counts, and that the
less the smaller its share in the whole excess is: a node that is often somewhat slow is not found out by being so.

The idea of following excess down the graph to where it is not explained any more is that of call-graph traversal (for
one D. Liu et al., *MicroHECL*, ICSE-SEIP 2021, and the baseline of M. Hardt et al., *The PetShop Dataset*, CLeaR 2024);
weighing it by requests, with a band instead of a threshold, is what keeps idle nodes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log1p
from typing import Literal

import numpy as np

from quell.core.evidence.scales import TINY, Floats, least, quantiles, spread, worse_half
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import LEAST_POINTS, Table

BAND = 0.95
WAIT_SHARE = 0.02
"""Excess that is this share of all the time users wait is worth log(2) nats of impact."""
FAILURE_SHARE = 0.005
"""The same for failures, as a share of all requests."""
ODDNESS = 0.25
"""How odd a level is for a node counts so much beside its impact: callers of the guilty one are less surprised."""
MOST_DOUBLINGS = 10.0
"""Impact is not worth more than this many times the nats of one (natural) doubling."""
TAIL = 95
"""Quantiles beyond this say little of the many."""
PERCENT = 1.5
"""A share that is ever above this is in percent."""
What = Literal["wait", "failure"]


@dataclass(slots=True)
class Losses:
    """By node: ``excess`` over usual, ``beyond`` the band of chance, ``usual`` level; of requests per time.

    ``far`` is how many robust deviations each request left its usual level.
    """

    excess: dict[int, float] = field(default_factory=dict)
    beyond: dict[int, float] = field(default_factory=dict)
    usual: dict[int, float] = field(default_factory=dict)
    far: dict[int, float] = field(default_factory=dict)
    said: dict[int, tuple[str, float, float]] = field(default_factory=dict)


def impact(table: Table, around: Surroundings, what: What) -> dict[int, tuple[float, str]]:
    """Nats and a sentence by node."""
    losses = _losses(table, what, outgoing=False)
    if not losses.beyond:
        return {}
    own = {
        node: max(0.0, lost - sum(losses.beyond[below] for below in around.measured_below(node, losses.beyond)))
        for node, lost in losses.beyond.items()
    }
    ways = _between(table, around, losses, own) if what == "wait" else {}
    unit = _unit(table, around, losses, what)
    found = {}
    for node in sorted({*own, *ways}):
        here, way = own.get(node, 0.0), ways.get(node, 0.0)
        if here + way > 0.0:
            doublings = log1p((here + way) / unit) + _odd(losses, node, here)
            found[node] = (min(doublings, MOST_DOUBLINGS), _sentence(losses, node, what, on_the_way=way > here))
    return found


def _odd(losses: Losses, node: int, own: float) -> float:
    """A little for how odd a level is for this node, as far as its impact is its own."""
    beyond = losses.beyond.get(node, 0.0)
    share = min(1.0, own / beyond) if beyond > TINY else 0.0
    return ODDNESS * share * log1p(losses.far.get(node, 0.0))


def _sentence(losses: Losses, node: int, what: What, *, on_the_way: bool) -> str:
    if on_the_way:
        return "calls to it are slow, more than what runs in it"
    metric, before, after = losses.said[node]
    more = "time" if what == "wait" else "failures"
    return f"{metric} went from {before:.4g} to {after:.4g}, {more} that its callees do not explain"


def _unit(table: Table, around: Surroundings, losses: Losses, what: What) -> float:
    """What counts as one unit of impact: a small share of all that users wait, or of their requests."""
    if what == "wait":
        entry = [losses.usual[node] for node in around.symptoms if losses.usual.get(node, 0.0) > 0.0]
        every = max(entry, default=0.0) or max(losses.usual.values())
        return WAIT_SHARE * every if every > TINY else 0.05 * (max(losses.excess.values()) or 1.0)
    loads = [
        float(table.middle[at])
        for at, column in enumerate(table.columns)
        if column.meaning.kind == "load" and table.middle[at] > 0.0
    ]
    return FAILURE_SHARE * max(loads) if loads and max(loads) > TINY else 0.05 * (max(losses.excess.values()) or 1.0)


def _losses(table: Table, what: What, *, outgoing: bool) -> Losses:
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
    losses = Losses()
    for (node, _), columns in sorted(told.items()):
        _lost(table, node, _chosen(table, columns), loads.get(node), losses)
    return losses


def _chosen(table: Table, columns: list[int]) -> list[int]:
    """The mean where there is one, else the quantiles that speak of the many."""
    means = [at for at in columns if table.columns[at].meaning.quantile == 0]
    if means:
        return means
    return [at for at in columns if table.columns[at].meaning.quantile <= TAIL] or columns[:1]


def _lost(table: Table, node: int, columns: list[int], load: int | None, losses: Losses) -> None:
    block, _ = table.column(columns[0])
    rows = [table.columns[at].row for at in columns if table.columns[at].block == table.columns[columns[0]].block]
    share = _scale(table, columns[0])
    level = [_rates(part[rows], share) for part in (block.before, block.recent, block.after)]
    told = ~np.isnan(level[0])
    if int(told.sum()) < LEAST_POINTS:
        return
    load_before, load_after = (1.0, 1.0) if load is None or share == "count" else _load(table, load)
    usual = float(np.median(level[0][told]))
    before, recent, after = level[0] - usual, level[1] - usual, level[2] - usual
    excess = load_after * max(0.0, float(worse_half(after[None, :])[0]))
    band = load_before * max(0.0, float(quantiles(before[None, :], (BAND,))[0][0]))
    held = load_before * float(least(recent[None, :])[0])
    band = band if np.isnan(held) else max(band, held)
    beyond = max(0.0, excess - band) ** 2 / excess if excess > TINY else 0.0
    if beyond >= losses.beyond.get(node, -1.0):
        low, high = quantiles(before[None, :], (0.1, 0.9))
        losses.said[node] = (table.columns[columns[0]].metric, table.middle[columns[0]], _came(table, columns[0]))
        losses.excess[node], losses.beyond[node], losses.usual[node] = excess, beyond, usual * load_before
        losses.far[node] = excess / max(load_after, TINY) / float(spread(low, high, np.array([usual]))[0])


def _came(table: Table, at: int) -> float:
    return float(table.fell[at] if table.columns[at].meaning.kind == "success" else table.came[at])


Scale = Literal["level", "count", "share", "percent", "lack", "lack of percent"]


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
    told = ~np.isnan(rows)
    number = told.sum(axis=0)
    mean = np.where(number > 0, np.where(told, rows, 0.0).sum(axis=0) / np.maximum(number, 1), np.nan)
    if scale == "percent":
        return np.asarray(mean / 100.0)
    if scale == "lack":
        return np.asarray(1.0 - mean)
    return np.asarray(1.0 - mean / 100.0) if scale == "lack of percent" else np.asarray(mean)


def _load(table: Table, at: int) -> tuple[float, float]:
    """Requests per time before and after: medians, for what a load does from one point to the next is chance."""
    block, row = table.column(at)
    came = quantiles(block.after[row : row + 1], (0.5,))[0]
    return float(table.middle[at]), float(np.nan_to_num(came)[0])


def _between(table: Table, around: Surroundings, losses: Losses, own: dict[int, float]) -> dict[int, float]:
    """Takes waiting that arises between nodes off the callers' own, and gives it by the node that is to blame.

    Callers that measure their own calls know of it: what they wait beyond what the callees say they took. The node is
    to blame that is called most by callers that wait so, and by few others.
    """
    calls = _calls_out(table, around)
    between: dict[int, float] = {}
    waits = _losses(table, "wait", outgoing=True)
    for node, lost in waits.beyond.items():
        below = sum(losses.beyond[other] for other in around.measured_below(node, losses.beyond))
        rest = min(lost * calls.get(node, 1.0) - below, losses.beyond.get(node, np.inf))
        if rest > 0.0:
            between[node] = rest
    loads = _loads(table)
    found: dict[int, float] = {}
    for node, lost in between.items():
        if node in own:
            own[node] = max(0.0, own[node] - lost)
        blame = {
            other: _share(around.inn[other], between) * loads.get(other, 1.0) for other in (*around.out[node], node)
        }
        total = sum(blame.values())
        for other, part in blame.items():
            if part > 0.0:
                found[other] = found.get(other, 0.0) + lost * part / total
    return found


def _share(callers: tuple[int, ...], between: Mapping[int, float]) -> float:
    """How many of the callers wait between nodes, less for each caller that does not: it speaks for the node."""
    slow = sum(caller in between for caller in callers)
    return slow * (slow / len(callers)) ** 2 if callers else 0.0


def _loads(table: Table) -> dict[int, float]:
    """The usual requests of each node that has a first metric of that kind."""
    found: dict[int, float] = {}
    for at, column in enumerate(table.columns):
        if column.meaning.kind == "load" and not column.meaning.outgoing and table.middle[at] > 0.0:
            found.setdefault(column.node, float(table.middle[at]))
    return found


def _calls_out(table: Table, around: Surroundings) -> dict[int, float]:
    """About how many calls each node makes for each request, from the loads of what it calls."""
    loads = _loads(table)
    found = {}
    for node, load in loads.items():
        made = sum(loads.get(other, 0.0) / len(around.inn[other]) for other in around.out[node])
        found[node] = max(1.0, made / load)
    return found
