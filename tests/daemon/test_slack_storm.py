"""The daemon's sender and the Slack connector, an hour in no time: under Slack's limits, and while it is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any

from msgspec.structs import replace

from connectors.hours import in_hours
from connectors.slackland import connector
from quell.config.settings import Chat
from quell.daemon.chat.board import Board
from quell.daemon.chat.sender import Sender
from quell.model.incident import Incident, TimelineEntry
from quell.model.rulebook import Room as Where
from quell.model.state import State
from quell.store.memory import MemoryStore
from quell.store.port import ShownRow
from quell.testing.slack import FakeSlack

ROOM = Where(source="slack", channel="#incidents")


class Place:
    """A workspace, and a sender that shows incidents there."""

    def __init__(self, clock: Callable[[], float], digest_above: int = 1000) -> None:
        self.clock = clock
        self.slack = FakeSlack(clock)
        self.state = State()
        self.store = MemoryStore()
        self.board = Board(lambda: self.state, Chat(rooms=(ROOM,), digest_above=digest_above), now=clock, steady=clock)
        self.sender = Sender(
            "slack", connector(self.slack), self.board, state=lambda: self.state, keep=self._keep, steady=clock
        )
        self.board.outboxes["slack"] = self.sender.outbox

    async def _keep(self, kept: list[ShownRow], gone: list[ShownRow]) -> None:
        self.store.keep_shown(kept, gone)

    def put(self, name: str, what: str = "updated", **given: Any) -> None:
        at = self.clock()
        known = self.state.incidents.get(name) or Incident(
            id=name, title=f"trouble {name}", status="open", opened_at=at, updated_at=at, severity="high"
        )
        entry = TimelineEntry(at=at, what=what, text=f"{name} at {at:.3f}")
        changed = replace(known, version=known.version + 1, timeline=(*known.timeline, entry), updated_at=at, **given)
        self.state.incidents[name] = changed
        self.board.changed([changed], [])

    async def until(self, end: float) -> None:
        while (left := end - self.clock()) > 0:
            wait = await self.sender.step()
            await asyncio.sleep(min(max(wait, 0.001), left))

    async def quiet(self, within_s: float = 4000.0) -> None:
        async with asyncio.timeout(within_s):
            while (wait := await self.sender.step()) != inf:
                await asyncio.sleep(max(wait, 0.001))

    def roots(self) -> Counter[str]:
        return Counter(one.metadata["event_payload"]["card"] for one in self.slack.roots())

    def limited(self) -> int:
        return sum(one.error == "ratelimited" for one in self.slack.asked)


def test_thirty_incidents_with_twenty_changes_each_stay_under_slacks_limits() -> None:
    async def work(clock: Callable[[], float]) -> None:
        place = Place(clock)
        began = clock()
        for at, name in sorted(
            (number * 0.1 + turn * 3.0, f"INC-{number:02}") for number in range(30) for turn in range(20)
        ):
            await place.until(began + at)
            place.put(name, title=f"{name} {at:.1f}", severity="critical" if at > 30 else "high")
        await place.until(began + 60.0)
        asked, longest = len(place.slack.asked), place.sender.outbox.longest_wait_s
        await place.quiet()
        print(f"{asked} calls in the minute, {len(place.slack.asked)} in all, longest wait {longest:.1f} s")
        assert asked <= 100
        assert longest < 60.0
        assert place.limited() == 0
        assert place.roots() == Counter(list(place.state.incidents))
        shown = [one.blocks[0]["text"]["text"] for one in place.slack.roots()]
        assert all(any(one.title in text for text in shown) for one in place.state.incidents.values())

    in_hours(work)


def test_above_twenty_open_incidents_there_is_one_message_until_there_are_few_again() -> None:
    async def work(clock: Callable[[], float]) -> None:
        place = Place(clock, digest_above=20)
        for number in range(26):
            place.put(f"INC-{number:02}", "opened", severity="critical" if number == 25 else "high")
            await place.quiet()
        assert len(place.slack.roots()) == 21
        digest = next(one for one in place.slack.roots() if "26 incidents are open" in one.text)
        shown = str(digest.blocks)
        assert all(f"INC-{number:02}" in shown for number in range(24))
        assert shown.index("INC-25") < shown.index("INC-00"), "the gravest first"
        for number in range(10):
            place.put(f"INC-{number:02}", "resolved", status="resolved")
        await place.quiet()
        assert "Few incidents again" in digest.text
        assert set(place.roots()) >= set(place.state.incidents)
        assert max(place.roots().values()) == 1
        assert place.limited() == 0

    in_hours(work)


def test_an_hour_without_slack_loses_nothing_and_doubles_nothing() -> None:
    async def work(clock: Callable[[], float]) -> None:
        place = Place(clock)
        began = clock()
        place.put("INC-01", "opened")
        await place.quiet()
        place.slack.lose_answer("chat.postMessage")
        place.put("INC-02", "opened")
        await place.until(began + 5.0)
        place.slack.down_until = clock() + 3600.0
        for number in range(1, 8):
            place.put(f"INC-{number:02}", "opened" if number > 2 else "grew")
            await place.until(clock() + 500.0)
        place.put("INC-01", "acknowledged", status="acknowledged", acknowledged_by="ana")
        await place.quiet(8000.0)
        assert clock() - began >= 3600.0
        assert place.roots() == Counter(list(place.state.incidents))
        first = next(one for one in place.slack.roots() if one.metadata["event_payload"]["card"] == "INC-01")
        assert "acknowledged" in first.text
        keys = Counter(one.metadata["event_payload"]["key"] for one in place.slack.messages)
        assert max(keys.values()) == 1
        told = "\n".join(one.text for one in place.slack.messages if one.thread_ts)
        for incident in place.state.incidents.values():
            for entry in incident.timeline[1:]:
                assert told.count(entry.text) == 1, entry
        assert place.limited() == 0

    in_hours(work)
