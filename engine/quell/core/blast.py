"""Blast radius: what a run touches, what depends on that, and how much of the whole it is.

What is not known counts against the run: an entity without a number of copies, a tier or a place in the graph blocks
whatever limit would need it, and the sentence says what is missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from quell.core.context import rendered
from quell.core.graph import Graph
from quell.core.items import items_of
from quell.errors import ExpressionError
from quell.model.playbook import BlastRadius, Playbook
from quell.model.run import Run
from quell.model.topology import Entity

_MOST_TOLD, _MOST_COUNTED = 6, 1000
REPLICAS, FLEET = "replicas", "fleet"
"""Labels of entities: how many copies of it run, and what it is counted together with (else its kind)."""


class Estate:
    """Entities by name and fleet, worked out anew when the graph was drawn anew."""

    def __init__(self, graph: Callable[[], Graph]) -> None:
        self._drawn = graph
        self._graph: Graph | None = None
        self._named: dict[str, list[str]] = {}
        self._fleets: dict[str, int] = {}

    def graph(self) -> Graph:
        """The dependency graph as of now."""
        graph = self._drawn()
        if graph is not self._graph:
            self._graph, self._named, self._fleets = graph, {}, {}
            for entity in graph.entities:
                self._named.setdefault(entity.name, []).append(entity.entity)
                self._fleets[_fleet(entity)] = self._fleets.get(_fleet(entity), 0) + (replicas(entity) or 0)
        return graph

    def entity(self, text: str) -> str | None:
        """The entity that a text names: whole (``service/web``), or by a name that only one has; services go first."""
        graph = self.graph()
        if text in graph.number:
            return text
        found = self._named.get(text, ())
        services = [name for name in found if name.startswith("service/")]
        return services[0] if len(services) == 1 else found[0] if len(found) == 1 else None

    def known(self, name: str) -> Entity | None:
        """What is known of an entity; None of one that only alerts speak of: nobody told what depends on it."""
        graph = self.graph()
        number = graph.number.get(name)
        if number is None:
            return None
        entity = graph.entities[number]
        told = entity.labels or entity.owner or entity.sources or entity.tier is not None
        return entity if told or graph.out[number] or graph.inn[number] else None

    def copies(self, fleet: str) -> int:
        """How many copies a fleet has, as far as they are known."""
        self.graph()
        return self._fleets.get(fleet, 0)

    def dependents(self, names: Iterable[str], most: int) -> int:
        """How many entities need one of these, directly or through others; counting stops past ``most``."""
        graph = self.graph()
        seen = {graph.number[name] for name in names if name in graph.number}
        first, rim = len(seen), deque(sorted(seen))
        while rim and len(seen) - first <= most:
            for arc in graph.inn[rim.popleft()]:
                if arc[0] not in seen:
                    seen.add(arc[0])
                    rim.append(arc[0])
        return len(seen) - first


def targets_of(playbook: Playbook, run: Run, context: Mapping[str, Any], estate: Estate) -> tuple[str, ...]:
    """The entities that a run touches; a text that names none stays as it is. Raises ExpressionError with the place.

    Those that the playbook names, else what its identity names and the suspect, or the entity of the alert, and those
    of its lists that name one, as far as they are known by then.
    """
    blast = playbook.guards.blast_radius
    if blast is not None and blast.targets:
        texts = [text for expression in blast.targets for text in _texts(expression, context)]
        return tuple(dict.fromkeys(estate.entity(text) or text for text in texts))
    identity = _identity(playbook, run)
    found = [name for text in identity if (name := estate.entity(text)) is not None]
    if run.suspect is not None:
        found.append(run.suspect.entity)
    elif run.alert and (alert := context.get("alert")):
        found += [alert["entity"]] if alert["entity"] else []
    found += [name for text in _listed(playbook, context) if (name := estate.entity(text)) is not None]
    return tuple(dict.fromkeys(found))


def _listed(playbook: Playbook, context: Mapping[str, Any]) -> Iterator[str]:
    """The items of what changes one thing after the other; a list that needs an answer is not known yet."""
    for step in playbook.steps:
        if step.for_each is not None and step.effect == "change":
            with suppress(ExpressionError):
                yield from (item for item in items_of(step.for_each, context) if isinstance(item, str))


def _texts(expression: str, context: Mapping[str, Any]) -> list[str]:
    try:
        value = rendered(expression if "${" in expression else f"${{{expression}}}", context)
    except ExpressionError as error:
        raise ExpressionError(f"guards.blast_radius.targets: {error}", error.column) from None
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _identity(playbook: Playbook, run: Run) -> list[str]:
    if not playbook.guards.each:
        return []
    if len(playbook.guards.each) == 1:
        return [run.each]
    return [value for value in msgspec.json.decode(run.each) if isinstance(value, str)]


def too_wide(limits: BlastRadius, targets: tuple[str, ...], estate: Estate) -> str:
    """Which limit a run would exceed, or what would have to be known to tell; "" when it may go on."""
    if not targets:
        return "blast radius: what it would touch is not known"
    known = {name: estate.known(name) for name in targets}
    lost = sorted(name for name, entity in known.items() if entity is None)
    return (
        _at_most("services", len(targets), limits.services, f"it would touch {', '.join(sorted(targets))}")
        or (f'blast radius: "{lost[0]}" is not in the dependency graph' if lost and _needs_entities(limits) else "")
        or _dependents(limits.dependents, targets, estate)
        or _copies(limits, [entity for entity in known.values() if entity is not None], estate)
        or _tiers(limits.tier_at_least, [entity for entity in known.values() if entity is not None])
    )


def reach(targets: tuple[str, ...], estate: Estate) -> str:
    """What a run touches, in words: copies, share of the fleet and tier as far as they are known, and what needs it."""
    if not targets:
        return "what it touches is not known"
    told = [_told(name, estate) for name in targets[:_MOST_TOLD]]
    if len(targets) > _MOST_TOLD:
        told.append(f"and {len(targets) - _MOST_TOLD} more")
    count = estate.dependents(targets, _MOST_COUNTED)
    many = f"more than {_MOST_COUNTED}" if count > _MOST_COUNTED else str(count)
    needs = f"{many} {'need' if count != 1 else 'needs'} it" if count else "nothing is known to need it"
    return f"{', '.join(told)}; {needs}"


def _told(name: str, estate: Estate) -> str:
    entity = estate.known(name)
    if entity is None:
        return f"{name} (not in the dependency graph)"
    count, whole = replicas(entity), estate.copies(_fleet(entity))
    said = [] if count is None else [f"{count} replica{'s' * (count != 1)}"]
    if count and whole > count:
        said.append(f"{count / whole:.0%} of the fleet {_fleet(entity)}")
    said += [] if entity.tier is None else [f"tier {entity.tier}"]
    return f"{name} ({', '.join(said)})" if said else name


def _needs_entities(limits: BlastRadius) -> bool:
    others = (limits.dependents, limits.replicas, limits.share_of_fleet, limits.tier_at_least)
    return any(limit is not None for limit in others)


def _at_most(name: str, count: int, most: int | None, said: str) -> str:
    return f"blast radius: {said}, {name} may be {most} at most" if most is not None and count > most else ""


def _dependents(most: int | None, targets: tuple[str, ...], estate: Estate) -> str:
    if most is None:
        return ""
    count = estate.dependents(targets, most)
    return _at_most("dependents", count, most, f"{count} or more entities depend on {', '.join(sorted(targets))}")


def _copies(limits: BlastRadius, entities: list[Entity], estate: Estate) -> str:
    if limits.replicas is None and limits.share_of_fleet is None:
        return ""
    counts = {entity.entity: replicas(entity) for entity in entities}
    unknown = sorted(name for name, count in counts.items() if count is None)
    if unknown:
        return f'blast radius: how many replicas {unknown[0]} has is not known (its label "{REPLICAS}")'
    total = sum(count or 0 for count in counts.values())
    said = f"{', '.join(sorted(counts))} {'has' if len(counts) == 1 else 'have'} {total} replicas"
    return _at_most("replicas", total, limits.replicas, said) or _share(limits.share_of_fleet, entities, estate)


def _share(most: float | None, entities: list[Entity], estate: Estate) -> str:
    if most is None:
        return ""
    touched: dict[str, int] = {}
    for entity in entities:
        touched[_fleet(entity)] = touched.get(_fleet(entity), 0) + (replicas(entity) or 0)
    for fleet, count in sorted(touched.items()):
        whole = estate.copies(fleet)
        if not whole:
            return f'blast radius: how many replicas the fleet "{fleet}" has is not known'
        if count > most * whole:
            return (
                f'blast radius: {count} of {whole} replicas of the fleet "{fleet}" are {count / whole:.0%}, '
                f"share_of_fleet may be {most:.0%} at most"
            )
    return ""


def _tiers(least: int | None, entities: list[Entity]) -> str:
    if least is None:
        return ""
    for entity in sorted(entities, key=lambda one: one.entity):
        if entity.tier is None:
            return f"blast radius: the tier of {entity.entity} is not known"
        if entity.tier < least:
            return f"blast radius: {entity.entity} is of tier {entity.tier}, tier_at_least is {least}"
    return ""


def replicas(entity: Entity) -> int | None:
    """How many copies of an entity run; None when nobody told a number."""
    text = entity.labels.get(REPLICAS, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _fleet(entity: Entity) -> str:
    return entity.labels.get(FLEET) or entity.kind
