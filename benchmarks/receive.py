"""What it costs to take alerts in, from the bytes of a request to those of its answer, in processor time alone.

    python benchmarks/receive.py

The daemon's own parts run in this process as `quell serve` puts them together, on a SQLite file with a full fsync, with
a token on every request. There are no sockets, and the core decides over nothing, so that what is left is receiving:
HTTP, token, limits, decoding, inbox, journal, answers. Processor time hardly depends on what else runs; of many
rounds the quickest tenth counts. *Loop* is the event loop's thread, *writer* all others. *From the receiver* the
deliveries come as the receiver passes them on, which takes HTTP and sockets out of the event loop.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvloop
from uvicorn.server import ServerState

from load.alerts import batches
from load.servers import Quell, quell_made
from quell.daemon.clock import Clock
from quell.daemon.daemon import Daemon
from quell.daemon.receiver import wire
from quell.daemon.receiving.channel import Channel
from quell.daemon.serve import _loaded, restored
from quell.replay.collector import seldom_collected
from quell.sdk.registry import installed
from quell.store.opening import open_store
from quell.store.port import Group

_BLOCK = 20
"""Rounds that are measured together."""
_DATE = [(b"date", b"Sat, 21 Nov 2026 00:00:00 GMT")]


@dataclass(frozen=True, slots=True)
class Case:
    """``rounds`` times one request on each of ``lines`` connections, all answered before the next round."""

    name: str
    size: int
    lines: int
    rounds: int
    different: int = 0


CASES = (
    Case("unique, 1 per request", 1, 64, 400),
    Case("repeats, 1 per request", 1, 64, 400, 1_000),
    Case("unique, 100 per request", 100, 8, 200),
    Case("repeats, 100 per request", 100, 8, 200, 1_000),
)


class Line(asyncio.Transport):
    """The server's side of a connection that leads nowhere; ``answers`` are shared by all."""

    def __init__(self, answers: Answers) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 9099)})
        self._answers = answers

    def write(self, data: Any) -> None:
        if data:
            self._answers.another(bytes(data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Stays open."""

    def pause_reading(self) -> None:
        """Has nothing to read."""

    resume_reading = pause_reading


class Stream(Line):
    """The daemon's end of what leads to a receiver."""

    def write(self, data: Any) -> None:
        at = 0
        while at < len(data):
            kind, size, _, extra = wire.HEAD.unpack_from(data, at)
            at += wire.HEAD.size
            if kind == wire.ANSWER:
                answer = data[at : at + extra]
                for _ in wire.numbers(data[at + extra : at + size]):
                    self._answers.another(answer)
            at += size


class Received:
    """Takes what would come from a receiver: all that comes in one go is one read of the stream."""

    def __init__(self, daemon: Daemon, answers: Answers, head: bytes) -> None:
        beside, self._far = socket.socketpair()

        def nothing(*_: Any) -> None:
            """There is no process."""

        self._channel = Channel(
            daemon._direct, beside, begun=nothing, over=nothing, handed=nothing, always=lambda: _DATE  # noqa: SLF001
        )  # fmt: skip
        self._channel.connection_made(Stream(answers))
        self._said = [wire.message(wire.ASK, 1, 0, b"127.0.0.1\0", head)]
        self.flush()

    def data_received(self, request: bytes) -> None:
        """A request of one connection."""
        body = request[request.find(wire.END_OF_HEAD) + len(wire.END_OF_HEAD) :]
        self._said.append(wire.message(wire.DELIVERY, len(self._said), 1, body))

    def flush(self) -> None:
        """Passes them on."""
        said, self._said = b"".join(self._said), []
        while said:
            buffer = self._channel.get_buffer(-1)
            count = min(len(buffer), len(said))
            buffer[:count], said = said[:count], said[count:]
            self._channel.buffer_updated(count)


class Answers:
    """Counts them up to as many as are expected."""

    def __init__(self) -> None:
        self._left = 0
        self.all = asyncio.Event()

    def expect(self, count: int) -> None:
        """So many are to come."""
        self._left = count
        self.all.clear()

    def another(self, data: bytes) -> None:
        """One came. Raises SystemExit when it is no yes: what is measured is not what was meant."""
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(data.decode("latin-1"))
        self._left -= 1
        if not self._left:
            self.all.set()


def daemon_of(made: Quell) -> Daemon:
    """A daemon as `quell serve` makes it, and a core that is given nothing."""
    kinds = installed()
    load = partial(_loaded, made.folder / "quell.yaml", kinds, None)
    loaded = load()
    store = open_store(loaded.settings.store, loaded.settings.directory)

    async def untried(*_: Any) -> None:
        raise NotImplementedError

    return Daemon(loaded, load, made.folder, store, trial=untried, restore=restored, kinds=kinds, clock=Clock())  # type: ignore[arg-type]


async def measured(case: Case, *, receiver: bool) -> tuple[float, float]:
    """Microseconds of processor time per alert: of the event loop's thread, and of the others."""
    with quell_made(1) as made:
        daemon = daemon_of(made)
        await daemon.start()

        def decided(group: Group) -> None:
            daemon.inbox.decided(len(group.records))

        daemon.inbox._hand_over = decided  # noqa: SLF001 - the core's part is not what is measured
        config, state = daemon._server.config, ServerState()  # noqa: SLF001 - without its sockets
        config.load()
        state.default_headers = _DATE
        answers = Answers()
        lines: list[Any] = []
        requests = _requests(case, made.token)
        if receiver:
            head = requests[0][: requests[0].find(wire.END_OF_HEAD) + len(wire.END_OF_HEAD)]
            lines = [Received(daemon, answers, head)] * case.lines
        for _ in range(0 if receiver else case.lines):
            protocol: Any = config.http_protocol_class(
                config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop()
            )
            protocol.connection_made(Line(answers))
            lines.append(protocol)
        took = await _rounds(case, lines, requests, answers)
        await daemon.stop()
    alerts = _BLOCK * case.lines * case.size
    loop, rest = (sorted(each)[len(took) // 10] / alerts * 1e6 for each in zip(*took, strict=True))
    return loop, rest


def _requests(case: Case, token: str) -> list[bytes]:
    head = (
        "POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:9099\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: "
    ).encode()
    count = case.rounds * case.lines * case.size
    made = batches(count, case.different or count, case.size)
    return [b"%b%d\r\n\r\n%b" % (head, len(each.body), each.body) for each in made]


async def _rounds(
    case: Case, lines: Sequence[Any], requests: Sequence[bytes], answers: Answers
) -> list[tuple[float, float]]:
    took, sent = [], iter(requests)
    for _ in range(case.rounds // _BLOCK):
        loop_s, all_s = time.thread_time(), time.process_time()
        for _ in range(_BLOCK):
            answers.expect(len(lines))
            for line in lines:
                line.data_received(next(sent))
            if isinstance(lines[0], Received):
                lines[0].flush()
            await answers.all.wait()
        loop_s, all_s = time.thread_time() - loop_s, time.process_time() - all_s
        took.append((loop_s, all_s - loop_s))
    return took[1:]  # in the first, heads and labels become known


def main() -> None:
    """Measures all cases."""
    print("| µs of processor time per alert | loop | writer |\n| --- | --- | --- |", flush=True)
    for case in CASES:
        for receiver in (False, True):
            with seldom_collected():
                loop, writer = uvloop.run(measured(case, receiver=receiver))
            name = f"{case.name}, from the receiver" if receiver else case.name
            print(f"| {name} | {loop:.1f} | {writer:.1f} |", flush=True)


if __name__ == "__main__":
    main()
