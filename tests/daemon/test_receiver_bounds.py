"""The receiver where there is too much of something: bytes, heads, files."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.parts import running
from daemon.test_direct import answer, body, go, line, post
from daemon.test_receiver import config, names, receiver_of, served
from quell.config.settings import Limits
from quell.daemon.connection import HEAD_WITHIN_S, IDLE_S, Connection
from quell.daemon.http import Server
from quell.daemon.receiver.refusing import NO_PLACE
from quell.daemon.receiving import channel, keeper
from quell.daemon.receiving.spare import Spare


def test_a_small_bound_of_bodies_holds_for_heads_that_are_known() -> None:
    async def story() -> None:
        async with running(config(limits=Limits(body=1000))) as quell, line(quell) as (reader, writer):
            writer.write(post(body("a")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            writer.write(post(body("z" * 2000)))
            assert (await answer(reader)).startswith(b"HTTP/1.1 413")
            await quell.settled()
            assert names(quell) == {"a"}

    go(story())


def test_who_could_not_listen_in_the_place_of_a_lost_one_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_FIRST_WAIT_S", 0.1)
    listen, failed = Server.listen, []

    async def fails_once(self: Server, taken: socket.socket) -> None:
        if not failed:
            failed.append(taken)
            taken.close()
            raise OSError(24, "Too many open files")
        await listen(self, taken)

    monkeypatch.setattr(Server, "listen", fails_once)

    async def story() -> None:
        async with running(config()) as quell:
            monkeypatch.setattr(sys, "executable", "/nowhere/python")
            os.kill(receiver_of(quell), signal.SIGKILL)
            await quell.until(lambda: quell.daemon.status()["receiver"]["lost"] >= 2)
            async with asyncio.timeout(5):
                assert await served(quell, "a")

    go(story())


def test_many_heads_at_once_are_all_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_MOST_WAYS", 4)

    async def story() -> None:
        async with running(config()) as quell, AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(line(quell)) for _ in range(100)]
            for turn in range(3):
                wholes = [post(body(f"{turn}-{number}"), f"Trace: {turn}-{number}") for number in range(len(lines))]
                for whole, (_, writer) in zip(wholes, lines, strict=True):
                    writer.write(whole if turn == 0 else whole[:-10])
                await asyncio.sleep(0.1)
                for whole, (_, writer) in zip(wholes, lines, strict=True):
                    writer.write(b"" if turn == 0 else whole[-10:])
                for reader, _ in lines:
                    assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            await quell.settled()
            assert len(names(quell)) == 300

    go(story())


def test_no_connection_is_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one cannot be taken over, the receiver begins anew: the next would get what is this one's."""
    monkeypatch.setattr(keeper, "_FIRST_WAIT_S", 0.1)
    receive, failed = socket.recv_fds, []

    def fails_once(*arguments: Any) -> Any:
        if not failed:
            failed.append(arguments)
            raise OSError(12, "Cannot allocate memory")
        return receive(*arguments)

    monkeypatch.setattr(socket, "recv_fds", fails_once)

    async def story() -> None:
        async with running(config()) as quell, line(quell) as (first, one), line(quell) as (second, other):
            former = receiver_of(quell)
            one.write(post(body("a"), "Expect: nothing"))
            with suppress(ConnectionError):
                assert await first.read() == b""
            other.write(post(body("b"), "Expect: nothing"))
            with suppress(ConnectionError):
                assert await second.read() == b""
            await quell.until(lambda: quell.daemon.status()["receiver"]["lost"] == 1)
            await quell.until(lambda: quell.daemon.status()["receiver"]["at_work"])
            assert receiver_of(quell) != former
            assert await served(quell, "c")
            await quell.settled()
            assert names(quell) == {"c"}

    go(asyncio.wait_for(story(), 15))


def test_who_is_one_too_many_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with running(config(receiver=False)) as quell:
            async with line(quell) as (first, one):
                one.write(post(body("a")))
                assert (await answer(first)).startswith(b"HTTP/1.1 202")
                there = len(quell.daemon._server.server_state.connections)
                monkeypatch.setattr(Connection, "most_connections", there)
                async with line(quell) as (second, _):
                    assert (await second.read()) == NO_PLACE
                one.write(post(body("b")))
                assert (await answer(first)).startswith(b"HTTP/1.1 202")
            monkeypatch.undo()
            assert b"quell_connections_turned_away_total 1.0" in (await quell.get("/metrics"))[1]

    go(story())


