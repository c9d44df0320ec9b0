"""Deliveries over real HTTP: what is accepted, what is refused, and that the rest goes on."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from daemon.parts import READER, TOKEN, loaded, running, small_inbox, source
from quell.daemon import inbox as inboxes
from quell.daemon import ingest as ingests
from quell.daemon import seeing
from quell.errors import StoreError
from quell.model.records import CommandRecord
from quell.sdk.secret import Secret
from quell.sdk.signatures import Bearer
from quell.store.memory import MemoryStore
from quell.store.port import Accepted, Group


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def alerts(*names: str) -> dict[str, Any]:
    return {"alerts": [{"alertname": name} for name in names]}


def test_an_accepted_alert_is_answered_as_the_connector_says_and_decided_over() -> None:
    async def story() -> None:
        async with running() as quell:
            assert await quell.post("/in/in", alerts("a", "b")) == (202, b"thanks")
            assert await quell.post("/feed", alerts("c")) == (202, b"thanks")
            await quell.settled()
            assert len(quell.core.state.alerts) == 3

    go(story())


def test_a_reader_sees_what_was_answered_before() -> None:
    async def story() -> None:
        async with running(loaded(source("s", "served"))) as quell:
            for count in range(1, 30):
                await quell.post("/served/x", alerts(f"a{count}"))
                assert await quell.get("/served/count") == (200, count)
                _, told = await quell.api("GET", "/alerts")
                assert len(told["alerts"]) == count

    go(story())


def test_a_reader_does_not_wait_for_thousands_that_others_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingests, "_SEEN_WITHIN_S", 60.0)
    monkeypatch.setattr(seeing, "_WAITS_S", 60.0)

    async def story() -> None:
        async with running(loaded(source("s", "served"))) as quell:
            async with quell.daemon.loop._turning:  # nothing is decided over meanwhile
                await quell.post("/served/x", alerts(*(f"a{number}" for number in range(1_100))))
                async with asyncio.timeout(20.0):
                    assert await quell.get("/served/count") == (200, 0)
            await quell.settled()
            assert await quell.get("/served/count") == (200, 1_100)

    go(story())


BAD_BODIES = {
    "malformed JSON": (b'{"alerts": [', {}, 400),
    "wrong type": (b'{"alerts": [{"alertname": 7}]}', {}, 400),
    "invalid UTF-8": (b'{"alerts": [{"alertname": "\xff\xfe"}]}', {}, 400),
    "10 MB": (b'{"alerts": [' + b" " * 10_000_000 + b"]}", {}, 413),
    "a gzip bomb": (gzip.compress(b" " * 40_000_000), {"content_encoding": "gzip"}, 413),
    "gzip that is none": (b"hello", {"content_encoding": "gzip"}, 400),
    "gzip cut short": (gzip.compress(b'{"alerts": []}' * 50)[:-9], {"content_encoding": "gzip"}, 400),
    "unknown encoding": (b"{}", {"content_encoding": "br"}, 415),
    "more records than fit": (b'{"alerts": [' + b",".join([b'{"alertname": "a"}'] * 20_001) + b"]}", {}, 413),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_bad_bodies_get_a_clear_answer_and_the_daemon_goes_on(what: str) -> None:
    body, headers, status = BAD_BODIES[what]

    async def story() -> None:
        async with running() as quell:
            answered, told = await quell.post("/in/in", data=body, **headers)
            assert answered == status, told
            assert told["error"]
            if status == 400:
                _, kept = await quell.api("GET", "/quarantine")
                assert len(kept["quarantine"]) == 1
                assert kept["quarantine"][0]["source"] == "in"
                assert told["field"] in {"alerts", "body"}
            assert (await quell.post("/in/in", alerts("after")))[0] == 202

    go(story())


def test_gzip_is_taken() -> None:
    async def story() -> None:
        async with running() as quell:
            body = gzip.compress(b'{"alerts": [{"alertname"') + gzip.compress(b': "a"}]}')
            assert (await quell.post("/in/in", data=body, content_encoding="gzip"))[0] == 202

    go(story())


def test_a_connector_that_fails_is_marked_and_its_delivery_kept() -> None:
    async def story() -> None:
        async with running(loaded(source("in", "feed"), source("other", "feed"))) as quell:
            status, told = await quell.post("/in/in", data=b"boom")
            assert status == 500
            assert "quarantine" in told["error"]
            _, state = await quell.api("GET", "/status")
            assert state["sources"]["in"]["state"] == "broken"
            assert "a bug" in state["sources"]["in"]["error"]
            assert state["sources"]["other"]["state"] == "ok"
            _, kept = await quell.api("GET", "/quarantine")
            assert kept["quarantine"][0]["payload"] == "boom"
            assert (await quell.post("/in/in", alerts("after")))[0] == 202
            _, state = await quell.api("GET", "/status")
            assert state["sources"]["in"]["state"] == "ok"

    go(story())


def test_paths_nobody_owns() -> None:
    async def story() -> None:
        async with running() as quell:
            for path in ("/alertmanager/api/v2/status", "/in/nobody", "/in/", "/incidentsx", "/feeder", "/metricsx"):
                assert (await quell.get(path))[0] == 404, path
            assert (await quell.get("/in/in"))[0] == 405
            assert await quell.get("/-/healthy") == (200, b"OK")
            assert await quell.get("/-/ready") == (200, b"OK")
            assert await quell.get("/health") == (200, b"OK")
            assert await quell.get("/ready") == (200, b"OK")
            _, numbers = await quell.get("/metrics")
            assert b'alertmanager_build_info{version="0.28.0"} 1.0' in numbers

    go(story())


def test_alerts_beyond_the_bounds_are_set_aside_and_the_others_go_on() -> None:
    async def story() -> None:
        async with running() as quell:
            many = {f"label{n}": "x" for n in range(10_000)}
            long = {"alertname": "long", "text": "x" * 5_000}
            assert (await quell.post("/in/in", {"alerts": [many, {"alertname": "fine"}, long]}))[0] == 202
            await quell.settled()
            assert [alert.name for alert in quell.core.state.alerts.values()] == ["fine"]
            _, kept = await quell.api("GET", "/quarantine")
            assert sorted(each["reason"] for each in kept["quarantine"]) == [
                'labels: "text" has more than 4096 characters',
                "labels: 10000 labels; at most 64 are taken",
            ]

    go(story())


class SlowStore(MemoryStore):
    """A disk that takes its time, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def accept(self, accepted: Accepted) -> Group:
        self.gate.wait(10)
        return super().accept(accepted)


