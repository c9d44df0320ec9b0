"""Drills of a daemon at their times: a metric each, and an alert while one does not come as expected."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from core.scene import T0
from daemon.test_figures import config, daemon
from quell.config import Loaded
from quell.daemon import drills as held
from quell.model.drill import Drill
from quell.model.records import AlertRecord
from quell.store.memory import MemoryStore

HOURLY = "0 * * * *"


def with_drills(folder: Path) -> Loaded:
    alert = AlertRecord(
        at=0.0, status="firing", labels={"alertname": "Down", "service": "ledger", "severity": "critical"}
    )
    good = Drill(name="good", feed=(alert,), lasts_s=60.0, quiet=True, cron=HOURLY)
    bad = Drill(name="bad", feed=(alert,), lasts_s=60.0, detectors=("Missing",), cron=HOURLY)
    whole = config(folder)
    return Loaded(whole.settings, msgspec.structs.replace(whole.rulebook, drills=(good, bad)))


def test_what_fails_is_an_alert_and_is_over_when_it_works_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(with_drills(tmp_path), MemoryStore(), T0) as quell:
            drills, state = quell.daemon.drills, quell.daemon.loop.decider.state
            await drills.hold_due()
            assert not state.alerts, "none is due yet"
            quell.daemon.clock.not_before(T0 + 3_700.0)
            await quell.until(lambda: bool(quell.daemon.loop.decider.state.alerts))
            (alert,) = quell.daemon.loop.decider.state.alerts.values()
            assert (alert.name, alert.labels["drill"], alert.firing) == ("DrillFailed", "bad", True)
            assert "detector Missing: there is no such detector" in alert.annotations["description"]
            _, page = await quell.get("/metrics")
            text = page if isinstance(page, str) else page.decode()
            assert 'quell_drill_ok{drill="good"} 1.0' in text
            assert 'quell_drill_ok{drill="bad"} 0.0' in text
            assert "service/ledger" not in {one.entity for one in state.alerts.values()}, "drills stay outside"
            bad = quell.daemon.loop.rulebook.drills[1]
            report = await drills.hold(msgspec.structs.replace(bad, detectors=(), quiet=True))
            assert report.ok
            await drills.tell(report)
            await quell.settled()
            (alert,) = quell.daemon.loop.decider.state.alerts.values()
            assert not alert.firing
            await drills.tell(await drills.hold(bad))
            await quell.settled()
            (alert,) = quell.daemon.loop.decider.state.alerts.values()
            assert alert.firing
            await quell.daemon.loop.use(msgspec.structs.replace(quell.daemon.loop.rulebook, drills=()))
            await quell.until(lambda: not next(iter(quell.daemon.loop.decider.state.alerts.values())).firing)

    asyncio.run(story())


def test_a_drill_that_breaks_is_one_that_failed_and_nothing_else_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*_: object, **__: object) -> None:
        raise ZeroDivisionError("in the middle of it")

    async def story() -> None:
        async with daemon(with_drills(tmp_path), MemoryStore(), T0) as quell:
            monkeypatch.setattr(held, "drilled", breaking)
            await quell.daemon.drills.hold_due()
            quell.daemon.clock.not_before(T0 + 3_700.0)
            await quell.until(lambda: len(quell.daemon.loop.decider.state.alerts) == 2)
            alerts = quell.daemon.loop.decider.state.alerts.values()
            assert {one.labels["drill"] for one in alerts} == {"good", "bad"}
            assert {one.annotations["description"] for one in alerts} == {
                "drill is held: it broke: ZeroDivisionError: in the middle of it"
            }
            assert (await quell.get("/ready"))[0] == 200

    asyncio.run(story())
