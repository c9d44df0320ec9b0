"""A daemon and PagerDuty, pretended on a real socket: who acts where, both follow, through outages too."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from connectors.pretend import Pretender, served
from core.scene import labels, rulebook
from daemon.parts import KINDS, Running, loaded, running, source
from quell.config import Loaded
from quell.config.settings import Person
from quell.core.engine import Engine
from quell.daemon.clock import Clock
from quell.model.incident import Incident
from quell.model.records import AlertRecord, CommandRecord
from quell.model.rulebook import Route
from quell.model.times import format_time
from quell.sdk.secret import Secret
from quell_connectors.pagerduty import PagerDuty

SPEED = 60.0
KEY, SIGNS = "k" * 32, "s" * 44
ROUTE = Route(
    name="on-call", action="pd.trigger", source="pd", taken="pd.acknowledge", over="pd.resolve",
    shared=("incident", "key", "routing_key"),
)  # fmt: skip
ANA = Person(id="ana", name="Ana Ruiz", ids={"pagerduty": "PLH1HKV"})


class Pages(Pretender):
    """The Events API v2; ``events`` are what it took."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, str]] = []

    async def answer(self, _request: web.Request, body: Any) -> Any:
        self.events.append((body["event_action"], body["dedup_key"]))
        return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.events]


@asynccontextmanager
async def paged(pages: Pages) -> AsyncIterator[tuple[Running, str]]:
    async with served(pages):
        options = {"url": pages.url, "routing_key": Secret(KEY), "webhook_secret": Secret(SIGNS)}
        conf = loaded(
            source("pd", "pagerduty", options=options), people=(ANA,), allow_addresses=("loopback",)
        )  # fmt: skip
        book = rulebook(routes=(ROUTE,))
        async with running(
            Loaded(conf.settings, book), clock=Clock(speed=SPEED), kinds={**KINDS, "pagerduty": PagerDuty},
            restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
        ) as place:  # fmt: skip
            now = place.daemon.clock.now()
            records = [
                AlertRecord(at=now, seen=now, status="firing", labels=labels(one), source="prom", starts_at=now)
                for one in ("ledger", "payments", "checkout", "frontend")
            ]
            await place.daemon.inbox.put(records)
            await place.until(lambda: place.daemon.loop.decider.state.incidents)
            (name,) = place.daemon.loop.decider.state.incidents
            yield place, name


async def webhook(place: Running, kind: str, name: str) -> int:
    agent = {"id": "PLH1HKV", "summary": "Ana R.", "type": "user_reference"}
    data = {"id": "PGR0VU2", "type": "incident", "incident_key": name}
    event = {"id": "1", "event_type": kind, "occurred_at": format_time(place.daemon.clock.now()), "agent": agent,
             "data": data}  # fmt: skip
    raw = msgspec.json.encode({"event": event})
    signature = hmac.new(SIGNS.encode(), raw, hashlib.sha256).hexdigest()
    status, _ = await place.post("/in/pd", data=raw, **{"x-pagerduty-signature": f"v1={signature}"})
    return int(status)


def test_a_person_there_and_a_person_here() -> None:
    async def story() -> None:
        pages = Pages()
        async with paged(pages) as (place, name):

            def incident() -> Incident:
                return place.daemon.loop.decider.state.incidents[name]

            await place.until(lambda: pages.actions == ["trigger"])
            assert pages.events == [("trigger", name)]
            assert await webhook(place, "incident.acknowledged", name) == 200
            await place.until(lambda: incident().status == "acknowledged")
            assert incident().acknowledged_by == "ana"
            pages.faults = [503, 503]
            now = place.daemon.clock.now()
            await place.daemon.inbox.put([CommandRecord(at=now, verb="resolve", target=name, by="bo")])
            await place.until(lambda: pages.actions == ["trigger", "resolve"])
            assert incident().status == "resolved"
            await place.until(lambda: not place.daemon.loop.decider.state.telling)

    asyncio.run(story())
