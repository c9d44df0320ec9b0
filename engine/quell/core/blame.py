"""Which change may be to blame for trouble: none that was made after trouble showed.

When trouble began is an estimate, and a change a little after it may still be guilty. When its first symptom was told
is no estimate: alerts lag behind what they tell of (by their ``for``, by how often rules are evaluated), so what was
changed after the first of them cannot have brought it about. Only clocks that differ excuse it, for a few seconds. More
often it is what somebody did about the trouble: to blame it would mean to roll back the cure.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp

from quell.model.incident import Evidence
from quell.model.times import format_duration
from quell.model.topology import Change
from quell.model.weights import DEFAULT

FADES_S = 900.0
WITHIN_S = 5400.0
EARLY_S = 120.0
"""A cause may have begun so much sooner than a change of it: the way from it to the first symptom is estimated."""
SKEW_S = 30.0
"""Clocks of tools differ by no more than this."""
SKEW_FADES_S = 25.0
BAR = 0.6
"""Nats from which on a change is named."""
LATE_WITHIN_S = 3600.0
LATE = -1.0
AT_ONCE_S = 1.0


def doubt(change: Change, first: float) -> float:
    """What is left of the blame that a change would have had before the ``first`` symptom: 0 when it came too late."""
    late = change.at - first
    return 1.0 if late <= 0.0 else exp(-late / SKEW_FADES_S) if late <= SKEW_S else 0.0


def change_bonus(changes: Iterable[Change], began: float, first: float, most: float = DEFAULT.prices.changed) -> float:
    """Nats that the likeliest change takes off the price of a cause.

    ``began`` is when it must have begun, ``first`` when the first of its symptoms did; ``most`` are the nats
    of a change at once before.
    """
    best = 0.0
    for change in changes:
        before = began - change.at
        if -EARLY_S <= before <= WITHIN_S:
            fades_s = FADES_S if before >= 0.0 else EARLY_S / 2.0
            best = max(best, doubt(change, first) * most * exp(-abs(before) / fades_s))
    return best


def nearest_change(
    changes: Iterable[Change], began: float, first: float, most: float = DEFAULT.prices.changed
) -> tuple[Change | None, float]:
    """The change most likely to blame for trouble that began then, and its worth; None below the bar."""
    best: tuple[float, Change | None] = (BAR, None)
    for change in changes:
        bonus = change_bonus([change], began, first, most)
        if bonus > best[0]:
            best = (bonus, change)
    return best[1], best[0] if best[1] else 0.0


def changed(change: Change, entity: str, began: float) -> str:
    """What was changed, and how long before or after trouble began."""
    before = began - change.at
    when = f"{format_duration(before)} before" if before >= 0 else f"{format_duration(-before)} after"
    when = "at the time when" if abs(before) < AT_ONCE_S else when
    return f"{_named(change, entity)}, {when} trouble began"


def too_late(changes: Iterable[Change], entity: str, first: float) -> tuple[Evidence, ...]:
    """What speaks against blaming the first change that came after trouble showed, if one did soon after."""
    late = [change for change in changes if SKEW_S < change.at - first <= LATE_WITHIN_S]
    if not late:
        return ()
    change = min(late, key=lambda one: (one.at, one.id))
    when = f"{format_duration(change.at - first)} after the first alert that it would explain"
    text = f"{_named(change, entity)}, came {when}: too late to have caused it"
    return (Evidence(code="change_late", text=text, weight=LATE),)


def _named(change: Change, entity: str) -> str:
    return f"{change.type} {change.revision or change.id} on {entity}"
