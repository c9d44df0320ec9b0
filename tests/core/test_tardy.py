"""What alerts only ten minutes later was not in trouble before, whatever it would explain."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, fires, rulebook
from quell.core.families import Family
from quell.core.folding import _misfit
from quell.core.reach import key
from quell.core.tardy import missing_then, tardy
from quell.model.topology import Dependency

SERVICES = [f"s{at}" for at in range(4)]
PLACED = tuple(Dependency(from_=f"service/{name}", to="host/h1", type="runs_on") for name in SERVICES)


def lost_host(at: float = 600.0) -> Scene:
    scene = Scene(rulebook(entities=(), dependencies=PLACED))
    scene.tell(
        fires("s0", 0.0),
        fires("h1", at, "HostDown", entity="host/h1"),
        *(fires(name, at + 5.0 + number) for number, name in enumerate(SERVICES[1:])),
    )
    return scene


def test_who_alerts_only_later_is_tardy() -> None:
    scene = lost_host()
    web, units = scene.engine._chart.correlator.web, scene.engine.state.units
    host = key(web.graph.node("host/h1"), Family.FAILING)
    assert tardy(web, units, host, T0 + 300.0)
    assert not tardy(web, units, host, T0 + 600.0)
    assert not tardy(web, units, key(web.graph.node("service/s0"), Family.FAILING), T0 + 300.0)
    assert not tardy(web, units, key(web.graph.node("host/h1"), Family.DATA), T0 + 300.0)  # data take hours to show


def test_who_never_alerts_is_silent_and_not_tardy() -> None:
    scene = Scene(rulebook(entities=(), dependencies=PLACED))
    scene.tell(fires("s0", 0.0))
    web = scene.engine._chart.correlator.web
    assert not tardy(web, scene.engine.state.units, key(web.graph.node("host/h1"), Family.FAILING), T0 + 300.0)


def test_those_that_were_well_until_later_are_missing() -> None:
    scene = lost_host()
    web, units = scene.engine._chart.correlator.web, scene.engine.state.units
    expected = [(web.graph.node(f"service/{name}"), 0.9) for name in SERVICES]
    assert missing_then(web, units, expected, T0 + 300.0) == pytest.approx(2.7)
    assert missing_then(web, units, expected, T0 + 700.0) == 0.0


def test_a_cause_costs_more_before_it_shows_itself() -> None:
    correlator = lost_host().engine._chart.correlator
    host = key(correlator.web.graph.node("host/h1"), Family.FAILING)
    now = T0 + 900.0
    before, since = correlator.costs.unchanged(host, T0, now), correlator.costs.unchanged(host, T0 + 590.0, now)
    assert before > since + 2.0
    assert correlator.costs.unchanged(host, T0 + 310.0, now) == since  # rules may hold back so long


def test_a_part_that_begins_before_the_whole_fits_it_less_than_one_that_begins_after() -> None:
    since = T0
    early, late = (_misfit(since + off, (since,), 90.0) for off in (-150.0, 150.0))
    assert early > 2.0 * late
    assert _misfit(since, (since,), 90.0) == 0.0
    assert _misfit(since - 150.0, (since, since - 150.0), 90.0) == 0.0  # it shows in waves
