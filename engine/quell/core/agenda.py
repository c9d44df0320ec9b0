"""What is due when: a heap whose entries are checked against the state when they come up, so none is ever removed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from math import inf
from typing import Literal, get_args

What = Literal[
    "rules",
    "heed",
    "detect",
    "expire",
    "mutes",
    "judge",
    "calm",
    "remind",
    "climb",
    "wake",
    "hear",
    "review",
    "solve",
    "close",
    "runs",
    "rest",
    "prune",
]
ORDER: tuple[What, ...] = get_args(What)
"""At one instant, in this order: facts first, then judgement, then causes, then what follows from them."""
_PLACE: dict[What, int] = {what: place for place, what in enumerate(ORDER)}
FEW = 16
"""So many keys of one slot are kept without a set, which takes five times the room."""
_Slot = tuple[float, int]
"""A time and the place of a kind of entry in `ORDER`."""


class _Many:
    """The keys of one slot, when there are many.

    They come by the slice, and are mostly not asked for before they are due: ``more`` waits to be put among those that
    were ``met``, for a list takes a fraction of the room of a set, and hardly any time.
    """

    __slots__ = ("met", "more")

    def __init__(self, keys: Iterable[str]) -> None:
        self.met: set[str] = set()
        self.more = [*keys]

    def meet(self) -> int:
        """Puts what waits among the others; returns how many of it were there already."""
        before = len(self.met) + len(self.more)
        self.met.update(self.more)
        self.more = []
        return before - len(self.met)


class Agenda:
    """Entries are (due, what, key); an entry that comes up too early or twice is harmless by contract.

    What is due of one kind at one instant is kept together: the alerts of a storm begin, lapse and are judged by the
    thousand at a time.
    """

    def __init__(self) -> None:
        self._heap: list[_Slot] = []
        self._keys: dict[_Slot, str | tuple[str, ...] | _Many] = {}
        self._length = 0
        self._slot: _Slot = (-inf, 0)
        self._ready: list[str] = []
        """The keys of ``_slot`` that are still to be taken, a heap; they are among ``_keys`` as well."""

    def put(self, due: float | None, what: What, key: str = "") -> None:
        """Remembers that something is due; None is nothing."""
        if due is None:
            return
        slot = (due, _PLACE[what])
        known = self._keys.get(slot)
        if known is None:
            self._keys[slot] = key
            heapq.heappush(self._heap, slot)
        elif isinstance(known, _Many):
            if known.more:
                self._length -= known.meet()
            if key in known.met:
                return
            known.met.add(key)
        elif isinstance(known, tuple):
            if key in known:
                return
            more = (*known, key)
            self._keys[slot] = more if len(more) <= FEW else _Many(more)
        elif known == key:
            return
        else:
            self._keys[slot] = (known, key)
        self._length += 1
        if slot == self._slot:
            heapq.heappush(self._ready, key)

    def put_new(self, due: float, what: What, keys: Sequence[str]) -> None:
        """The same for several that are not due of that kind at that time already."""
        slot = (due, _PLACE[what])
        known = self._keys.get(slot)
        if slot == self._slot or isinstance(known, str) or len(keys) < 2:
            for key in keys:
                self.put(due, what, key)
            return
        if isinstance(known, _Many):
            known.more += keys
        else:
            if known is None:
                heapq.heappush(self._heap, slot)
            more = (*(known or ()), *keys)
            self._keys[slot] = more if len(more) <= FEW else _Many(more)
        self._length += len(keys)

    def __len__(self) -> int:
        return self._length

    def clear(self) -> None:
        """Forgets everything; whoever clears it puts everything anew."""
        self._heap.clear()
        self._keys.clear()
        self._ready.clear()
        self._length = 0
        self._slot = (-inf, 0)

    def next_due(self) -> float | None:
        """The earliest entry's time."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> tuple[float, What, str] | None:
        """The earliest entry due at or before ``now``, removed."""
        if not self._heap or self._heap[0][0] > now:
            return None
        slot = self._heap[0]
        keys = self._keys[slot]
        self._length -= 1
        if isinstance(keys, str):
            self._forget(slot)
            return slot[0], ORDER[slot[1]], keys
        if isinstance(keys, tuple):
            keys = self._keys[slot] = _Many(keys)
        if keys.more:
            self._length -= keys.meet()
        met = keys.met
        if slot != self._slot:
            self._slot, self._ready = slot, sorted(met)
        key = heapq.heappop(self._ready)
        met.discard(key)
        if not met:
            self._forget(slot)
        return slot[0], ORDER[slot[1]], key

    def _forget(self, slot: _Slot) -> None:
        heapq.heappop(self._heap)
        del self._keys[slot]
        if slot == self._slot:
            self._slot, self._ready = (-inf, 0), []
