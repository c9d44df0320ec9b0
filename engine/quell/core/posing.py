"""A group of units as a problem to be solved: what is to be explained, and what could explain it, as flat arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import inf
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from quell.core.continuity import place_of
from quell.core.families import COUNT
from quell.core.folding import HELD_S
from quell.core.graph import Graph
from quell.core.problem import Symptoms
from quell.core.steps import Steps
from quell.core.web import Web
from quell.model.incident import Incident
from quell.model.state import Group, State, Unit
from quell.model.weights import Timing

ENDED_AFTER_S = 60.0
"""An end is believed so long after it: much fires again at once."""
PACKED_TOGETHER = 500
"""The claims of so many units are packed in one piece."""
_IDENTITY = attrgetter("entity", "family", "onset")
_NOWHERE = -1, False, False
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Posing:
    """Reads a state; what it remembers of a unit is forgotten when another end of it is told."""

    def __init__(self, state: State, timing: Timing) -> None:
        self._state = state
        self._timing = timing
        self._over: dict[int, tuple[int, float]] = {}
        """By unit, how many of its alerts ended and when half of these had, where all that is told of is believed."""

    def forget(self, unit_id: int) -> None:
        """When a unit ended is to be worked out anew."""
        self._over.pop(unit_id, None)

    def of(self, group: Group, web: Web, only: Collection[int] | None, now: float) -> Steps[tuple[list[int], Symptoms]]:
        """The ids of a group's units, and the problem; without those that none of ``only`` these causes explains."""
        claims = yield from web.claims_on(only, group.units)
        if claims is None:
            known = self._in_order(group.units)
            yield
            packed = yield from _packed(known, web)
            rows = np.concatenate(packed, axis=1)
            causes, (cost, lag) = rows[0], rows[1:].view(np.float64)
            units = np.repeat(np.arange(len(known)), [part.shape[1] for part in packed])
            yield
            order = np.argsort(causes, kind="stable")
        else:
            yield
            some = set(claims.unit.tolist())
            known = self._in_order(unit_id for unit_id in group.units if unit_id in some)
            by_id = np.argsort(listed := np.array([unit.id for unit in known], dtype=np.int64))
            yield
            units = by_id[np.searchsorted(listed, claims.unit, sorter=by_id)]
            causes, cost, lag = claims.cause, claims.cost, claims.lag
            yield
            order = np.lexsort((units, causes))
        yield
        causes, units, cost = causes[order], units[order], cost[order]
        starts = np.flatnonzero(np.diff(causes, prepend=-1))
        keys, starts = causes[starts], np.append(starts, len(causes)).astype(np.int64)
        here = (keys, starts, units, cost)
        yield
        told = _among(web, len(known), here) if claims is None else _beside(web, known)
        through = web.hubs.through(*here, told)
        yield
        dearer = web.itself.dearer(known, units, causes)
        if dearer is not None:
            cost = cost + dearer
        if through is not None:
            cost = cost + through
        dearer = web.hubs.dearer(keys)
        if dearer is not None:
            cost = np.where(cost > 0.0, cost + np.repeat(dearer, np.diff(starts)), cost)
        yield
        stood, live, held = self._shown(known, now)
        yield
        onsets = np.array([unit.onset for unit in known], dtype=np.float64)
        ends = np.array([self._ended(unit, now) if unit.ends else inf for unit in known], dtype=np.float64)
        yield
        node = web.graph.node
        own = np.array([node(unit.entity) * COUNT + unit.family for unit in known], dtype=np.int64)
        yield
        return [unit.id for unit in known], Symptoms(
            onsets=onsets,
            ends=ends,
            stood=stood,
            live=live,
            held=held,
            weight=np.array([unit.weight for unit in known], dtype=np.float64),
            keys=keys,
            starts=starts,
            unit=units,
            cost=cost,
            lag=lag[order],
            timing=self._timing,
            beside=len(group.units) - len(known),
            own=own,
            near=_near(known, web.graph) if web.graph.gaps.some else None,
        )

    def _in_order(self, ids: Iterable[int]) -> list[Unit]:
        """Units in an order that does not depend on what came first."""
        units = self._state.units
        return sorted([units[unit_id] for unit_id in ids], key=_IDENTITY)

    def _ended(self, unit: Unit, now: float) -> float:
        """When most of the alerts of a unit, of which some did, had ended for a while; inf as long as they have not."""
        known = self._over.get(unit.id)
        if known is None:
            told = sorted(end for end in unit.ends.values() if end <= now - ENDED_AFTER_S)
            known = len(told), told[len(told) // 2] if told else inf
            if len(told) == len(unit.ends):
                self._over[unit.id] = known
        return inf if 2 * known[0] < len(unit.alerts) else known[1]

    def _shown(self, units: Collection[Unit], now: float) -> tuple[Ints, Bools, Bools]:
        """The how manieth incident the first alert of each unit stands in, whether it is open, and has been held."""
        first = [unit.alerts[0] for unit in units]
        placed, incidents = self._state.placed, self._state.incidents
        names = [placed.get(member[0] if member[1] == 1 else place_of(member)) for member in first]
        told: dict[str | None, tuple[int, bool, bool]] = {}
        number = 0
        for name in dict.fromkeys(names):
            incident = incidents.get(name) if name is not None else None
            if incident is None:
                told[name] = _NOWHERE
            else:
                told[name] = number, incident.is_open, _held(incident, now)
                number += 1
        stood, live, held = np.array([told[name] for name in names], dtype=np.int64).reshape(-1, 3).T
        return stood.copy(), live.astype(np.bool_), held.astype(np.bool_)


def _packed(units: Sequence[Unit], web: Web) -> Steps[list[Ints]]:
    """The claims of each of these units."""
    packed: list[Ints] = []
    for start in range(0, len(units), PACKED_TOGETHER):
        if start:
            yield
        packed += [web.packed(unit.id) for unit in units[start : start + PACKED_TOGETHER]]
    return packed


def _held(incident: Incident, now: float) -> bool:
    """Whether people have had an incident before them for a while, as something that belongs together."""
    return not incident.crowd and incident.is_open and incident.opened_at <= now - HELD_S


Hub = tuple[int, float, Floats]
"""A cause at a hub, by how much ways from it are dearer, and at what cost each unit claims it (inf: not at all)."""


def _among(web: Web, many: int, rows: tuple[Ints, Ints, Ints, Floats]) -> Iterator[Hub]:
    """Hubs where all that units claim is among the rows."""
    keys, starts, units, costs = rows
    for at, nats in web.hubs.dear_among(keys) if web.knows_claimants else ():
        mine = slice(starts[at], starts[at + 1])
        there = np.full(many, inf)
        there[units[mine]] = costs[mine]
        yield int(keys[at]), nats, there


def _beside(web: Web, known: Sequence[Unit]) -> Iterator[Hub]:
    """Hubs where it need not be."""
    ids = np.array([unit.id for unit in known], dtype=np.int64)
    by_id = np.argsort(ids)
    ids = ids[by_id]
    for cause, nats in web.hubs.dear_keys() if known else ():
        column = web.column(cause)
        if column is None:
            continue
        claimants, told = column
        at = np.minimum(np.searchsorted(ids, claimants), len(ids) - 1)
        mine = ids[at] == claimants
        if mine.any():
            there = np.full(len(ids), inf)
            there[by_id[at[mine]]] = told[0][mine]
            yield cause, nats, there


def _near(units: Collection[Unit], graph: Graph) -> Ints:
    """A number for the namespace and family of each unit; below 0 where there is none."""
    numbers = {"": -1}
    scopes = [numbers.setdefault(graph.scope(graph.node(unit.entity)), len(numbers)) for unit in units]
    return np.array([scope * COUNT + unit.family for scope, unit in zip(scopes, units, strict=True)], dtype=np.int64)
