"""A daemon that can open no more files says so to whoever it cannot serve, and goes on with all others."""

from __future__ import annotations

import http.client
import resource
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from faults.child import Child, write_config
from faults.test_receiver import receiver_of
from faults.waiting import wait_for
from ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set on Linux alone")


HELD = 30
MORE_FILES = 4


@contextmanager
def no_files(child: Child) -> Iterator[None]:
    """Connections on which half a head was sent take all files that a daemon may open."""
    process = child.process.pid
    before = resource.prlimit(process, resource.RLIMIT_NOFILE)
    most = max(int(one.name) for one in Path(f"/proc/{process}/fd").iterdir()) + 1 + MORE_FILES
    resource.prlimit(process, resource.RLIMIT_NOFILE, (most, before[1]))
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", child.port), 30)) for _ in range(HELD)]
        for line in lines:
            line.sendall(b"GET /health HTTP/1.1\r\n")
        wait_for("nobody is turned away", lambda: turned_away(lines) > 0)
        yield
        wait_for("the last are not turned away", lambda: turned_away(lines[-1:]) > 0)
    resource.prlimit(process, resource.RLIMIT_NOFILE, before)


def turned_away(lines: list[socket.socket]) -> int:
    """How many of some connections have an answer."""
    found, _, _ = select.select(lines, [], [], 0.05)
    assert {one.recv(12, socket.MSG_PEEK) for one in found} <= {b"HTTP/1.1 503"}
    return len(found)


def asked(line: http.client.HTTPConnection, name: str) -> int:
    """The status of a delivery of one alert."""
    body = msgspec.json.encode([{"labels": {"alertname": name}}])
    line.request("POST", "/api/v2/alerts", body, {"content-type": "application/json"})
    answer = line.getresponse()
    answer.read()
    return answer.status


def counted(text: str) -> float:
    lines = text.splitlines()
    return float(next(one.split()[1] for one in lines if one.startswith("quell_connections_turned_away_total ")))


def test_what_the_receiver_hands_over_is_told_that_there_is_no_file(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell", "receiver: true\n"), free_port())
    line = http.client.HTTPConnection("127.0.0.1", child.port, timeout=30)
    try:
        child.spawn()
        child.wait_ready()
        process = receiver_of(child)
        assert asked(line, "known") == 200
        with no_files(child):
            for number in range(5):
                status, text = child.ask("GET", "/health")
                assert (status, b"too many connections" in text) == (503, True), text
                assert asked(line, f"meanwhile {number}") == 200  # deliveries need no file of the daemon
        wait_for("it serves again", lambda: child.ask("GET", "/health")[0] == 200)
        assert receiver_of(child) == process
        assert 5 < counted(child.ask("GET", "/metrics")[1].decode()) < HELD + 5
        assert child.log.count("connections are turned away") == 1
        found = child.api("GET", "/alerts?status=all&limit=100")["alerts"]
        assert {alert["labels"]["alertname"] for alert in found} == {"known", *(f"meanwhile {n}" for n in range(5))}
        assert child.end() == 0
    finally:
        line.close()
        child.close()
