"""More than can be taken: refused at once, in bounded memory; what was accepted is stored; it recovers by itself."""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from faults.child import Child, write_config
from faults.judgement import journal_and_state, judge
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from faults.waiting import resident_mb, wait_for
from ports import free_port
from quell.model.records import AlertRecord

_JSON = {"content-type": "application/json"}


@dataclass
class Flood(threading.Thread):
    """Sends batch after batch as fast as it is answered, each once, whatever the answer."""

    child: Child
    number: int
    batches: int
    size: int
    told: Told = field(default_factory=Told)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        try:
            self._flood()
        except BaseException as error:
            self.failure = error
            raise

    def _flood(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.child.port, timeout=120)
        padding = "x" * 200
        for batch in range(self.batches):
            names = [f"once{self.number}-{batch * self.size + n}" for n in range(self.size)]
            body = msgspec.json.encode(
                [{"labels": {"alertname": name, "padding": padding, "severity": "info"}} for name in names]
            )
            self.told.sent.update(names)
            began = time.monotonic()
            connection.request("POST", "/api/v2/alerts", body, _JSON)
            answer = connection.getresponse()
            answer.read()
            self.told.answers[answer.status] += 1
            if answer.status == 200:
                self.told.acknowledged.update(names)
            else:
                assert answer.status == 503, answer.status
                assert answer.getheader("retry-after"), "it says when to come again"
                self.told.refused.update(names)
                self.told.slowest_refusal_s = max(self.told.slowest_refusal_s, time.monotonic() - began)
                time.sleep(0.005)
        connection.close()


class Memory(threading.Thread):
    """The most that a process held."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most_mb = 0.0
        self._pid = pid
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.most_mb = max(self.most_mb, resident_mb(self._pid))


def metric(child: Child, name: str) -> float:
    text = child.ask("GET", "/metrics")[1].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))


def floods(child: Forked, work: Path, *, senders: int, batches: int, size: int) -> None:
    child.spawn()
    child.wait_ready()
    before_mb = resident_mb(child.pid)
    memory = Memory(child.pid)
    memory.start()
    try:
        _floods(child, work, memory, before_mb, [Flood(child, number, batches, size) for number in range(senders)])
    finally:
        memory.over.set()


def _floods(child: Forked, work: Path, memory: Memory, before_mb: float, flood: list[Flood]) -> None:
    for each in flood:
        each.start()
    for each in flood:
        each.join(300)
        assert not each.is_alive()
        assert each.failure is None
    told = Told.all(each.told for each in flood)
    assert told.sent == told.acknowledged | told.refused
    assert told.refused, "there was no overload; the test tests nothing"
    assert told.acknowledged
    assert metric(child, "quell_records_accepted_total") == len(told.acknowledged)
    # Without help it takes everything again, and has decided over all that it accepted.
    wait_for("all decided over", lambda: metric(child, "quell_inbox_size") == 0, within_s=240)
    answer = child.ask("POST", "/api/v2/alerts", b'[{"labels": {"alertname": "after"}}]', _JSON)
    assert answer[0] == 200, (answer, child.log[-2000:])
    memory.over.set()
    memory.join()
    child.kill()
    child.before = {}
    child.spawn()
    child.wait_ready()
    wait_for("all decided over", lambda: metric(child, "quell_inbox_size") == 0, within_s=240)
    assert child.end() == 0
    assert "Traceback" not in child.log, child.log
    groups, snapshot = journal_and_state(child.directory / "quell.db", work)
    found = judge(groups, snapshot, told)
    stored = [each for group in groups for each in group.records if isinstance(each, AlertRecord)]
    assert len(stored) == len(told.acknowledged) + 1
    print(
        f"\nsent {len(told.sent)} = accepted {len(told.acknowledged)} + refused {len(told.refused)}; stored "
        f"{len(stored) - 1}; slowest refusal {told.slowest_refusal_s:.2f} s; memory {before_mb:.0f} MB, at most "
        f"{memory.most_mb:.0f} MB; {found}"
    )
    assert told.slowest_refusal_s < 10
    assert memory.most_mb - before_mb < 250


@pytest.mark.parametrize("what", ["a slow core", "a slow disk"])
def test_what_is_too_much_is_refused_and_the_rest_is_stored(what: str, tmp_path: Path, nursery: Nursery) -> None:
    limits = {
        "a slow core": "limits: {inbox: 500, backlog: 1000}\n",
        "a slow disk": "limits: {inbox: 60, backlog: 100000}\n",
    }[what]
    world = {"a slow core": {"slow_core": 0.001}, "a slow disk": {"slow_disk": 0.1}}[what]
    child = Forked(nursery, write_config(tmp_path / "quell", limits), free_port(), world)
    try:
        floods(child, tmp_path, senders=4, batches=25, size=25)
    finally:
        child.close()


@pytest.mark.long
def test_a_long_flood(tmp_path: Path, nursery: Nursery) -> None:
    config = write_config(tmp_path / "quell", "limits: {inbox: 2000, backlog: 10000}\nsnapshot_every: 1s\n")
    child = Forked(nursery, config, free_port(), {"slow_core": 0.0005})
    try:
        floods(child, tmp_path, senders=8, batches=60, size=100)
    finally:
        child.close()


@pytest.mark.long
def test_ended_in_order_again_and_again_under_load(tmp_path: Path, nursery: Nursery) -> None:
    """SIGTERM while a flood goes on: who was answered 200 is kept, who was not may come again."""
    pick = random.Random(7)
    child = Forked(nursery, write_config(tmp_path / "quell", "snapshot_every: 300ms\n"), free_port())
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=7) for number in range(4)]
    try:
        child.spawn()
        child.wait_ready()
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 30
        while not any(sender.told.acknowledged for sender in senders) and time.monotonic() < deadline:
            time.sleep(0.01)  # what has taken nothing yet has nothing to recover from, and says nothing of it
        ends = 25
        for _ in range(ends):
            time.sleep(0.4 * pick.random())
            assert child.end() == 0
            child.spawn()
            child.wait_ready()
            assert "groups=0" in child.log.rpartition("event=recovered")[2].partition("\n")[0]
        over.set()
        for sender in senders:
            sender.join(30)
        assert [sender.failure for sender in senders if sender.failure] == []
        assert child.end() == 0
        assert "Traceback" not in child.log, child.log
        told = Told.all(sender.told for sender in senders)
        found = judge(*journal_and_state(child.directory / "quell.db", tmp_path), told)
        print(f"\nended in order {ends + 1} times; acknowledged {len(told.acknowledged)}, lost 0, twice 0; {found}")
    finally:
        over.set()
        child.close()
