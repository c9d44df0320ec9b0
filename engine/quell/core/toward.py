"""What could have made each open cause, with all that is paid besides: kept as long as it is what it was.

Open causes are folded at every look, hundreds of them in a storm, and what most could have come from has not changed
since the look before. What hubs cost changes with whatever else is in trouble, but not where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quell.core.hubs import Place
from quell.core.reach import Rows, key
from quell.core.web import Web
from quell.model.state import Unit

MOST_KEPT = 1_000
"""So many causes are remembered, at some ten kilobytes each."""
Floats = NDArray[np.float64]
Part = tuple[float, NDArray[np.int64]]
"""What it costs to be tied to a unit, and the claims of that."""


@dataclass(slots=True)
class _Kept:
    """``parts`` are what all was made of; ``dearer`` is what one that is ``broken`` itself pays besides."""

    parts: list[Part]
    rows: Rows
    places: list[Place]
    broken: int | None
    dearer: Floats | None
    nats: list[float]
    costs: Floats


class Toward:
    """Reads a web. What is kept is found to be right, or made anew, whenever it is asked for."""

    def __init__(self, web: Web, units: Mapping[int, Unit]) -> None:
        self._web = web
        self._units = units
        self._kept: dict[int, _Kept] = {}

    def of(self, cause: int) -> Rows:
        """What could have caused that cause: keys in order, costs in nats, lags in s."""
        web = self._web
        at_home = web.units_at(cause)
        broken = next((unit for unit in at_home if self._units[unit].itself), None)
        parts = self._parts(at_home[0]) if at_home else [(0.0, web.reacher.rows(cause)[0])]
        known = self._kept.get(cause)
        if known is None or known.broken != broken or not _same(known.parts, parts):
            known = self._made(cause, parts, broken, alone=not at_home)
        nats = [web.hubs.nats(place.hub) for place in known.places]
        if nats != known.nats:
            costs = web.hubs.dearly(known.rows[1], known.places)
            known.nats, known.costs = nats, costs if known.dearer is None else costs + known.dearer
        return known.rows[0], known.costs, known.rows[2]

    def rest(self, units: Iterable[int]) -> None:
        """Gives up what is kept of the causes at which these units are: nothing goes on there."""
        for unit_id in units:
            unit = self._units[unit_id]
            self._kept.pop(key(self._web.graph.node(unit.entity), unit.family), None)

    def _parts(self, unit_id: int) -> list[Part]:
        """The claims of the first alert of a cause, and of its neighbours."""
        near = self._web.vicinity.ties(self._units[unit_id])
        return [(0.0, self._web.packed(unit_id)), *((cost, self._web.packed(other)) for other, cost in near)]

    def _made(self, cause: int, parts: list[Part], broken: int | None, *, alone: bool) -> _Kept:
        web = self._web
        rows = web.reacher.rows(cause) if alone else _joined(parts)
        dearer = None
        if broken is not None:
            dearer = web.itself.dearer([self._units[broken]], np.zeros(len(rows[0]), dtype=np.int64), rows[0])
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        costs = rows[1] if dearer is None else rows[1] + dearer
        places = web.hubs.places(rows[0], rows[1])
        known = self._kept[cause] = _Kept(parts, rows, places, broken, dearer, [0.0] * len(places), costs)
        return known


def _same(some: Sequence[Part], others: Sequence[Part]) -> bool:
    return len(some) == len(others) and all(
        one[1] is other[1] and one[0] == other[0] for one, other in zip(some, others, strict=True)
    )


def _joined(parts: Sequence[Part]) -> Rows:
    """The cheapest of all claims on each cause."""
    told = [(cost, claims[0], claims[1].view(np.float64), claims[2].view(np.float64)) for cost, claims in parts]
    if len(told) == 1:
        return told[0][1:]
    keys = np.concatenate([keys for _, keys, _, _ in told])
    costs = np.concatenate([more + costs if at else costs for at, (more, _, costs, _) in enumerate(told)])
    lags = np.concatenate([lags for _, _, _, lags in told])
    order = np.lexsort((lags, costs, keys))
    first = order[np.flatnonzero(np.diff(keys[order], prepend=-1))]
    return keys[first], costs[first], lags[first]
