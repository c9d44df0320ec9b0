"""Two critical alerts at both ends of a known way are an incident; one alone, or two of one place, are none yet."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, consistent, ends, fires, rulebook
from quell.core.both_ends import WITHIN_S, at_both_ends
from quell.model.alert import Alert, Reason
from quell.model.records import AlertRecord
from quell.model.rulebook import Correlate


def told(*records: AlertRecord, wait: float = 90.0) -> Scene:
    scene = Scene(rulebook())
    scene.tell(*records)
    scene.wait(wait)
    consistent(scene.engine)
    return scene


CALLEE, CALLER = fires("payments", 0.0), fires("checkout", 12.0)


def test_two_at_both_ends_of_a_way_are_one_incident_soon() -> None:
    scene = told(CALLEE, CALLER)
    assert scene.services(scene.incident) == {"payments", "checkout"}
    assert T0 + 60.0 <= scene.incident.opened_at <= T0 + 90.0  # a third would have come by then
    assert scene.incident.suspects[0].entity == "service/payments"
    assert len(scene.pages) == 1


def test_with_a_third_they_wait_no_longer() -> None:
    scene = told(CALLEE, CALLER, fires("frontend", 31.0))
    assert scene.incident.opened_at <= T0 + 40.0
    assert scene.services(scene.incident) == {"payments", "checkout", "frontend"}


def test_one_of_two_that_ends_meanwhile_makes_no_incident() -> None:
    scene = Scene(rulebook())
    scene.tell(CALLEE, CALLER)
    scene.wait(30.0)
    scene.tell(ends("checkout", 35.0))
    scene.wait(200.0)
    assert not scene.open
    consistent(scene.engine)


def test_who_asks_for_two_alerts_only_waits_for_no_third() -> None:
    scene = Scene(rulebook(correlate=Correlate(least_alerts=2)))
    scene.tell(CALLEE, fires("checkout", 12.0, "OtherErrors"))
    scene.wait(30.0)
    assert scene.incident.opened_at <= T0 + 20.0


@pytest.mark.parametrize(
    "other",
    [
        fires("checkout", 12.0, severity="warning"),
        fires("checkout", 12.0, severity="error"),
        fires("reports", 12.0),  # no way leads from one to the other
        fires("payments", 12.0, "SlowRequests"),  # at the same place
        fires("checkout", WITHIN_S + 15.0),
    ],
    ids=["warning", "error", "elsewhere", "one place", "later"],
)
def test_two_of_another_kind_wait_for_company(other: AlertRecord) -> None:
    assert not told(CALLEE, other, wait=WITHIN_S + 120.0).open


def test_an_alert_that_is_over_is_no_company() -> None:
    over = AlertRecord(
        at=T0 + 3.0, status="resolved", labels=CALLEE.labels, starts_at=T0, ends_at=T0 + 3.0, source="prom"
    )
    assert not told(CALLEE, over, CALLER).open


def test_the_order_of_delivery_changes_nothing() -> None:
    first, second = told(CALLEE, CALLER).incident, told(CALLER, CALLEE).incident
    assert (first.id, first.opened_at, first.alerts) == (second.id, second.opened_at, second.alerts)


def alert(entity: str, severity: str = "critical", after: float = 0.0, code: str = "waiting_for_company") -> Alert:
    return Alert(
        fingerprint=entity, source="", labels={"alertname": "Fails", "severity": severity}, status="firing",
        starts_at=T0 + after, updated_at=T0, onset_seen=T0, entity=entity, severity=severity, handling="hold",
        reason=Reason(code=code, text=""),
    )  # fmt: skip


def test_what_there_is_a_reason_to_wait_for_is_no_end() -> None:
    one = alert("service/a")
    assert at_both_ends([one, alert("service/b")])
    assert at_both_ends([one, alert("service/b", "page", -WITHIN_S)])
    assert not at_both_ends([one, alert("service/b", code="chronic")])
    assert not at_both_ends([one])
    assert not at_both_ends([one, alert("service/b"), alert("service/c")])


def test_who_asks_for_more_alerts_than_three_gets_no_incident_of_two() -> None:
    scene = Scene(rulebook(correlate=Correlate(least_alerts=4)))
    scene.tell(CALLEE, CALLER)
    scene.wait(300.0)
    assert not scene.open
