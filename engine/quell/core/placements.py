"""Placements that nobody told as dependencies, though an entity's own labels name where it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge

from quell.model.topology import Dependency, Entity

LEVELS: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (frozenset({"host", "node", "vm", "machine", "instance"}), ("host", "node"), "runs_on"),
    (frozenset({"rack"}), ("rack",), "in_rack"),
    (frozenset({"az", "zone", "availability_zone", "datacenter", "dc"}), ("zone", "az", "datacenter", "dc"), "in_zone"),
    (frozenset({"region"}), ("region",), "in_region"),
)
"""From the nearest place to the farthest: kinds of entities that are one, labels that name one, how it is told."""
SURE = 0.9
"""How far such a label is believed."""


def implied(entities: Sequence[Entity], dependencies: Iterable[Dependency]) -> Iterator[Dependency]:
    """For each entity that is not known to stand anywhere the nearest place that its labels name and that is known.

    A place of that name in another cluster is another place. What is told goes first: whoever is known to stand at some
    place gets no other.
    """
    level_of = {one.entity: level for one in entities if (level := _level(one.kind)) is not None}
    if not level_of:
        return
    stands = {edge.from_ for edge in dependencies if level_of.get(edge.to, -1) > level_of.get(edge.from_, -1)}
    places: dict[tuple[int, str], dict[str | None, list[str]]] = defaultdict(dict)
    for one in entities:
        if one.entity in level_of:
            named = places[level_of[one.entity], one.name]
            named.setdefault(one.labels.get("cluster"), []).append(one.entity)
    for one in entities:
        if one.entity in stands:
            continue
        place = next(_named(one, level_of.get(one.entity, -1), places), None)
        if place is not None:
            target, type_ = place
            yield Dependency(from_=one.entity, to=target, type=type_, confidence=SURE, sources=("labels",))


def _level(kind: str) -> int | None:
    return next((at for at, (kinds, _, _) in enumerate(LEVELS) if kind in kinds), None)


def _named(
    one: Entity, own: int, places: Mapping[tuple[int, str], Mapping[str | None, list[str]]]
) -> Iterator[tuple[str, str]]:
    """The known places that an entity's labels name, nearest first."""
    cluster = one.labels.get("cluster")
    for at, (_, labels, type_) in enumerate(LEVELS):
        if at <= own:
            continue
        for label in labels:
            named = places.get((at, one.labels.get(label, "")))
            if named:  # by cluster, as a thousand of these may have a zone of one name
                here, anywhere = named.get(cluster, ()), named.get(None, ())
                for place in merge(here, anywhere) if here and anywhere else here or anywhere:
                    if place != one.entity:
                        yield place, type_
