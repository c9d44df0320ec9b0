"""The pages under way by lane, found at once: in an outage there are thousands, and each answer asks for one lane."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf

from quell.model.decision import Perform
from quell.model.state import State, Telling

UNANSWERED_S = 600.0
"""An attempt whose answer is not there after so long (each has its own, far shorter limit) holds nothing back."""


def lane_of(deed: Perform) -> str:
    """What it is told of and where; of a state of before there were lanes each page has its own."""
    return deed.lane or deed.token


def under_way(telling: Telling) -> bool:
    """Whether an answer is awaited."""
    return telling.attempt > 0 and telling.due_at is None


class Lanes:
    """Changes ``state.telling`` and remembers what belongs together; what others changed there it finds out itself."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._read()

    def put(self, telling: Telling) -> None:
        """Keeps a page as it now is, under the key of its deed."""
        self._sync()
        key, lane = telling.deed.key, lane_of(telling.deed)
        self._state.telling[key] = telling
        self._keys.setdefault(lane, {})[key] = None
        self._count = len(self._state.telling)
        self._changed.add(lane)

    def drop(self, telling: Telling) -> None:
        """Forgets a page."""
        self._sync()
        key, lane = telling.deed.key, lane_of(telling.deed)
        del self._state.telling[key]
        keys = self._keys[lane]
        del keys[key]
        if not keys:
            del self._keys[lane]
        self._count = len(self._state.telling)
        self._changed.add(lane)

    def line(self, lane: str) -> list[Telling]:
        """The pages of a lane, in order."""
        self._sync()
        known = self._state.telling
        return sorted((known[key] for key in self._keys.get(lane, ()) if key in known), key=lambda one: one.number)

    def next_due(self) -> float:
        """When something is next to be done about a lane if no answer comes; infinity: never."""
        self._sync()
        for lane in self._changed:
            due = _due(self.line(lane))
            if due == inf:
                self._due.pop(lane, None)
            elif self._due.get(lane) != due:
                self._due[lane] = due
                heappush(self._heap, (due, lane))
        self._changed.clear()
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def due(self, at: float) -> list[str]:
        """The lanes of which that time has come, by name."""
        found: set[str] = set()
        while self.next_due() <= at:
            lane = heappop(self._heap)[1]
            del self._due[lane]
            found.add(lane)
        self._changed |= found
        return sorted(found)

    def _sync(self) -> None:
        if self._count != len(self._state.telling):
            self._read()

    def _read(self) -> None:
        self._keys: dict[str, dict[str, None]] = {}
        for key, telling in self._state.telling.items():
            self._keys.setdefault(lane_of(telling.deed), {})[key] = None
        self._count = len(self._state.telling)
        self._changed = set(self._keys)
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []


def _due(line: list[Telling]) -> float:
    """When something is to be done about a lane whose pages are these, in order, if no answer comes."""
    first = next((one for one in line if not under_way(one)), None)
    if first is None:
        return inf
    free_at = max((one.since + UNANSWERED_S for one in line if under_way(one)), default=0.0)
    return max(first.deed.at if first.due_at is None else first.due_at, free_at)
