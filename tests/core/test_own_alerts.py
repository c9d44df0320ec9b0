"""A cause that says little and what needs it that says much: its own alert counts when the others fold into it."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, fires
from quell.model.records import DependencyRecord, EntityRecord

CALLERS = [f"caller-{number:02d}" for number in range(16)]
WAYS = (("api", "store"), ("api", "other"), *((caller, "api") for caller in CALLERS), ("nightly", "other"))


def slow(late: float, of: str) -> Scene:
    """Everybody who calls a service is slow as it is, and one alert more, so many seconds later."""
    scene = Scene()
    names = sorted({name for way in WAYS for name in way})
    scene.tell(
        *(EntityRecord(at=T0 - 60, entity=f"service/{name}") for name in names),
        *(DependencyRecord(at=T0 - 60, from_=f"service/{a}", to=f"service/{b}", type="calls") for a, b in WAYS),
        at=-60.0,
    )
    scene.tell(fires("api", 0.0, "HighRequestLatency", "warning"), fires("api", 5.0, "SlowAnomaly"))
    scene.tell(*(fires(caller, 20.0 + at, "HighRequestLatency", "warning") for at, caller in enumerate(CALLERS)))
    if of:
        scene.tell(fires(of, late, "SlowQueries", "warning"))
    scene.wait(400.0)
    return scene


@pytest.mark.parametrize("late", [40.0, 110.0])
def test_one_late_alert_where_trouble_comes_from_is_named_before_the_service_that_asks_it(late: float) -> None:
    incident = slow(late, "store").incident
    assert incident.suspects[0].entity == "service/store"
    assert "service/store" in incident.entities
    assert "service/api" in {suspect.entity for suspect in incident.suspects}


@pytest.mark.parametrize("of", ["", "nightly"])
def test_who_says_nothing_or_lies_elsewhere_is_not(of: str) -> None:
    incident = slow(110.0, of).incident
    assert incident.suspects[0].entity == "service/api"
    assert "service/nightly" not in incident.entities
