"""A snapshot of an earlier version: an upgrade amid an outage goes on with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.stage import Stage, playbook, step, undo
from quell.core.engine import Engine
from quell.daemon.serve import restored
from quell.errors import QuellError
from quell.model.playbook import Retry
from quell.model.records import AlertRecord, AnyRecord, DependencyRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State

T0 = 1_700_000_000.0
CALLS = (("a", "b"), ("b", "c"), ("d", "c"))


def _fires(name: str, at: float, rule: str = "HighLatency") -> AlertRecord:
    labels = {"alertname": rule, "severity": "critical", "service": name}
    return AlertRecord(at=T0 + at, status="firing", labels=labels, entity=f"service/{name}", starts_at=T0 + at)


def _amid_an_outage() -> Engine:
    told: list[AnyRecord] = [
        DependencyRecord(at=T0, from_=f"service/{one}", to=f"service/{other}", type="calls") for one, other in CALLS
    ]
    engine = Engine(Rulebook())
    engine.decide([*told, *(_fires(name, float(at)) for at, name in enumerate("abcd"))], T0 + 5)
    engine.decide((), T0 + 120)
    return engine


def _as_before(data: bytes) -> bytes:
    """As it was written before solutions kept when a cause began, units their weight, and entities their telemetry.

    Places of first firings were longer.
    """
    raw: dict[str, Any] = msgspec.msgpack.decode(data, strict=False)
    for group in raw["groups"].values():
        assert group["solution"]
        group["solution"] = [root[:2] for root in group["solution"]]
    for unit in raw["units"].values():
        for name in ("weight", "tokens", "kin"):
            unit.pop(name)
    raw["placed"] = {f"{place}/1": name for place, name in raw["placed"].items()}
    old = {"samples": {"m": [(T0, 1.0)]}, "errors": [(T0 - 20, 1)], "calls": [(T0 - 20, 1)]}
    raw["signals"] = {"service/a": old}
    for name in ("telemetry_bytes", "news", "customs", "taken", "habits", "rarity"):
        raw.pop(name)
    return msgspec.msgpack.encode(raw)


@pytest.mark.parametrize("later", [6.0, 600.0])
def test_an_incident_goes_on_over_an_upgrade(later: float) -> None:
    engine = _amid_an_outage()
    (incident,) = engine.state.incidents.values()
    upgraded = Engine.restored(Rulebook(), _as_before(engine.snapshot()))
    more = [_fires("a", 120.0 + later, "HighErrors")]
    for one in (engine, upgraded):
        one.decide(more, T0 + 121 + later)
        one.decide((), T0 + 300 + later)
    assert upgraded.state.incidents.keys() == engine.state.incidents.keys()
    after = upgraded.state.incidents[incident.id]
    assert after.status == "open"
    assert set(incident.alerts) <= set(after.alerts)
    assert after.suspects[0].entity == incident.suspects[0].entity


def test_a_state_that_no_version_here_wrote_is_refused_in_words() -> None:
    with pytest.raises(QuellError, match="nothing is lost: start the version that wrote it"):
        restored(Rulebook(), msgspec.msgpack.encode({"groups": {"1": "later"}}))


def test_a_run_goes_on_over_an_upgrade() -> None:
    acted = step("act", undo=undo("app.back"), retry=Retry(times=1, wait_s=5.0), on_failure="undo")
    stage = Stage(playbook(acted, step("verify"), on_failure=(undo("pager.call", effect="tell"),)))
    stage.news()
    raw: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(stage.state), strict=False)
    (begun,) = raw["begun"].values()
    for name in ("backoff", "most_s"):
        begun["steps"][0]["retry"].pop(name)
    for deed in (begun["steps"][0]["undo"], *begun["on_failure"]):
        deed.pop("takes")
    (run,) = raw["runs"].values()
    assert not {"readings", "items", "before", "group"} & run["steps"][0].keys(), "what is not there takes no room"
    stage.state = msgspec.msgpack.decode(msgspec.msgpack.encode(raw), type=State)
    stage.restart()
    stage.fail("unreachable")
    stage.at(5)
    stage.answer()
    stage.fail()
    stage.answer()
    assert stage.keys == ["act/1", "act/2", "verify/1", "on_failure/1/1"]
    assert (stage.run.state, stage.states) == ("failed", ["done", "failed"])


def test_pages_and_approvals_go_on_over_an_upgrade() -> None:
    """As it was written before pages had lanes, and approvals the incident's material version."""
    ask = step("ask", do="approve", timeout_s=3600.0)
    stage = Stage(playbook(ask, step("act")))
    stage.news()
    stage.decisions += stage.automation.pages(stage.state.incidents["INC-1"], None, stage.now, "trouble", "1")
    raw: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(stage.state), strict=False)
    (page,) = raw["telling"].values()
    for name in ("number", "since", "not_before", "doubts"):
        page.pop(name)
    page["deed"].pop("lane")
    raw["incidents"]["INC-1"].pop("material_version", None)
    (run,) = raw["runs"].values()
    run["approval"] |= {"bound_to": "0123456789abcdef", "incident_version": 7}
    stage.state = msgspec.msgpack.decode(msgspec.msgpack.encode(raw), type=State)
    stage.restart()
    stage.fail("unreachable")
    stage.at(10)
    assert stage.keys == ["page/INC-1/1/on-call", "page/INC-1/1/on-call/2"]
    stage.answer()
    assert stage.state.telling == {}
    stage.say("approve", mark="0123")
    assert (stage.run.state, stage.keys[2:]) == ("waiting", []), "what was read is not what is asked for now"
    stage.say("approve", mark=stage.run.approval.mark if stage.run.approval else "")
    assert stage.keys[2:] == ["act/1"]
