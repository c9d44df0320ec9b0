"""Whatever keeps a severe alert from paging ends some day: what still fires then is told to people."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, ends, fires, outage, rulebook, says, silence
from quell.core.lives import TRUST_S
from quell.core.triage import judge
from quell.core.verdicts import DAY_S
from quell.expressions.matchers import parse_matchers
from quell.model.records import IncidentRecord
from quell.model.rulebook import Triage, TriageRule
from quell.model.state import Triaged

HOUR = 3600.0


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_silenced_and_resolved_by_hand_pages_when_the_silence_ends(restarts: bool) -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(silence("s", 310.0, 4 * HOUR), says("resolve", scene.incident.id, 320.0), at=320.0)
    scene.wait(3 * HOUR)
    if restarts:
        scene.restart()
    assert len(scene.pages) == 1
    assert not scene.open
    scene.wait(4 * HOUR + TRUST_S)
    assert len(scene.pages) == 2
    assert scene.open


def test_what_a_rule_held_while_its_incident_was_resolved_by_hand_pages_when_the_hold_ends() -> None:
    held = TriageRule(name="batch", matchers=parse_matchers('service="ledger"'), verdict="hold", hold_s=2 * HOUR)
    scene = Scene(rulebook(triage=Triage(rules=(held,))))
    scene.tell(*outage())
    scene.wait(300.0)
    others = [ends(service, 400.0) for service in ("payments", "checkout", "frontend")]
    scene.tell(*others, says("resolve", scene.incident.id, 400.0), at=400.0)
    scene.wait(2 * HOUR)
    assert len(scene.pages) == 1
    scene.wait(2 * HOUR + TRUST_S)
    assert len(scene.pages) == 2


def test_what_was_resolved_by_hand_is_asked_after_only_while_it_fires() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(silence("s", 310.0, 4 * HOUR), says("resolve", scene.incident.id, 320.0), at=320.0)
    scene.tell(*(ends(service, 900.0) for service in ("ledger", "payments", "checkout", "frontend")))
    scene.wait(2 * HOUR)
    assert not scene.engine.state.calm_at
    scene.wait(5 * HOUR)
    assert len(scene.pages) == 1


def test_after_a_silence_of_days_what_nobody_repeats_pages_and_stays_open_for_a_day() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(silence("s", 310.0, 3 * DAY_S), at=310.0)
    scene.wait(2 * DAY_S)
    assert scene.incident.status == "resolved"
    scene.restart()
    scene.wait(3 * DAY_S + HOUR)
    assert len(scene.pages) == 2
    assert scene.incident.status == "open"
    scene.wait(4 * DAY_S + HOUR)
    assert scene.incident.status == "resolved"


def test_whoever_has_an_incident_in_hand_and_does_nothing_keeps_back_pages_for_hours_only() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(says("ack", scene.incident.id, 310.0), ends("payments", 400.0), at=400.0)
    scene.tell(fires("payments", 2 * HOUR))
    scene.wait(6 * HOUR - 1.0)
    assert scene.alert("payments").reason.code == "owned"
    scene.restart()
    scene.wait(6 * HOUR)
    assert len(scene.pages) == 2
    assert scene.alert("payments").handling == "page"


def test_an_incident_that_stays_open_elsewhere_for_days_keeps_back_pages_for_a_day_only() -> None:
    scene = Scene()
    scene.tell(IncidentRecord(at=T0, id="X", source="pd", status="open", entity="service/cache", title="minor"))
    scene.tell(fires("cache", 100.0))
    scene.wait(DAY_S + 99.0)
    assert not scene.pages
    assert scene.alert("cache").reason.code == "owned"
    scene.wait(DAY_S + 100.0)
    assert len(scene.pages) == 1


def test_what_flaps_for_days_pages_every_day() -> None:
    scene = Scene()
    scene.tell(fires("cache"))
    scene.wait(700.0)
    for at in range(900, int(3 * DAY_S), 800):
        scene.tell(ends("cache", at), fires("cache", at + 300.0))
    assert 3 <= len(scene.pages) <= 4
    assert all(later.at - page.at >= DAY_S for page, later in zip(scene.pages, scene.pages[1:], strict=False))


@pytest.mark.parametrize("restarts", [False, True])
def test_a_reminder_that_was_due_during_a_silence_comes_when_that_ends(restarts: bool) -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(silence("s", 310.0, 2 * HOUR), at=310.0)
    scene.wait(HOUR)
    if restarts:
        scene.restart()
    assert not scene.reminders
    scene.wait(2 * HOUR + 60.0)
    assert len(scene.reminders) == 1
    scene.wait(2.9 * HOUR)
    assert len(scene.reminders) == 1


def test_a_past_firing_of_a_week_does_not_keep_two_doubts_in_the_digest_for_weeks() -> None:
    scene = Scene()
    scene.tell(fires("cache", labels={"environment": "staging", "stage": "staging"}))
    known = scene.alert("cache", environment="staging", stage="staging")
    behaviour = Triaged(durations_s=(7 * DAY_S,), episodes=1)

    def handling(age: float) -> str:
        return judge(known, known.starts_at + age, behaviour=behaviour, triage=Triage()).handling

    assert (handling(DAY_S - 1.0), handling(DAY_S)) == ("digest", "page")


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("lasts", "pause"), [(540.0, 1020.0), (120.0, 1200.0), (30.0, 3600.0)])
def test_what_heals_itself_all_day_long_pages_every_day(restarts: bool, lasts: float, pause: float) -> None:
    """It never fires for as long as a lone alert must, and is back too late for a flap."""
    scene = Scene()
    at = 0.0
    while at < 3 * DAY_S:
        scene.tell(fires("cache", at), ends("cache", at + lasts))
        if restarts:
            scene.restart()
        at += lasts + pause
    assert 2 <= len(scene.pages) <= 4
    assert scene.pages[0].reason == "fired 10 times within the last day; it pages once, then goes to the digest"
    assert scene.pages[0].at - T0 < 10 * (lasts + pause)
    assert all(later.at - page.at >= DAY_S for page, later in zip(scene.pages, scene.pages[1:], strict=False))
    assert scene.alert("cache").reason.code in {"chronic", "over"}


def test_what_heals_itself_now_and_then_does_not_page() -> None:
    scene = Scene()
    for at in range(0, int(3 * DAY_S), 3 * 3600):
        scene.tell(fires("cache", at), ends("cache", at + 540.0))
    assert not scene.pages


@pytest.mark.parametrize("restarts", [False, True])
def test_what_flapped_for_long_after_its_page_pages_a_day_after_that_page(restarts: bool) -> None:
    """That it came back in an incident that had paged was no page."""
    scene = Scene()
    scene.tell(fires("cache"))
    scene.wait(700.0)
    for at in range(900, int(20 * HOUR), 800):
        scene.tell(ends("cache", at), fires("cache", at + 300.0))
    scene.tell(ends("cache", at + 500.0))
    scene.wait(23 * HOUR)
    if restarts:
        scene.restart()
    assert len(scene.pages) == 1
    assert not scene.open
    for at in range(int(25 * HOUR), int(27 * HOUR), 600):
        scene.tell(fires("cache", at), ends("cache", at + 300.0))
    assert len(scene.pages) == 2
