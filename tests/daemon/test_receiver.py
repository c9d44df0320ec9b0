"""With a receiver in front the daemon answers as without, byte for byte, and goes on without it when it is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from daemon.parts import KINDS, Feed, Running, loaded, running, small_inbox
from daemon.test_direct import ENDING, STORIES, Failing, Odd, answer, body, chunked, go, line, post, told
from quell.config import Loaded
from quell.daemon.http import bound
from quell.daemon.receiver.wire import LARGEST
from quell.daemon.receiving import keeper
from quell.model.records import AlertRecord
from quell.sdk.connector import Received, Reply, Request

CLOSING = ENDING | {"HTTP/1.0 that stays"}
SCRAPE = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


def config(*, receiver: bool = True, **more: Any) -> Loaded:
    return loaded(**{"open_on_loopback": False, "receiver": receiver, **more})


def names(quell: Running) -> set[str]:
    return {alert.labels["alertname"] for alert in quell.core.state.alerts.values()}


def receiver_of(quell: Running) -> int:
    """The process of the receiver, which is at work."""
    told = quell.daemon.status()["receiver"]
    assert told["at_work"]
    assert isinstance(told["process"], int)
    return told["process"]


async def everything(stories: dict[str, Sequence[bytes]], seed: int | None, *, receiver: bool) -> Any:
    async with running(config(receiver=receiver)) as quell:
        assert quell.daemon.status()["receiver"]["wanted"] == receiver
        said = {name: await told(quell, requests, seed) for name, requests in stories.items()}
        await quell.settled()
        counts = {alert.labels["alertname"]: alert.count for alert in quell.core.state.alerts.values()}
        numbers = (await quell.get("/metrics"))[1].decode().splitlines()
        kept = ("quell_deliveries_total", "quell_records_accepted_total", "quell_records_refused_total")
        return said, counts, [each for each in numbers if each.startswith(kept)]


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_answers_are_those_without_it(seed: int | None) -> None:
    stories = {name: each for name, each in STORIES.items() if seed is None or name not in CLOSING}
    with_it = asyncio.run(everything(stories, seed, receiver=True))
    without = asyncio.run(everything(stories, seed, receiver=False))
    for name, said in without[0].items():
        assert with_it[0][name] == said, name
    assert with_it[1:] == without[1:]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_follows_whatever_on_one_line(seed: int) -> None:
    dice = random.Random(seed)
    lasting = [each for name, requests in STORIES.items() if name not in CLOSING for each in requests]
    stories = {f"mixed {number}": [*dice.choices(lasting, k=12), post(body("a"))] for number in range(12)}
    with_it = asyncio.run(everything(stories, None, receiver=True))
    without = asyncio.run(everything(stories, None, receiver=False))
    assert with_it == without


def test_deliveries_do_not_reach_the_daemons_own_server() -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            receiver_of(quell)
            for number in range(30):
                writer.write(post(body("x" * number, "y")))
                assert (await answer(reader)).startswith(b"HTTP/1.1 202")
                assert not quell.daemon._server.server_state.connections
            await quell.settled()
            assert len(names(quell)) == 31
            numbers = (await quell.get("/metrics"))[1]
            assert b'quell_deliveries_total{source="in",status="202"} 30.0' in numbers
            assert b"quell_receiver 1.0" in numbers

    go(story())


def test_a_line_comes_back_after_something_unusual() -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            lines = quell.daemon._server.server_state.connections
            for _ in range(2):
                writer.write(SCRAPE)
                assert (await answer(reader)).startswith(b"HTTP/1.1 200")
                assert len(lines) == 1
                for number in range(40):
                    writer.write(post(body(str(number))))
                    assert (await answer(reader)).startswith(b"HTTP/1.1 202")
                assert not lines
            await quell.settled()
            assert len(names(quell)) == 40

    go(story())


def test_a_line_is_handed_over_in_the_middle_of_a_body() -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            whole = post(body("slow", "z" * 3000))
            writer.write(post(body("first")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            writer.write(whole[:-700])
            lines = quell.daemon._server.server_state.connections
            await quell.until(lambda: len(lines) == 1)
            writer.write(whole[-700:] + post(body("behind")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            await quell.settled()
            assert names(quell) == {"first", "slow", "z" * 3000, "behind"}

    go(story())


def test_large_bodies_arrive_whole() -> None:
    many = body(*(f"n{number}" for number in range(4_000)))
    huge = body("huge") + b" " * LARGEST

    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            for content in (many, huge, many):
                writer.write(post(content))
                assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            await quell.settled()
            assert len(names(quell)) == 4_001

    go(story())


def test_who_is_believed_no_more_is_refused_on_a_line_that_is_known() -> None:
    config_now = [config()]

    async def story() -> None:
        async with running(config_now[0], load=lambda: config_now[0]) as quell, line(quell) as (reader, writer):
            for _ in range(3):
                writer.write(post(body("a")))
                assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            config_now[0] = config(tokens=(), version="2")
            await quell.daemon.reloader.reload()
            for _ in range(2):
                writer.write(post(body("b")))
                assert (await answer(reader))[:12] in {b"HTTP/1.1 401", b"HTTP/1.1 503"}
            config_now[0] = config(version="3")
            await quell.daemon.reloader.reload()
            writer.write(post(body("c")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            await quell.settled()
            assert names(quell) == {"a", "c"}

    go(story())


def test_what_cannot_be_taken_is_refused_at_once() -> None:
    async def story() -> None:
        store = Failing()
        settings = config(limits=small_inbox(10))
        async with running(settings, store=store) as quell, line(quell) as (reader, writer):
            for name, content, status in (
                ("a", body("a"), b"202"),
                ("too many", body(*map(str, range(11))), b"413"),
                ("b", body("b"), b"202"),
            ):
                writer.write(post(content))
                assert (await answer(reader)).startswith(b"HTTP/1.1 " + status), name
            store.fails = True
            writer.write(post(body("c")))
            refused = await answer(reader)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 5" in refused
            store.fails = False
            quell.daemon.not_ready = "busy with something"
            writer.write(post(body("d")))
            assert b"not ready: busy with something" in await answer(reader)
            quell.daemon.not_ready = ""
            await quell.settled()
            assert names(quell) == {"a", "b"}

    go(story())


class Mixed(Feed):
    """Makes of some names what no store can write, and fails on others; answers in two ways."""

    def receive(self, request: Request, now: float) -> Received:
        taken = super().receive(request, now)
        (record,) = taken.records
        assert isinstance(record, AlertRecord)
        name = record.labels["alertname"]
        if name.startswith("unwritable"):
            return Received([AlertRecord(at=now, status="firing", labels={"alertname": object()})])  # type: ignore[dict-item]
        if name.startswith("bug"):
            raise ZeroDivisionError("a bug")
        return Received(taken.records, Reply(200) if name.startswith("other") else taken.reply)


def test_what_one_delivery_is_worth_is_not_the_others_business() -> None:
    """Many at once are kept together: what is wrong with some is answered to these alone."""
    kinds = {"good": b"202", "other": b"200", "unwritable": b"5", "bug": b"500", "no JSON": b"400"}

    async def story() -> None:
        async with running(config(), kinds={**KINDS, "feed": Mixed}) as quell, AsyncExitStack() as stack:
            dice = random.Random(5)
            lines = [await stack.enter_async_context(line(quell)) for _ in range(40)]
            good = set()
            for number in range(6):
                chosen = dice.choices([*kinds], [8, 8, 1, 1, 1], k=len(lines))
                for place, (kind, (_, writer)) in enumerate(zip(chosen, lines, strict=True)):
                    name = f"{kind} {number}-{place}"
                    writer.write(post(b"{" if kind == "no JSON" else body(name)))
                    good |= {name} if kind in {"good", "other"} else set()
                for kind, (reader, _) in zip(chosen, lines, strict=True):
                    assert (await answer(reader)).startswith(b"HTTP/1.1 " + kinds[kind]), kind
            await quell.settled()
            assert names(quell) == good

    go(story())


def test_each_delivery_has_a_time_of_its_own() -> None:
    """Though many come at once: the core takes what is said again at the very same time for more than a repeat."""
    times: list[float] = []

    class Timed(Feed):
        def receive(self, request: Request, now: float) -> Received:
            times.append(now)
            return super().receive(request, now)

    async def story() -> None:
        async with running(config(), kinds={**KINDS, "feed": Timed}) as quell, AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(line(quell)) for _ in range(40)]
            for _ in range(4):
                for _, writer in lines:
                    writer.write(post(body("a")))
                for reader, _ in lines:
                    assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            assert len(times) == len(set(times)) == 160
            assert times == sorted(times)

    go(story())


def test_an_answer_that_cannot_be_written_leaves_nobody_waiting() -> None:
    async def story() -> None:
        async with running(config(), kinds={**KINDS, "feed": Odd}) as quell:
            for _each in range(2):
                async with line(quell) as (reader, writer):
                    writer.write(post(body("a")))
                    async with asyncio.timeout(10.0):
                        assert (await reader.read()).startswith(b"HTTP/1.1 500")

    go(story())


async def served(quell: Running, name: str) -> bool:
    """Whether a delivery on a new line is taken."""
    async with line(quell) as (reader, writer):
        writer.write(post(body(name)))
        return (await answer(reader)).startswith(b"HTTP/1.1 202")


def test_it_may_die_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_FIRST_WAIT_S", 0.3)

    async def story() -> None:
        async with running(config()) as quell:
            for number in range(3):
                former = receiver_of(quell)
                assert await served(quell, f"with it {number}")
                os.kill(former, signal.SIGKILL)
                await quell.until(lambda: not quell.daemon.status()["receiver"]["at_work"])
                assert await served(quell, f"without {number}")
                assert b"quell_receiver 0.0" in (await quell.get("/metrics"))[1]
                await quell.until(lambda: quell.daemon.status()["receiver"]["at_work"])
                assert receiver_of(quell) != former
                assert quell.daemon.status()["receiver"]["lost"] == number + 1
            assert await served(quell, "last")
            await quell.settled()
            assert len(names(quell)) == 7

    go(story())


def test_one_that_hangs_is_ended() -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            former = receiver_of(quell)
            writer.write(post(body("a")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            os.kill(former, signal.SIGSTOP)
            writer.write(post(body("lost")))
            with suppress(ConnectionError):
                assert await reader.read() == b""
            await quell.until(lambda: quell.daemon.status()["receiver"]["lost"] == 1)
            assert await served(quell, "b")
            assert not Path(f"/proc/{former}").exists()
            await quell.settled()
            assert names(quell) == {"a", "b"}

    go(story())


def test_one_that_cannot_be_begun_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    async def story() -> None:
        async with running(config()) as quell:
            assert await served(quell, "a")
            told = quell.daemon.status()["receiver"]
            assert (told["at_work"], told["process"]) == (False, None)
            assert told["lost"] >= 1

    go(story())


def test_it_ends_with_the_daemon_and_answers_what_is_under_way() -> None:
    async def story() -> None:
        listening = bound("127.0.0.1", 0)
        port = listening.getsockname()[1]
        accepted: list[str] = []

        async def sender(quell: Running, number: int) -> None:
            with suppress(ConnectionError):
                async with line(quell) as (reader, writer):
                    for count in range(10_000):
                        writer.write(post(body(f"{number}-{count}")))
                        said = await answer(reader)
                        if said.startswith(b"HTTP/1.1 202"):
                            accepted.append(f"{number}-{count}")
                        else:
                            assert said == b"" or said.startswith(b"HTTP/1.1 503"), said

        async with running(config(), listening=listening) as quell:
            process = receiver_of(quell)
            senders = [asyncio.create_task(sender(quell, number)) for number in range(20)]
            await quell.until(lambda: len(accepted) > 500)
        await asyncio.wait_for(asyncio.gather(*senders), 10.0)
        assert not Path(f"/proc/{process}").exists()
        assert set(accepted) <= names(quell)
        bound("127.0.0.1", port).close()

    go(story())


def test_lines_on_which_nothing_is_said_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.daemon.connection.HEAD_WITHIN_S", 0.5)

    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, _):
            async with asyncio.timeout(20.0):
                assert await reader.read() == b""
            assert not quell.daemon._server.server_state.connections

    go(story())


def test_requests_sent_before_the_last_was_answered_are_answered_in_order() -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            requests = [post(body("a")), SCRAPE, chunked(body("b")), post(body("c")), SCRAPE, post(body("d"))]
            for _ in range(5):
                for request in requests:
                    writer.write(request)
                    await asyncio.sleep(0)
                said = [(await answer(reader))[:12] for _ in requests]
                wanted = [b"202", b"200", b"202", b"202", b"200", b"202"]
                assert said == [b"HTTP/1.1 " + status for status in wanted]
            await quell.settled()
            assert names(quell) == set("abcd")

    go(story())
