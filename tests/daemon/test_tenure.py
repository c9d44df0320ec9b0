"""The daemon's lease: without it nothing is begun; while the store is silent acts wait; lost, the daemon ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from daemon.parts import Worker, loaded, running, source
from quell.daemon.http import address, bound
from quell.daemon.tenure import Tenure
from quell.daemon.writer import Writer
from quell.errors import Fenced, InUse, StoreError
from quell.model.records import AlertRecord
from quell.sdk.connector import Call, Done
from quell.store import lease
from quell.store.memory import MemoryStore
from quell.store.opening import open_store
from quell.store.port import Holder

LEASE_S = 0.4
ELSEWHERE = Holder("quell elsewhere process 7", "another machine", 7, "1")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", LEASE_S)


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


class Silent(MemoryStore):
    """Its lease cannot be renewed while it is ``silent``."""

    silent = False

    def renew_lease(self) -> None:
        if self.silent:
            raise StoreError("the server cannot be reached")
        super().renew_lease()


def wanting(key: str) -> AlertRecord:
    return AlertRecord(at=1.0, source="t", status="firing", labels={"n": key, "act": "w.do", "key": key})


def test_an_act_waits_while_the_lease_cannot_be_renewed_and_goes_on_when_it_is() -> None:
    async def story() -> None:
        Worker.script = lambda call: Done("done")
        store = Silent()
        async with running(loaded(source("w", "worker")), store=store) as quell:
            store.silent = True
            await quell.until(lambda: not quell.daemon.tenure.held)
            assert quell.daemon.tenure.refusal() == "the lease on the store could not be renewed in time"
            await quell.daemon.inbox.put([wanting("1")])
            await quell.until(lambda: [entry for entry in store.ledger() if entry.state == "acting"])
            await asyncio.sleep(LEASE_S / 2)
            assert Worker.calls == []
            store.silent = False
            await quell.until(lambda: quell.core.told("run/1"))
            assert (quell.core.told("run/1"), len(Worker.calls)) == ("done  done", 1)
            _, told = await quell.api("GET", "/status")
            assert told["lease"] == {"number": 1, "held": True}
            assert quell.daemon.exit_code == 0

    go(story())


def test_who_delivers_while_the_lease_is_waited_for_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alertmanager and its like drop what was refused with any other 4xx than 429."""
    listening = bound("127.0.0.1", 0)
    answers: dict[str, tuple[int, bytes]] = {}
    begin = Tenure.begin

    async def late(tenure: Tenure) -> None:
        await asyncio.sleep(0)  # the server's own start
        listening.listen()
        async with aiohttp.ClientSession(address(listening)) as http:
            for path in ("/in/f", "/api/v2/alerts", "/nowhere"):
                async with http.post(path, data=b"{}") as answer:
                    answers[path] = answer.status, await answer.read()
        await begin(tenure)

    monkeypatch.setattr(Tenure, "begin", late)

    async def story() -> None:
        async with running(loaded(source("f", "feed")), listening=listening) as quell:
            assert set(answers.values()) == {(503, b'{"error":"not ready: starting"}')}, answers
            assert len(answers) == 3
            assert (await quell.post("/nowhere", {}))[0] == 404

    go(story())


def test_that_the_store_was_lost_is_noticed_once_by_whoever_sees_it_first() -> None:
    async def story() -> None:
        async with running(loaded(source("w", "worker"))) as quell:
            tenure = quell.daemon.tenure
            tenure.fenced("an act was refused")
            await asyncio.wait_for(quell.daemon.stopping.wait(), 10)
            tenure.fenced("it could not be renewed")
            assert tenure.gone == "an act was refused"
        assert quell.daemon.exit_code == 4

    go(story())


def test_a_daemon_that_was_taken_over_begins_nothing_hands_in_nothing_and_ends(tmp_path: Path) -> None:
    async def story() -> None:
        let_go = asyncio.Event()

        async def slow(_call: Call) -> Done:
            await let_go.wait()
            return Done("done")

        Worker.script = slow
        store = open_store("sqlite:///quell.db", tmp_path)
        other = open_store("sqlite:///quell.db", tmp_path)
        async with running(loaded(source("w", "worker")), store=store) as quell:
            await quell.daemon.inbox.put([wanting("1")])
            await quell.until(lambda: Worker.calls)
            other.take_lease(other.lease())
            let_go.set()
            async with asyncio.timeout(10):
                await quell.daemon.stopping.wait()
            assert quell.daemon.exit_code == 4
            assert "has taken the store over" in quell.daemon.tenure.gone
            status, _ = await quell.get("/ready")
            assert status == 503
        assert [(entry.state, entry.lease) for entry in other.ledger()] == [("acting", 1)]
        assert other.take_lease(other.lease()).number == 3
        other.close()

    go(story())


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(open_store("sqlite:///quell.db", tmp_path))
    yield made
    asyncio.run(made.close())


def test_an_owner_nobody_can_know_to_be_dead_is_watched_for_as_long_as_a_lease(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(lease, "this_process", lambda: ELSEWHERE)
            writer.store.take_lease(None)
        began = time.monotonic()
        tenure = Tenure(writer, lambda: None)
        await tenure.begin()
        assert LEASE_S <= time.monotonic() - began < 10 * LEASE_S
        assert (tenure.number, tenure.held) == (2, True)
        await tenure.end()
        assert not tenure.held
        found = writer.store.lease()
        assert found is not None
        assert (found.number, found.holder) == (2, None)

    go(story())


def test_an_owner_that_renews_is_left_alone(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        store = writer.store
        with monkeypatch.context() as patched:
            patched.setattr(lease, "this_process", lambda: ELSEWHERE)
            store.take_lease(None)
        tenure = Tenure(writer, lambda: None)
        beginning = asyncio.create_task(tenure.begin())
        await asyncio.sleep(LEASE_S / 4)
        await writer.call(store.renew_lease)
        with pytest.raises(InUse, match=r'another quell uses the store \("quell elsewhere process 7"\): end that one'):
            await beginning
        assert (tenure.number, tenure.held) == (0, False)

    go(story())


def test_who_is_not_sure_waits_and_who_lost_it_hears_so(writer: Writer) -> None:
    async def story() -> None:
        lost: list[bool] = []
        tenure = Tenure(writer, lambda: lost.append(True))
        await tenure.begin()
        await tenure.sure()
        tenure.fenced("somebody else")
        tenure.fenced("again")
        await asyncio.sleep(0)
        assert lost == [True]
        assert tenure.refusal() == "somebody else"
        with pytest.raises(Fenced, match="somebody else"):
            await tenure.sure()
        await tenure.end()

    go(story())