def test_a_full_inbox_refuses_at_once_and_sent_is_accepted_plus_refused() -> None:
    async def story() -> None:
        store = SlowStore()
        async with running(loaded(limits=small_inbox(100)), store=store) as quell:
            waiting = [asyncio.create_task(quell.post("/in/in", alerts(f"w{n}"))) for n in range(100)]
            await quell.until(lambda: quell.daemon.inbox.size == 100)
            # The store waits for its gate, so that whoever waited for the store would be here for ever.
            refused = [await quell.post("/in/in", alerts(f"r{n}")) for n in range(50)]
            assert {status for status, _ in refused} == {503}
            async with quell.http.post(quell.url + "/in/in", data=b'{"alerts":[{"a":"b"}]}') as answer:
                assert answer.headers["Retry-After"] == "5"
            store.gate.set()
            assert {status for status, _ in await asyncio.gather(*waiting)} == {202}
            assert (await quell.post("/in/in", alerts("after")))[0] == 202
            await quell.settled()
            assert len(quell.core.state.alerts) == 101

    go(story())


class FullDisk(MemoryStore):
    full = False

    def accept(self, accepted: Accepted) -> Group:
        if self.full:
            raise StoreError("no space left")
        return super().accept(accepted)


def test_a_failed_commit_refuses_exactly_those_who_waited_and_nothing_reaches_the_core() -> None:
    async def story() -> None:
        store = FullDisk()
        async with running(store=store) as quell:
            assert (await quell.post("/in/in", alerts("before")))[0] == 202
            store.full = True
            answers = await asyncio.gather(*(quell.post("/in/in", alerts(f"x{n}")) for n in range(20)))
            assert {status for status, _ in answers} == {503}
            store.full = False
            assert (await quell.post("/in/in", alerts("after")))[0] == 202
            await quell.settled()
            names = {alert.name for alert in quell.core.state.alerts.values()}
            assert names == {"before", "after"}
            assert quell.daemon.inbox.size == 0

    go(story())


