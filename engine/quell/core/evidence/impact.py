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

import numpy as np

from quell.core.evidence.absence import lost
from quell.core.evidence.losses import FAILURE_SHARE, Losses, What, measured
from quell.core.evidence.scales import FLOOR, TINY
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import Table

WAIT_SHARE = 0.02
"""Excess that is this share of all the time users wait is worth log(2) nats of impact."""
ODDNESS = 0.25
"""How odd a level is for a node counts so much beside its impact: callers of the guilty one are less surprised."""
MOST_DOUBLINGS = 10.0
"""Impact is not worth more than this many times the nats of one (natural) doubling."""


@dataclass(slots=True)
class Impact:
    """By node nats and a sentence; ``worse`` in doublings of all that got worse there, ``own`` the share not explained.

    All nodes of which anything was measured are in ``worse``. ``grown``: how many times as many requests are under way.
    """

    nats: dict[int, tuple[float, str]] = field(default_factory=dict)
    worse: dict[int, float] = field(default_factory=dict)
    own: dict[int, float] = field(default_factory=dict)
    grown: dict[int, float] = field(default_factory=dict)


def impact(table: Table, around: Surroundings, what: What) -> Impact:
    """What each node makes its callers wait or fail, less what its callees explain."""
    losses = measured(table, what, outgoing=False)
    if what == "failure":
        for node, (much, before, least, after) in lost(table, around, _shares(table, losses)).items():
            losses.beyond[node] = losses.beyond.get(node, 0.0) + much
            losses.excess[node] = losses.excess.get(node, 0.0) + much
            losses.far[node] = max(losses.far.get(node, 0.0), before / max(before - least, before * FLOOR))
            losses.said[node] = ("requests to it", before, after)
    if not losses.beyond:
        return Impact()
    own = {
        node: max(0.0, much - sum(losses.beyond[below] for below in around.measured_below(node, losses.beyond)))
        for node, much in losses.beyond.items()
    }
    ways = _between(table, around, losses, own) if what == "wait" else {}
    unit = _unit(table, around, losses, what)
    worse = {node: log1p(much / unit) for node, much in losses.beyond.items()}
    shares = {node: min(1.0, own[node] / much) for node, much in losses.beyond.items() if much > TINY}
    found = Impact(worse=worse, own=shares, grown=losses.grown)
    for node in sorted({*own, *ways}):
        here, way = own.get(node, 0.0), ways.get(node, 0.0)
        if here + way > 0.0:
            doublings = log1p((here + way) / unit)
            if around.known:
                doublings += ODDNESS * _odd(losses, node, here)
            else:  # callers lose as much as the guilty one, but are less surprised
                doublings = (doublings + _odd(losses, node, here)) / 2.0
            text = _sentence(losses, node, what, on_the_way=way > here)
            found.nats[node] = (min(doublings, MOST_DOUBLINGS), text)
    return found


def _shares(table: Table, losses: Losses) -> dict[int, float]:
    """By node the share of its requests that newly fail."""
    loads = _loads(table)
    return {node: min(1.0, much / loads.get(node, 1.0)) for node, much in losses.beyond.items()}


def _odd(losses: Losses, node: int, own: float) -> float:
    """How odd a level is for this node, as far as its impact is its own."""
    beyond = losses.beyond.get(node, 0.0)
    share = min(1.0, own / beyond) if beyond > TINY else 0.0
    return share * log1p(losses.far.get(node, 0.0))


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


def _between(table: Table, around: Surroundings, losses: Losses, own: dict[int, float]) -> dict[int, float]:
    """Takes waiting that arises between nodes off the callers' own, and gives it by the node that is to blame.

    Callers that measure their own calls know of it: what they wait beyond what the callees say they took. The node is
    to blame that is called most by callers that wait so, and by few others.
    """
    calls = _calls_out(table, around)
    between: dict[int, float] = {}
    waits = measured(table, "wait", outgoing=True)
    for node, beyond in waits.beyond.items():
        below = sum(losses.beyond[other] for other in around.measured_below(node, losses.beyond))
        rest = min(beyond * calls.get(node, 1.0) - below, losses.beyond.get(node, np.inf))
        if rest > 0.0:
            between[node] = rest
    loads = _loads(table)
    found: dict[int, float] = {}
    for node, seconds in between.items():
        if node in own:
            own[node] = max(0.0, own[node] - seconds)
        blame = {
            other: _share(around.inn[other], between) * loads.get(other, 1.0) for other in (*around.out[node], node)
        }
        total = sum(blame.values())
        for other, part in blame.items():
            if part > 0.0:
                found[other] = found.get(other, 0.0) + seconds * part / total
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
