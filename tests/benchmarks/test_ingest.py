"""That the benchmark of taking in alerts counts right, ends what it starts, and still speaks to the servers of today.

Nothing here holds times against anything.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PEER = "prometheus-alertmanager"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports modules of the package by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: importlib.import_module(f"load.{name}")
    for name in [name for name in sys.modules if name in {"load", "ingest"} or name.startswith("load.")]:
        del sys.modules[name]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which temporary folders are made below ``tmp_path``."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


def test_alerts_are_as_many_and_as_different_as_asked_for(load: Any) -> None:
    made = load("alerts").batches(250, 50, 100)
    assert [one.alerts for one in made] == [100, 100, 50]
    alerts = [alert for one in made for alert in json.loads(one.body)]
    assert len({json.dumps(alert["labels"]) for alert in alerts}) == 50
    first, again = alerts[3], alerts[53]
    assert {name for name in first if first[name] != again[name]} == {"endsAt"}
    assert json.loads(load("alerts").batches(2, 2, 2, wrap=True)[0].body)["version"] == "4"


def test_shuffled_requests_hold_the_same_alerts_in_another_order_each_time(load: Any) -> None:
    made, shuffled = (
        [json.loads(one.body) for one in load("alerts").batches(300, 50, 50, shuffled=told)] for told in (False, True)
    )
    orders = [[alert["labels"]["instance"] for alert in one] for one in shuffled]
    assert len({tuple(order) for order in orders}) == 6
    for one, other in zip(made, shuffled, strict=True):
        assert sorted(map(json.dumps, one)) == sorted(map(json.dumps, other))
    assert [one.body for one in load("alerts").batches(300, 50, 50, shuffled=True)] == [
        json.dumps(one, separators=(",", ":")).encode() for one in shuffled
    ]


def test_an_estate_has_ten_thousand_nodes_and_its_alerts_speak_of_them(load: Any) -> None:
    alerts = load("alerts")
    estate = json.loads(alerts.estate())
    names = {node["name"] for node in estate["nodes"]}
    assert len(names) == len(estate["nodes"]) == 10_000
    ids = {node["id"] for node in estate["nodes"]}
    assert all(edge["src"] in ids and edge["dst"] in ids and edge["src"] != edge["dst"] for edge in estate["edges"])
    told = [alerts.estate_labels(number) for number in range(0, 100_000, 997)]
    assert {one.get("service") or one["node"] for one in told} <= names


class Served(asyncio.Protocol):
    """The server's end of a connection; ``there`` are those that stand."""

    there: ClassVar[set[Served]]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = b""
        self.there.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.there.discard(self)


