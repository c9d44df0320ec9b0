"""Who gets no work though it is sent: the callers fail at it, and go on asking what they ask besides.

That no work arrives is mostly the doing of whoever sends it. Whoever stops sending, though, stops to send to all that
it asks. So where callers fail in the same incident, one of those that they ask gets nothing any more, and others that
nobody else asks go on getting work, it cannot be reached, or does not run: it is told to be broken itself. Where a
graph leaves dependencies out, nobody knows who else sends work, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from quell.core.families import Family
from quell.core.graph import Graph
from quell.core.reach import FEW_SENDERS, key
from quell.core.symptoms import Case
from quell.model.state import Unit

EACH = 0.9
"""Nats for each of the others that goes on: were it for those who send, three in five of these would get nothing."""
MOST = 3.0
WITHIN_S = 900.0
"""What began further apart than this is another matter."""


def nats_of(peers: int) -> float:
    """What it speaks for an entity that gets no work that so many like it go on."""
    return min(MOST, EACH * peers)


class _Asked(NamedTuple):
    """Who sends work to a node, what else these ask, and of those its like that nobody else sends any."""

    senders: tuple[int, ...]
    others: tuple[int, ...]
    peers: tuple[int, ...]


_NOBODY = _Asked((), (), ())


class Unreached:
    """``units_at`` tells the live units of a node and family by their key. The graph must not change under it."""

    def __init__(self, graph: Graph, units_at: Callable[[int], Sequence[int]], units: Mapping[int, Unit]) -> None:
        self._graph = graph
        self._units_at = units_at
        self._units = units
        self._known: dict[int, _Asked] = {}

    def peers(self, unit: Unit, case: Case) -> int:
        """How many others, all of whose work comes from those who send it to this, go on where this gets none.

        ``case`` are the symptoms that are told together: callers that fail for another reason say nothing of this.
        """
        if unit.family != Family.IDLE or self._graph.gaps.some:
            return 0
        node = self._graph.node(unit.entity)
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = self._asked(node)
        if not known.peers or not self._fail(known.senders, unit, case):
            return 0
        starved = any(self._near(other, Family.IDLE, unit) for other in (*known.senders, *known.others))
        return 0 if starved else len(known.peers)

    def nats(self, unit: Unit, case: Case) -> float:
        """What that is worth."""
        return nats_of(self.peers(unit, case))

    def _fail(self, senders: Sequence[int], unit: Unit, case: Case) -> bool:
        """Whether any of these answers with errors, and none says that it is broken itself."""
        there = (one for sender in senders for one in case.at(self._graph.name(sender)))
        failing = [one for one in there if one.family == Family.FAILING and _at_a_time(one, unit)]
        return bool(failing) and not any(one.itself for one in failing)

    def _near(self, node: int, family: Family, unit: Unit) -> list[Unit]:
        there = (self._units[one] for one in self._units_at(key(node, family)))
        return [one for one in there if _at_a_time(one, unit)]

    def _asked(self, node: int) -> _Asked:
        senders, kind = self._senders(node), self._graph.kind(node)
        if not 0 < len(senders) <= FEW_SENDERS:
            return _NOBODY
        others = {other for one in senders for other, how, _ in self._graph.out[one] if how.work} - {node}
        peers = (one for one in sorted(others) if self._graph.kind(one) == kind and self._senders(one) <= senders)
        return _Asked(tuple(sorted(senders)), tuple(sorted(others)), tuple(peers))

    def _senders(self, node: int) -> frozenset[int]:
        return frozenset(sender for sender, how, _ in self._graph.inn[node] if how.work)


def _at_a_time(one: Unit, other: Unit) -> bool:
    return abs(one.first - other.first) <= WITHIN_S
