"""The story of an incident: how trouble travelled and who was silent; what speaks for each suspect and against it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from core.scene import Scene, deploy, fires, outage, rulebook
from quell.core import story as stories
from quell.core.explain import Explanation
from quell.core.graph import Graph
from quell.core.story import Story, neighbourhood
from quell.core.story import story as tell
from quell.core.trial import candidates
from quell.model.alert import Alert
from quell.model.incident import Incident, Suspect
from quell.model.records import AnyRecord
from quell.model.rulebook import Correlate
from quell.model.state import State
from quell.model.topology import Dependency, Entity

EXTRA = tuple(Entity(entity=f"service/{name}", labels={"namespace": "shop"}) for name in ("audit", "batch"))


BOOK = rulebook()
GRAPH = Graph(BOOK.entities, BOOK.dependencies, Correlate())


def shown(service: str, at: float) -> Alert:
    labels = {"alertname": "HighErrorRate", "service": service}
    began = {"starts_at": at, "updated_at": at, "onset_seen": at}
    return Alert(
        fingerprint=service, source="t", labels=labels, status="firing", entity=f"service/{service}", **began
    )  # fmt: skip


def suspected(*names: str, path: tuple[str, ...] = ()) -> Incident:
    """An incident with these suspects, the first with a path."""
    suspects = tuple(Suspect(entity=f"service/{name}", confidence=0.5) for name in names)
    first = replace(suspects[0], path=tuple(f"service/{name}" for name in path))
    return Incident(
        id="INC-1", title="t", status="open", opened_at=0.0, updated_at=0.0, suspects=(first, *suspects[1:])
    )  # fmt: skip


def told(*records: AnyRecord, **given: Any) -> Explanation:
    scene = Scene(rulebook(**given))
    scene.tell(*records)
    scene.wait(120.0)
    explanation = scene.engine.explain(scene.incident.id)
    assert explanation is not None
    return explanation


def roles(story: Story) -> dict[str, str]:
    return {actor.entity.partition("/")[2]: actor.role for actor in story.actors}


def test_trouble_travels_from_the_cause_step_by_step():
    story = told(deploy("ledger", -60.0), *outage()).story
    assert [(one.name, one.step) for one in story.actors if one.role != "rival"] == [
        ("ledger", 0), ("payments", 1), ("checkout", 2), ("frontend", 3),
    ]  # fmt: skip
    assert [(one.from_, one.to, one.type, one.main) for one in story.links if not one.rival] == [
        ("service/ledger", "service/payments", "calls", True),
        ("service/payments", "service/checkout", "calls", True),
        ("service/checkout", "service/frontend", "calls", True),
    ]
    assert story.actors[0].changes[0].what == "deploy v9"
    assert story.started_at == story.actors[0].onset


def test_what_trouble_went_through_unseen_is_silent():
    alerts = [shown("ledger", 0.0), shown("checkout", 24.0), shown("frontend", 36.0)]
    story = tell(State(), BOOK, suspected("ledger"), alerts, GRAPH)
    assert roles(story) == {"ledger": "cause", "payments": "silent", "checkout": "symptom", "frontend": "symptom"}


def test_an_unknown_way_is_not_invented():
    alerts = [shown("ledger", 0.0), shown("payments", 12.0), shown("audit", 20.0)]
    graph = Graph((*BOOK.entities, *EXTRA), BOOK.dependencies, Correlate())
    story = tell(State(), rulebook(entities=(*BOOK.entities, *EXTRA)), suspected("ledger"), alerts, graph)
    (lonely,) = [one for one in story.actors if one.name == "audit"]
    assert lonely.step is None
    assert not any("service/audit" in {one.from_, one.to} for one in story.links)


def test_trouble_against_the_arrows_is_marked():
    edges = (*rulebook().dependencies, Dependency(from_="service/frontend", to="service/audit", type="calls"))
    story = told(
        *outage(), fires("audit", 60.0, "NoRequests"), entities=(*rulebook().entities, *EXTRA), dependencies=edges
    ).story
    (link,) = [one for one in story.links if one.to == "service/audit"]
    assert link.against
    assert link.from_ == "service/frontend"


def test_every_suspect_is_told_for_and_against():
    explanation = told(deploy("ledger", -60.0), *outage())
    first, *rest = explanation.candidates
    assert first.entity == "service/ledger"
    assert {"explains", "alerts_itself", "change"} <= {one.code for one in first.points_for}
    assert not any(one.code == "unchanged" for one in first.points_against)
    assert all(one.lost_because for one in rest)
    assert all(one.points_for or one.points_against for one in rest)


def test_those_that_began_earlier_speak_against_a_suspect():
    alerts = [shown("ledger", 0.0), shown("payments", 40.0), shown("checkout", 80.0)]
    _, checkout = candidates(suspected("ledger", "checkout"), alerts, GRAPH)
    against = [one.text for one in checkout.points_against if one.code == "order"]
    assert against == ["2 alerts began earlier, HighErrorRate 1m20s before its own"]


def test_a_rival_outside_the_story_is_tied_to_where_it_could_reach():
    alerts = [shown("checkout", 0.0), shown("frontend", 12.0)]
    story = tell(State(), BOOK, suspected("checkout", "ledger"), alerts, GRAPH)
    (rival,) = [one for one in story.links if one.rival]
    assert (rival.from_, rival.to, rival.skips) == ("service/ledger", "service/checkout", 1)
    assert roles(story)["ledger"] == "rival"


def test_a_path_that_the_graph_forgot_is_told_all_the_same():
    alerts = [shown("ledger", 0.0), shown("stranger", 12.0)]
    story = tell(State(), BOOK, suspected("ledger", path=("ledger", "stranger")), alerts, GRAPH)
    (link,) = story.links
    assert (link.main, link.type) == (True, "")


def test_dependents_that_stay_quiet_speak_against_a_suspect():
    names = ("a", "b", "c", "d", "e")
    edges = tuple(Dependency(from_=f"service/{one}", to="service/ledger", type="calls") for one in names)
    entities = tuple(Entity(entity=f"service/{one}") for one in names)
    explanation = told(
        *outage(), entities=(*rulebook().entities, *entities), dependencies=(*rulebook().dependencies, *edges)
    )
    ledger = next(one for one in explanation.candidates if one.entity == "service/ledger")
    assert [one.text for one in ledger.points_against if one.code == "quiet"] == [
        "5 of the 6 that depend on it most show nothing, such as service/a"
    ]


def test_what_hangs_on_what_was_reached_against_the_arrows_is_part_of_it():
    needs = {"checkout": ("audit", "store"), "batch": ("audit",)}
    edges = tuple(
        Dependency(from_=f"service/{one}", to=f"service/{to}", type="calls") for one in needs for to in needs[one]
    )
    names = ("checkout", "audit", "store", "batch")
    graph = Graph([Entity(entity=f"service/{name}") for name in names], edges, Correlate())
    alerts = [shown("checkout", 0.0), shown("audit", 12.0), shown("batch", 20.0), shown("elsewhere", 30.0)]
    story = tell(State(), rulebook(dependencies=edges), suspected("checkout"), alerts, graph)
    assert [(one.from_, one.to, one.against) for one in story.links] == [
        ("service/checkout", "service/audit", True), ("service/audit", "service/batch", False),
    ]  # fmt: skip
    assert roles(story)["elsewhere"] == "symptom"


def test_of_two_dependencies_between_the_same_the_likelier_one_counts():
    told_of = (("runs_on", 0.1), ("calls", 1.0), ("measures", 0.1))
    edges = tuple(Dependency(from_="a/a", to="b/b", type=kind, weight=weight) for kind, weight in told_of)
    graph = Graph([Entity(entity="a/a"), Entity(entity="b/b")], edges, Correlate())
    around = neighbourhood(graph, ["a/a"])
    assert around.edges["b/b", "a/a"]["cost"] < 0.5


def test_the_neighbourhood_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stories, "MOST_NODES", 3)
    assert len(neighbourhood(GRAPH, ["service/frontend"])) == 3


def test_an_incident_without_suspects_has_a_story_of_alerts():
    nobody = Incident(id="INC-1", title="t", status="open", opened_at=0.0, updated_at=0.0)
    story = tell(State(), BOOK, nobody, [shown("ledger", 0.0)], GRAPH)
    assert [(one.name, one.role, one.step) for one in story.actors] == [("ledger", "symptom", None)]
    assert story.links == ()
