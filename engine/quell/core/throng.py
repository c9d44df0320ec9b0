"""When a group is looked at that many alerts join at once: sooner than the grid has it, so that no look is very long.

What a look takes follows how many alerts joined since the last, and while it lasts nothing else is decided over. After
each so many a look is due shortly, not at once: a burst of a second or two is decided over before it is looked at.
"""

from __future__ import annotations

from math import floor

from quell.model.state import Group

MANY = 10_000
"""After each so many alerts a group is looked at"""
SHORTLY_S = 3
"""within so many seconds, and not before one less has passed,"""
MOST_UNITS = 250
"""if its units are no more than this: with many it is the search that takes long, and not the alerts."""


def sooner(group: Group, count: int, more: int) -> bool:
    """Brings the next look at a group forward if ``more`` alerts that just joined ask for it; it has ``count`` now."""
    if count // MANY == (count - more) // MANY or len(group.units) > MOST_UNITS:
        return False
    due = float(floor(group.news_at) + SHORTLY_S)
    if group.solve_at is not None and group.solve_at <= due:
        return False
    group.solve_at = due
    return True
