"""When an incident is over: so long after the last of its alerts ended as the rules say."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, ends, outage, rulebook
from quell.model.rulebook import Triage


@pytest.mark.parametrize(
    ("triage", "calm_s"), [(Triage(), 120.0), (Triage(calm_s=900.0), 900.0), (Triage(calm_s=0.0), 0.0)]
)
def test_an_incident_is_over_when_nothing_of_it_fired_for_so_long(triage: Triage, calm_s: float) -> None:
    scene = Scene(rulebook(triage=triage))
    scene.tell(*outage())
    scene.wait(120.0)
    (incident,) = scene.open
    scene.tell(*(ends(name, 600.0) for name in ("ledger", "payments", "checkout", "frontend")))
    scene.wait(600.0 + calm_s - 1.0)
    assert (incident.id in {one.id for one in scene.open}) is (calm_s > 0.0)
    scene.wait(600.0 + calm_s + 1.0)
    assert scene.open == []
    resolved_at = scene.engine.state.incidents[incident.id].resolved_at
    assert resolved_at is not None
    assert resolved_at - T0 == pytest.approx(600.0 + calm_s, abs=1.0)
