"""How much of an estate the graph leaves out, told by where things stand, and what kinds of things need which.

Most things of a kind stand somewhere: a database at a host, a host in a rack. If most of a kind are known to stand
at one place and the others nowhere, those stand somewhere as well, and whoever told the graph of dependencies missed
as many of the others. Where a graph leaves nothing out, causes between which no way is known have nothing to do with
one another; where it leaves out a tenth, that says less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from quell.core.edges import WAYS
from quell.core.families import COUNT
from quell.model.topology import Dependency, Entity

PLACES = frozenset(type_ for type_, way in WAYS.items() if way == "placement")
LEAST_SHARE = 0.1
"""Of a graph that leaves out less than this share no way is taken to be missing."""
LEAST_ENTITIES = 40
"""So few tell nothing."""
ONE_PLACE = 1.2
"""Places of each on average, at most, of a kind that stands at one place: of several one is easily known."""
RARELY = 0.2
"""One kind is above another if it needs such, and is needed by them so much more seldom at most."""


class Gaps:
    """What can be seen of what nobody told of; ``kind_of`` says of which kind a node is."""

    def __init__(self, entities: Sequence[Entity], told: Sequence[Dependency], kind_of: Callable[[int], str]) -> None:
        self._kind_of = kind_of
        self.share = _left_out(entities, told)
        """The share of dependencies that is not known, as far as that can be seen."""
        self.some = self.share >= LEAST_SHARE
        """Whether ways are missing."""
        self._pairs = _pairs(entities, told) if self.some else Counter[tuple[str, str]]()

    def above(self, cause: int, other: int) -> bool:
        """Whether things like the place of one cause need such as that of the other, and not the other way round."""
        here, there = self._kind_of(cause // COUNT), self._kind_of(other // COUNT)
        return self._pairs[there, here] < RARELY * self._pairs[here, there]

    def could_need(self, cause: int, other: int) -> bool:
        """Whether things like the places of these causes ever need one another."""
        here, there = self._kind_of(cause // COUNT), self._kind_of(other // COUNT)
        return self._pairs[there, here] + self._pairs[here, there] > 0


def _left_out(entities: Sequence[Entity], told: Iterable[Dependency]) -> float:
    """Of the kinds of which most are known to stand at one place, the share that is known to stand nowhere."""
    places = Counter([edge.from_ for edge in told if edge.type in PLACES])
    if not places:
        return 0.0
    whole = Counter([one.kind for one in entities])
    placed = [(one.kind, places[one.entity]) for one in entities if one.entity in places]
    stand, known = Counter([kind for kind, _ in placed]), Counter[str]()
    for kind, count in placed:
        known[kind] += count
    telling = [kind for kind in stand if 2 * stand[kind] >= whole[kind] and known[kind] <= ONE_PLACE * stand[kind]]
    some = sum(whole[kind] for kind in telling)
    return sum(whole[kind] - stand[kind] for kind in telling) / some if some >= LEAST_ENTITIES else 0.0


def _pairs(entities: Iterable[Entity], told: Iterable[Dependency]) -> Counter[tuple[str, str]]:
    """How often things of a kind need such of another."""
    kinds = {one.entity: one.kind for one in entities}
    return Counter((kinds[edge.from_], kinds[edge.to]) for edge in told if edge.from_ in kinds and edge.to in kinds)
