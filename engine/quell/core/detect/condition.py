"""What a condition is to the frame: how it remembers a series, takes its points, and judges a window."""

from __future__ import annotations

from typing import Protocol

from quell.core.detect.buckets import Folded, Points
from quell.model.detecting import Finding, Memory
from quell.model.records import DistributionRecord


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
    ticks: bool
    """Whether it must be asked although nothing was told: only silence tells it something."""

    def new(self) -> Memory:
        """The memory of a series that was never seen before."""

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Takes points in order of time; ``side`` is 1 for those of the metric that is divided by."""

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Takes counted values."""

    def judge(self, memory: Memory, slot: int, *, firing: bool) -> Finding | None:
        """What is to be said of a window; None when too little is known. ``firing``: its alert fires now."""

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops what lies before the window ``oldest``."""
