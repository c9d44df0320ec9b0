"""What was told as a warning and turns critical is told again, once, whoever has acknowledged it."""

from __future__ import annotations

from typing import Any

import pytest

from core.scene import PAGER, T0, Scene, consistent, ends, fires, matcher, outage, playbook, rulebook, says, silence
from quell.expressions.matchers import parse_matchers
from quell.model.decision import Page, Perform
from quell.model.records import AlertRecord
from quell.model.rulebook import Route, Triage, TriageRule

HOUR = 3600.0
SERVICES = ("ledger", "payments", "checkout", "frontend")
ACKED = "was acknowledged by ana as warning; now critical"


def slow(**given: Any) -> Scene:
    """An outage of which only warnings are known yet; its incident has paged."""
    scene = Scene(rulebook(**given))
    scene.tell(*(fires(service, 12.0 * at, "Slow", "warning") for at, service in enumerate(SERVICES)))
    scene.wait(300.0)
    assert len(scene.pages) == 1
    assert scene.incident.severity == "warning"
    return scene


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_acknowledged_as_a_warning_and_turns_critical_pages_again(restarts: bool) -> None:
    scene = slow()
    scene.tell(says("ack", scene.incident.id, 310.0))
    if restarts:
        scene.restart()
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    _, page = scene.pages
    assert page.reason == ACKED
    assert page.alert == scene.alert("checkout").fingerprint
    assert ACKED in scene.calls[-1].params["text"]
    assert scene.calls[-1].params["severity"] == "critical"
    known = scene.incident
    assert (known.status, known.acknowledged_by, known.acknowledged_before) == ("open", "", "ana")
    assert [entry.by for entry in known.timeline if entry.what == "acknowledged"] == ["ana"]
    consistent(scene.engine)


def test_what_was_paged_as_a_warning_and_turns_critical_pages_again() -> None:
    scene = slow()
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    assert [page.reason for page in scene.pages[1:]] == ["was paged as warning; now critical"]


