"""Evidence of counted calls: where the time goes between caller and callee, and which calls are not made any more.

Per minute since trouble began, what a node took longer than before splits into what its callees took longer, what the
calls to them took on the way, and the node's own. What is lost on the way is shared between the two ends: the end at
which more of all its calls are slow gets more, so a node whose network is bad stands out against its many callers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log1p

import numpy as np

from quell.core.evidence.impact import MOST_DOUBLINGS, WAIT_SHARE
from quell.core.evidence.scales import Floats
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import AFTER_S
from quell.core.evidence.visits import Counted, Visits, vanished
from quell.model.state import Calls, Signals

OUTSIDE = -1
MOST_MINUTES = 15
ON_THE_WAY = 2.0
"""A slow way costs once on the way back, which is seen, and about twice this on the way there (connecting, sending)."""
SLOW_BAR = 0.01
"""A way that costs less than this share of the slowest is not slow."""
ERROR_WORDS = ("error", "exception", "fail")


@dataclass(slots=True)
class Route:
    """One operation of ``callee`` as called by ``caller``; seconds for each call, NaN where nobody told."""

    caller: int
    callee: int
    operation: str
    counted: Counted = field(default_factory=Counted)
    mean: float = np.nan
    net: float = np.nan
    errors: float = 0.0
    since: dict[float, Calls] = field(default_factory=dict)


@dataclass(slots=True)
class Traffic:
    """All routes of a neighbourhood, and the minutes since trouble began in which any call was counted."""

    routes: list[Route]
    minutes: list[float]
    minutes_before: int
    arrivals: dict[int, list[tuple[int, Counted]]]

    @property
    def comparable(self) -> bool:
        """Whether calls were counted both before and since."""
        return bool(self.minutes) and self.minutes_before > 0


def traffic(signals: Sequence[Signals | None], around: Surroundings, began: float) -> Traffic:
    """What is known of calls, cut in two where trouble began."""
    number = {name: at for at, name in enumerate(around.names)}
    start = began - began % 60.0
    routes: list[Route] = []
    minutes: set[float] = set()
    before: set[float] = set()
    for callee, told in enumerate(signals):
        for key in sorted(told.calls if told is not None else ()):
            caller, _, operation = key.partition("\x00")
            route = Route(number.get(caller, OUTSIDE), callee, operation)
            assert told is not None
            old = [calls for calls in told.calls[key] if calls.minute < start]
            new = [calls for calls in told.calls[key] if start <= calls.minute < start + AFTER_S]
            before.update(calls.minute for calls in old)
            minutes.update(calls.minute for calls in new)
            _fill(route, old, new)
            routes.append(route)
    arrivals: dict[int, list[tuple[int, Counted]]] = {}
    for route in routes:
        if route.caller != route.callee:
            arrivals.setdefault(route.callee, []).append((route.caller, route.counted))
    return Traffic(routes, sorted(minutes)[-MOST_MINUTES:], len(before), arrivals)


def _fill(route: Route, old: list[Calls], new: list[Calls]) -> None:
    route.counted.before = float(sum(calls.count for calls in old))
    route.errors = float(sum(calls.errors for calls in old))
    route.counted.since = {calls.minute: float(calls.count) for calls in new}
    route.since = {calls.minute: calls for calls in new}
    route.mean = _weighted([(calls.mean_s, calls.count) for calls in old])
    route.net = _weighted([(calls.net_s, calls.count) for calls in old])


def _weighted(told: list[tuple[float | None, int]]) -> float:
    known = [(value, count) for value, count in told if value is not None]
    total = sum(count for _, count in known)
    return sum(value * count for value, count in known) / total if total else np.nan


def waiting(told: Traffic, around: Surroundings) -> dict[int, tuple[float, str]]:
    """Nats by node, and a sentence, for the time that is lost at it and on the ways to and from it."""
    unit = _unit(told)
    if not told.comparable or not unit > 0.0:
        return {}
    own, ways = np.zeros(len(around)), np.zeros(len(around))
    used = _uses(told, around)
    for minute in told.minutes:
        here, on_ways = _minute(told, len(around), minute)
        own += here
        ways += _shared(on_ways, used, len(around))
    count = len(told.minutes)
    found = {}
    for node in np.flatnonzero(own + ways > 0.0).tolist():
        lost_own, lost_ways = float(own[node]) / count, float(ways[node]) / count
        text = (
            f"takes {lost_own:.3g} s more a minute itself"
            if lost_own >= lost_ways
            else (f"calls to and from it take {lost_ways:.3g} s more a minute on the way")
        )
        found[node] = (min(log1p((lost_own + lost_ways) / unit), MOST_DOUBLINGS), text)
    return found


def _unit(told: Traffic) -> float:
    """A small share of the time a minute that was spent for users before."""
    spent = [(route.caller, route.counted.before * route.mean) for route in told.routes if not np.isnan(route.mean)]
    users = sum(much for caller, much in spent if caller == OUTSIDE)
    every = users or max((much for _, much in spent), default=0.0)
    return WAIT_SHARE * every / max(1, told.minutes_before)


def _minute(told: Traffic, size: int, minute: float) -> tuple[Floats, dict[tuple[int, int], float]]:
    """Seconds lost in one minute: by node on its own, and by way from caller to callee."""
    took, explained = np.zeros(size), np.zeros(size)
    ways: dict[tuple[int, int], float] = {}
    for route in told.routes:
        now = route.since.get(minute)
        if now is None or route.caller == route.callee or not route.counted.before:
            continue
        slower = now.count * _excess(now.mean_s, route.mean)
        took[route.callee] += slower
        if route.caller == OUTSIDE:
            continue
        way = now.count * _excess(now.net_s, max(route.net, 0.0))
        explained[route.caller] += slower + way
        if way > 0.0:
            key = (route.caller, route.callee)
            ways[key] = ways.get(key, 0.0) + way
    own = np.maximum(0.0, took - explained)
    leaving: dict[int, float] = {}
    for (caller, _), way in ways.items():
        leaving[caller] = leaving.get(caller, 0.0) + way
    moved = {caller: min(float(own[caller]), ON_THE_WAY * way) for caller, way in leaving.items()}
    for caller, seconds in moved.items():
        own[caller] -= seconds
    return own, {key: way * (1.0 + moved[key[0]] / leaving[key[0]]) for key, way in ways.items()}


def _excess(now: float | None, before: float) -> float:
    """How much slower each call is, the less the smaller its share in the whole: noise is a small share of much."""
    if now is None or np.isnan(before) or now <= before or now <= 0.0:
        return 0.0
    return (now - before) ** 2 / now


def _uses(told: Traffic, around: Surroundings) -> list[dict[int, float]]:
    """By node how many calls it shared with each other node before."""
    used: list[dict[int, float]] = [{} for _ in range(len(around))]
    for route in told.routes:
        if route.caller not in {OUTSIDE, route.callee}:
            for one, other in ((route.caller, route.callee), (route.callee, route.caller)):
                used[one][other] = used[one].get(other, 0.0) + route.counted.before
    return used


def _shared(ways: dict[tuple[int, int], float], used: list[dict[int, float]], size: int) -> Floats:
    """What the ways lost, at the nodes at their ends."""
    found = np.zeros(size)
    if not ways:
        return found
    bar = SLOW_BAR * max(ways.values())
    total, slow = np.zeros(size), np.zeros(size)
    for (caller, callee), way in ways.items():
        for one, other in ((caller, callee), (callee, caller)):
            total[one] += way
            slow[one] += used[one].get(other, 0.0) if way > bar else 0.0
    calls = np.array([sum(others.values()) for others in used])
    blame = total * np.divide(slow, calls, out=np.zeros(size), where=calls > 0)
    for (caller, callee), way in ways.items():
        both = blame[caller] + blame[callee]
        if both > 0.0:
            found[caller] += way * blame[caller] / both
            found[callee] += way * blame[callee] / both
    return found


def missing(told: Traffic) -> dict[int, list[tuple[int, float, str]]]:
    """By caller: what it calls more rarely per visit than before, as (callee, nats, sentence)."""
    found: dict[int, list[tuple[int, float, str]]] = {}
    if not told.comparable:
        return found
    visits = {node: Visits(kind for _, kind in kinds) for node, kinds in told.arrivals.items()}
    for route in told.routes:
        if route.caller not in visits or any(word in route.operation.lower() for word in ERROR_WORDS):
            continue
        nats, seen, due = vanished(route.counted, visits[route.caller], told.minutes)
        if nats > 0.0:
            text = f'"{route.operation}" was called {seen:.0f} times in a minute in which {due:.0f} were due'
            found.setdefault(route.caller, []).append((route.callee, nats, text))
    return found


def failing(told: Traffic, around: Surroundings) -> dict[int, tuple[float, str]]:
    """By node: the calls a minute that fail and that no failing callee explains, in nats."""
    lost = np.zeros(len(around))
    if not told.comparable:
        return {}
    for route in told.routes:
        if route.caller == route.callee:
            continue
        usual = route.errors / route.counted.before if route.counted.before else 0.0
        more = sum(max(0.0, calls.errors - usual * calls.count) for calls in route.since.values())
        lost[route.callee] += more / len(told.minutes)
    users = sum(route.counted.before for route in told.routes if route.caller == OUTSIDE) / told.minutes_before
    unit = max(1.0, 0.005 * users)
    own = [max(0.0, lost[node] - sum(lost[other] for other in around.out[node])) for node in range(len(around))]
    return {
        node: (log1p(much / unit), f"{lost[node]:.1f} more calls to it fail a minute")
        for node, much in enumerate(own)
        if much > 0.0
    }
