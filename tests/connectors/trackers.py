"""What every tracker's connector is tried with: a client that loses answers, and the stories all of them must pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Connector, Context, Done, Pending
from quell.sdk.http import Answer, Http
from quell.sdk.testkit import CANARY, NOW

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TITLE = "Drift in customers (churn) — ünïcode 🚨 <b>&amp;</b>"
KEY = "drift:churn:customers"


class Kept(Protocol):
    """What a test can see of a tracker behind the connector's back."""

    async def tickets(self) -> list[dict[str, Any]]:
        """Each with id, title, text, open and comments (texts)."""
        ...

    def pass_time(self, seconds: float) -> None:
        """For trackers whose search lags behind."""
        ...


class Lossy:
    """A real client; the faults apply to requests that write, in turn: "" none, "lost" done unheard, "unsent"."""

    def __init__(self, inner: Http) -> None:
        self.inner = inner
        self.faults: list[str] = []
        self.written: list[tuple[str, str]] = []

    async def request(self, method: str, url: str, **asked: Any) -> Answer:
        fault = self.faults.pop(0) if self.faults and method in WRITING else ""
        if fault == "unsent":
            raise Unreachable("the tracker cannot be connected to")
        if method in WRITING:
            self.written.append((method, url))
        answer = await self.inner.request(method, url, **asked)
        if fault == "lost":
            raise NoAnswer("the tracker closed the connection without an answer")
        return answer


@dataclass
class Trial:
    """A connector at a tracker. ``place`` are the parameters that say where tickets are."""

    kind: type[Connector]
    options: Mapping[str, Any]
    http: Lossy
    kept: Kept
    place: Mapping[str, Any] = field(default_factory=dict)
    now: float = NOW

    def __post_init__(self) -> None:
        self.built: Any = None
        self.restart()

    def restart(self) -> None:
        """As a new process would begin: with nothing remembered."""
        self.built = self.kind(self.options, Context("src", self.http))

    async def act(
        self, action: str, token: str = "R-1/ticket", *, again: bool = False, dry: bool = False, **params: Any
    ) -> Done:
        """Follows what is pending, with time passing for all alike."""
        for _ in range(20):
            call = Call(token, action, {**self.place, **params}, self.now, dry, 20.0, again)
            done: Done | Pending = await self.built.act(call)
            if isinstance(done, Done):
                assert CANARY not in repr(done)
                return done
            self.now += done.check_after_s
            self.kept.pass_time(done.check_after_s)
        raise AssertionError("pending for ever")

    async def ticket(self, token: str = "R-1/ticket", key: str = KEY, **params: Any) -> Done:
        return await self.act("ticket", token, key=key, **{"title": TITLE, "body": "two columns moved", **params})

    async def about(self, title: str = "Drift in customers") -> list[dict[str, Any]]:
        return [ticket for ticket in await self.kept.tickets() if title in ticket["title"]]


async def opened_once(trial: Trial) -> None:
    first = await trial.ticket(severity="critical")
    again = await trial.ticket("R-2/ticket")
    trial.restart()
    trial.kept.pass_time(60)
    third = await trial.ticket("R-3/ticket", if_open="skip")
    other = await trial.ticket("R-4/ticket", key=KEY + ":other", title="another")

    [ticket] = await trial.about()
    assert first.output == {"id": ticket["id"], "url": first.output["url"], "created": True, "commented": False}
    assert first.output["url"].startswith("http")
    assert again.output == {**first.output, "created": False, "commented": True}
    assert third.output == {**first.output, "created": False}
    assert third.sentence.endswith("it was open before and is left as it is")
    assert "two columns moved" in ticket["text"]
    assert [text.count("two columns moved") for text in ticket["comments"]] == [1]
    assert other.output["id"] != ticket["id"]
    assert (await trial.act("find", key=KEY)).output["found"] is True


async def updated(trial: Trial) -> None:
    await trial.ticket()
    await trial.ticket("R-2/ticket", title="Drift in customers: worse", body="three columns moved", if_open="update")
    await trial.ticket("R-2/ticket", title="Drift in customers: worse", body="three columns moved", if_open="update")

    trial.restart()
    trial.kept.pass_time(60)
    assert (await trial.ticket("R-3/ticket", if_open="skip")).output["created"] is False
    [ticket] = await trial.about()
    assert ticket["title"] == "Drift in customers: worse"
    assert "three columns" in ticket["text"]
    assert ticket["comments"] == []


async def lost_answers(trial: Trial) -> None:
    """The answer to each write in turn is lost, with a restart in between; then each write cannot be sent."""
    for number, fault in enumerate(["lost", "unsent"]):
        key = f"{KEY}:{number}"
        for step, how in (("open", {}), ("comment", {"if_open": "comment"})):
            trial.http.faults = [fault]
            with pytest.raises(Unreachable):
                await trial.ticket(f"R-{number}/{step}", key, title=f"Drift in customers {number}", **how)
            trial.restart()
            done = await trial.ticket(
                f"R-{number}/{step}", key, title=f"Drift in customers {number}", again=True, **how
            )
            assert done.output["created"] is (step == "open")
        [ticket] = await trial.about(f"Drift in customers {number}")
        assert len(ticket["comments"]) == 1
        trial.http.faults = [fault]
        with pytest.raises(Unreachable):
            await trial.act("close", f"R-{number}/close", key=key)
        trial.restart()
        trial.kept.pass_time(60)
        await trial.act("close", f"R-{number}/close", key=key, again=True)
        assert [one["open"] for one in await trial.about(f"Drift in customers {number}")] == [False]


