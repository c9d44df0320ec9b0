"""Evidence of log statements: those that vanish per visit, and errors that were not there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quell.core.evidence.calls import MOST_MINUTES, Traffic
from quell.core.evidence.scales import more
from quell.core.evidence.table import AFTER_S
from quell.core.evidence.visits import Counted, Visits, fading, vanished
from quell.model.state import Pattern, Signals

LEAST_ERRORS = 1.5
"""How many lines of an error are no news in any minute: what was watched for a short time may come as well."""
MOST_TEXT = 80


@dataclass(frozen=True, slots=True)
class Told:
    """What the logs of a node say: nats and a sentence, for lines that are missing and for errors that are new."""

    missing: tuple[float, str] = (0.0, "")
    errors: tuple[float, str] = (0.0, "")


def statements(signals: Sequence[Signals | None], told: Traffic, began: float) -> dict[int, Told]:
    """By node what its statements say."""
    start = began - began % 60.0
    counted = [_counted(one.patterns if one is not None else {}, start) for one in signals]
    minutes = sorted({minute for logs in counted for _, count in logs.values() for minute in count.since})
    minutes = minutes[-MOST_MINUTES:]
    if not minutes or not any(count.before for logs in counted for _, count in logs.values()):
        return {}
    found = {}
    for node, logs in enumerate(counted):
        if logs:
            visits = [kind for _, kind in told.arrivals.get(node, ())] if told.comparable else []
            found[node] = _node(logs, Visits(visits or [_all(logs)]), minutes)
    return found


def _node(logs: dict[str, tuple[bool, Counted]], visits: Visits, minutes: list[float]) -> Told:
    missing = errors = (0.0, "")
    for name, (failing, count) in logs.items():
        if failing:
            for minute, seen in count.since.items():
                if minute not in minutes:
                    continue
                now, before = visits.share(minute)
                due = count.before * (now / before if before else 1.0) + LEAST_ERRORS
                nats = more(seen, due) * fading(minutes, minute)
                if nats > errors[0]:
                    errors = (nats, f'error "{_short(name)}" {seen:.0f} times in a minute')
        else:
            nats, seen, due = vanished(count, visits, minutes)
            if nats > missing[0]:
                text = f'"{_short(name)}" was logged {seen:.0f} times in a minute in which {due:.0f} were due'
                missing = (nats, text)
    return Told(missing, errors)


def _counted(patterns: dict[str, Pattern], start: float) -> dict[str, tuple[bool, Counted]]:
    found = {}
    for name in sorted(patterns):
        pattern = patterns[name]
        count = Counted()
        for minute, seen in pattern.seen:
            if minute < start:
                count.before += seen
            elif minute < start + AFTER_S:
                count.since[minute] = float(seen)
        found[name] = (pattern.failing, count)
    return found


def _all(logs: dict[str, tuple[bool, Counted]]) -> Counted:
    """All that a node logs, as a stand-in for its visits where nobody counted those."""
    total = Counted()
    for _, count in logs.values():
        total.before += count.before
        for minute, seen in count.since.items():
            total.since[minute] = total.since.get(minute, 0.0) + seen
    return total


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
