"""PagerDuty is away for an hour, and quell is ended in between: what people are told then is in order, and once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

from aiohttp import web

from connectors.pretend import Pretender, Said, served
from core.scene import labels, rulebook
from daemon.chatroom import in_a_loop
from daemon.parts import KINDS, Running, loaded, running, source
from quell.config import Loaded
from quell.core.engine import Engine
from quell.daemon.clock import Clock
from quell.model.oncall import Chain, Stage
from quell.model.records import AlertRecord, CommandRecord
from quell.model.rulebook import Route
from quell.model.state import State
from quell.sdk.secret import Secret
from quell.store.memory import MemoryStore
from quell_connectors.pagerduty import PagerDuty

SHOP, LAB = ("ledger", "payments", "checkout", "frontend"), ("disk", "warehouse", "reports")
FOLLOWS: dict[str, Any] = {
    "source": "pd", "taken": "pd.acknowledge", "over": "pd.resolve", "shared": ("incident", "key", "routing_key"),
}  # fmt: skip
STEP = Stage(action="pd.trigger", params={"key": "web-${incident.id}"}, to="pd.trigger", wait_s=900.0, **FOLLOWS)
BOOK = rulebook(
    routes=(
        Route(name="on-call", action="pd.trigger", **FOLLOWS),
        Route(name="desk", action="desk.trigger"),
        Route(name="web", action="", chain="web"),
    ),
    chains=(Chain(name="web", stages=(STEP,), repeat=5),),
)


class Events(Pretender):
    """The Events API v2; ``taken`` is what it took, by deduplication key, ``tried`` what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.taken: dict[str, list[tuple[str, str]]] = {}
        self.tried: dict[str, list[tuple[str, str]]] = {}

    async def answer(self, _request: web.Request, body: Any) -> Any:
        event = body["event_action"], body.get("payload", {}).get("custom_details", {}).get("text", "")
        self.tried.setdefault(body["dedup_key"], []).append(event)
        if self.away:
            raise Said(503, {"status": "error"})
        self.taken.setdefault(body["dedup_key"], []).append(event)
        return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}

    def actions(self, key: str) -> list[str]:
        return [action for action, _ in self.taken.get(key, [])]


