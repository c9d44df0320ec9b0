"""The short way of a delivery gives the answers of the long one, whatever comes and however it is cut."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from daemon.parts import KINDS, READER, TOKEN, Feed, Running, loaded, running, small_inbox, source
from quell.config import Loaded
from quell.daemon import connection as connections
from quell.daemon.direct import Direct
from quell.errors import StoreError
from quell.sdk.connector import Received, Reply, Request
from quell.sdk.secret import Secret
from quell.sdk.signatures import Bearer, Hmac
from quell.store.memory import MemoryStore
from quell.store.port import Accepted, Group

DATE = re.compile(rb"date: [^\r]*\r\n")
END = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
MIB = 1024 * 1024


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def body(*names: str) -> bytes:
    return msgspec.json.encode({"alerts": [{"alertname": name} for name in names]})


def post(content: bytes, *more: str, path: str = "/in/in", token: str = TOKEN, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: 127.0.0.1", f"Authorization: Bearer {token}", *more]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


def chunked(content: bytes) -> bytes:
    head = f"POST /in/in HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)


STORIES: dict[str, Sequence[bytes]] = {
    "one": [post(body("a"))],
    "the same head again and again": [post(body("a")), post(body("b")), post(body("c")), post(body("dd"))],
    "none": [post(body())],
    "many": [post(body(*(f"m{number}" for number in range(500))))] * 2,
    "no JSON": [post(b"{"), post(b"{"), post(body("after"))],
    "a bug of the connector": [post(b"boom"), post(b"boom"), post(body("after"))],
    "too many": [post(body(*["x"] * 20_001)), post(body("after"))],
    "too large": [post(b" " * 9 * MIB), post(body("after"))],
    "a label too long": [post(body("x" * 5000, "y"))] * 2,
    "a path of its own": [post(body("a"), path="/feed"), post(body("b"), path="/feed/deeper/")],
    "nobody's path": [post(body("a"), path="/in/nobody"), post(body("a"), path="/nowhere")],
    "quell's own path": [post(body("a"), path="/health"), post(body("a"), path="/metrics/")],
    "a query": [post(body("a"), path="/in/in?x=1&x=2")] * 2,
    "escapes": [post(body("a"), path="/in/%69n")] * 2,
    "a strange path": [post(body("a"), path="//in/in"), post(body("b"), path="/in/in#x"), post(body("c"), path="*")],
    "a whole URL": [post(body("a"), path="http://127.0.0.1/in/in")],
    "no token": [post(body("a"), token="qll_ana_wrong"), post(body("a"), token="qll_ana_wrong")],
    "a reader's token": [post(body("a"), token=READER)] * 2,
    "the right token, then a wrong one": [post(body("a")), post(body("a"), token=TOKEN[:-1] + "x"), post(body("b"))],
    "chunks": [chunked(body("a")), post(body("b")), chunked(body("c"))],
    "gzip": [post(gzip.compress(body("a"), mtime=0), "Content-Encoding: gzip")] * 2,
    "an encoding nobody knows": [post(body("a"), "Content-Encoding: br")],
    "identity": [post(body("a"), "Content-Encoding: Identity ")] * 2,
    "asked to go on": [post(body("a"), "Expect: 100-continue"), post(body("b"))],
    "an upgrade": [post(body("a"), "Connection: upgrade", "Upgrade: h2c")],
    "a websocket": [post(body("a"), "Connection: upgrade", "Upgrade: websocket")],
    "HTTP/1.0": [post(body("a"), version="1.0")],
    "HTTP/1.0 that stays": [post(body("a"), "Connection: keep-alive", version="1.0"), post(body("b"))],
    "the last request": [post(body("a"), "Connection: close"), post(body("never"))],
    "two lengths": [post(body("a"), "Content-Length: 3")],
    "a length and chunks": [post(body("a"), "Transfer-Encoding: chunked")],
    "a length that is none": [post(body("a")).replace(b"Content-Length: ", b"Content-Length: +")],
    "a length with zeros": [post(body("a")).replace(b"Content-Length: ", b"Content-Length: 000")] * 2,
    "a folded header": [post(body("a"), "X-Long: a\r\n b")] * 2,
    "bare line feeds": [post(body("a")).replace(b"\r\n", b"\n")],
    "empty lines before": [b"\r\n\r\n" + post(body("a")), b"\r\n" + post(body("b"))],
    "a head in the body": [post(body("a") + b"\r\n\r\n"), post(b"\r\n\r\n" + post(body("inner")))],
    "other verbs": [post(body("a")).replace(b"POST", verb) for verb in (b"PUT", b"GET", b"DELETE", b"BREW")],
    "a long head": [post(body("a"), "X-Long: " + "x" * 5000)] * 2,
    "a reader between": [post(body("a")), END.replace(b"connection: close\r\n", b""), post(body("b"))],
}
ENDING = frozenset(
    {
        "too large", "an encoding nobody knows", "an upgrade", "a websocket", "HTTP/1.0", "the last request",
        "two lengths", "a length and chunks", "a length that is none", "a folded header", "bare line feeds",
        "other verbs",
    }
)  # fmt: skip
"""After these the line is closed, or nothing is read any more: what was sent meanwhile may cost the answer."""


@asynccontextmanager
async def line(quell: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlsplit(quell.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The next whole answer; what there is of it when the connection ends before."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except ConnectionError:
        return b""
    length = re.search(rb"content-length: (\d+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


async def told(quell: Running, requests: Sequence[bytes], seed: int | None) -> bytes:
    """All that is answered: to one request after the other, or (``seed``) to all at once, cut anyhow."""
    async with line(quell) as (reader, writer):
        found = []
        if seed is None:
            for request in requests:
                writer.write(request)
                found.append(await answer(reader))
            writer.write(END)
        else:
            await _cut(writer, b"".join([*requests, END]), random.Random(seed))
        with suppress(ConnectionError):  # closed already
            found.append(await reader.read())
        return DATE.sub(b"", b"".join(found))


async def _cut(writer: asyncio.StreamWriter, text: bytes, dice: random.Random) -> None:
    at = 0
    while at < len(text):
        end = at + dice.choice((1, 40, 300, 100_000, len(text)))
        writer.write(text[at:end])
        await asyncio.sleep(0)
        at = end


def config() -> Loaded:
    return loaded(open_on_loopback=False, receiver=False)


async def everything(seed: int | None) -> tuple[dict[str, bytes], set[str]]:
    async with running(config()) as quell:
        stories = {name: each for name, each in STORIES.items() if seed is None or name not in ENDING}
        said = {name: await told(quell, requests, seed) for name, requests in stories.items()}
        await quell.settled()
        return said, {alert.labels["alertname"] for alert in quell.core.state.alerts.values()}


@pytest.mark.parametrize("seed", [None, 1])
def test_the_short_way_answers_as_the_long_one(seed: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    short, kept = asyncio.run(everything(seed))
    monkeypatch.setattr(Direct, "way", lambda *_: None)
    long, kept_then = asyncio.run(everything(seed))
    for name, said in long.items():
        assert short[name] == said, name
    assert kept == kept_then
    assert {"a", "b", "c", "dd", "after", "m499"} <= kept
    assert "never" not in kept


def test_a_head_that_is_known_is_not_read_again() -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as (reader, writer):
            for name in "abcdefgh":
                writer.write(post(body(name)))
                assert (await answer(reader)).startswith(b"HTTP/1.1 202")
                (kept,) = quell.daemon._server.server_state.connections
                assert kept._begun == 1
            await quell.settled()
            assert len(quell.core.state.alerts) == 8
            assert (await quell.get("/metrics"))[1].count(b'quell_deliveries_total{source="in",status="202"} 8.0') == 1

    go(story())


def test_who_is_believed_no_more_is_refused_on_a_known_line() -> None:
    after = loaded(open_on_loopback=False, tokens=(), version="2")
    config_now = [config()]

    async def story() -> None:
        async with running(config_now[0], load=lambda: config_now[0]) as quell, line(quell) as (reader, writer):
            for _ in range(2):
                writer.write(post(body("a")))
                assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            config_now[0] = after
            await quell.daemon.reloader.reload()
            writer.write(post(body("a")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 401")

    go(story())


def test_who_is_believed_no_more_when_his_body_is_there_is_refused() -> None:
    wide = loaded(open_on_loopback=False, tokens=(), version="2")
    narrow = loaded(source("in", "feed", options={"tag": "other"}), open_on_loopback=False, version="3")
    config_now = [config()]

    async def story() -> None:
        async with running(config_now[0], load=lambda: config_now[0]) as quell:
            for after, status, kept in ((narrow, b"202", 1), (wide, b"503", 1)):
                async with line(quell) as (reader, writer):
                    writer.write(post(body("a"))[:-1])
                    lines = quell.daemon._server.server_state.connections
                    await quell.until(lambda lines=lines: any(each.cycle is not None for each in lines))
                    config_now[0] = after
                    await quell.daemon.reloader.reload()
                    writer.write(b"}")
                    assert (await answer(reader)).startswith(b"HTTP/1.1 " + status)
                    writer.close()
                    await quell.until(lambda lines=lines: not lines)
                await quell.settled()
                assert [alert.count for alert in quell.core.state.alerts.values()] == [kept]

    go(story())


def test_what_is_signed_is_looked_at_each_time() -> None:
    scheme = Hmac(secrets=(Secret("s3cret"),), header="x-signature")
    good = "1f40b4ce0b3a2d7ba8a1f0cf2a17a4a6e4dbd8c1b8d4d5b1d9a2f2c9d3a8a001"

    async def story() -> None:
        async with running(loaded(source("in", "feed", auth=scheme))) as quell, line(quell) as (reader, writer):
            for _ in range(3):
                writer.write(post(body("a"), f"X-Signature: {good}"))
                assert (await answer(reader)).startswith(b"HTTP/1.1 401")
        bearer = Bearer(secrets=(Secret("s3cret"),))
        async with running(loaded(source("in", "feed", auth=bearer))) as quell, line(quell) as (reader, writer):
            for _ in range(3):
                writer.write(post(body("a"), token="s3cret"))
                assert (await answer(reader)).startswith(b"HTTP/1.1 202")
                writer.write(post(body("a"), token="s3cre7"))
                assert (await answer(reader)).startswith(b"HTTP/1.1 401")

    go(story())


class Failing(MemoryStore):
    """Refuses what it is told to."""

    fails = False
    why = "the disk is full"

    def accept(self, accepted: Accepted) -> Group:
        if self.fails:
            raise StoreError(self.why)
        return super().accept(accepted)


def test_what_could_not_be_kept_is_not_answered_as_if_it_were() -> None:
    async def story() -> None:
        store = Failing()
        async with running(config(), store=store) as quell, line(quell) as (reader, writer):
            writer.write(post(body("a")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            store.fails = True
            writer.write(post(body("b")))
            refused = await answer(reader)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 5" in refused
            store.why = ""
            writer.write(post(body("b")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 503")
            store.fails = False
            writer.write(post(body("c")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            await quell.settled()
            names = {alert.labels["alertname"] for alert in quell.core.state.alerts.values()}
            assert names == {"a", "c"}

    go(story())


def test_more_than_fits_is_refused_at_once() -> None:
    async def story() -> None:
        settings = loaded(open_on_loopback=False, limits=small_inbox(10))
        async with running(settings) as quell, line(quell) as (reader, writer):
            writer.write(post(body("a")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 202")
            writer.write(post(body(*map(str, range(11)))))
            assert (await answer(reader)).startswith(b"HTTP/1.1 413")
            quell.daemon.not_ready = "shutting down"
            writer.write(post(body("b")))
            assert (await answer(reader)).startswith(b"HTTP/1.1 503")

    go(story())


def test_a_body_that_does_not_come_and_a_line_that_is_not_used_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with running(config()) as quell, line(quell) as slow, line(quell) as idle:
            slow[1].write(post(body("a"))[:-1])
            idle[1].write(post(body("b")))
            await answer(idle[0])
            lines = quell.daemon._server.server_state.connections
            await quell.until(lambda: len(lines) == 2 and all(each.cycle is not None for each in lines))
            now = asyncio.get_running_loop().time()
            for each in list(lines):
                each.give_up_if_slow(now + 29)
            assert len(lines) == 2
            for each in list(lines):
                each.give_up_if_slow(now + 76)
            assert (await slow[0].read()).startswith(b"HTTP/1.1 408")
            assert await idle[0].read() == b""
            await quell.settled()
            assert len(quell.core.state.alerts) == 1
            assert connections.Connection.under_way.bytes == 0
            counted = (await quell.get("/metrics"))[1]
            assert b'quell_deliveries_total{source="in",status="408"} 1.0' in counted
            assert b'quell_records_refused_total{reason="body"} 1.0' in counted

    go(story())


def test_answers_do_not_pile_up_for_who_does_not_read_them() -> None:
    scheme = Hmac(secrets=(Secret("s3cret"),), header="x-signature")
    requests = post(b"x", token="") * 1_000  # answered at once: 401

    async def story() -> None:
        async with (
            running(loaded(source("in", "feed", auth=scheme), receiver=False)) as quell,
            line(quell) as (_, writer),
        ):
            lines = quell.daemon._server.server_state.connections
            await quell.until(lambda: len(lines) == 1)
            (kept,) = lines
            kept.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            writer.transport.pause_reading()
            for _each in range(20):
                writer.write(requests)
                await quell.until(lambda: kept.flow.read_paused or not writer.transport.get_write_buffer_size())
            await quell.until(lambda: kept.flow.read_paused and kept.flow.write_paused)
            assert len(kept.pipeline) < 10_000
            assert kept.transport.get_write_buffer_size() < MIB
            writer.transport.abort()
            await quell.until(lambda: not lines)

    go(story())


def test_many_requests_read_at_once_are_no_long_head() -> None:
    requests = post(body("a"), path="/in/nobody")
    count = 2 * connections.MOST_HEAD_BYTES // len(requests)

    async def story() -> None:
        async with running(config()) as quell, line(quell) as (_, writer):
            lines = quell.daemon._server.server_state.connections
            await quell.until(lambda: len(lines) == 1)
            (kept,) = lines
            kept.data_received(requests[:20])
            kept.data_received(requests[20:] + requests * count + requests[:20])
            assert not kept.transport.is_closing()
            kept.data_received(requests[20:40] + b"x" * connections.MOST_HEAD_BYTES)
            assert kept.transport.is_closing()
            writer.close()

    go(story())


class Odd(Feed):
    """Answers what cannot be written."""

    def receive(self, request: Request, now: float) -> Received:
        taken = super().receive(request, now)
        return Received(taken.records, Reply(202, b"", "", {"x-said": "\N{SNOWMAN}"}), taken.rejected)


def test_an_answer_that_cannot_be_written_leaves_nobody_waiting() -> None:
    async def story() -> None:
        async with running(config(), kinds={**KINDS, "feed": Odd}) as quell:
            for _each in range(2):
                async with line(quell) as (reader, writer):
                    writer.write(post(body("a")))
                    async with asyncio.timeout(10.0):
                        assert (await reader.read()).startswith(b"HTTP/1.1 500")
            assert connections.Connection.under_way.bytes == 0

    go(story())
