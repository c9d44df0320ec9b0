"""What a condition is to the frame: how it remembers a series, takes its points, and judges a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from quell.core.detect.buckets import Folded, Points
from quell.model.detecting import Finding, Memory, Watch
from quell.model.records import DistributionRecord

FINE = Finding(bad=False)
"""A window that is not bad, of which nobody asks more."""
NOTHING = Folded(set())
"""What comes of points that say nothing to a condition."""


class Condition(Protocol):
    """One rule's condition. It keeps nothing of a series but in the memory that it is given, and knows no clock.

    Windows are numbered: window ``n`` is from ``n * every_s`` to ``(n + 1) * every_s`` of event time.
    """

    keeps: int
    """How many windows back it needs; points that are older are told late."""
    alone: bool
    """Whether it judges every window by itself, so that points which come late change what was said of theirs.

    Otherwise only the latest window is judged, when its time comes.
    """
    remembers_s: float
    """So long a series is remembered of which nothing is told, at least."""
    rests_on: str
    """Tells apart what it was made from besides its rule: when that changes, what it remembers begins anew."""

    def new(self) -> Memory:
        """The memory of a series that was never seen before."""

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Takes points in order of time; ``side`` is 1 for those of the metric that is divided by."""

    def take_named(self, memory: Memory, name: str, at: float, count: float) -> None:
        """Takes one point of a rule that watches entities as a whole, at once, with what it is called."""

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Takes counted values."""

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """What is to be said of a window; None when too little is known. An alert fires if ``watch.since`` is set."""

    def waits(self, watch: Watch, slot: int) -> bool:
        """Whether it is to be asked after the window ``slot`` though nothing more is told: silence says something."""

    effort: int
    """As how many plain series judging one of its series counts, about."""

    together: bool
    """Whether it looks at several series of its rule at once: then all are folded, and `meet` is called, before."""

    def meet(self, watches: Mapping[str, Watch], labels: Callable[[Watch], Mapping[str, str]]) -> None:
        """All series of the rule, by key, and how to find out what is known of the entity of one."""

    def versions(self, watch: Watch, slot: int) -> tuple[str, str] | None:
        """Of what version the data of a window is, and the profile that it is compared with; None: nobody says."""

    def unheard(self, watch: Watch, begin: float, end: float) -> None:
        """Nobody listened between these times: what lies there counts for nothing."""

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops what lies before the window ``oldest``."""


class Quiet:
    """What most conditions have in common: nothing is read but points, and silence says nothing."""

    alone = False
    together = False
    remembers_s = 21_600.0
    effort = 1
    rests_on = ""

    def take_named(self, memory: Memory, name: str, at: float, count: float) -> None:
        """Nothing."""

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Nothing."""
        del memory, record, oldest
        return NOTHING

    def meet(self, watches: Mapping[str, Watch], labels: Callable[[Watch], Mapping[str, str]]) -> None:
        """Nothing."""

    def versions(self, watch: Watch, slot: int) -> tuple[str, str] | None:
        """No profile is read."""
        del watch, slot
        return None

    def unheard(self, watch: Watch, begin: float, end: float) -> None:
        """Nothing: only where silence says something it matters that nobody listened."""
        del watch, begin, end

    def waits(self, watch: Watch, slot: int) -> bool:
        """No."""
        del watch, slot
        return False
