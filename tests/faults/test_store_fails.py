"""A store that cannot write for a while: senders are told so, nothing is lost, and it goes on without help."""

from __future__ import annotations

import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faults.child import write_config
from faults.disks import fill, may_mount, read_only, small_disk
from faults.judgement import journal_and_state, judge
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from faults.waiting import wait_for
from ports import free_port

SENDERS = 3
_JSON = {"content-type": "application/json"}


def post(child: Forked, *names: str, **labels: str) -> int:
    body = msgspec.json.encode([{"labels": {"alertname": name, "severity": "info", **labels}} for name in names])
    return child.ask("POST", "/api/v2/alerts", body, _JSON)[0]


@contextmanager
def full_for_one_file(child: Forked) -> Iterator[None]:
    """No file may grow: what a quota says; SQLite calls it an I/O error."""
    child.limit(resource.RLIMIT_FSIZE, 4096)
    try:
        yield
    finally:
        child.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)


@contextmanager
def full_disk(child: Forked) -> Iterator[None]:
    ballast = fill(child.directory)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def readonly_database(child: Forked) -> Iterator[None]:
    flag = child.directory / "readonly"
    flag.touch()
    try:
        yield
    finally:
        flag.unlink()


@contextmanager
def locked(child: Forked) -> Iterator[None]:
    connection = sqlite3.connect(child.directory / "quell.db", isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


FAULTS: dict[str, Callable[[Forked], Any]] = {
    "no file may grow": full_for_one_file,
    "the database is read-only": readonly_database,
    "another process holds the lock": locked,
}
if may_mount():
    FAULTS["the disk is full"] = full_disk


@contextmanager
def world(what: str, tmp_path: Path, nursery: Nursery) -> Iterator[Forked]:
    """A daemon that is ready; on a disk of its own where that is to be filled."""
    directory = tmp_path / "quell"

    def child() -> Forked:
        made = Forked(nursery, write_config(directory, "snapshot_every: 300ms\n"), free_port())
        made.before = {"readonly_while": str(directory / "readonly")} if "read-only" in what else {}
        made.spawn()
        made.wait_ready()
        return made

    if what != "the disk is full":
        made = child()
        try:
            yield made
        finally:
            made.close()
        return
    with small_disk(directory, "24m"):
        made = child()
        try:
            yield made
        finally:
            made.close()


def more_answers(senders: list[Sender], status: int, count: int) -> None:
    """Returns when they have got so many answers more."""
    so_far = sum(each.told.answers[status] for each in senders)
    wait_for(f"answers {status}", lambda: sum(each.told.answers[status] for each in senders) >= so_far + count)


def survives(
    child: Forked, fault: Callable[[Forked], Any], *, times: int, lasts_s: float, seed: int, work: Path
) -> None:
    """Under load the fault comes and goes; what is refused meanwhile is not kept, everything else is."""
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=seed) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(times):
            time.sleep(0.5)
            with fault(child):
                more_answers(senders, 503, 1)
                time.sleep(lasts_s)
            more_answers(senders, 200, 6)
        over.set()
        for sender in senders:
            sender.join(60)
        assert [sender.failure for sender in senders if sender.failure] == []
        wait_for("no complaint", lambda: child.api("GET", "/status")["broken"] == "")
        child.kill()
        child.spawn()
        child.wait_ready()
        assert child.end() == 0
        told = Told.all(sender.told for sender in senders)
        found = judge(*journal_and_state(child.directory / "quell.db", work), told)
        unknown = told.sent - told.acknowledged - told.refused
        print(
            f"\nsent {len(told.sent)} = acknowledged {len(told.acknowledged)} + refused {len(told.refused)} + "
            f"unfinished {len(unknown)}; answers {dict(told.answers)}; lost 0, twice 0; {found}"
        )
        assert told.unanswered == set()
        assert "Traceback" not in child.log, child.log
    finally:
        over.set()


@pytest.mark.parametrize("what", ["another process holds the lock"])
def test_it_comes_and_goes_under_load(what: str, tmp_path: Path, nursery: Nursery) -> None:
    with world(what, tmp_path, nursery) as child:
        survives(child, FAULTS[what], times=1, lasts_s=0.3, seed=5, work=tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("what", sorted(FAULTS))
def test_again_and_again(what: str, tmp_path: Path, nursery: Nursery) -> None:
    with world(what, tmp_path, nursery) as child:
        survives(child, FAULTS[what], times=4, lasts_s=2.0, seed=6, work=tmp_path)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=[pytest.mark.long] if what == "another process holds the lock" else [])
        for what in sorted(FAULTS)
    ],
)
def test_what_failed_is_no_repeat_when_it_is_sent_again(what: str, tmp_path: Path, nursery: Nursery) -> None:
    """Memory must not run ahead of the disk: a second delivery of what could not be kept is refused like the first."""
    with world(what, tmp_path, nursery) as child:
        assert post(child, "before") == 200
        with FAULTS[what](child):
            assert [post(child, "wanted") for _ in range(2)] == [503, 503]
            known = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all")["alerts"]}
            assert known == {"before"}
        wait_for("it is taken", lambda: post(child, "wanted") == 200)
        child.kill()
        child.spawn()
        child.wait_ready()
        counts = {each["labels"]["alertname"]: each.get("count", 1) for each in child.api("GET", "/alerts")["alerts"]}
        assert counts == {"before": 1, "wanted": 1}
        assert child.end() == 0


def test_it_does_not_start_where_it_cannot_write_and_starts_when_it_can(tmp_path: Path, nursery: Nursery) -> None:
    directory = tmp_path / "quell"
    child = Forked(nursery, write_config(directory), free_port())
    try:
        child.spawn()
        child.wait_ready()
        assert post(child, "before") == 200
        child.kill()
        out = tmp_path / "logs"
        out.mkdir()
        child.logs_in(out)
        with read_only(directory):
            child.spawn()
            assert child.wait() == 1
        assert str(directory) in child.log
        assert "Traceback" not in child.log, child.log
        child.spawn()
        child.wait_ready()
        assert [each["labels"]["alertname"] for each in child.api("GET", "/alerts")["alerts"]] == ["before"]
        assert child.end() == 0
    finally:
        child.close()


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=[pytest.mark.long] if what == "another process holds the lock" else [])
        for what in sorted(FAULTS)
    ],
)
def test_it_is_ended_and_killed_while_it_cannot_write(what: str, tmp_path: Path, nursery: Nursery) -> None:
    with world(what, tmp_path, nursery) as child:
        logs = tmp_path / "logs"
        logs.mkdir()
        assert post(child, "first", "second") == 200
        child.logs_in(logs)  # where it can write them
        with FAULTS[what](child):
            assert post(child, "refused") == 503
            assert child.end() == 0
        child.spawn()
        child.wait_ready()
        with FAULTS[what](child):
            assert post(child, "refused") == 503
            child.kill()
            child.spawn()  # it says why it does not start, or it can do without writing
            wait_for("an end or a start", lambda: not child.alive() or child.is_ready)
            if child.is_ready:
                child.kill()
            else:
                assert child.wait() == 1
        child.spawn()
        child.wait_ready()
        assert post(child, "third") == 200
        names = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all")["alerts"]}
        assert names == {"first", "second", "third"}
        assert child.end() == 0
        assert "Traceback" not in child.log, child.log
