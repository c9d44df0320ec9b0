"""What conditions and references of playbooks see of an incident's suspects, its evidence and the changes near it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.stage import T0, Stage, incident, playbook, state, step, suspect
from quell.core.context import asked, holds, incident_context, rendered, top_suspect
from quell.core.views import View, words_of
from quell.errors import ExpressionError
from quell.expressions.on_demand import OnDemand
from quell.model.alert import Alert
from quell.model.incident import Evidence, Incident
from quell.model.state import State
from quell.model.topology import Change

FOR = Evidence(code="alerts_itself", text="service/checkout alerts itself", weight=3.0)
AGAINST = Evidence(code="unexplained", text="does not explain 1 of the 2 symptoms", weight=-1.0)
MODEL = Evidence(code="silent", text="model/churn has no alert of its own", weight=-3.0)


def scene() -> tuple[State, Incident]:
    """A first suspect whose deploy is blamed, a second one that is a model, and changes near and far."""
    known = state()
    told = [
        Change(id="m1", at=T0 - 5000, type="model", entity="model/churn", revision="7", previous="6", author="bo"),
        Change(id="later", at=T0 + 59, type="deploy", entity="service/checkout", revision="v10"),
        Change(id="way", at=T0 - 30, type="flag", entity="service/cart", summary="on for all"),
        Change(id="old", at=T0 - 90_000, type="deploy", entity="service/checkout"),
        Change(id="elsewhere", at=T0 - 30, type="deploy", entity="service/blog"),
        Change(id="nowhere", at=T0 - 30, type="deploy", entity=None),
    ]
    known.changes |= {one.id: one for one in told}
    first = suspect(evidence=(FOR, AGAINST), path=("service/checkout", "service/cart"))
    second = replace(suspect(change="m1", kind="model", confidence=0.35), entity="model/churn", evidence=(MODEL,))
    third = replace(suspect(change=None, kind="entity", confidence=0.01), entity="odd", lost_because="fits less well")
    about = incident(suspects=(first, second, third), entities=("service/checkout",))
    known.incidents[about.id] = about
    return known, about


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ('incident.suspects.exists(s, s.kind == "model" && s.confidence > 0.3)', True),
        ('incident.suspects.exists(s, s.kind == "model" && s.confidence > 0.4)', False),
        ('incident.suspects.exists(s, s.entity_kind == "model" && s.name == "churn")', True),
        ("size(incident.suspects) == 3 && incident.suspects[0].entity == suspect.entity", True),
        ('incident.suspects.exists(s, has(s.change) && s.change.author == "bo")', True),
        ('incident.suspects[2].lost_because.contains("less well")', True),
        ('incident.changes.exists(c, c.type == "deploy" && c.age_s < 3600)', True),
        ('incident.changes.exists(c, c.type == "schema" && c.age_s < 3600)', False),
        ('incident.changes.exists(c, c.type == "flag" && c.before_s > 0 && c.suspicion == 0)', True),
        ('incident.changes.exists(c, c.entity == "service/checkout" && c.before_s < 0)', True),
        ("incident.changes.filter(c, c.suspicion > 0.3).size() == 2", True),
        ('incident.evidence.exists(e, e.rank == 1 && e.kind == "alerts_itself" && e.weight > 2)', True),
        ('incident.evidence.exists(e, e.entity == "model/churn" && e.weight < 0)', True),
        ('suspect.evidence.exists(e, e.kind == "alerts_itself") && size(suspect.points_against) == 1', True),
        ('"service/checkout alerts itself" in suspect.points_for', True),
        ("incident.version == 1 && size(incident.alerts) == 1", True),
        ('size(alerts) == 1 && incident.changes.exists(c, c.id == "c1")', True),
        # A name that a macro binds is, outside of it, still what it is everywhere.
        ('alerts.exists(alerts, alerts.severity == "critical")', True),
        ("incident.alerts.exists(incident, incident.entity == 'service/checkout')", True),
        ("incident.suspects.exists(suspect, suspect.confidence > 0.3) && size(suspect.points_against) == 1", True),
    ],
)
def test_worked_conditions(condition: str, *, true: bool):
    known, about = scene()
    view = View(known, about, None, T0 + 120.0)
    assert view.holds("incident.severity == 'critical'")
    assert view.holds(condition) is true
    assert view.surely(condition) is true
    assert View(known, about, None, T0 + 120.0, words_of([condition])).holds(condition) is true
    assert holds(condition, incident_context(known, about, top_suspect(about), T0 + 120.0)) is true


def test_changes_come_by_suspicion_and_then_by_how_near_they_are():
    known, about = scene()
    changes = incident_context(known, about, None, T0 + 120.0)["incident"]["changes"]
    assert [(one["id"], one["suspicion"], one["before_s"]) for one in changes] == [
        ("c1", 0.9, 600.0),
        ("m1", 0.35, 5000.0),
        ("way", 0.0, 30.0),
        ("later", 0.0, -59.0),
    ]
    assert changes[1]["age_s"] == 5120.0
    assert "previous" not in changes[2], "nothing may be rolled back to what nobody knows"


def test_a_change_that_is_not_made_yet_is_not_seen_and_there_is_an_end_to_them():
    known, about = scene()
    known.changes |= {
        f"x{at}": Change(id=f"x{at}", at=T0 - at, type="config", entity="service/cart") for at in range(50)
    }
    changes = incident_context(known, about, None, T0 + 10.0)["incident"]["changes"]
    assert len(changes) == 20
    assert "later" not in {one["id"] for one in changes}


def test_templates_render_them_as_plain_values():
    known, about = scene()
    context = incident_context(known, about, top_suspect(about), T0 + 120.0)
    assert rendered("${suspect.points_against}", context) == [AGAINST.text]
    assert rendered("${incident.suspects[1].change.revision}", context) == "7"
    assert rendered("${size(incident.changes)} changes near ${incident.id}", context) == "4 changes near INC-1"
    whole = rendered("${incident}", context)
    assert [one["entity"] for one in whole["suspects"]] == ["service/checkout", "model/churn", "odd"]
    assert whole["changes"][0]["at"] == "2023-11-14T22:03:20.000Z"
    with pytest.raises(ExpressionError, match='no name "guilty"'):
        rendered("${incident.guilty}", context)


def test_only_what_a_condition_asks_for_is_made(monkeypatch: pytest.MonkeyPatch):
    known, about = scene()
    made: list[str] = []
    for name in ("suspects_seen", "evidence_seen", "changes_seen"):
        real = getattr(__import__("quell.core.seen", fromlist=["x"]), name)
        monkeypatch.setattr(
            f"quell.core.seen.{name}", lambda *given, real=real, name=name: made.append(name) or real(*given)
        )
    view = View(known, about, None, T0)
    for _ in range(2):
        assert view.holds('incident.severity == "critical" && suspect.kind == "deploy" && change.revision == "v9"')
        assert view.holds("size(incident.alerts) == 1")
    assert made == []
    for _ in range(3):
        assert view.holds("incident.changes.size() > 1")
    assert made == ["changes_seen"]
    assert not view.holds("incident == {}")
    assert sorted(made) == ["changes_seen", "changes_seen", "evidence_seen", "suspects_seen"]


def test_what_is_read_of_alerts_is_read_once_and_only_if_it_is_asked_for():
    """Most conditions read a word or two of the incident itself."""

    class Counted(dict[str, Alert]):
        asked = 0

        def __getitem__(self, name: str) -> Alert:
            self.asked += 1
            return super().__getitem__(name)

    known, about = scene()
    ((mark, alert),) = known.alerts.items()
    known.alerts = counted = Counted({mark: replace(alert, labels={**alert.labels, "kind": "drift", "model": "churn"})})
    view = View(known, about, None, T0)
    for _ in range(3):
        assert view.holds(
            'incident.severity == "critical" && suspect.kind == "deploy" && incident.age >= duration("0s")'
        )
    assert counted.asked == 0
    for _ in range(3):
        assert view.holds('drift.model == "churn"')
    assert counted.asked == 1
    assert view.holds("size(alerts) == 1")


@pytest.mark.parametrize(
    ("condition", "parts"),
    [
        ("incident.severity == 'x'", set()),
        ("suspect.kind == 'x'", set()),
        ("drift.model == 'x'", set()),
        ("incident.suspects.exists(s, s.confidence > 0.1)", {"incident.suspects"}),
        ("suspect.evidence.size() > 0", {"suspect.evidence"}),
        ("suspect != {}", {"suspect.evidence", "suspect.points_for", "suspect.points_against"}),
    ],
)
def test_what_a_condition_asks_for_is_told_from_its_text(condition: str, parts: set[str]):
    assert asked(condition)[1] == parts


def test_a_run_sees_the_evidence_of_its_own_suspect_as_it_is_now():
    act = step("act", with_={"for": "${suspect.points_for}", "n": "${size(incident.suspects)}"})
    gate = 'incident.suspects.exists(s, s.kind == "model") && incident.changes.exists(c, c.type == "deploy")'
    stage = Stage(playbook(act, if_=gate))
    known, about = scene()
    stage.state.changes |= known.changes
    stage.news(about)
    assert stage.performs[0].params == {"for": [FOR.text], "n": 3}
    assert stage.run.suspect is not None
    assert stage.run.suspect.evidence == (), "a run keeps its suspect without the evidence"
    assert Stage(playbook(act, if_=gate)).news() == []


def test_a_dictionary_on_demand_is_whole_for_whoever_goes_through_it():
    made: list[str] = []

    def maker(name: str):
        return lambda: made.append(name) or name.upper()

    def fresh() -> OnDemand:
        made.clear()
        return OnDemand({"a": 1}, {"b": maker("b"), "c": maker("c")})

    one = fresh()
    assert ("b" in one, "x" in one, made) == (True, False, [])
    assert (one["b"], one["b"], one.get("c"), one.get("x", 0), made) == ("B", "B", "C", 0, ["b", "c"])
    whole = {"a": 1, "b": "B", "c": "C"}
    for way in (dict, lambda it: dict(it.items()), lambda it: {**it}, lambda it: {name: it[name] for name in it}):
        assert way(fresh()) == whole
    assert (len(fresh()), list(fresh().keys()), list(fresh().values())) == (3, ["a", "b", "c"], [1, "B", "C"])
    assert (fresh().only({"c", "z"}), made) == ({"a": 1, "c": "C"}, ["c"])
    with pytest.raises(KeyError):
        fresh()["x"]