def test_the_page_takes_the_routes_of_the_higher_severity() -> None:
    phone = Route(name="phone", action="pager.call", matchers=parse_matchers("severity=critical"))
    scene = slow(routes=(Route(name="chat", action="chat.tell"), phone))
    assert [call.action for call in scene.calls] == ["chat.tell"]
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    assert [call.action for call in scene.calls[1:]] == ["chat.tell", "pager.call"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_severity_that_comes_and_goes_pages_once(restarts: bool) -> None:
    scene = slow()
    scene.tell(says("ack", scene.incident.id, 310.0))
    for at in range(400, 4000, 300):
        scene.tell(fires("checkout", at), ends("checkout", at + 100.0))
        if restarts:
            scene.restart()
        scene.wait(at + 250.0)
    assert len(scene.pages) == 2


def test_after_the_rise_it_is_acknowledged_anew_and_stays_so() -> None:
    scene = slow()
    scene.tell(says("ack", scene.incident.id, 310.0))
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    scene.tell(says("ack", scene.incident.id, 430.0, by="bo"))
    scene.tell(fires("payments", 500.0))
    scene.wait(6 * HOUR)
    assert (scene.incident.acknowledged_by, scene.incident.acknowledged_before) == ("bo", "ana")
    assert len(scene.pages) == 2
    assert not scene.reminders


def test_nobody_takes_it_after_the_rise_so_people_are_reminded() -> None:
    scene = slow()
    scene.tell(says("ack", scene.incident.id, 310.0))
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    scene.wait(scene.pages[1].at - T0 + 1800.0)
    assert len(scene.reminders) == 1


def test_critical_from_the_first_pages_once() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(100.0)
    scene.tell(says("ack", scene.incident.id, 110.0))
    scene.tell(fires("frontend", 120.0, "Down"), fires("checkout", 130.0, "Down", "page"))
    scene.wait(6 * HOUR)
    assert len(scene.pages) == 1


def test_a_rise_within_what_pages_is_one_too() -> None:
    scene = Scene()
    scene.tell(*(fires(service, 12.0 * at, severity="high") for at, service in enumerate(SERVICES)))
    scene.wait(100.0)
    scene.tell(fires("checkout", 120.0, "Down"))
    scene.wait(200.0)
    assert [page.reason for page in scene.pages[1:]] == ["was paged as high; now critical"]


def test_severities_that_do_not_page_are_no_rise() -> None:
    scene = slow(triage=Triage(page_severities=("emergency",)))
    scene.tell(fires("checkout", 400.0))
    scene.wait(600.0)
    assert scene.incident.severity == "critical"
    assert len(scene.pages) == 1


def test_a_teams_own_severities_count() -> None:
    scene = slow(triage=Triage(page_severities=("P0",)))
    scene.tell(fires("checkout", 400.0, severity="p0"))
    scene.wait(600.0)
    assert [page.reason for page in scene.pages[1:]] == ["was paged as warning; now p0"]


@pytest.mark.parametrize("acked", [False, True])
def test_what_is_muted_is_no_rise_until_the_silence_ends(acked: bool) -> None:
    scene = slow()
    if acked:
        scene.tell(says("ack", scene.incident.id, 305.0))
    scene.tell(silence("s", 310.0, HOUR, matcher("severity", "critical")), at=310.0)
    scene.tell(fires("checkout", 400.0))
    scene.wait(HOUR - 1.0)
    assert len(scene.pages) == 1
    scene.restart()
    scene.wait(HOUR)
    assert [page.reason for page in scene.pages[1:]] == [ACKED if acked else "was paged as warning; now critical"]


def test_who_acknowledges_what_shows_as_critical_has_taken_that_muted_or_not() -> None:
    scene = slow()
    scene.tell(silence("s", 310.0, HOUR, matcher("severity", "critical")), at=310.0)
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    scene.tell(says("ack", scene.incident.id, 500.0))
    scene.wait(2 * HOUR)
    assert len(scene.pages) == 1


def test_what_a_rule_keeps_from_paging_is_no_rise() -> None:
    batch = TriageRule(name="batch", matchers=parse_matchers("alertname=HighErrorRate"), verdict="digest")
    scene = slow(triage=Triage(rules=(batch,)))
    scene.tell(fires("checkout", 400.0))
    scene.wait(6 * HOUR)
    assert len(scene.pages) == 1


def keyed(at: float, severity: str, status: Any = "firing") -> AlertRecord:
    """An alert whose sender numbers it itself, so that its severity may change while it fires."""
    labels = {"alertname": "Disk", "service": "cache", "namespace": "shop", "severity": severity}
    return AlertRecord(at=T0 + at, status=status, labels=labels, starts_at=T0, source="pd", key="disk-7")


@pytest.mark.parametrize("acked", [False, True])
@pytest.mark.parametrize("long_after", [False, True])
def test_one_alert_that_turns_critical_itself_pages_again(acked: bool, long_after: bool) -> None:
    """Also when its group was closed long ago, so that nothing is concluded about it any more."""
    ours = TriageRule(name="ours", matchers=parse_matchers("severity=warning"), verdict="page")
    scene = Scene(rulebook(triage=Triage(rules=(ours,), remind_after_s=0.0), playbooks=(playbook(on=("escalated",)),)))
    scene.tell(keyed(0.0, "warning"))
    assert len(scene.pages) == 1
    if acked:
        scene.tell(says("ack", scene.incident.id, 10.0))
    at = 5 * HOUR if long_after else 100.0
    for _ in range(3):
        scene.tell(keyed(at, "critical"), keyed(at + 60.0, "warning"))
        at += 120.0
    scene.tell(keyed(at, "critical"))
    scene.wait(at + 60.0)
    assert [page.reason for page in scene.pages[1:]] == [ACKED if acked else "was paged as warning; now critical"]
    assert scene.incident.severity == "critical"
    assert scene.events.count("escalated") == 1
    assert len(scene.engine.state.runs) == 1


def test_playbooks_that_wait_for_the_rise_run_once() -> None:
    scene = slow(playbooks=(playbook(on=("escalated",)),))
    scene.tell(says("ack", scene.incident.id, 310.0))
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    assert scene.events.count("escalated") == 1
    assert len(scene.engine.state.runs) == 1
    order = [
        one.action if isinstance(one, Perform) else "page"
        for one in scene.decisions
        if isinstance(one, Page) or (isinstance(one, Perform) and one.action != PAGER.action)
    ]
    assert sorted(order) == ["page", "page", "ticket.open"]


def test_what_fires_anew_at_the_same_place_is_still_in_somebodys_hands_after_the_rise() -> None:
    scene = slow()
    scene.tell(says("ack", scene.incident.id, 310.0), ends("payments", 330.0, "Slow", "warning"), at=330.0)
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    assert len(scene.pages) == 2
    scene.tell(fires("payments", 3000.0, "Slow", "warning"))
    assert scene.alert("payments", "Slow", "warning").reason.code in {"owned", "in_incident", "not_severe"}


def test_an_incident_that_pages_anew_after_it_came_back_rises_anew() -> None:
    scene = slow()
    over = [ends(service, 400.0, "Slow", "warning") for service in SERVICES]
    scene.tell(fires("checkout", 350.0), ends("checkout", 400.0), *over)
    scene.wait(HOUR)
    assert [page.reason for page in scene.pages[1:]] == ["was paged as warning; now critical"]
    assert not scene.open


def test_a_snapshot_of_before_does_not_page_for_what_was_told() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(100.0)
    state = scene.engine.state
    name = scene.incident.id
    fields = {field: getattr(scene.incident, field) for field in scene.incident.__struct_fields__}
    state.incidents[name] = type(scene.incident)(**{**fields, "told_severity": None})
    scene.restart()
    scene.tell(fires("checkout", 200.0, "Down"))
    scene.wait(HOUR / 4)
    assert len(scene.pages) == 1


def test_the_alert_that_paged_first_is_not_said_to_have_never_paged() -> None:
    scene = slow()
    first = scene.pages[0].alert
    scene.tell(fires("checkout", 400.0))
    scene.wait(420.0)
    scene.tell(says("ack", scene.incident.id, 430.0))
    said = scene.engine.why_not(first)
    assert said is not None
    assert "It paged at" in said
