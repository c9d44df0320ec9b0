"""Nobody is paged twice for one firing of an alert because it went from one incident to another; no page is lost."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from core.scene import SHOP, T0, Scene, consistent, ends, fires, outage, rulebook
from quell.model.decision import Page
from quell.model.incident import Incident
from quell.model.oncall import Chain
from quell.model.oncall import Stage as ChainStep
from quell.model.records import AlertRecord
from quell.model.rulebook import Route, Rulebook
from quell.model.topology import Entity

FAULT = ("ledger", "payments", "checkout", "frontend")
W = "warning"
JOINS = [(1045, "ledger", "Slow"), (1109, "ledger", "Down", W), (1278, "catalog", "Down", W),
         (1489, "ledger", "Down"), (1510, "catalog", "HighErrorRate", W), (-1511, "ledger", "Down"),
         (-1524, "catalog", "Down", W), (1544, "checkout", "Down", W)]  # fmt: skip
"""After the first outage: an incident of its own pages, and is then explained by the first, which opens again."""
JOINS_LATER = [(1105, "payments", "Down"), (1510, "checkout", "Slow", W), (1716, "cart", "Down"),
               (1925, "frontend", "Down"), (-1941, "cart", "Down"), (2040, "checkout", "Down"),
               (2110, "cache", "Slow", W)]  # fmt: skip
"""An alert pages alone and joins what opens again for it, and stays: that would page for what came back."""
MOVES = [(1100, "payments", "Down"), (1104, "checkout", "HighErrorRate"),
         (1207, "checkout", "HighErrorRate", W), (1213, "cart", "HighErrorRate"), (1219, "cart", "Down", W),
         (-1406, "checkout", "HighErrorRate", W)]  # fmt: skip
"""An alert goes from an incident that paged by it to the first, which opens again; the other stays."""
PARTS = [(1188, "checkout", "HighErrorRate"), (1191, "catalog", "Slow", W), (1288, "cart", "Slow"),
         (1329, "frontend", "HighErrorRate"), (1347, "catalog", "Slow")]  # fmt: skip
"""What made the first open again, and paged, is another incident after all."""


def story(told: list[tuple[object, ...]], over: float) -> list[AlertRecord]:
    """An outage that is over, and what came after it: when it fires, or (less than 0) ends."""
    records = [*outage(), *(ends(service, over + 5.0 * at) for at, service in enumerate(FAULT))]
    for at, service, *words in told:
        make = fires if at > 0 else ends  # type: ignore[operator]
        records.append(make(service, abs(at), *words))  # type: ignore[arg-type]
    return records


def lived(
    records: list[AlertRecord], book: Rulebook | None = None, *, restarts: bool = False
) -> tuple[Scene, Counter[tuple[str, float]]]:
    """The scene at the end, and how often each firing stood for a page: no reminder, and of nothing worse."""
    scene = Scene(book)
    paged: Counter[tuple[str, float]] = Counter()
    last = max(one.arrived for one in records) - T0
    for record in [*sorted(records, key=lambda one: one.arrived), None]:
        if restarts:
            scene.restart()
        found = scene.wait(last + 4000.0) if record is None else scene.tell(record)
        alerts = scene.engine.state.alerts
        paged.update(
            (one.alert, alerts[one.alert].starts_at)
            for one in found
            if isinstance(one, Page) and not one.reminder and not one.rise
        )
    consistent(scene.engine)
    return scene, paged


def lost(scene: Scene) -> list[str]:
    """What fires and should page, and is in nothing of which people were told."""
    state = scene.engine.state
    told = {name for name, one in state.incidents.items() if one.is_open and one.paged_at is not None}
    return [
        alert.name
        for alert in state.alerts.values()
        if alert.firing and alert.severity == "critical" and alert.incident not in told
    ]


def taken_over(scene: Scene) -> list[Incident]:
    """The incidents that stand under the page of another."""
    return [
        one
        for one in scene.engine.state.incidents.values()
        if any(entry.what == "paged" and entry.text.startswith("as ") for entry in one.timeline)
    ]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("told", "over"), [(JOINS, 200), (JOINS_LATER, 200), (MOVES, 100), (PARTS, 100)])
def test_a_firing_pages_once_wherever_it_goes(told: list[tuple[object, ...]], over: float, restarts: bool) -> None:
    scene, paged = lived(story(told, over), restarts=restarts)
    assert max(paged.values()) == 1
    assert not lost(scene)


@pytest.mark.parametrize(("told", "over"), [(JOINS, 200), (JOINS_LATER, 200), (MOVES, 100)])
def test_whoever_was_paged_for_it_is_reminded_of_it_where_it_is_now(
    told: list[tuple[object, ...]], over: float
) -> None:
    scene, _ = lived(story(told, over))
    known = taken_over(scene)
    assert known
    assert {one.incident for one in scene.reminders} >= {one.id for one in known if one.is_open}


def test_other_people_are_called_for_what_is_theirs() -> None:
    base = rulebook()
    owners = {"service/ledger": "money", "service/payments": "shop", "service/cart": "shop"}
    entities = tuple(
        Entity(entity=one.entity, labels=one.labels, owner=owners.get(one.entity, "")) for one in base.entities
    )
    routes = tuple(Route(name=team, action=f"{team}.call", teams=(team,)) for team in ("money", "shop"))
    scene, _ = lived(story(MOVES, 100), replace(base, entities=entities, routes=routes))
    assert not taken_over(scene)
    assert {call.action for call in scene.calls} == {"money.call", "shop.call"}


FOLLOWS = Route(
    name="on-call", action="pd.trigger", source="pd", taken="pd.acknowledge", over="pd.resolve", shared=("incident",)
)


def test_where_pages_follow_people_are_called_for_it_once_what_they_were_called_for_is_over() -> None:
    more = [*MOVES, (-1800, "cart", "HighErrorRate"), (-1800, "cart", "Down", W), (-1800, "checkout", "HighErrorRate")]
    scene, paged = lived(story(more, 100), rulebook(routes=(FOLLOWS,)))
    (heir,) = taken_over(scene)
    assert heir.is_open
    (origin,) = [one.id for one in scene.engine.state.incidents.values() if one.id != heir.id]
    said = [(one.action, one.incident) for one in scene.calls if one.at >= T0 + 1200.0]
    assert said.index(("pd.trigger", heir.id)) > said.index(("pd.resolve", origin)) - 2
    assert ("pd.resolve", heir.id) not in said
    assert max(paged.values()) == 1


def test_along_a_chain_it_pages_anew_as_the_chain_of_the_other_ends_with_that() -> None:
    step = ChainStep(people=("bo",), action="pd.trigger", wait_s=3000.0)
    book = rulebook(routes=(Route(name="along", action="", chain="web"),), chains=(Chain(name="web", stages=(step,)),))
    scene, _ = lived(story(MOVES, 100), book)
    assert not taken_over(scene)
    assert not lost(scene)


def test_what_is_graver_than_people_were_told_pages() -> None:
    scene = Scene()
    records = sorted(story(JOINS, 200), key=lambda one: one.arrived)
    for record in records:
        if record.at - T0 == 1544.0:
            incidents = scene.engine.state.incidents
            for name, one in incidents.items():
                incidents[name] = replace(one, told_severity="warning")
        scene.tell(record)
    scene.wait(4000.0)
    assert not taken_over(scene)
    assert not lost(scene)


def test_random_stories_page_once_and_lose_nothing() -> None:
    services = sorted({*SHOP, *(one for needed in SHOP.values() for one in needed)})
    for seed in range(40):
        random = Random(seed)
        at = random.uniform(300.0, 1700.0)
        told: list[tuple[object, ...]] = []
        for _ in range(random.randint(2, 6)):
            what = (random.choice(services), random.choice(["HighErrorRate", "Down", "Slow"]))
            severity = random.choice(["critical", "critical", W])
            told.append((round(at), *what, severity))
            if random.random() < 0.2:
                told.append((-round(at + random.uniform(20.0, 300.0)), *what, severity))
            at += random.choice([5.0, 30.0, 90.0, 150.0, 300.0]) * random.uniform(0.5, 1.5)
        scene, paged = lived(story(told, random.choice([100, 200, 300])))
        assert max(paged.values(), default=1) == 1, seed
        assert not lost(scene), seed
