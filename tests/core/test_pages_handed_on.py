"""What a page is worth later: for an incident that absorbs another, and for what is learned of it."""

from __future__ import annotations

import msgspec
import pytest

from core.scene import PAGER, T0, Scene, consistent, ends, fires, outage, rulebook, says
from quell.core.continuity import place_of
from quell.model.incident import Incident
from quell.model.records import IncidentRecord
from quell.model.rulebook import Route, Rulebook

HOUR = 3600.0


def beside(
    paged_at: float = 60.0, *, acked: bool = False, severity: str = "critical", book: Rulebook | None = None
) -> tuple[Scene, str, str]:
    """An outage that belongs to others, so that it has not paged, and beside it one of its alerts that has, alone."""
    scene = Scene(book)
    theirs = IncidentRecord(at=T0, id="9", source="desk", status="open", title="Move", labels={"namespace": "shop"})
    scene.tell(theirs, *outage(of=("ledger", "payments", "checkout")))
    scene.tell(fires("frontend", 36.0, severity=severity))
    scene.wait(60.0)
    whole = scene.incident
    assert whole.paged_at is None
    state, mark = scene.engine.state, scene.alert("frontend", severity=severity).fingerprint
    alone = Incident(
        id="INC-alone",
        title="frontend",
        status="acknowledged" if acked else "open",
        opened_at=T0 + 60.0,
        updated_at=T0 + 60.0,
        severity=severity,
        alerts=(mark,),
        paged_at=T0 + paged_at,
        page_alert=mark,
        told_severity=severity,
        acknowledged_by="bo" if acked else "",
    )
    state.incidents[alone.id] = alone
    rest = tuple(other for other in whole.alerts if other != mark)
    state.incidents[whole.id] = msgspec.structs.replace(whole, alerts=rest)
    state.placed[place_of((mark, state.alerts[mark].episode))] = alone.id
    state.alerts[mark] = msgspec.structs.replace(state.alerts[mark], incident=alone.id)
    consistent(scene.restart().engine)
    return scene, whole.id, alone.id


def absorbed(scene: Scene, whole: str, alone: str, at: float) -> Incident:
    """The whole once it has absorbed the lone one, and nobody else has it in hand any more."""
    scene.wait(at - 20.0)
    theirs = IncidentRecord(at=T0, id="9", source="desk", status="closed", labels={"namespace": "shop"})
    scene.tell(fires("checkout", at - 15.0, "Down", "warning"), at=at - 15.0)
    scene.wait(at - 1.0)
    scene.tell(theirs, at=at)
    consistent(scene.engine)
    assert scene.engine.state.incidents[alone].merged_into == whole
    return scene.engine.state.incidents[whole]


def test_an_early_sign_is_no_page_to_hand_on() -> None:
    quiet = Route(name="quiet", action="", early=True)
    scene, whole, alone = beside(severity="warning", book=rulebook(routes=(PAGER, quiet)))
    scene.engine.state.early[alone] = T0 + 60.0
    absorbed(scene, whole, alone, at=120.0)
    scene.wait(180.0)
    first = scene.pages[0]
    assert (first.incident, first.reason) == (whole, "it was an early sign, and is more than that now")
    assert scene.calls[0].incident == whole
    assert scene.engine.state.early == {}


def test_a_fresh_page_is_handed_on() -> None:
    scene, whole, alone = beside()
    known = absorbed(scene, whole, alone, 900.0)
    assert not scene.pages
    assert (known.paged_at, known.told_severity) == (T0 + 60.0, "critical")
    scene.wait(60.0 + 1800.0)
    assert len(scene.reminders) == 1


def test_a_page_of_long_ago_is_not_handed_on() -> None:
    scene, whole, alone = beside(800.0 - HOUR, acked=True)
    known = absorbed(scene, whole, alone, 900.0)
    assert [page.incident for page in scene.pages] == [whole]
    assert known.paged_at == scene.pages[0].at


def test_what_was_told_as_less_grave_is_told_again_after_it_was_absorbed() -> None:
    scene, whole, alone = beside(severity="warning")
    absorbed(scene, whole, alone, 900.0)
    assert [page.reason for page in scene.pages] == ["was paged as warning; now critical"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_page_that_nobody_heeded_counts_once_however_often_its_incident_comes_back(restarts: bool) -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(100.0)
    services = ("ledger", "payments", "checkout", "frontend")
    for at in (200.0, 600.0, 1000.0):
        scene.tell(*(ends(service, at) for service in services), at=at)
        scene.wait(at + 150.0)
        assert not scene.open
        if restarts:
            scene.restart()
        scene.tell(*(fires(service, at + 200.0) for service in services), at=at + 200.0)
        assert scene.open
    (page,) = scene.pages
    assert scene.engine.state.behaviour[page.alert].unheeded == 1
    assert scene.engine.state.customs[""].ignored == 1
    scene.tell(says("ack", scene.incident.id, 1300.0), *(ends(service, 1310.0) for service in services), at=1310.0)
    scene.wait(1500.0)
    assert scene.engine.state.behaviour[page.alert].unheeded == 0
    assert scene.engine.state.customs[""].heeded == 1