def test_who_is_one_too_many_for_the_receiver_is_taken_by_the_daemon_or_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_line = SimpleNamespace(most_connections=1)
    limits = SimpleNamespace(Connection=one_line, HEAD_WITHIN_S=HEAD_WITHIN_S, IDLE_S=IDLE_S)
    monkeypatch.setattr(keeper, "connections", limits)

    async def story() -> None:
        async with running(config()) as quell:
            async with line(quell) as (first, one), line(quell) as (second, another):
                one.write(post(body("a")))
                assert (await answer(first)).startswith(b"HTTP/1.1 202")
                another.write(post(body("b")))
                assert (await answer(second)).startswith(b"HTTP/1.1 202")
                there = len(quell.daemon._server.server_state.connections)
                monkeypatch.setattr(Connection, "most_connections", there)
                async with line(quell) as (third, _):
                    assert (await third.read()) == NO_PLACE
                one.write(post(body("c")))
                assert (await answer(first)).startswith(b"HTTP/1.1 202")
            monkeypatch.undo()
            assert b"quell_connections_turned_away_total 1.0" in (await quell.get("/metrics"))[1]

    go(asyncio.wait_for(story(), 15))


def test_who_cannot_be_handed_over_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has no room for more descriptors that are on their way."""
    fails = f"socket.send_fds = lambda *_: (_ for _ in ()).throw(OSError({errno.ETOOMANYREFS}, 'Too many references'))"
    monkeypatch.setattr(keeper, "_BEGIN", keeper._BEGIN.replace("; main()", f"; import socket; {fails}; main()"))

    async def story() -> None:
        async with running(config()) as quell:
            async with line(quell) as (first, one), line(quell) as (second, another):
                one.write(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
                assert (await first.read()) == NO_PLACE
                another.write(post(body("a"), "Expect: nothing"))
                assert (await second.read()) == NO_PLACE
            async with line(quell) as (third, yet_another):
                yet_another.write(post(body("b")))
                assert (await answer(third)).startswith(b"HTTP/1.1 202")
                await quell.settled()
                assert names(quell) == {"b"}
                assert "quell_connections_turned_away_total 2.0" in quell.daemon.metrics.text().decode()

    go(asyncio.wait_for(story(), 15))


def test_hundreds_that_are_too_many_take_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told one by one as they come, and not kept until all of them are here."""
    one_line = SimpleNamespace(most_connections=1)
    limits = SimpleNamespace(Connection=one_line, HEAD_WITHIN_S=HEAD_WITHIN_S, IDLE_S=IDLE_S)
    monkeypatch.setattr(keeper, "connections", limits)
    handed: list[int] = []
    hand = keeper.Keeper._handed

    def counted(self: keeper.Keeper, *arguments: Any) -> None:
        handed.append(len(self._taking))
        hand(self, *arguments)

    monkeypatch.setattr(keeper.Keeper, "_handed", counted)

    async def story() -> None:
        async with running(config()) as quell, AsyncExitStack() as stack:
            _, one = await stack.enter_async_context(line(quell))
            one.write(post(body("a")))
            await quell.settled()
            lines = [await stack.enter_async_context(line(quell)) for _ in range(60)]
            told = [await reader.read() for reader, _ in lines[1:]]
            assert told == [NO_PLACE] * 59
            assert len(handed) <= 1
            monkeypatch.undo()
            assert b"quell_connections_turned_away_total 59.0" in (await quell.get("/metrics"))[1]

    go(asyncio.wait_for(story(), 15))


def test_who_said_nothing_yet_is_told_as_well_that_no_file_is_free() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        spare = Spare()
        spare.refuse(ours.detach(), b"", b"")
        assert theirs.recv(1000) == NO_PLACE
        spare.close()


def test_an_answer_of_before_is_not_mixed_with_that_there_is_no_place() -> None:
    """Of a connection that is handed over in the middle of it."""
    ours, theirs = socket.socketpair()
    with theirs:
        spare = Spare()
        spare.refuse(ours.detach(), b"the rest", b"")
        assert theirs.recv(1000) == b"the rest"
        assert theirs.recv(1000) == b""
        spare.close()


@pytest.mark.parametrize(("read", "told"), [(b"", b""), (b"GET / HTTP/1.1\r\n\r\n", NO_PLACE)])
def test_whose_place_is_taken_while_he_is_handed_over_gets_the_answer_of_before(
    read: bytes, told: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with running(config()) as quell:
            monkeypatch.setattr(Connection, "most_connections", 0)
            ours, theirs = socket.socketpair()
            quell.daemon.receiver._handed(ours, b"the rest", read)
            reader, writer = await asyncio.open_unix_connection(sock=theirs)
            assert await reader.read() == b"the rest" + told
            writer.close()

    go(asyncio.wait_for(story(), 15))
