"""How the daemon is: for ``/api/quell/v1/status`` and the gauges of ``/metrics``."""

from __future__ import annotations

import time
from math import inf
from typing import Any

from quell import __version__
from quell.core.detect.views import DetectorView, detector_views
from quell.daemon.clock import Clock
from quell.daemon.git.source import GitSource
from quell.daemon.inbox import Inbox
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.daemon.reload import Reloader
from quell.daemon.sources import Source, Sources
from quell.model.state import State
from quell.model.times import format_time

_MANY, _COUNTED_S = 10_000, 1.0
"""Of so many alerts those that fire are counted so seldom: each count is a millisecond of the core's time and more."""


def _time(at: float | None) -> str | None:
    return None if at is None else format_time(at)


def status_of(
    loop: Loop,
    inbox: Inbox,
    sources: Sources,
    reloader: Reloader,
    *,
    git: GitSource,
    clock: Clock,
    started_at: float,
    not_ready: str,
) -> dict[str, Any]:
    """All of it, as JSON types."""
    state = loop.decider.state
    return {
        "version": __version__,
        "ready": not not_ready,
        "not_ready_because": not_ready,
        "broken": loop.broken,
        "started_at": _time(started_at),
        "now": _time(clock.now()),
        "clock_speed": clock.speed,
        "config": {
            "version": loop.rulebook.version,
            "loaded_at": _time(reloader.loaded_at),
            "problems": [str(problem) for problem in reloader.problems],
            "warnings": [str(problem) for problem in reloader.warnings],
            "playbooks": len(loop.rulebook.playbooks),
            "git": git.status(),
        },
        "inbox": {"records": inbox.waiting, "limit": inbox.limit},
        "backlog": {"records": inbox.behind, "limit": inbox.most_behind, "lag_s": round(loop.lag_s, 3)},
        "journal": {"seq": loop.seq},
        "alerts": {"known": len(state.alerts), "firing": _firing(state)},
        "incidents": {"known": len(state.incidents), "open": sum(one.is_open for one in state.incidents.values())},
        "runs": {
            "known": len(state.runs),
            "waiting": sum(run.state in {"proposed", "waiting"} for run in state.runs.values()),
        },
        "paused_by": state.paused_by,
        "detectors": {name: _detector(view) for name, view in detector_views(state, loop.rulebook).items()},
        "sources": {source.id: _source(source) for source in sources},
    }


def _firing(state: State) -> int:
    """How many alerts fire; of a hundred thousand that is asked in the quickest way."""
    return [alert.status for alert in state.alerts.values()].count("firing")


def _detector(view: DetectorView) -> dict[str, Any]:
    return {
        "series": view.series, "firing": view.firing, "read_at": _time(view.read_at), "warning": view.warning,
    }  # fmt: skip


def _source(source: Source) -> dict[str, Any]:
    health = source.health
    return {
        "connector": source.kind,
        "state": health.state,
        "error": health.error,
        "since": _time(health.since),
        "last_ok_at": _time(health.last_ok_at),
        "failures": health.failures,
        "next_at": _time(health.next_at),
    }


class Gauges:
    """Metrics that are counted from the state when somebody asks for them."""

    def __init__(self, metrics: Metrics, loop: Loop) -> None:
        self._metrics = metrics
        self._loop = loop
        self._firing_counted_at = -inf

    def set(self) -> None:
        """Brings them up to date; while some records wait, alerts that fire, if many, once a second at most."""
        state, now, lag_s = self._loop.decider.state, time.monotonic(), self._loop.lag_s
        self._metrics.incidents_open.set(sum(one.is_open for one in state.incidents.values()))
        if not lag_s or len(state.alerts) < _MANY or now >= self._firing_counted_at + _COUNTED_S:
            self._metrics.alerts_firing.set(_firing(state))
            self._firing_counted_at = now
        self._metrics.lag_seconds.set(lag_s)
