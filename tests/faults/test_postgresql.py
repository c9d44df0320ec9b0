"""The daemon on PostgreSQL: it is killed, the server is killed, the server is gone; under load, with counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faults.child import write_config
from faults.judgement import judge
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from faults.test_same_after_kill import seen, storm
from faults.waiting import wait_for
from ports import free_port
from postgres_server import Databases, PostgresServer
from quell.model.records import AlertRecord
from quell.store.opening import open_store

SENDERS = 3


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    yield postgres_server
    if not postgres_server.running:
        postgres_server.start()


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    databases = Databases(server.url("postgres"))
    yield databases.new()
    if not server.running:
        server.start()
    databases.close()


@pytest.fixture
def child(url: str, tmp_path: Path, nursery: Nursery) -> Iterator[Forked]:
    config = write_config(tmp_path / "quell", "snapshot_every: 300ms\n")
    config.write_text(config.read_text().replace("sqlite:///quell.db", url))
    made = Forked(nursery, config, free_port())
    made.spawn()
    made.wait_ready()
    yield made
    made.close()


def more_answers(senders: list[Sender], status: int, count: int) -> None:
    so_far = sum(each.told.answers[status] for each in senders)
    wait_for(f"answers {status}", lambda: sum(each.told.answers[status] for each in senders) >= so_far + count)


def again(child: Forked) -> None:
    child.kill()
    child.spawn()
    child.wait_ready()


def judged(child: Forked, url: str, told: Told, lost_answers: int) -> str:
    """What `judge` finds. As many groups as answers can have been lost may hold what was refused."""
    assert child.end() == 0
    assert "Traceback" not in child.log, child.log
    assert (urlsplit(url).password or "none") not in child.log
    store = open_store(url, Path())
    groups, recovered = list(store.groups_after(0)), store.recover()
    assert store.verify_audit() is None
    store.close()
    assert recovered.seq == groups[-1].seq
    assert recovered.state is not None
    unheard = [
        {each.labels["alertname"] for each in group.records if isinstance(each, AlertRecord)} & told.refused
        for group in groups
    ]
    assert len([names for names in unheard if names]) <= lost_answers
    told.refused.difference_update(*unheard)
    found = judge(groups, recovered.state, told)
    unknown = told.sent - told.acknowledged - told.refused
    return (
        f"sent {len(told.sent)} = acknowledged {len(told.acknowledged)} + refused {len(told.refused)} + "
        f"not known {len(unknown)}; answers {dict(told.answers)}; lost 0, twice 0; {found}"
    )


def daemon_is_killed(child: Forked, url: str, *, times: int, seed: int) -> None:
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=seed) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(times):
            more_answers(senders, 200, 25)
            again(child)
        more_answers(senders, 200, 10)
        over.set()
        for sender in senders:
            sender.join(60)
        print("\n" + judged(child, url, Told.all(sender.told for sender in senders), lost_answers=0))
    finally:
        over.set()


def server_goes(child: Forked, server: PostgresServer, url: str, *, ways: list[str], gone_s: float, seed: int) -> None:
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=seed) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for way in ways:
            more_answers(senders, 200, 25)
            server.stop(way)
            more_answers(senders, 503, 1)
            time.sleep(gone_s)
            server.start()
            more_answers(senders, 200, 10)
        over.set()
        for sender in senders:
            sender.join(60)
        assert [sender.failure for sender in senders if sender.failure] == []
        wait_for("no complaint", lambda: child.api("GET", "/status")["broken"] == "")
        told = Told.all(sender.told for sender in senders)
        assert told.unanswered == set()
        again(child)
        print("\n" + judged(child, url, told, lost_answers=len(ways)))
    finally:
        over.set()


def test_after_kill_9_everything_is_as_it_was(child: Forked) -> None:
    storm(child)
    wait_for("an incident", lambda: child.api("GET", "/incidents")["incidents"], within_s=30)
    before = seen(child)
    again(child)
    assert seen(child) == before
    assert child.end() == 0


def test_the_daemon_is_killed_under_load(child: Forked, url: str) -> None:
    daemon_is_killed(child, url, times=3, seed=21)


def test_the_server_is_killed_and_restarted_under_load(child: Forked, server: PostgresServer, url: str) -> None:
    server_goes(child, server, url, ways=["immediate", "fast"], gone_s=0.2, seed=22)


@pytest.mark.long
def test_the_daemon_is_killed_again_and_again(child: Forked, url: str) -> None:
    daemon_is_killed(child, url, times=20, seed=23)


@pytest.mark.long
def test_the_server_is_gone_for_a_minute(child: Forked, server: PostgresServer, url: str) -> None:
    server_goes(child, server, url, ways=["immediate"], gone_s=60.0, seed=24)


@pytest.mark.long
def test_the_server_is_killed_again_and_again(child: Forked, server: PostgresServer, url: str) -> None:
    server_goes(child, server, url, ways=["immediate", "fast"] * 8, gone_s=0.5, seed=25)


def test_it_ends_while_the_server_is_gone_and_starts_when_it_is_back(
    child: Forked, server: PostgresServer, url: str
) -> None:
    storm(child)
    names = {each["labels"]["alertname"] for each in child.api("GET", "/alerts")["alerts"]}
    server.stop()
    assert (
        child.ask(
            "POST", "/api/v2/alerts", b'[{"labels": {"alertname": "Late"}}]', {"content-type": "application/json"}
        )[0]
        == 503
    )
    began = time.monotonic()
    child.end()
    assert time.monotonic() - began < 20.0
    assert "Traceback" not in child.log
    child.spawn()
    assert child.wait() == 1
    assert "could not open the store: the server cannot be reached" in child.log
    server.start()
    child.spawn()
    child.wait_ready()
    assert (
        {each["labels"]["alertname"] for each in child.api("GET", "/alerts")["alerts"]}
        == names
        == {"SlowErrors", "FailingErrors"}
    )
    assert child.end() == 0
