"""A place where people talk, in this process: with a vendor's limits, outages, and answers that get lost."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, ClassVar

from quell.errors import NoAnswer, Unreachable
from quell.sdk.chat import Answer, Card, Hear, Pace, Placed, Said
from quell.sdk.connector import Context
from quell.sdk.spec import Spec


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test on an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **given: Any) -> None:
        asyncio.run(test(*args, **given))

    return run


class Room:
    """What stands in it. ``per_minute`` calls are taken, and a post a second to each channel."""

    def __init__(self, now: Callable[[], float], per_minute: int = 10**9) -> None:
        self.now = now
        self.per_minute = per_minute
        self.cards: dict[tuple[str, str], Card] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.threads: dict[tuple[str, str], list[str]] = {}
        self.reply_keys: list[str] = []
        self.calls: list[tuple[float, str, str]] = []
        self.down = False
        self.lose = 0
        self.searches = 0
        self._lately: deque[float] = deque()
        self._posted: dict[str, float] = {}
        self.limited = 0

    def _call(self, what: str, key: str) -> None:
        if self.down:
            raise Unreachable("the chat is down")
        now = self.now()
        while self._lately and self._lately[0] <= now - 60.0:
            self._lately.popleft()
        if len(self._lately) >= self.per_minute:
            self.limited += 1
            raise Unreachable("too many calls", 60.0 - (now - self._lately[0]))
        self._lately.append(now)
        self.calls.append((now, what, key))

    def _post(self, channel: str) -> str:
        now = self.now()
        if now - self._posted.get(channel, -10.0) < 0.99:
            self.limited += 1
            raise Unreachable("one post a second", 1.0)
        self._posted[channel] = now
        return f"{len(self.cards) + len(self.reply_keys)}.{len(self.calls)}"

    def _lost(self) -> None:
        if self.lose:
            self.lose -= 1
            raise NoAnswer("the answer was lost")

    def show(self, card: Card, channel: str, placed: Placed | None, key: str, again: bool) -> Placed:
        self._call("edit" if placed else "post", key)
        if again:
            self.searches += 1
            ts = next((ts for (where, ts), known in self.keys.items() if known == key and where == channel), "")
            if ts:
                placed = Placed(channel=channel, ts=ts)
        ts = placed.ts if placed is not None else self._post(channel)
        self.cards[channel, ts], self.keys[channel, ts] = card, key
        self._lost()
        return Placed(channel=channel, ts=ts)

    def reply(self, channel: str, thread: str, what: Card | str, key: str, again: bool) -> Placed:
        self._call("reply", key)
        if not (again and key in self.reply_keys):
            self._post(channel)
            self.threads.setdefault((channel, thread), []).append(str(what))
            self.reply_keys.append(key)
        self._lost()
        return Placed(channel=channel, ts=f"r{len(self.reply_keys)}", thread=thread)

    def once(self, channel: str = "#incidents") -> bool:
        """Whether nothing stands in a channel twice."""
        return max(Counter(key for (where, _), key in self.keys.items() if where == channel).values(), default=1) == 1

    def of(self, key: str, channel: str = "#incidents") -> Card:
        (found,) = [card for place, card in self.cards.items() if self.keys[place] == key and place[0] == channel]
        return found


class Talk:
    """A connector to the room of the class; what people say comes by `say`."""

    spec: ClassVar[Spec] = Spec(name="talk", summary="For tests.")
    room: ClassVar[Room]
    heard: ClassVar[list[Hear]] = []
    pace = Pace(post_every_s=1.0, call_every_s=0.0, same_every_s=0.05)

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._source = context.source

    async def show(self, card: Card, channel: str, placed: Placed | None, key: str, *, again: bool = False) -> Placed:
        return Talk.room.show(card, channel, placed, key, again)

    async def reply(self, channel: str, thread: str, what: Card | str, key: str, *, again: bool = False) -> Placed:
        return Talk.room.reply(channel, thread, what, key, again)

    async def listen(self, hear: Hear) -> None:
        Talk.heard.append(hear)
        try:
            await asyncio.Event().wait()
        finally:
            Talk.heard.remove(hear)

    @staticmethod
    async def say(text: str = "", who: str = "U1", **given: Any) -> Answer:
        """Somebody says something."""
        Talk.count += 1
        given = {"id": f"said-{Talk.count}", "channel": "#incidents", **given}
        return await Talk.heard[-1](Said(who=who, text=text, **given))

    count: ClassVar[int] = 0
