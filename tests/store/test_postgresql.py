"""What only a server can get wrong: it ends and starts again, falls silent over a commit, is somebody else's."""

import contextlib
import logging
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from postgres_server import Databases, PostgresServer, execute
from quell.errors import StoreError, Unheard
from quell.store import session
from quell.store.opening import open_for_reading, open_store
from quell.store.port import Accepted, Quarantined, Store, Turn
from quell.store.tables import METADATA
from quell.store.upgrading import alembic_config
from store.test_sql import filled
from store.values import accepted, alert, audit, finished, incident, perform, run, seqs_of
from store.wire import Break, Wire


def opened(url: str, busy_timeout_s: float = 5.0) -> Store:
    return open_store(url, Path(), busy_timeout_s=busy_timeout_s)


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = opened(postgres_url)
    yield store
    store.close()


@pytest.fixture
def own(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that a test may end; it runs again afterwards."""
    yield postgres_server
    if not postgres_server.running:
        postgres_server.start()


@pytest.fixture
def own_url(own: PostgresServer) -> Iterator[str]:
    databases = Databases(own.url("postgres"))
    yield databases.new()
    if not own.running:
        own.start()
    databases.close()


@pytest.fixture
def wire(postgres_url: str) -> Iterator[Wire]:
    wire = Wire(postgres_url)
    yield wire
    wire.close()


def ids_of(store: Store) -> list[str]:
    return [record.id for group in store.groups_after(0) for record in group.records if hasattr(record, "id")]


# The connection breaks


@pytest.mark.parametrize("kind", ["commit lost", "answer lost", "answer lost, server not told"])
def test_a_commit_over_which_the_wire_breaks_is_done_once(wire: Wire, kind: Break) -> None:
    store = opened(wire.through)
    store.accept(accepted(1))
    wire.breaks = kind
    group = store.accept(accepted(2, cursors={"p": "2"}))
    assert not wire.breaks
    assert group.seq == 2
    wire.breaks = kind
    assert [intent.key for intent in store.commit(Turn(seq=2, intents=[perform("k")], audits=[audit(1.0)]))] == ["k"]
    wire.breaks = kind
    store.begin_act("k")
    assert store.accept(accepted(3)).seq == 3
    assert ids_of(store) == ["a1", "a2", "a3"]
    assert [entry.tries for entry in store.ledger()] == [1]
    assert len(store.audit()) == 1
    assert store.recover().cursors == {"p": "2"}
    store.close()


def test_what_was_committed_and_could_not_be_asked_for_comes_out_with_the_next_call(wire: Wire) -> None:
    store = opened(wire.through)
    wire.dies, wire.breaks = True, "answer lost"
    with pytest.raises(Unheard, match=r"could not hear whether it could keep 1 record: .*; if it did that counts"):
        store.accept(accepted(1))
    with pytest.raises(StoreError, match="could not keep 1 record"):
        store.accept(accepted(2))
    wire.dead = False
    assert store.accept(accepted(3)).seq == 2, "the first is in the journal, and its place is not given again"
    assert ids_of(store) == ["a1", "a3"]

    turn = Turn(seq=2, intents=[perform("k1"), perform("k2")], audits=[audit(1.0)])
    wire.breaks = "answer lost"
    with pytest.raises(StoreError, match="could not hear whether it could keep what turn 2 decided"):
        store.commit(turn)
    wire.dead = False
    assert [intent.key for intent in store.commit(turn)] == ["k1", "k2"], "they are intended, and nobody was told"
    assert store.commit(turn) == []
    assert len(store.audit()) == 1
    store.close()


def test_what_never_came_to_its_commit_leaves_nothing(wire: Wire) -> None:
    store = opened(wire.through)
    wire.dies, wire.breaks = True, "commit lost"
    with pytest.raises(StoreError, match="could not hear whether it could keep 1 record"):
        store.accept(accepted(1))
    wire.dead = False
    assert store.accept(accepted(2)).seq == 1
    assert ids_of(store) == ["a2"]
    store.close()


def test_a_store_that_another_wrote_to_meanwhile_is_given_up(wire: Wire, postgres_url: str) -> None:
    store = opened(wire.through, 0.2)
    store.accept(accepted(1))
    wire.dies, wire.breaks = True, "commit lost"
    with pytest.raises(StoreError):
        store.accept(accepted(2))
    other = opened(postgres_url)
    other.accept(accepted(3))
    wire.dead = False
    with pytest.raises(StoreError, match=r'another quell uses it \("quell .* process \d+"'):
        store.accept(accepted(4))
    other.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="another quell has written to it since this one lost its connection"):
            store.accept(accepted(4))
    with pytest.raises(StoreError, match="start this one again"):
        store.ledger()
    store.close()
    store = opened(postgres_url)
    assert ids_of(store) == ["a1", "a3"]
    store.close()


def test_nothing_acknowledged_is_lost_by_a_server_that_is_killed_again_and_again(
    own: PostgresServer, own_url: str
) -> None:
    chance = random.Random(11)
    store = opened(own_url, 1.0)
    acknowledged: list[str] = []
    refused = turns = 0
    over = threading.Event()

    def accept() -> None:
        nonlocal refused, turns
        n = 0
        while not over.is_set():
            n += 1
            try:
                group = store.accept(accepted(*range(10 * n, 10 * n + n % 9 + 1)))
                acknowledged.extend(record.id for record in group.records)
                if store.commit(Turn(seq=group.seq, intents=[perform(f"k{n}")], audits=[audit(float(n))])):
                    turns += 1
            except StoreError:
                refused += 1
                time.sleep(0.01)

    writer = threading.Thread(target=accept)
    writer.start()
    for n in range(6):
        time.sleep(chance.uniform(0.05, 0.4))
        before = len(acknowledged)
        own.stop("immediate" if n % 3 else "fast")
        if n % 2:
            time.sleep(chance.uniform(0.0, 0.2))
        own.start()
        limit = time.monotonic() + 30.0
        while len(acknowledged) == before:
            assert time.monotonic() < limit, "it goes on after the server is back"
            time.sleep(0.01)
    over.set()
    writer.join()
    seqs, stored = seqs_of(store), ids_of(store)
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(stored) == len(set(stored)), "nothing is there twice"
    assert set(acknowledged) <= set(stored), "nothing acknowledged is lost"
    assert len(acknowledged) > 100
    assert len(store.ledger(limit=100_000)) >= turns
    assert store.verify_audit() is None
    store.close()
    store = opened(own_url)
    assert (seqs_of(store), ids_of(store)) == (seqs, stored)
    store.close()


def test_a_server_that_is_gone_is_said_to_be_and_taken_up_again(own: PostgresServer, own_url: str) -> None:
    store = opened(own_url)
    store.accept(accepted(1))
    own.stop()
    began = time.monotonic()
    with pytest.raises(
        StoreError, match=r"^postgresql://quell@127\.0\.0\.1:\d+/\w+: could not keep 1 record: the server"
    ):
        store.accept(accepted(2))
    with pytest.raises(StoreError, match=r"the server cannot be reached: .*; the replay stops here"):
        seqs_of(store)
    with pytest.raises(
        StoreError, match=r"could not open the store: the server cannot be reached: .*; the daemon does not"
    ):
        opened(own_url)
    assert time.monotonic() - began < 3.0
    own.start()
    assert store.accept(accepted(3)).seq == 2
    store.close()


def test_an_idle_store_does_not_fail_because_the_server_was_restarted(own: PostgresServer, own_url: str) -> None:
    store = opened(own_url)
    filled(store)
    own.stop()
    own.start()
    assert seqs_of(store) == [1]
    assert store.accept(accepted(2)).seq == 2
    store.close()


def test_a_server_that_says_nothing_any_more_is_given_up_and_asked_again(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_SILENT_S", 0.3)
    monkeypatch.setattr(session, "_CONNECT_S", 0.3)
    store = opened(wire.through)
    store.accept(accepted(1))
    wire.silent = True
    for _ in range(2):
        with pytest.raises(StoreError, match="could not keep 1 record: the server does not answer; none of them was"):
            store.accept(accepted(2))
    wire.silent = False
    assert store.accept(accepted(3)).seq == 2, "its former session, which the server still had, is ended"
    assert ids_of(store) == ["a1", "a3"]
    store.close()


DIE = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.mark.parametrize("verb", ["read", "write"])
def test_work_in_the_middle_of_which_the_session_ends_is_done_again_and_not_for_ever(store: Store, verb: str) -> None:
    do = getattr(store._database, verb)  # type: ignore[attr-defined]
    attempts = 0

    def dying(connection: Connection) -> int:
        nonlocal attempts
        attempts += 1
        if attempts != 2:
            connection.exec_driver_sql(DIE)
        return attempts

    assert do("try", "so it is", dying) == 2
    attempts = 2
    with pytest.raises(
        StoreError, match=r"could not try: connection was closed in the middle of operation.*; so it is"
    ):
        do("try", "so it is", dying)
    assert attempts == 4
    assert store.accept(accepted(1)).seq == 1


# Who may use it


def test_one_daemon_to_a_database(store: Store, postgres_url: str) -> None:
    with pytest.raises(StoreError, match=r'another quell uses it \("quell .* process \d+".*\): end that one'):
        opened(postgres_url, 0.1)
    store.close()
    again = opened(postgres_url, 0.1)
    assert again.accept(accepted(1)).seq == 1
    again.close()


def test_the_next_daemon_waits_for_the_one_before_it_to_end(store: Store, postgres_url: str) -> None:
    threading.Timer(0.3, store.close).start()
    opened(postgres_url).close()


def test_somebody_who_reads_needs_no_lock_and_writes_nothing(store: Store, postgres_url: str) -> None:
    filled(store)
    reading = open_for_reading(postgres_url, Path())
    assert [group.seq for group in reading.groups()] == [1]
    assert [entry.perform.key for entry in reading.ledger()] == ["k"]
    assert [each.id for each in reading.incidents()] == ["INC-1"]
    assert reading.state() == b"state"
    store.accept(accepted(5))
    assert [group.seq for group in reading.groups()] == [1, 2]
    reading.close()


def test_a_reader_needs_a_store(postgres: Databases) -> None:
    with pytest.raises(StoreError, match="holds schema none and this quell reads"):
        open_for_reading(postgres.new(), Path())


# What is said


def changed(url: str, **parts: str) -> str:
    return urlunsplit(urlsplit(url)._replace(**parts))


def test_messages_hold_no_password(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    password = parts.password or "none"
    at = f"{parts.username}:{password}@{parts.hostname}"
    wrong = [
        changed(postgres_url, path="/nowhere"),
        changed(postgres_url, netloc=f"{at}:1"),
        changed(postgres_url, netloc=f"{at}:no-port"),
        changed(postgres_url, netloc=f"{parts.username}:{password}/x@{parts.hostname}"),
        changed(postgres_url, netloc=f"nobody:{password}@{parts.hostname}:{parts.port}"),
        changed(postgres_url, query="sslmode=sometimes"),
        changed(postgres_url, netloc=f"{parts.username}@{parts.hostname}:{parts.port}", query=f"password={password}x"),
    ]
    for url in wrong:
        with pytest.raises(StoreError, match=r"could not open the store: |cannot be opened: ") as caught:
            opened(url)
        assert password not in str(caught.value)
        assert "the daemon does not start" in str(caught.value)


def test_the_password_is_not_logged(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = opened(postgres_url)
    filled(store)
    store.close()
    assert (urlsplit(postgres_url).password or "none") not in caplog.text


@pytest.mark.parametrize("package", ["asyncpg", "greenlet"])
def test_a_missing_extra_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    missing: ModuleType = None  # type: ignore[assignment] - how Python is told that there is none
    monkeypatch.setitem(sys.modules, package, missing)
    for name in ("quell.store.postgresql", "quell.store.session"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(
        StoreError, match=r"postgresql://ada@db/quell: PostgreSQL needs .*pip install 'quell\[postgres\]'"
    ) as caught:
        opened("postgresql://ada:hunter2@db/quell")
    assert "hunter2" not in str(caught.value)


def test_a_database_in_another_encoding_is_refused(postgres: Databases) -> None:
    with pytest.raises(StoreError, match='is encoded in "LATIN1", and quell needs UTF8'):
        opened(postgres.new(encoding="LATIN1"))


def test_a_statement_that_takes_too_long_is_ended(store: Store, postgres_url: str) -> None:
    parts = "SET LOCAL statement_timeout = 50"

    def slow(connection: Connection) -> None:
        connection.exec_driver_sql(parts)
        connection.exec_driver_sql("SELECT pg_sleep(10)")

    with pytest.raises(StoreError, match="could not try: the server took longer than 20 seconds; so it is"):
        store._database.write("try", "so it is", slow)  # type: ignore[attr-defined]
    assert store.accept(accepted(1)).seq == 1


def test_commits_wait_for_the_disk_also_where_that_was_switched_off(postgres: Databases) -> None:
    url = postgres.new()
    execute(url, f"ALTER DATABASE {urlsplit(url).path[1:]} SET synchronous_commit = off")
    store = opened(url)
    look = "SHOW synchronous_commit"
    database = store._database  # type: ignore[attr-defined]
    assert database.read("look", "-", lambda connection: connection.exec_driver_sql(look).scalar()) == "on"
    store.close()


def test_a_closed_store_reports_instead_of_crashing(postgres_url: str) -> None:
    store = opened(postgres_url)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="it was closed; none of them was accepted"):
        store.accept(accepted(1))


# What is kept


@pytest.mark.parametrize("text", ["\0", "a\0b", "\x1a", "\x1a0\x1a1\0\x1a", "ü\U0001f4a5\0"])
def test_characters_that_the_server_does_not_take_are_kept_all_the_same(store: Store, text: str) -> None:
    odd = Quarantined(at=1.0, source=text, reason=text, payload=b"\0", path=text)
    store.accept(
        Accepted(now=1.0, records=[alert(1, annotations={"t": text})], cursors={text: text}, quarantined=[odd])
    )
    store.commit(
        Turn(
            seq=1,
            intents=[perform(text, run=text)],
            audits=[audit(1.0, text, detail=text, target=text)],
            incidents=[incident(text)],
            runs=[run(text, playbook=text)],
        )
    )
    store.begin_act(text)
    store.finish_act(finished(text))
    assert store.recover().cursors == {text: text}
    (kept,) = store.quarantine()
    assert (kept.source, kept.reason, kept.path, kept.payload) == (text, text, text, b"\0")
    assert [entry.perform.key for entry in store.ledger(run=text)] == [text]
    assert store.audit()[0].audit.detail == text
    assert store.verify_audit() is None
    found = store.incident(text)
    assert found is not None
    assert found.id == text


def test_numbers_have_sixty_four_bits(store: Store) -> None:
    store.save_snapshot(2**40, b"state")
    assert store.recover().seq == 2**40


def in_transaction(url: str, work: object) -> None:
    """Runs over the session of a store, which is closed afterwards."""
    store = opened(url)
    store._database.read("look", "-", work)  # type: ignore[attr-defined]
    store.close()


def test_migrations_run_down_and_up_on_data_and_agree_with_the_tables(postgres: Databases) -> None:
    url = postgres.new()
    store = opened(url)
    filled(store)
    store.close()

    def down_and_up(connection: Connection) -> None:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        before = inspect(connection)
        indexes = {table: sorted(map(str, before.get_indexes(table))) for table in before.get_table_names()}
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(alembic_config(connection), "head")
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        after = inspect(connection)
        assert {table: sorted(map(str, after.get_indexes(table))) for table in after.get_table_names()} == indexes

    in_transaction(url, down_and_up)
    store = opened(url)
    filled(store)
    store.finish_act(finished("k"))
    store.close()


def test_each_migration_goes_one_step_down_and_up_with_data(postgres: Databases) -> None:
    url = postgres.new()
    store = opened(url)
    filled(store)
    store.close()

    def steps(connection: Connection) -> None:
        for revision in ("0002", "0001"):
            command.downgrade(alembic_config(connection), revision)
        command.upgrade(alembic_config(connection), "head")

    in_transaction(url, steps)
    store = opened(url)
    assert ids_of(store) == ["a1", "a2"]
    assert [kept.reason for kept in store.quarantine()] == ["r"]
    assert [entry.state for entry in store.unfinished()] == ["acting"]
    assert store.recover().state == b"state"
    assert store.verify_audit() is None
    store.close()


def test_a_database_of_a_newer_quell_is_left_alone(postgres_url: str) -> None:
    execute(postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="was written by a newer quell"):
        opened(postgres_url)
    with contextlib.suppress(StoreError):
        opened(postgres_url)
    assert [row[0] for row in execute(postgres_url, "SELECT version_num FROM alembic_version")] == ["9999"]
