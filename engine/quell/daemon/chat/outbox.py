"""What waits to be sent to one place where people talk, and when its turn comes: a pure thing, told the time.

A vendor takes so many calls a minute whatever there is to say. So nothing is queued but the fact that a message is no
longer true: what it says is made when its turn comes, and twenty changes within a minute cost as much as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

from quell.sdk.chat import Pace

Place = tuple[str, str]
"""A channel, and the key of what is shown there."""
Kind = Literal["card", "story"]
FIRST_BEHIND_S, LONGEST_BEHIND_S = 2.0, 60.0
"""For so long others go before what got no answer."""
_AT_ONCE, _CARD, _STORY = 0, 1, 2
"""What must be heard now, then what is shown, then what can be read in its thread."""


@dataclass(frozen=True, slots=True)
class Item:
    """The card at a place, or what is new in its thread."""

    place: Place
    kind: Kind


@dataclass(slots=True)
class _Waiting:
    """``since`` is when it first became untrue, ``not_before`` when it may be tried again.

    ``lost`` is how often nobody knew what became of it.
    """

    since: float
    rank: int
    not_before: float = 0.0
    lost: int = 0


class Outbox:
    """``is_post`` says whether what is sent to a place would be a new message there. Times are of any steady clock."""

    def __init__(self, pace: Pace, is_post: Callable[[Item], bool]) -> None:
        self.pace = pace
        self.longest_wait_s = 0.0
        self._is_post = is_post
        self._waiting: dict[Item, _Waiting] = {}
        self._begun: dict[Item, _Waiting] = {}
        self._called_at = -inf
        self._blocked_until = -inf
        self._posted_at: dict[str, float] = {}
        self._edited_at: dict[Place, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def want(self, item: Item, now: float, *, urgent: bool = False) -> None:
        """What stands at a place is not true any more; ``urgent``: before all that is not."""
        rank = _AT_ONCE if urgent else _CARD if item.kind == "card" else _STORY
        known = self._waiting.get(item)
        if known is None:
            self._waiting[item] = _Waiting(now, rank)
        else:
            known.rank = min(known.rank, rank)

    def next(self, now: float) -> tuple[Item | None, float]:
        """What to send now, or None and for how long there is nothing (infinity: until something is wanted)."""
        best: tuple[int, float, int] | None = None
        found: Item | None = None
        soonest = inf
        for order, (item, waiting) in enumerate(self._waiting.items()):
            ready_at = self._ready_at(item, waiting)
            if ready_at > now:
                soonest = min(soonest, ready_at)
                continue
            key = (waiting.rank, waiting.since, order)
            if best is None or key < best:
                best, found = key, item
        return found, 0.0 if found is not None else soonest - now

    def _ready_at(self, item: Item, waiting: _Waiting) -> float:
        at = max(self._called_at + self.pace.call_every_s, self._blocked_until, waiting.not_before)
        if self._is_post(item):
            return max(at, self._posted_at.get(item.place[0], -inf) + self.pace.post_every_s)
        return max(at, self._edited_at.get(item.place, -inf) + self.pace.same_every_s)

    def begin(self, item: Item) -> None:
        """It is being made and sent: what is wanted from now on is news."""
        waiting = self._waiting.pop(item, None)
        if waiting is not None:
            self._begun[item] = waiting

    def sent(self, item: Item, now: float, *, began: float, posted: bool) -> None:
        """It was sent as it was at ``began``."""
        waiting = self._begun.pop(item, None)
        if waiting is not None:
            self.longest_wait_s = max(self.longest_wait_s, began - waiting.since)
        self.called(began)
        if posted:
            self._posted_at[item.place[0]] = now
        else:
            self._edited_at[item.place] = now

    def called(self, at: float) -> None:
        """A call was made then, whatever came of it."""
        self._called_at = max(self._called_at, at)

    def drop(self, item: Item) -> None:
        """There was nothing to send."""
        self._begun.pop(item, None)

    def later(self, item: Item, until: float, *, all_of_it: bool, lost: bool = False) -> None:
        """It could not be sent, and is tried again from then on; ``all_of_it``: nor can anything else before.

        What was ``lost`` may be what the vendor cannot stand about this one: others go before it is tried again.
        """
        waiting = self._begun.pop(item, None)
        if waiting is not None:
            since = self._waiting.get(item)
            waiting.rank = min(waiting.rank, since.rank) if since is not None else waiting.rank
            self._waiting[item] = waiting
            waiting.lost += lost
            behind_s = min(FIRST_BEHIND_S * 2.0 ** (waiting.lost - 1), LONGEST_BEHIND_S) if lost else 0.0
            waiting.not_before = until + behind_s if lost or not all_of_it else 0.0
        if all_of_it:
            self._blocked_until = max(self._blocked_until, until)

    def free(self) -> None:
        """What was in the way of all of it is known to be over."""
        self._blocked_until = -inf

    def forget(self, place: Place) -> None:
        """Nothing stands there any more."""
        kinds: tuple[Kind, ...] = ("card", "story")
        for kind in kinds:
            self._waiting.pop(Item(place, kind), None)
            self._begun.pop(Item(place, kind), None)
        self._edited_at.pop(place, None)

    @property
    def oldest_since(self) -> float | None:
        """Since when the longest-waiting has waited; None when nothing waits."""
        return min((waiting.since for waiting in self._waiting.values()), default=None)
