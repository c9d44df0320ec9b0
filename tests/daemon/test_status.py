"""Gauges are brought up to date when somebody looks, which costs the core little however much there is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from quell.daemon import status
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.daemon.status import Gauges
from quell.model.alert import Alert


def _firing(metrics: Metrics) -> float:
    return next(
        float(line.split()[1])
        for line in metrics.text().decode().splitlines()
        if line.startswith("quell_alerts_firing ")
    )


def test_of_many_alerts_those_that_fire_are_counted_once_a_second_at_most_while_some_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(status, "_MANY", 5)
    now = [1_000.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    alerts: dict[str, Any] = {}
    state = SimpleNamespace(alerts=alerts, incidents={})
    known = SimpleNamespace(decider=SimpleNamespace(state=state), lag_s=0.2)
    loop = cast("Loop", known)
    metrics, told = Metrics(), []
    gauges = Gauges(metrics, loop)

    def come(count: int) -> None:
        for _ in range(count):
            mark = f"{len(alerts):016x}"
            alerts[mark] = Alert(
                fingerprint=mark, source="t", labels={}, status="firing", starts_at=1.0, updated_at=1.0, onset_seen=1.0
            )
        gauges.set()
        told.append(_firing(metrics))

    for count in (1, 1, 1):  # of few they are at once
        come(count)
    now[0] += 2.0
    come(7)
    come(5)
    now[0] += 2.0
    come(0)
    come(3)
    known.lag_s = 0.0
    come(0)
    assert told == [1, 2, 3, 10, 10, 15, 15, 18]
