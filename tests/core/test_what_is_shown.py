"""What makes an incident that people are shown: jobs that run on the hour and mere information do not."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import pytest

from core.scene import T0, Scene, consistent, ends, fires, outage, rulebook, says
from quell.model.rulebook import Triage

FAULT = ("ledger", "payments", "checkout", "frontend")
BURST = FAULT[:3]
FULL_HOUR = ceil(T0 / 3600.0 + 0.1) * 3600.0 - T0
MIDST = FULL_HOUR + 1500.0


def burst(
    began: float, *, name: str = "SlowRequests", severity: str = "warning", elsewhere: Sequence[str] = ("disk",)
) -> Scene:
    """One rule that fires along one way of dependencies and ``elsewhere``, and half an hour later."""
    scene = Scene()
    scene.wait(began)
    scene.tell(
        *(fires(one, began + 8.0 * at, name, severity) for at, one in enumerate(BURST)),
        *(fires(one, began + 20.0, name, severity) for one in elsewhere),
        at=began + 30.0,
    )
    scene.wait(began + 1800.0)
    return scene


@pytest.mark.parametrize("after", [-30.0, 0.0, 60.0, 120.0])
def test_one_rule_that_fires_on_the_hour_is_a_job_that_runs_then(after: float) -> None:
    assert not burst(FULL_HOUR + after).incidents


@pytest.mark.parametrize("after", [-30.0, 0.0, 60.0, 120.0])
def test_one_that_fires_nowhere_else_then_is_no_job(after: float) -> None:
    scene = burst(FULL_HOUR + after, elsewhere=())
    assert scene.services(scene.incident) == set(BURST)


def test_what_fires_elsewhere_at_another_time_makes_it_no_job() -> None:
    scene = Scene()
    scene.wait(FULL_HOUR - 900.0)
    scene.tell(fires("disk", FULL_HOUR - 900.0, "SlowRequests", "warning"))
    scene.tell(*(fires(one, FULL_HOUR + 8.0 * at, "SlowRequests", "warning") for at, one in enumerate(BURST)))
    scene.wait(FULL_HOUR + 300.0)
    assert scene.services(scene.incident) == set(BURST)


@pytest.mark.parametrize("after", [-90.0, 180.0, 1500.0, 1800.0])
def test_at_any_other_time_it_is_an_incident(after: float) -> None:
    scene = burst(FULL_HOUR + after)
    assert scene.services(scene.incident) == set(BURST)


def test_what_several_rules_tell_on_the_hour_is_an_incident() -> None:
    scene = Scene()
    scene.wait(FULL_HOUR)
    more = [fires(one, FULL_HOUR + 9.0, "Timeouts", "warning") for one in FAULT]
    scene.tell(*(fires(one, FULL_HOUR + 8.0, "SlowRequests", "warning") for one in FAULT), *more, at=FULL_HOUR + 30.0)
    scene.wait(FULL_HOUR + 120.0)
    assert scene.services(scene.incident) == set(FAULT)


@pytest.mark.parametrize(("began", "shown"), [(FULL_HOUR + 86_400.0, False), (MIDST + 86_400.0, True)])
def test_rules_known_to_fire_for_themselves_need_more_on_the_hour(began: float, shown: bool) -> None:
    rules = ("SlowRequests", "Timeouts")
    scene = Scene()
    for at in range(30):  # each alone, at another place each time
        service, rule, from_s = FAULT[at % len(FAULT)], rules[at % len(rules)], 2_400.0 * at
        scene.tell(
            fires(service, from_s, rule, "warning"),
            ends(service, from_s + 120.0, rule, "warning"),
        )
    scene.wait(began - 3_700.0)
    assert not scene.incidents
    scene.tell(
        *(fires(one, began + 8.0 * at, rules[at % 2], "warning") for at, one in enumerate(BURST)), at=began + 30.0
    )
    scene.wait(began + 120.0)
    assert bool(scene.incidents) is shown


def test_what_had_ended_before_is_another_spell_and_does_not_tell_when_trouble_began() -> None:
    scene = Scene()
    scene.wait(MIDST)
    scene.tell(fires("checkout", MIDST, "Throttled", "info"), ends("checkout", MIDST + 270.0, "Throttled", "info"))
    began = MIDST + 500.0
    slow = [("payments", 0.0, "SlowRequests"), ("checkout", 15.0, "SlowRequests"), ("frontend", 38.0, "SlowRequests")]
    slow += [("payments", 50.0, "Throttled"), ("payments", 55.0, "LongQueue"), ("frontend", 80.0, "LongQueue")]
    scene.tell(*(fires(service, began + at, name, "warning") for service, at, name in slow))
    scene.wait(began + 200.0)
    assert scene.services(scene.incident) == {"payments", "checkout", "frontend"}
    assert scene.incident.suspects[0].entity == "service/payments"
    assert scene.incident.suspects[0].onset >= T0 + began - 60.0
    assert scene.alert("checkout", "Throttled", "info").incident is None


def test_what_must_page_does_so_on_the_hour_as_well() -> None:
    scene = burst(FULL_HOUR, name="HighErrorRate", severity="critical")
    assert scene.pages
    assert {service for incident in scene.open for service in scene.services(incident)} == {*BURST, "disk"}


def test_mere_information_is_shown_as_soon_as_something_worse_joins_it() -> None:
    scene = Scene()
    scene.wait(MIDST)
    scene.tell(
        *(fires(one, MIDST + 8.0 * at, "Note", "info") for at, one in enumerate(FAULT[:2])),
        fires("ledger", MIDST, "Restarted", "info"),
    )
    scene.wait(MIDST + 200.0)
    assert not scene.incidents
    scene.tell(fires("checkout", MIDST + 201.0, "Errors", "warning"))
    scene.wait(MIDST + 300.0)
    assert scene.services(scene.incident) == set(FAULT[:3])


def test_a_little_of_something_worse_is_an_incident_at_once() -> None:
    scene = Scene()
    scene.wait(MIDST)
    scene.tell(
        *(fires(one, MIDST + 8.0 * at, "Note", "info") for at, one in enumerate(FAULT[:2])),
        fires("ledger", MIDST, "Restarted", "warning"),
    )
    scene.wait(MIDST + 60.0)
    assert scene.services(scene.incident) == set(FAULT[:2])


def test_a_cause_that_comes_back_after_its_incident_was_over_is_another_incident() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(500.0)
    scene.tell(*(ends(one, 600.0 + at) for at, one in enumerate(FAULT)))
    scene.wait(2000.0)
    (first,) = scene.incidents
    assert first.status == "resolved"
    scene.tell(*outage(2400.0), at=2430.0)
    scene.wait(2600.0)
    (again,) = scene.open
    assert again.id != first.id
    assert scene.services(again) == set(FAULT)
    assert len(scene.pages) == 2


def test_what_is_back_soon_is_the_same_incident() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(500.0)
    scene.tell(*(ends(one, 600.0 + at) for at, one in enumerate(FAULT)))
    scene.wait(900.0)
    scene.tell(*outage(1000.0), at=1030.0)
    scene.wait(1200.0)
    assert scene.services(scene.incident) == set(FAULT)
    assert scene.incident.is_open


def test_what_opens_again_lists_what_never_left_it() -> None:
    """Resolved by hand, and more of it fires: what no cause there explains any more fires on, and is listed on."""
    scene = Scene(rulebook(triage=Triage(lone_page_after_s=300.0, flap_gap_s=120.0)))
    scene.tell(fires("cart", 80.0, "SlowRequests", seen=T0 + 480.0))
    scene.tell(fires("payments", 540.0, "Down", "info"), fires("checkout", 540.0, "SlowRequests"))
    scene.wait(900.0)
    scene.tell(says("resolve", scene.incident.id, 918.0))
    scene.tell(fires("payments", 1300.0, "SlowRequests"))
    for at in range(1300, 1700, 20):
        scene.wait(float(at))
        consistent(scene.engine)
    assert scene.incident.is_open
    assert scene.services(scene.incident) == {"cart", "payments", "checkout"}
