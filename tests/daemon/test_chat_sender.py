"""What is sent where people talk: few calls, nothing stale for long, nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
from math import inf

import pytest
from msgspec.structs import replace

from daemon.chatroom import Room, in_a_loop
from quell.config.settings import Chat
from quell.daemon.chat.board import DIGEST, Board
from quell.daemon.chat.sender import Sender
from quell.errors import NoAnswer, Refused
from quell.model.incident import Incident, TimelineEntry
from quell.model.rulebook import Room as Where
from quell.model.run import Approval, Run
from quell.model.state import State
from quell.sdk.chat import Card, Pace, Placed
from quell.store.memory import MemoryStore
from quell.store.port import ShownRow

ROOM = Where(source="slack", channel="#incidents")


class Virtual:
    """A store, a room, and a sender between them on a clock that only this test moves."""

    def __init__(self, per_minute: int = 10**9, digest_above: int = 1000, pace: Pace | None = None) -> None:
        self.at = 0.0
        self.state = State()
        self.store = MemoryStore()
        self.room = Room(lambda: self.at, per_minute)
        self.pace = pace or Pace()
        self.chat = Chat(rooms=(ROOM,), digest_above=digest_above)
        self.fail_store = False
        self.start()

    def start(self) -> None:
        """Another process on what the store has."""
        self.board = Board(lambda: self.state, self.chat, now=lambda: self.at, steady=lambda: self.at)
        self.board.load(self.store.shown())
        self.sender = Sender(
            "slack", self, self.board, state=lambda: self.state, keep=self._keep, steady=lambda: self.at
        )
        self.board.outboxes["slack"] = self.sender.outbox
        self.board.all_again()

    async def _keep(self, kept: list[ShownRow], gone: list[ShownRow]) -> None:
        self.store.keep_shown(kept, gone)

    async def show(self, card: Card, channel: str, placed: Placed | None, key: str, *, again: bool = False) -> Placed:
        return self.room.show(card, channel, placed, key, again)

    async def reply(self, channel: str, thread: str, what: Card | str, key: str, *, again: bool = False) -> Placed:
        return self.room.reply(channel, thread, what, key, again)

    def put(self, name: str, what: str = "updated", **given: object) -> Incident:
        """An incident is new, or something happened to it."""
        known = self.state.incidents.get(name) or Incident(
            id=name, title=f"trouble {name}", status="open", opened_at=self.at, updated_at=self.at, severity="high"
        )
        entry = TimelineEntry(at=self.at, what=what, text=f"at {self.at:.1f}")
        changed = replace(
            known, version=known.version + 1, timeline=(*known.timeline, entry), updated_at=self.at, **given
        )
        self.state.incidents[name] = changed
        self.board.changed([changed], [])
        return changed

    def ask(self, name: str, incident: str, **given: object) -> Run:
        approval = Approval(step="", asked_at=self.at, expires_at=self.at + 600.0, who=("role:sre",))
        run = Run(
            id=name, playbook="rollback", incident=incident, state="proposed", mode="propose", why="a bad deploy",
            started_at=self.at, updated_at=self.at, approval=approval,
        )  # fmt: skip
        self.state.runs[name] = replace(run, **given)
        self.board.changed([], [self.state.runs[name]])
        return run

    async def until(self, end: float) -> None:
        """Sends what there is to send until then."""
        while self.at < end:
            wait = await self.sender.step()
            self.at = min(self.at + max(wait, 0.001), end)

    async def quiet(self) -> None:
        """Sends all there is to send."""
        for _ in range(20_000):
            wait = await self.sender.step()
            if wait == inf:
                return
            self.at += max(wait, 0.001)
        raise AssertionError("it never ends")


@pytest.mark.parametrize("digest_above", [1000, 20])
@in_a_loop
async def test_thirty_incidents_with_twenty_changes_each_within_a_minute(digest_above: int) -> None:
    place = Virtual(per_minute=50, digest_above=digest_above)
    changes = sorted((number * 0.1 + turn * 3.0, f"INC-{number:02}") for number in range(30) for turn in range(20))
    for at, name in changes:
        await place.until(at)
        place.put(name, entities=(f"at {at}",), severity="critical" if at > 30 else "high", title=f"{name} {at}")
    await place.until(60.0)
    within = len(place.room.calls)
    longest = place.sender.outbox.longest_wait_s
    await place.quiet()
    print(f"calls {within} in the minute, {len(place.room.calls)} in all, longest wait {longest:.1f} s")
    assert within <= 100
    assert place.room.limited == 0
    assert longest < 60.0
    assert place.room.once()
    shown = {card.title for card in place.room.cards.values()}
    if digest_above == 1000:
        assert shown == {one.title for one in place.state.incidents.values()}
    else:
        assert len(shown) == 21
        assert "30 incidents are open" in shown


@in_a_loop
async def test_a_card_comes_at_once_and_what_follows_is_told_in_its_thread() -> None:
    place = Virtual()
    place.put("INC-1", "opened")
    await place.until(1.0)
    assert [what for _, what, _ in place.room.calls] == ["post"]
    place.put("INC-1", "acknowledged", status="acknowledged", acknowledged_by="ana")
    await place.quiet()
    assert place.room.of("INC-1").status == "acknowledged"
    ((told,),) = place.room.threads.values()
    assert "acknowledged" in told
    assert "opened" not in told


@in_a_loop
async def test_nothing_is_sent_when_nothing_can_be_seen() -> None:
    place = Virtual()
    place.put("INC-1", "opened")
    await place.quiet()
    calls = len(place.room.calls)
    place.board.changed(place.state.incidents.values(), [])
    await place.quiet()
    assert len(place.room.calls) == calls


@in_a_loop
async def test_what_asks_for_a_yes_goes_before_all_that_waits() -> None:
    place = Virtual(per_minute=50)
    for number in range(30):
        place.put(f"INC-{number:02}", "opened")
    await place.until(3.0)
    place.ask("R-1", "INC-29")
    place.put("INC-00", "escalated", severity="critical")
    await place.until(9.0)
    asked = [key for _, _, key in place.room.calls].index("R-1")
    assert asked <= 4
    assert any(key.startswith("INC-00/") for _, _, key in place.room.calls), "what became worse is heard at once"
    card = place.room.of("R-1")
    assert [button.verb for button in card.buttons] == ["approve", "reject"]


@in_a_loop
async def test_a_restart_edits_what_is_there() -> None:
    place = Virtual()
    place.put("INC-1", "opened")
    await place.quiet()
    place.start()
    await place.quiet()
    assert len(place.room.calls) == 1
    place.put("INC-1", "acknowledged", status="acknowledged", acknowledged_by="bo")
    place.start()
    await place.quiet()
    assert place.room.of("INC-1").status == "acknowledged"
    assert len(place.room.threads) == 1
    assert place.room.once()


@pytest.mark.parametrize("restart", [False, True])
@in_a_loop
async def test_a_lost_answer_never_makes_a_second_message(restart: bool) -> None:
    place = Virtual()
    place.room.lose = 1
    place.put("INC-1", "opened")
    await place.until(0.5)
    assert place.store.shown()[0].state == "posting"
    if restart:
        place.start()
    await place.quiet()
    assert place.room.searches == 1
    assert place.room.once()
    assert len(place.room.cards) == 1
    place.room.lose = 1
    place.put("INC-1", "escalated", severity="critical")
    await place.until(place.at + 0.01)
    if restart:
        place.start()
    await place.quiet()
    ((told,),) = place.room.threads.values()
    assert "escalated" in told


@in_a_loop
async def test_killed_at_any_write_nothing_is_lost_and_nothing_doubled() -> None:
    for stop_at in range(12):
        place = Virtual()
        writes = 0

        async def keep(kept: list[ShownRow], gone: list[ShownRow], place: Virtual = place, stop: int = stop_at) -> None:
            nonlocal writes
            writes += 1
            if writes == stop:
                place.store.keep_shown(kept, gone)
                raise asyncio.CancelledError
            place.store.keep_shown(kept, gone)

        place.sender._keep = keep
        for name in ("INC-1", "INC-2"):
            place.put(name, "opened")
        try:
            await place.quiet()
            place.put("INC-1", "acknowledged", status="acknowledged", acknowledged_by="bo")
            await place.quiet()
        except asyncio.CancelledError:
            place.at += 5.0
            if place.state.incidents["INC-1"].status == "open":
                place.put("INC-1", "acknowledged", status="acknowledged", acknowledged_by="bo")
            place.start()
            await place.quiet()
        assert place.room.once()
        assert len(place.room.cards) == 2
        assert place.room.of("INC-1").status == "acknowledged"
        told = "\n".join(text for texts in place.room.threads.values() for text in texts)
        assert told.count("acknowledged:") == 1, (stop_at, told)


@in_a_loop
async def test_down_for_an_hour_nothing_is_lost() -> None:
    place = Virtual(per_minute=50)
    for number in range(10):
        place.put(f"INC-{number}", "opened")
    await place.quiet()
    place.room.down = True
    calls = len(place.room.calls)
    for turn in range(60):
        place.put(f"INC-{turn % 12}", "updated", title=f"turn {turn}")
        await place.until(place.at + 60.0)
    place.put("INC-3", "resolved", status="resolved")
    assert len(place.room.calls) == calls
    place.room.down = False
    began = place.at
    await place.quiet()
    assert place.at - began < 120.0
    assert place.room.once()
    for name, incident in place.state.incidents.items():
        assert place.room.of(name).title == incident.title
    assert place.room.of("INC-3").status == "resolved"
    told = "\n".join(text for texts in place.room.threads.values() for text in texts)
    assert told.count("updated:") >= 50


@in_a_loop
async def test_many_open_incidents_are_one_message_until_there_are_few_again() -> None:
    place = Virtual(digest_above=3)
    for number in range(6):
        place.put(f"INC-{number}", "opened")
        await place.quiet()
    titles = sorted(card.title for card in place.room.cards.values())
    assert titles == ["6 incidents are open", "trouble INC-0", "trouble INC-1", "trouble INC-2"]
    place.put("INC-5", "escalated", severity="critical")
    await place.quiet()
    assert place.room.of("INC-5").severity == "critical"
    for number in (0, 1, 5):
        place.put(f"INC-{number}", "resolved", status="resolved")
    await place.quiet()
    assert sorted(key for (_, _), key in place.room.keys.items()) == [
        "INC-0", "INC-1", "INC-2", "INC-3", "INC-4", "INC-5", f"{DIGEST}/#incidents",
    ]  # fmt: skip
    assert place.room.of(f"{DIGEST}/#incidents").title == "Few incidents again"
    for number in range(7, 10):
        place.put(f"INC-{number}", "opened")
    await place.quiet()
    assert sum(key == f"{DIGEST}/#incidents" for key in place.room.keys.values()) == 2, "a new list is a new message"


@in_a_loop
async def test_what_is_refused_in_one_channel_holds_up_nothing_else() -> None:
    place = Virtual()
    show = place.show

    async def picky(card: Card, channel: str, placed: Placed | None, key: str, *, again: bool = False) -> Placed:
        if channel == "#closed":
            raise Refused("not in channel")
        return await show(card, channel, placed, key, again=again)

    place.show = picky
    place.chat = Chat(rooms=(Where(source="slack", channel="#closed"), ROOM))
    place.start()
    place.put("INC-1", "opened")
    await place.until(10.0)
    assert [key for _, what, key in place.room.calls if what == "post"] == ["INC-1"]


@in_a_loop
async def test_what_the_state_forgot_is_forgotten() -> None:
    place = Virtual()
    incident = place.put("INC-1", "opened")
    await place.quiet()
    del place.state.incidents["INC-1"]
    place.board.changed([incident], [])
    await place.quiet()
    assert place.store.shown() == []


@in_a_loop
async def test_a_restart_drops_what_the_state_has_forgotten() -> None:
    place = Virtual()
    place.put("INC-1", "opened")
    place.put("INC-2", "opened")
    await place.quiet()
    del place.state.incidents["INC-1"]
    place.start()
    await place.quiet()
    assert [row.key for row in place.store.shown()] == ["INC-2"]
    assert len(place.room.cards) == 2, "the message stays as it is"


@pytest.mark.parametrize("urgent", [False, True])
@in_a_loop
async def test_what_never_gets_an_answer_holds_up_nothing_else(urgent: bool) -> None:
    """Slack says ``internal_error`` to one message, whatever is done about it."""
    place = Virtual()
    place.put("INC-1", "opened")
    bad = "R-1" if urgent else "INC-1"
    taken = place.room.show

    def show(card: Card, channel: str, placed: Placed | None, key: str, again: bool) -> Placed:
        if key == bad:
            raise NoAnswer("internal_error")
        return taken(card, channel, placed, key, again)

    place.room.show = show
    if urgent:
        place.ask("R-1", "INC-1")
    place.at = 1.0
    for number in range(2, 12):
        place.put(f"INC-{number}", "opened")
    await place.until(60.0)
    names = {f"INC-{number}" for number in range(1, 12)} - {bad}
    assert set(place.room.keys.values()) == names
    place.room.show = taken
    await place.until(200.0)
    assert bad in place.room.keys.values()
    assert place.room.once()
