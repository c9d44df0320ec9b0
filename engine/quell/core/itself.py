"""Who is broken itself, as a pod that crashes, is so by its own doing or because of where it stands.

What an entity asks may fail it, and then it answers with errors; that its process dies of it is the exception. So if an
alert says that it crashes or is not ready, the causes along what it asks are dearer than its own and those of its
host, rack or zone. A job is another matter: it ends with an error when what it asks fails.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quell.core.families import COUNT
from quell.core.graph import Graph
from quell.model.state import Unit

DEARER = 3.0
"""Nats that it costs: of twenty that crash while something that they ask fails, one does so because of that."""
JOBS = frozenset({"job", "cronjob", "task", "pipeline", "training", "workflow", "dag", "flow", "batch"})
"""Kinds of what runs to its end."""
_SPAN = 1 << 32
"""More than there are nodes."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Itself:
    """Knows where everything stands. The graph must not change under it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        places = {place for arcs in graph.out for place, how, _ in arcs if how.place}
        self._place_nodes = places
        self._places = np.array(sorted(places), dtype=np.int64)
        self._stands: dict[int, frozenset[int]] = {}

    def concerns(self, unit: Unit) -> bool:
        """Whether a unit is broken itself, is no job, and something is known that it needs."""
        if not unit.itself:
            return False
        node = self._graph.node(unit.entity)
        return bool(self._graph.out[node]) and self._graph.kind(node) not in JOBS

    def may_break(self, node: int, other: int) -> bool:
        """Whether what is broken itself may be so because of another: it stands there, or may do."""
        return other in self.stands_at(node) or (other in self._place_nodes and self._astray(node))

    def dearer(self, units: Sequence[Unit], whose: Ints, causes: Ints) -> Floats | None:
        """By how much claims are dearer, told as the how manieth unit claims which cause; None where none is."""
        broken = [at for at, unit in enumerate(units) if unit.itself and self.concerns(unit)]
        if not broken:
            return None
        concerned = np.zeros(len(units), dtype=np.bool_)
        concerned[broken] = True
        rows = np.flatnonzero(concerned[whose])
        nodes = {at: self._graph.node(units[at].entity) for at in broken}
        near = np.array(sorted([at * _SPAN + place for at, node in nodes.items() for place in self.stands_at(node)]))
        mine, places = whose[rows], causes[rows] // COUNT
        code = mine * _SPAN + places
        free = near[np.minimum(np.searchsorted(near, code), len(near) - 1)] == code
        astray = [at for at, node in nodes.items() if self._astray(node)]
        if astray:
            concerned[:] = False
            concerned[astray] = True
            free |= concerned[mine] & np.isin(places, self._places)
        nats = np.zeros(len(causes))
        nats[rows[~free]] = DEARER
        return nats

    def _astray(self, node: int) -> bool:
        """Whether nobody knows where a node stands: it may be anywhere."""
        return len(self.stands_at(node)) == 1

    def stands_at(self, node: int) -> frozenset[int]:
        """A node with the places where it stands: its host, rack, zone."""
        known = self._stands.get(node)
        if known is None:
            found, left = {node}, [node]
            while left:
                for place, how, _ in self._graph.out[left.pop()]:
                    if how.place and place not in found:
                        found.add(place)
                        left.append(place)
            known = self._stands[node] = frozenset(found)
        return known
