"""What incidents harm, and who is told of those that are about models and data alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from core.scene import PAGER, T0, Scene, rulebook
from quell.core.impact import AtKpis, about_models, harm_of
from quell.model.alert import Alert
from quell.model.decision import Page, Perform
from quell.model.impact import burns, highest, impact_of
from quell.model.incident import Incident
from quell.model.records import AlertRecord
from quell.model.rulebook import Route, Rulebook, Triage
from quell.model.state import State
from quell.model.topology import Dependency, Entity

QUIET = Route(name="quiet", action="chat.say", early=True)
NAMES = ("dataset/raw", "feature/age", "model/fraud", "kpi/approvals")


@pytest.mark.parametrize(
    ("labels", "entity", "wanted"),
    [
        ({}, "service/shop", "system"),
        ({}, "", "system"),
        ({}, "model/fraud", "model"),
        ({}, "prompt/greeting", "model"),
        ({}, "pipeline/daily", "model"),
        ({}, "kpi/orders", "business"),
        ({"impact": "fairness"}, "model/fraud", "fairness"),
        ({"impact": " Business "}, "service/shop", "business"),
        ({"impact": "huge"}, "kpi/orders", "business"),
    ],
)
def test_an_alert_harms_what_its_label_says_or_else_its_kind(labels: dict[str, str], entity: str, wanted: str) -> None:
    assert impact_of(labels, entity) == wanted


def test_the_highest_counts() -> None:
    assert highest([]) == ""
    assert highest(["model", "system"]) == "model"
    assert highest(["business", "fairness", ""]) == "fairness"
    assert burns({"page": "burn"})
    assert not burns({"page": "me"})


def alert(entity: str, mark: str = "a", **labels: str) -> Alert:
    return Alert(
        fingerprint=mark, source="t", labels={"alertname": "A", **labels}, status="firing", starts_at=T0,
        updated_at=T0, onset_seen=T0, entity=entity, severity="critical",
    )  # fmt: skip


def test_a_kpi_that_is_reached_counts_only_while_an_alert_fires_there() -> None:
    incident = Incident(
        id="I", title="", status="open", opened_at=T0, updated_at=T0, alerts=("a",), impact=("kpi/approvals",)
    )
    state = State()
    state.alerts["a"] = alert("model/fraud")
    assert harm_of(state, incident) == "model"
    state.alerts["b"] = alert("kpi/approvals", "b")
    assert harm_of(state, incident) == "business"


def test_the_very_alerts_of_before_are_not_asked_again_but_others_are() -> None:
    known = Incident(
        id="I", title="", status="open", opened_at=T0, updated_at=T0, alerts=("a",), impact=("kpi/approvals",),
        harm="model",
    )  # fmt: skip
    state = State()
    grown = replace(known, alerts=("a", "b"), title="grown")
    state.alerts["b"] = alert("service/shop", "b", impact="fairness")
    assert harm_of(state, replace(known, title="other"), known=known) == "model"
    assert harm_of(state, grown, known=known) == "fairness"
    assert harm_of(state, replace(grown, harm=""), known=replace(grown, harm="")) == "fairness"
    state.alerts["c"] = alert("kpi/approvals", "c")
    assert harm_of(state, known, known=known) == "business"


def test_what_is_about_models_alone() -> None:
    assert about_models(alert("dataset/raw"))
    assert about_models(alert("service/shop", alertname="FeatureDrift"))
    assert about_models(alert("service/shop", impact="model"))
    assert not about_models(alert("model/fraud", page="burn"))
    assert not about_models(alert("model/fraud", impact="fairness"))
    assert not about_models(alert("service/shop"))


def book(model_only: Any, *routes: Route) -> Rulebook:
    needs = zip(NAMES[1:], NAMES[:-1], ("derived_from", "trained_on", "measures"), strict=True)
    return rulebook(
        entities=tuple(Entity(entity=name) for name in NAMES),
        dependencies=tuple(Dependency(from_=one, to=other, type=kind) for one, other, kind in needs),
        routes=routes,
        triage=Triage(model_only=model_only),
    )


def told(entity: str, at: float, severity: str = "critical", name: str = "Off", **labels: str) -> AlertRecord:
    return AlertRecord(
        at=T0 + at, source="t", status="firing", starts_at=T0 + at, entity=entity,
        labels={"alertname": name, "on": entity, "severity": severity, **labels},
    )  # fmt: skip


def of_models(model_only: Any, *routes: Route, more: tuple[AlertRecord, ...] = ()) -> Scene:
    scene = Scene(book(model_only, *routes))
    scene.tell(*(told(name, 20.0 * at) for at, name in enumerate(NAMES[:3])), *more)
    scene.wait(3600.0)
    return scene


def called(scene: Scene) -> list[str]:
    return [one.action for one in scene.decisions if isinstance(one, Perform)]


def test_owners_are_told_by_early_routes_and_everybody_where_there_are_none() -> None:
    assert set(called(of_models("owners", PAGER, QUIET))) == {"chat.say"}
    assert set(called(of_models("owners", PAGER))) == {"pager.call"}


def test_models_page_as_any_other_where_the_team_wants_it() -> None:
    assert set(called(of_models("page", PAGER, QUIET))) == {"pager.call"}


def test_models_alone_go_to_the_digest_and_stay_in_sight() -> None:
    scene = of_models("digest", PAGER)
    assert not called(scene)
    incidents = [one for one in scene.engine.state.incidents.values() if one.is_open]
    assert incidents
    assert {one.harm for one in incidents} == {"model"}
    assert all(one.quietly == "listed" for one in scene.decisions if isinstance(one, Page))


@pytest.mark.parametrize("model_only", ["digest", "owners"])
@pytest.mark.parametrize(
    "more",
    [
        told("kpi/approvals", 700.0, name="ApprovalsFall"),
        told("model/fraud", 700.0, name="accuracy", page="burn"),
        told("model/fraud", 700.0, name="gap", impact="fairness"),
    ],
)
def test_what_users_feel_and_what_burns_pages_whatever_else_it_is(model_only: Any, more: AlertRecord) -> None:
    scene = of_models(model_only, PAGER, QUIET, more=(more,))
    assert "pager.call" in called(scene)
    scene = of_models(model_only, PAGER, more=(more,))
    assert "pager.call" in called(scene)


def test_an_incident_keeps_the_highest_that_was_reached() -> None:
    scene = of_models("owners", PAGER, more=(told("kpi/approvals", 100.0, name="ApprovalsFall"),))
    harms = {one.harm for one in scene.engine.state.incidents.values()}
    assert "business" in harms
    explained = [scene.engine.explain(name) for name in scene.engine.state.incidents]
    assert any(one is not None and "Impact: business" in one.text for one in explained)


def test_alerts_at_kpis_that_are_forgotten_are_known_no_more() -> None:
    scene = Scene()
    for number in range(3):
        labels = {"alertname": "OrdersLow", "at": str(number)}
        scene.tell(AlertRecord(at=T0, status="firing", labels=labels, entity=f"kpi/{number}", starts_at=T0))
    kpis = AtKpis(scene.engine.state)
    first = next(mark for mark, alert in scene.engine.state.alerts.items() if alert.entity == "kpi/0")
    del scene.engine.state.alerts[first]
    kpis.sweep()
    assert kpis._marks.keys() == {"kpi/1", "kpi/2"}
    assert [alert.entity for alert in kpis.of({"kpi/0", "kpi/1"})] == ["kpi/1"]
