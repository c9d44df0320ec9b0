"""Estates of chance and what is told of them: alerts of all kinds, and changes that are told again, of another time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.core.web import Web
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, ChangeType, DependencyRecord

KINDS = ("dataset", "feature", "model", "pipeline", "kpi", "service", "column")
EDGES = ("derived_from", "calls", "fed_by", "produced_by", "predicts_with")


def names(chance: Random) -> list[str]:
    return [f"{chance.choice(KINDS)}/{number}" for number in range(30)]


def edges(chance: Random, entities: list[str]) -> list[tuple[str, str, str]]:
    return [
        (entities[at], chance.choice(entities[at + 1 : at + 6]), chance.choice(EDGES))
        for at in range(len(entities) - 1)
        for _ in range(chance.choice((1, 1, 2)))
    ]


def story(chance: Random, entities: list[str]) -> list[tuple[float, AnyRecord]]:
    found: list[tuple[float, AnyRecord]] = []
    for number in range(60):
        at = T0 + chance.uniform(0.0, 4000.0)
        entity = chance.choice(entities)
        if chance.random() < 0.3:
            kind: ChangeType = chance.choice(("schema", "data", "deploy", "model"))
            told = at - chance.choice((0.0, 60.0, 3000.0, 80_000.0))
            name = f"c{chance.randrange(8)}"  # some are told again, of another entity or time
            found.append((at, ChangeRecord(at=told, id=name, type=kind, entity=entity)))
        else:
            began = at - chance.choice((0.0, 0.0, 400.0))
            labels = {
                "alertname": chance.choice(("Down", "DataQuality", "Slow")),
                "severity": "critical",
                "n": str(number),
            }
            found.append((at, AlertRecord(at=at, status="firing", labels=labels, entity=entity, starts_at=began)))
    return sorted(found, key=lambda one: one[0])


def lived(chance: Random) -> Iterator[tuple[Engine, AnyRecord]]:
    """An engine after each record of a story, with that record."""
    entities = names(chance)
    told = edges(chance, entities)
    engine = Engine(rulebook(entities=(), dependencies=()))
    engine.decide([DependencyRecord(at=T0 - 9e4, from_=a, to=b, type=kind) for a, b, kind in told], T0 - 9e4)
    for at, record in story(chance, entities):
        engine.decide([record], at)
        yield engine, record


def woven(web: Web) -> tuple[object, ...]:
    """All that a web knows of ways, whatever came first."""
    return (
        web.claims,
        {cause: sorted(units) for cause, units in web._claimed_by.items() if units},
        {cause: units for cause, units in web._shared_by.items() if units},
        {unit: onward for unit, onward in web._through.onward.items() if onward},
    )