class Time:
    """A clock that is put on by hand while it goes."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def quell(pd: Events, desk: Events, store: MemoryStore, clock: Time) -> AsyncIterator[Running]:
    sources = [
        source(name, "pagerduty", options={"url": each.url, "routing_key": Secret("k" * 32)})
        for name, each in (("pd", pd), ("desk", desk))
    ]
    conf = loaded(*sources, source("in", "feed"), allow_addresses=("loopback",))
    async with running(
        Loaded(conf.settings, BOOK), store=store, kinds={**KINDS, "pagerduty": PagerDuty},
        clock=Clock(wall=clock.now), restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
    ) as place:  # fmt: skip
        yield place


def state(place: Running) -> State:
    return place.daemon.loop.decider.state


async def goes_on(place: Running, clock: Time, seconds: float, until: Callable[[], object] = lambda: False) -> None:
    """Time passes, no faster than what is to be done in it is done, until something is so if that is sooner."""
    end = clock.now() + seconds
    while not until() and clock.now() < end:
        clock.ahead += min(20.0, max(end - clock.now(), 0.0))
        seq = await place.daemon.inbox.put([CommandRecord(at=clock.now(), verb="look", by="nobody")])
        assert await place.daemon.loop.passed(seq, 30.0)
        with_them = time.monotonic() + 30.0
        while any(one.attempt and one.due_at is None for one in state(place).telling.values()):
            assert time.monotonic() < with_them, "what is under way is not answered"
            await asyncio.sleep(0.003)


async def comes(place: Running, clock: Time, what: Callable[[], object]) -> None:
    await goes_on(place, clock, 7200.0, what)
    assert what()


async def fire(place: Running, clock: Time, services: tuple[str, ...], severity: str, name: str = "Down") -> None:
    now = clock.now()
    await place.daemon.inbox.put(
        [
            AlertRecord(
                at=now, seen=now, status="firing", labels=labels(one, name, severity), source="prom", starts_at=now
            )
            for one in services
        ]
    )


async def say(place: Running, clock: Time, verb: str, name: str) -> None:
    await place.daemon.inbox.put([CommandRecord(at=clock.now(), verb=verb, target=name, by="ana")])


def incident_of(place: Running, service: str) -> str:
    return next((one.id for one in state(place).incidents.values() if f"service/{service}" in one.entities), "")


@in_a_loop
async def test_after_an_hour_without_pagerduty_people_are_told_in_order_and_once() -> None:
    pd, desk, clock, store = Events(), Events(), Time(), MemoryStore()
    pd.away = True
    async with served(pd), served(desk):
        async with quell(pd, desk, store, clock) as place:
            await fire(place, clock, SHOP, "high")
            await fire(place, clock, LAB, "critical")
            await comes(place, clock, lambda: incident_of(place, "ledger") and incident_of(place, "disk"))
            shop, lab = incident_of(place, "ledger"), incident_of(place, "disk")
            await comes(place, clock, lambda: desk.taken.keys() == {shop, lab})  # it waits for nobody
            await goes_on(place, clock, 1200.0)
            await fire(place, clock, ("ledger",), "critical")
            await comes(place, clock, lambda: len(desk.taken[shop]) == 2)
        async with quell(pd, desk, store, clock) as place:
            await goes_on(place, clock, 1200.0)
            await say(place, clock, "ack", shop)
            await goes_on(place, clock, 600.0)
            await say(place, clock, "resolve", lab)
            await goes_on(place, clock, 600.0)
            assert pd.taken == {}
            pd.away = False
            await goes_on(place, clock, 600.0)
            await comes(place, clock, lambda: not state(place).telling)
    assert pd.actions(shop) == ["trigger", "acknowledge"]
    assert f"web-{shop}" not in pd.taken, "whom its chain could not reach is not called once somebody has it"
    assert "[critical]" in pd.taken[shop][0][1], "the newest is told"
    assert lab not in pd.taken, "nobody is called for what is over"
    assert desk.actions(lab)[0] == "trigger"
    for tried in pd.tried.values():  # of each, one after the other: what was given up for a newer one stays so
        texts = [text for text, _ in groupby(text for action, text in tried if action == "trigger")]
        assert len(texts) == len(set(texts)) > 0
        assert [action for action, _ in groupby(action for action, _ in tried)] in (
            ["trigger"],
            ["trigger", "acknowledge"],
        )


@in_a_loop
async def test_what_pagerduty_took_without_saying_so_is_made_sure_of_before_anything_else() -> None:
    """The page may have come: it is sent again under its key, then that somebody has it, and that it is over."""
    pd, desk, clock = Events(), Events(), Time()
    pd.faults = ["cut", "cut", "cut"]
    async with served(pd), served(desk), quell(pd, desk, MemoryStore(), clock) as place:
        await fire(place, clock, SHOP, "critical")
        await comes(place, clock, lambda: len(pd.taken) == 2)
        shop = incident_of(place, "ledger")
        assert all(one.due_at is not None for one in state(place).telling.values())
        keys = (shop, f"web-{shop}")
        await say(place, clock, "ack", shop)
        await comes(place, clock, lambda: all(pd.actions(key)[-1] == "acknowledge" for key in keys))
        await say(place, clock, "resolve", shop)
        await comes(place, clock, lambda: all(pd.actions(key)[-1] == "resolve" for key in keys))
        await comes(place, clock, lambda: not state(place).telling)
    for key in keys:
        assert [action for action, _ in groupby(pd.actions(key))] == ["trigger", "acknowledge", "resolve"]
    assert len(pd.actions(shop)) + len(pd.actions(f"web-{shop}")) == 6 + 3, "three were not known to have arrived"