def test_a_put_that_can_never_be_written_fails_alone() -> None:
    async def story() -> None:
        store = SlowStore()
        async with running(store=store) as quell:
            first = asyncio.create_task(quell.post("/in/in", alerts("first")))
            await quell.until(lambda: quell.daemon.inbox.size == 1)
            huge = CommandRecord(at=1.0, verb="ack", args={"number": 1 << 70})
            bad = asyncio.create_task(quell.daemon.inbox.put([huge]))
            good = asyncio.create_task(quell.post("/in/in", alerts("second")))
            await quell.until(lambda: quell.daemon.inbox.size == 3)
            store.gate.set()
            assert (await first)[0] == 202
            with pytest.raises(StoreError, match="cannot be stored"):
                await bad
            assert (await good)[0] == 202
            await quell.settled()
            assert len(quell.core.state.alerts) == 2

    go(story())


DOORS = {
    "its own bearer token": ({"authorization": "Bearer s3cret-s3cret"}, True),
    "a wrong bearer token": ({"authorization": "Bearer other"}, False),
    "nothing": ({}, False),
    "an API token instead": ({"authorization": f"Bearer {TOKEN}"}, False),
}


@pytest.mark.parametrize("what", DOORS)
def test_a_source_with_its_own_scheme_believes_nothing_else(what: str) -> None:
    headers, believed = DOORS[what]

    async def story() -> None:
        guarded = source("in", "feed", auth=Bearer(secrets=(Secret("s3cret-s3cret"),)))
        async with running(loaded(guarded)) as quell:
            status, _ = await quell.post("/in/in", alerts("a"), **headers)
            assert status == (202 if believed else 401)

    go(story())


CLOSED = {
    "no token": ({}, 401),
    "a token that may ingest": ({"authorization": f"Bearer {TOKEN}"}, 202),
    "a token that only reads": ({"authorization": f"Bearer {READER}"}, 401),
    "a token that was cut": ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
}


@pytest.mark.parametrize("what", CLOSED)
def test_without_the_open_loopback_an_api_token_is_needed(what: str) -> None:
    headers, status = CLOSED[what]

    async def story() -> None:
        async with running(loaded(open_on_loopback=False)) as quell:
            assert (await quell.post("/in/in", alerts("a"), **headers))[0] == status
        async with running(loaded(source("in", "feed", open=True), open_on_loopback=False)) as quell:
            assert (await quell.post("/in/in", alerts("a")))[0] == 202

    go(story())


def test_loopback_is_not_open_to_web_pages_and_proxies() -> None:
    async def story() -> None:
        async with running() as quell:
            assert (await quell.post("/in/in", alerts("a"), origin="https://evil.example"))[0] == 401
            assert (await quell.post("/in/in", alerts("a"), x_forwarded_for="8.8.8.8"))[0] == 401
            assert (await quell.post("/in/in", alerts("a"), origin=quell.url))[0] == 202

    go(story())


HOSTS = {
    "127.0.0.1": 202,
    "127.0.0.1:9099": 202,
    "[::1]:9099": 202,
    "LocalHost:80": 202,
    "quell.example:9099": 401,
    "localhost.quell.example": 401,
    "user@quell.example": 401,
    "[::1": 401,
    "": 401,
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_was_pointed_at_this_machine_is_not_this_machine(host: str) -> None:
    async def story() -> None:
        async with running() as quell:
            status, _ = await quell.post("/in/in", alerts("a"), host=host, origin=f"http://{host}")
            assert status == HOSTS[host]
            token = {"authorization": f"Bearer {TOKEN}"}
            assert (await quell.post("/in/in", alerts("a"), host=host, **token))[0] == 202

    go(story())


def test_while_the_store_does_not_answer_senders_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inboxes, "_STORE_ANSWERS_WITHIN_S", 0.05)

    async def story() -> None:
        store = SlowStore()
        async with running(store=store) as quell:
            first = asyncio.create_task(quell.post("/in/in", alerts("first")))
            await quell.until(quell.daemon.inbox.full)
            # The store waits for its gate, so that whoever waited for the store would be here for ever.
            status, answer = await quell.post("/in/in", alerts("second"))
            assert (status, "the store does not answer" in answer["error"]) == (503, True)
            store.gate.set()
            assert (await first)[0] == 202
            assert (await quell.post("/in/in", alerts("third")))[0] == 202
            await quell.settled()
            assert {alert.name for alert in quell.core.state.alerts.values()} == {"first", "third"}

    go(story())
