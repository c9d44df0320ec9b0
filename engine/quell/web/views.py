"""What pages show, gathered from the state: bounded, in the order in which people want to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

from quell.chatops.cards import gravest_first, incident_card
from quell.core.explain import Explanation, why_not
from quell.core.severity import rank
from quell.core.similar import Likes
from quell.model.alert import Alert, Handling
from quell.model.incident import Incident
from quell.model.run import Run, StepRun
from quell.model.state import State
from quell.model.topology import Change
from quell.sdk.chat import Line

MOST_INCIDENTS = 100
MOST_ALERTS = 300
FIRST_ALERTS = 12
"""Of more alerts than these an incident shows the gravest; the others wait folded, so that its timeline is near."""
_FEW = 4
"""So many more are shown all the same: to fold them would save nothing."""
MOST_RUNS = 100
MOST_ENTRIES = 200
HANDLINGS: tuple[Handling, ...] = ("page", "hold", "digest", "muted")


@dataclass(frozen=True, slots=True)
class Now:
    """What stands above every page: ``notes`` are what whoever is on call should know of quell itself."""

    open: int
    firing: int
    asking: int
    paused_by: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in a list; ``firing`` of its alerts do, ``asking`` of its runs wait for a yes."""

    incident: Incident
    firing: int
    asking: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Incidents in a list; ``left`` are more than are shown."""

    rows: tuple[Row, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Whole:
    """All of an incident. ``lines`` are its card's; ``explanation`` is None once it is forgotten.

    ``edition`` is which of the explanations of this version that is. ``known``: the core still has the incident, so
    that people can act on it.
    """

    incident: Incident
    lines: tuple[Line, ...]
    explanation: Explanation | None
    changes: tuple[Change, ...]
    alerts: tuple[Alert, ...]
    alerts_left: int
    runs: tuple[Run, ...]
    likes: Likes
    timeline: tuple[Any, ...]
    timeline_left: int
    known: bool
    edition: int

    @property
    def first_alerts(self) -> tuple[Alert, ...]:
        """Those that are in sight at once: the gravest, or all if they are few."""
        return self.alerts if len(self.alerts) <= FIRST_ALERTS + _FEW else self.alerts[:FIRST_ALERTS]

    @property
    def other_alerts(self) -> tuple[Alert, ...]:
        """Those that are folded away."""
        return self.alerts[len(self.first_alerts) :]


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alerts in a list, how many there are of each handling, and what was asked for."""

    alerts: tuple[Alert, ...]
    left: int
    counts: Mapping[str, int]
    handling: str
    all: bool


@dataclass(frozen=True, slots=True)
class OneAlert:
    """An alert and why it did not page (or that it did)."""

    alert: Alert
    why: str
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run with all of its steps, and the incident that it is for, if that is known."""

    run: Run
    incident: Incident | None
    steps: tuple[StepRun, ...]


def now_of(state: State, status: Mapping[str, Any]) -> Now:
    """What stands above every page. ``status`` is that of the daemon, as `quell status` tells it."""
    return Now(
        open=sum(one.is_open for one in state.incidents.values()),
        firing=int(status["alerts"]["firing"]),
        asking=sum(run.asks for run in state.runs.values()),
        paused_by=state.paused_by,
        notes=tuple(_notes(status)),
    )


def _notes(status: Mapping[str, Any]) -> Iterable[str]:
    if status["broken"]:
        yield f"quell is broken: {status['broken']}"
    lag = status["backlog"]["lag_s"]
    if lag > 5.0:
        yield f"what you see is {lag:.0f} s old: {status['backlog']['records']} records wait to be decided over"
    problems = status["config"]["problems"]
    if problems:
        yield f"the newest rules are not in force: {problems[0]}"
    for name, source in sorted(status["sources"].items()):
        if source["error"]:
            yield f'source "{name}" fails: {source["error"]}'


def incidents(state: State, *, all_of_them: bool) -> Listed:
    """Open incidents, the gravest first; all, the newest first."""
    known = state.incidents.values()
    if all_of_them:
        found = sorted(known, key=lambda one: (-one.opened_at, one.id))
    else:
        found = gravest_first(one for one in known if one.is_open)
    shown = found[:MOST_INCIDENTS]
    asking = Counter(run.incident for run in state.runs.values() if run.asks)
    rows = tuple(
        Row(one, sum(_fires(state, mark) for mark in one.alerts) if one.is_open else 0, asking[one.id]) for one in shown
    )
    return Listed(rows, len(found) - len(shown))


def _fires(state: State, mark: str) -> bool:
    alert = state.alerts.get(mark)
    return alert is not None and alert.firing


def whole(state: State, incident: Incident, explanation: Explanation | None, likes: Likes, edition: int = 0) -> Whole:
    """All of an incident, which may be one that only the store still has."""
    alerts = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
    worst = nsmallest(
        MOST_ALERTS, alerts, key=lambda one: (not one.firing, -rank(one.severity), one.starts_at, one.fingerprint)
    )
    runs = sorted((run for run in state.runs.values() if run.incident == incident.id), key=lambda run: -run.started_at)
    near = [state.changes[each] for each in incident.changes if each in state.changes]
    return Whole(
        incident=incident,
        lines=incident_card(state, incident).lines,
        explanation=explanation,
        changes=tuple(sorted(near, key=lambda change: -change.at)),
        alerts=tuple(worst),
        alerts_left=len(incident.alerts) - len(worst),
        runs=tuple(runs[:MOST_RUNS]),
        likes=likes,
        timeline=tuple(reversed(incident.timeline[-MOST_ENTRIES:])),
        timeline_left=max(0, len(incident.timeline) - MOST_ENTRIES),
        known=incident.id in state.incidents,
        edition=edition,
    )


def alerts(known: Sequence[Alert], *, handling: str, all_of_them: bool) -> Alerts:
    """Alerts that fire (or all), those that began last first; ``handling`` "" for every.

    No state: to choose among a hundred thousand is work for a thread, which the state would not hold still for.
    """
    among = [one for one in known if all_of_them or one.firing]
    counts = Counter(one.handling for one in among)
    found = [one for one in among if handling in {"", one.handling}]
    shown = nsmallest(MOST_ALERTS, found, key=lambda one: (-one.starts_at, one.fingerprint))
    return Alerts(
        tuple(shown), len(found) - len(shown), {each: counts[each] for each in HANDLINGS}, handling, all_of_them
    )


def one_alert(state: State, alert: Alert) -> OneAlert:
    """An alert with what its sender told beside its labels."""
    return OneAlert(alert, why_not(state, alert), dict(sorted(alert.annotations.items())))


def runs(state: State) -> tuple[Run, ...]:
    """Runs: those that wait for people, then the newest."""
    found = sorted(state.runs.values(), key=lambda run: (not run.asks, -run.started_at, run.id))
    return tuple(found[:MOST_RUNS])


def one_run(state: State, run: Run) -> OneRun:
    """A run with its steps and what it did after them."""
    return OneRun(run, state.incidents.get(run.incident), (*run.steps, *run.deeds))