async def any_faults(trial: Trial, tickets: int, seed: int) -> None:
    """Every act repeated until it has its answer, whatever is lost: one ticket and one comment each."""
    chance = random.Random(seed)
    for number in range(tickets):
        key, title = f"{KEY}:{number}", f"Drift in customers no. {number}."
        for action, token in (("ticket", "open"), ("ticket", "tell"), ("comment", "say")):
            params = {"title": title} if action == "ticket" else {"text": "said"}
            for attempt in range(50):
                trial.http.faults = [chance.choice(["", "lost", "unsent"])]
                if chance.random() < 0.5:
                    trial.restart()
                with suppress(Unreachable):
                    await trial.act(action, f"R-{number}/{token}", key=key, again=attempt > 0, **params)
                    break
                trial.kept.pass_time(chance.random())
            trial.kept.pass_time(60)
    trial.http.faults = []
    assert [len(ticket["comments"]) for ticket in await trial.about("no. ")] == [2] * tickets


async def many_at_once(trial: Trial) -> None:
    done = await asyncio.gather(*(trial.ticket(f"R-{number}/ticket") for number in range(6)))
    [ticket] = await trial.about()
    assert sorted(one.output["created"] for one in done) == [False] * 5 + [True]
    assert len(ticket["comments"]) == 5


async def closed_and_opened_anew(trial: Trial) -> None:
    first = await trial.ticket()
    closed = await trial.act("close", "R-1/close", key=KEY, text="it is over")
    again = await trial.act("close", "R-1/close", id=first.output["id"])
    assert (closed.output["closed"], again.output["closed"]) == (True, False)
    assert "closed before" in again.sentence
    nothing = await trial.act("close", "R-1/close", key=KEY)
    assert nothing.output == {"id": "", "url": "", "created": False, "commented": False, "closed": False}
    assert (await trial.act("find", id=first.output["id"])).output["found"] is False
    anew = await trial.ticket("R-2/ticket")
    assert anew.output["created"] is True
    assert anew.output["id"] != first.output["id"]
    tickets = {one["id"]: one for one in await trial.about()}
    assert [tickets[done.output["id"]]["open"] for done in (first, anew)] == [False, True]
    assert [text for text in tickets[first.output["id"]]["comments"] if "it is over" in text]
    with pytest.raises(Refused, match=r"no ticket is open for nothing in .*; no comment was added"):
        await trial.act("comment", key="nothing", text="x")
    with pytest.raises(Refused, match='needs "id" or "key"'):
        await trial.act("close")
    with pytest.raises(Refused, match='no action "explode"'):
        await trial.act("explode")


async def said_and_not_done(trial: Trial, where: str) -> None:
    """Dry runs read what is there and write nothing."""
    would = await trial.ticket(dry=True, title="Drift in customers")
    assert would.sentence == f'would open "Drift in customers" in {where} for {KEY}'
    nothing = await trial.act("close", key=KEY, dry=True)
    assert nothing.sentence == f"no ticket is open for {KEY} in {where}; nothing is to be closed"
    assert trial.http.written == []
    ticket = await trial.ticket()
    name = ticket.sentence.partition(" ")[0]
    written = len(trial.http.written)
    dry = [
        (await trial.ticket("R-2/x", dry=True)).sentence,
        (await trial.ticket("R-2/x", dry=True, if_open="update")).sentence,
        (await trial.ticket("R-2/x", dry=True, if_open="skip")).sentence,
        (await trial.act("comment", dry=True, id=ticket.output["id"], text="x")).sentence,
        (await trial.act("close", dry=True, key=KEY)).sentence,
    ]
    assert dry == [
        f"would comment on {name}, which is open for {KEY}",
        f"would update {name}, which is open for {KEY}",
        f"would leave {name}, which is open for {KEY}, as it is",
        f"would comment on {name}",
        f"would close {name}",
    ]
    assert len(trial.http.written) == written


async def long_texts(trial: Trial, title: int, text: int) -> None:
    """Cut to the limits, and found again all the same."""
    await trial.ticket(title="T" * 2000 + "\nsecond", body="é🚨\x00\x1b\r\n" * 400_000)
    trial.restart()
    trial.kept.pass_time(60)
    again = await trial.ticket("R-2/ticket", title="T" * 2000, body="c" * 3_000_000)
    assert (again.output["created"], again.output["commented"]) == (False, True)
    [ticket] = await trial.about("TTT")
    assert len(ticket["title"]) == title
    assert ticket["title"].endswith("T…")
    assert title < len(ticket["text"]) <= text
    assert "… (cut)" in ticket["text"]
    assert "\x00" not in ticket["text"]


Story = Callable[[Trial], Awaitable[None]]
STORIES: tuple[Story, ...] = (opened_once, updated, lost_answers, many_at_once, closed_and_opened_anew)
