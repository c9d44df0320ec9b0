"""What is due when: a heap whose entries are checked against the state when they come up, so none is ever removed."""

from __future__ import annotations

import heapq
from typing import Literal

What = Literal["rules", "expire", "mutes", "judge", "calm", "remind", "hear", "solve", "close", "runs", "prune"]
ORDER: tuple[What, ...] = (
    "rules",
    "expire",
    "mutes",
    "judge",
    "calm",
    "remind",
    "hear",
    "solve",
    "close",
    "runs",
    "prune",
)
"""At one instant, in this order: facts first, then judgement, then causes, then what follows from them."""
_PLACE: dict[What, int] = {what: place for place, what in enumerate(ORDER)}


class Agenda:
    """Entries are (due, what, key); an entry that comes up too early or twice is harmless by contract."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._known: set[tuple[float, int, str]] = set()

    def put(self, due: float | None, what: What, key: str = "") -> None:
        """Remembers that something is due; None is nothing."""
        if due is None:
            return
        entry = (due, _PLACE[what], key)
        if entry not in self._known:
            self._known.add(entry)
            heapq.heappush(self._heap, entry)

    def __len__(self) -> int:
        return len(self._heap)

    def clear(self) -> None:
        """Forgets everything; whoever clears it puts everything anew."""
        self._heap.clear()
        self._known.clear()

    def next_due(self) -> float | None:
        """The earliest entry's time."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> tuple[float, What, str] | None:
        """The earliest entry due at or before ``now``, removed."""
        if not self._heap or self._heap[0][0] > now:
            return None
        entry = heapq.heappop(self._heap)
        self._known.discard(entry)
        return entry[0], ORDER[entry[1]], entry[2]
