"""How often firings of a rule that nothing joined came to nothing, over the whole estate: rates tell what is unusual.

On a small estate a lone critical alert is rare, and pages when it lasts. Where those of one rule come every few minutes
somewhere, and each goes away by itself, the one in ten that lasts longest is dozens of pages a day for nothing. So how
long such an alert may wait follows from how often they come: as long as one a day, of the rule, would not.
"""

from __future__ import annotations

from math import ceil, exp

from quell.core.verdicts import DAY_S
from quell.model.state import Passing

LEAST = 50
"""So many must have gone away by themselves, and nobody ended any of them,"""
OFTEN = 10.0
"""and so many a day: one in ten of fewer is less than one a day."""
KEPT = 100
NOTHING_PASSED = Passing()


def passed(known: Passing, lasted_s: float, now: float, *, acted: bool) -> Passing:
    """What is known of a rule after one more firing was over that nothing had joined."""
    if acted:
        return Passing(at=now)  # people ended it: what was learned begins anew
    return Passing(past_s=(*known.past_s, lasted_s)[-KEPT:], rate=rate(known, now) + 1.0, at=max(known.at, now))


def rate(known: Passing, now: float) -> float:
    """How many of them come within a day, as of late."""
    return known.rate * exp(-max(now - known.at, 0.0) / DAY_S)


def outlasted_s(known: Passing, now: float) -> float | None:
    """So long as this less than one a day lasts; None where they are not that many."""
    often, count = rate(known, now), len(known.past_s)
    if count < LEAST or often < OFTEN:
        return None
    return sorted(known.past_s)[-max(1, ceil(count / often))]