def _answering(status: bytes, every: int) -> type[Served]:
    """A server that takes requests whole and answers each ``every``-th with ``status``, the others with 200."""

    class Answers(Served):
        there: ClassVar[set[Served]] = set()
        count = 0

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            length = int(self.buffer[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.buffer) >= end + 4 + length:
                self.buffer = b""
                Answers.count += 1
                said = status if Answers.count % every == 0 else b"200 OK"
                for part in (b"HTTP/1.1 " + said + b"\r\nContent-", b"Length: 2\r\n\r\n{", b"}"):
                    self.transport.write(part)

    return Answers


class Rude(Served):
    """Hangs up when something is said."""

    there: ClassVar[set[Served]] = set()

    def data_received(self, data: bytes) -> None:
        self.transport.close()


def _ran(load: Any, serving: type[Served], batches: Any, rate: float = 0.0) -> Any:
    lines, course = load("lines"), load("course")

    async def ran() -> Any:
        server = await asyncio.get_running_loop().create_server(serving, "127.0.0.1", 0)
        async with server:
            target = lines.Target(server.sockets[0].getsockname()[1], "/", {"Authorization": "Bearer x"})
            found = await asyncio.wait_for(course.Course(target, batches, lines=4, rate=rate).run(), 30)
            while serving.there:
                await asyncio.sleep(0.001)
            return found

    return asyncio.run(ran())


@pytest.mark.parametrize("rate", [0.0, 400.0])
def test_sent_is_accepted_and_refused(load: Any, rate: float) -> None:
    found = _ran(load, _answering(b"503 No", 5), load("alerts").batches(200, 200, 2), rate)
    assert (found.requests, found.sent, found.accepted, found.refused, found.lost) == (100, 200, 160, 40, 0)
    assert found.statuses == {"200": 80, "503": 20}
    assert found.seconds > 0


def test_a_server_that_goes_away_ends_a_course(load: Any) -> None:
    found = _ran(load, Rude, load("alerts").batches(80, 80, 1))
    assert found.accepted == 0
    assert found.lost == found.sent


def _took(load: Any, rate: float, decided: float = 0.0) -> Any:
    ran = load("course").Ran(sent=1000, accepted=1000, began=1.0, ended=1.0 + 1000 / rate)
    if decided:
        ran.drained = 1.0 + 1000 / decided
    return load("cases").Took(ran, cpu_s=0.5, peak_mib=10.0, rss_mib=9.0, others_cores=0.0)


def test_a_ratio_is_that_of_one_round(load: Any) -> None:
    cases, table = load("cases"), load("table")
    rows = []
    for case in cases.QUICK:
        rows.append(cases.Row(case, table.PEER, [_took(load, 1000), _took(load, 4000), _took(load, 2000)]))
        ours = [_took(load, rate, rate / 2) for rate in (3000, 4000, 4000)]
        rows.append(cases.Row(case, table.OURS, ours))
    found = table.summary(rows)
    assert (found["unique_batch_ratio"], found["repeat_batch_ratio"], found["correlated_ratio"]) == (2.0, 2.0, 1.0)
    assert found["single_per_s"] == pytest.approx(4000)
    text = "\n".join(table.lines(rows))
    assert "2.00 [1.00-3.00]" in text
    assert json.loads(json.dumps(found)) == found


def test_what_is_not_there_is_said(load: Any) -> None:
    cases, table, servers = load("cases"), load("table"), load("servers")

    def opened() -> Any:
        raise servers.NotThere("not installed")

    rows = cases.rounds(cases.QUICK, {table.PEER: opened, table.OURS: opened}, 2, print)
    assert all("not installed" in line for line in list(table.lines(rows))[2:])
    assert table.summary(rows)["unique_batch_ratio"] is None


def test_each_bare_step_takes_alerts(load: Any) -> None:
    cases, ladder = load("cases"), load("ladder")
    case = cases.Case("few", 40, 20, 10, 2)
    rows = ladder.ladder([case], 1, print)
    assert [row.took[0].ran.accepted for row in rows] == [40] * 4


def test_markers_are_seen_and_a_storm_adds_up_over_a_kill(load: Any) -> None:
    servers, pace, overload = load("servers"), load("pace"), load("overload")
    with servers.sink_running() as sink:
        few = pace.Pace(100, 1, 1.0, 0.2)
        [(_, _, took)] = pace.paced({"quell": lambda: servers.quell(sink)}, print, [few])
        assert took.ran.accepted == 100
        assert took.ran.markers >= 3
        assert took.ran.unseen == 0
        found = overload.overload(sink, print, 2_000)
    assert found.adds_up
    assert found.accepted == found.known == 5_000
    assert found.counted >= 5_000
    assert "adds up" in "\n".join(overload.lines(found))


def test_an_estate_stands_after_a_restart_and_a_kill(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    servers, standing = load("servers"), load("standing")
    monkeypatch.setattr(load("alerts"), "_SERVICES", 300)
    monkeypatch.setattr(standing, "_WATCHED_S", 0.2)
    monkeypatch.setattr(standing, "_REST_S", 0.0)
    with servers.sink_running() as sink:
        found = standing.standing(sink, print, 500)
    assert found.known == found.restart_known == found.killed_known == 500
    assert found.rss_mib > 0
    assert "500 alerts active" in "\n".join(standing.lines(found))


def test_samples_are_put_down_to_stages(load: Any) -> None:
    samples = [
        "thread (1): MainThread;run (uvloop/__init__.py);_turn (quell/daemon/loop.py);take (quell/core/alerts.py) 5",
        "thread (1): MainThread;run (uvloop/__init__.py) 2",
        "thread (1): MainThread;_answer (quell/daemon/ingest.py);receive (quell_connectors/alertmanager/api.py) 3",
        "thread (2): quell-writer_0;_worker (thread.py);accept (quell/store/journal.py);do_commit (sqlalchemy/x.py) 4",
        "thread (2): quell-writer_0;_worker (thread.py) 1",
        "thread (2): quell-writer_0;groups_after (quell/store/sql.py);unpack_records (quell/store/codec.py) 6",
        "thread (3): uvloop_1;_worker (thread.py);seal_pieces (quell/store/codec.py) 7",
        "thread (3): uvloop_1;_worker (thread.py);seal_pieces (quell/store/codec.py);_pieces (quell/core/writing.py) 8",
    ]
    assert load("stages").stages_of(samples) == {
        "decide: core": 5, "event loop": 2, "decode: connector": 3, "commit: accepted": 4, "writer: hand over": 1,
        "journal read again": 6, "snapshot": 15,
    }  # fmt: skip


@pytest.mark.needs(PEER)
def test_quick_ends_with_a_line_of_figures(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "ingest.py"), "--quick", "--smaller", "500", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    figures = msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, float])
    assert {"unique_batch_ratio", "repeat_batch_ratio", "correlated_ratio", "single_per_s"} <= figures.keys()
    assert min(figures["unique_batch_ratio"], figures["correlated_ratio"], figures["single_per_s"]) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ended_from_outside_it_ends_what_it_started(
    environment: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    command = [sys.executable, str(BENCHMARKS / "ingest.py"), "--ladder", "--rounds", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        # The sink's folder, then that of the first server.
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        below = _below(process.pid)
        process.send_signal(how)
        process.wait(60)
    assert below
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]
    assert list(tmp_path.iterdir()) == []


def _below(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_figures_are_put_between_their_marks_and_nowhere_else(load: Any, tmp_path: Path) -> None:
    load("table")
    ingest = importlib.import_module("ingest")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- pace: begin -->\nold\n<!-- pace: end -->\nafter\n")
    ingest.put(page, "pace", ["| new |"])
    ingest.put(page, "ladder", ["nowhere"])
    assert page.read_text() == "before\n<!-- pace: begin -->\n\n| new |\n\n<!-- pace: end -->\nafter\n"
    own = (BENCHMARKS.parent / "docs" / "explanation" / "performance.md").read_text()
    assert all(f"<!-- {part}: begin -->" in own and f"<!-- {part}: end -->" in own for part in ingest.PARTS)
