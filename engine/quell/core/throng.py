"""When a group is looked at that many alerts join at once: sooner than the grid has it, so that no look is very long.

What a look takes follows how many alerts joined since the last, and less so how many there are; while it lasts nothing
else is decided over. Where a group has grown by half a look is due shortly, not at once: a burst of a second or two is
decided over before it is looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from math import floor

from quell.model.state import Group

MANY = 10_000
"""A group is looked at when it has so many alerts, and each time that it has grown by half since,"""
MOST = 10**8
SHORTLY_S = 3
"""within so many seconds, and not before one less has passed,"""
MOST_UNITS = 250
"""if its units are no more than this: with many it is the search that takes long, and not the alerts."""


def sizes(many: int) -> Iterator[int]:
    """The numbers of alerts after which a group is looked at."""
    while many < MOST:
        yield many
        many += many // 2


SIZES = tuple(sizes(MANY))


def sooner(group: Group, count: int, more: int) -> bool:
    """Brings the next look at a group forward if ``more`` alerts that just joined ask for it; it has ``count`` now."""
    if count < SIZES[0] or bisect_right(SIZES, count) == bisect_right(SIZES, count - more):
        return False
    due = float(floor(group.news_at) + SHORTLY_S)
    if len(group.units) > MOST_UNITS or (group.solve_at is not None and group.solve_at <= due):
        return False
    group.solve_at = due
    return True
