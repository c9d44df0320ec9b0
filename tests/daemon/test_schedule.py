"""Pulls and evidence: cursor and records together, failures visible and waited out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from daemon.parts import Running, Worker, loaded, running, source
from quell.config.settings import Limits
from quell.errors import BadPayload, Refused, StoreError, Unreachable
from quell.model.records import AlertRecord
from quell.sdk.connector import Pulled
from quell.store.memory import MemoryStore
from quell.store.port import Accepted, Group


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def firing(name: str) -> AlertRecord:
    return AlertRecord(at=1.0, seen=1.0, source="w", status="firing", labels={"alertname": name})


def test_the_cursor_moves_with_the_records_and_survives_a_restart() -> None:
    cursors: list[str | None] = []

    def pulled(cursor: str | None) -> Pulled:
        cursors.append(cursor)
        return Pulled([firing(f"after {cursor}")], str(len(cursors)))

    async def story() -> None:
        Worker.pulled = pulled
        store = MemoryStore()
        for count in "12":
            async with running(loaded(source("w", "worker", every_s=60.0)), store=store) as quell:
                await quell.until(lambda wanted=count: quell.daemon.schedule.cursors == {"w": wanted})
                await quell.settled()
        assert cursors == [None, "1"]
        assert store.recover().cursors == {"w": "2"}

    go(story())


FAILURES = {
    "unreachable": (Unreachable("no route"), "unreachable", "no route"),
    "refused": (Refused("bad token"), "broken", "bad token"),
    "unreadable": (BadPayload("what?", b"junk"), "broken", "what?"),
    "a bug": (ZeroDivisionError("oops"), "broken", "ZeroDivisionError: oops"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_source_that_cannot_be_asked_is_seen_and_asked_later_and_later(what: str) -> None:
    error, state, text = FAILURES[what]

    async def story() -> None:
        Worker.pulled = lambda cursor: error
        async with running(loaded(source("w", "worker", every_s=10.0))) as quell:
            worker = quell.daemon.sources.get("w")
            assert worker is not None
            await quell.until(lambda: worker.health.failures == 1)
            for _ in range(3):
                await quell.daemon.schedule.pull(worker)
            _, told = await quell.api("GET", "/status")
            seen = told["sources"]["w"]
            assert (seen["state"], seen["error"], seen["failures"]) == (state, text, 4)
            assert worker.health.next_at is not None
            assert 60 < worker.health.next_at - quell.daemon.clock.now() <= 80  # 10 s doubled three times
            assert b'quell_source_broken{source="w"} 1.0' in quell.daemon.metrics.text()
            _, kept = await quell.api("GET", "/quarantine")
            assert bool(kept["quarantine"]) == (what == "unreadable")
            Worker.pulled = None
            await quell.daemon.schedule.pull(worker)
            assert worker.health.state == "ok"

    go(story())


def test_it_waits_as_long_as_it_was_told() -> None:
    async def story() -> None:
        Worker.pulled = lambda cursor: Unreachable("busy", 300.0)
        async with running(loaded(source("w", "worker", every_s=10.0))) as quell:
            worker = quell.daemon.sources.get("w")
            assert worker is not None
            await quell.until(lambda: worker.health.next_at)
            assert worker.health.next_at is not None
            assert 290 < worker.health.next_at - quell.daemon.clock.now() <= 300

    go(story())


class FullDisk(MemoryStore):
    def accept(self, accepted: Accepted) -> Group:
        raise StoreError("no space left")


def test_what_cannot_be_kept_does_not_move_the_cursor() -> None:
    async def story() -> None:
        Worker.pulled = lambda cursor: Pulled([firing("x")], "next")
        async with running(loaded(source("w", "worker", every_s=60.0)), store=FullDisk()) as quell:
            await quell.until(lambda: b'quell_pulls_total{outcome="overloaded"' in quell.daemon.metrics.text())
            assert quell.daemon.schedule.cursors == {}

    go(story())


def test_more_than_the_inbox_takes_goes_in_parts() -> None:
    async def story() -> None:
        Worker.pulled = lambda cursor: Pulled([firing(f"a{n}") for n in range(95)], "end")
        async with running(loaded(source("w", "worker", every_s=60.0), limits=Limits(inbox=20))) as quell:
            await quell.until(lambda: quell.daemon.schedule.cursors)
            await quell.settled()
            assert len(quell.core.state.alerts) == 95

    go(story())


async def _asked(quell: Running, count: int) -> None:
    for n in range(count):
        record = AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels={"n": str(n), "ask": "service/web"})
        await quell.daemon.inbox.put([record])
    await quell.until(lambda: len(Worker.asked) >= count)


def test_without_an_interval_nothing_is_pulled() -> None:
    async def story() -> None:
        pulls: list[str | None] = []
        Worker.pulled = pulls.append
        async with running(loaded(source("w", "worker"))):
            await asyncio.sleep(0.05)
        assert pulls == []

    go(story())


def test_questions_for_evidence_are_answered_with_records() -> None:
    async def story() -> None:
        async with running(loaded(source("w", "worker"))) as quell:
            await _asked(quell, 3)
            await quell.until(lambda: quell.daemon.inbox.last_seq >= 4)
            assert Worker.asked[0][0] == "service/web"
            assert Worker.asked[0][2] - Worker.asked[0][1] == 60

    go(story())
