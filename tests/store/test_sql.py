"""What only a database can get wrong: crashes, locks, full disks, damage, other versions."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from quell.errors import StoreError
from quell.store.opening import open_store
from quell.store.port import Accepted, Quarantined, Store, Turn
from quell.store.tables import METADATA, NEWEST
from quell.store.upgrading import alembic_config
from store.values import accepted, alert, audit, finished, incident, perform, run, seqs_of

URL = "sqlite:///quell.db"
CHILD = Path(__file__).with_name("accepting_child.py")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "quell.db"


@pytest.fixture
def beside(sql: Store, file: Path) -> Iterator[sqlite3.Connection]:
    """Another process's connection to the open store."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def filled(store: Store) -> None:
    junk = Quarantined(at=1.0, source="s", reason="r", payload=b"x")
    store.accept(accepted(1, 2, cursors={"p": "1"}, quarantined=[junk]))
    store.commit(Turn(seq=1, audits=[audit(1.0)], intents=[perform("k")], incidents=[incident()], runs=[run()]))
    store.begin_act("k")
    store.save_snapshot(1, b"state")


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    store = open_store(URL, tmp_path / "deep" / "er")
    filled(store)
    seen = [store.recover(), list(store.groups_after(0)), store.unfinished(), store.audit(), store.quarantine()]
    store.close()
    store = open_store(URL, tmp_path / "deep" / "er")
    assert [
        store.recover(), list(store.groups_after(0)), store.unfinished(), store.audit(), store.quarantine()
    ] == seen  # fmt: skip
    assert store.incident("INC-1") == incident()
    assert store.accept(accepted(3)).seq == 2
    store.close()


def test_after_closing_the_file_alone_is_everything(tmp_path: Path, file: Path) -> None:
    store = open_store(URL, tmp_path)
    filled(store)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_backup_of_the_open_store_recovers(sql: Store, beside: sqlite3.Connection, tmp_path: Path) -> None:
    filled(sql)
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        beside.backup(backup)
    sql.accept(accepted(9))
    restored = open_store("sqlite:///backup.db", tmp_path)
    assert (restored.recover().state, seqs_of(restored)) == (b"state", [1])
    assert [entry.state for entry in restored.unfinished()] == ["acting"]
    restored.close()


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/elsewhere.db", tmp_path / "data").close()
    assert (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["", "quell.db", "sqlite:///", "mysql://ada:secret@db/quell"])
def test_an_unknown_kind_of_store_is_named_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"unknown; write sqlite:///quell\.db") as caught:
        open_store(url, tmp_path)
    assert "secret" not in str(caught.value)


def test_the_database_is_durable_by_its_pragmas(sql: Store, beside: sqlite3.Connection) -> None:
    assert beside.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with sql._database.transaction("look", "-") as connection:  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_no_printed_seq_is_lost_by_kill_9(tmp_path: Path) -> None:
    chance = random.Random(7)
    expected = 0
    for _ in range(5):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent.parent), *sys.path])}
        with subprocess.Popen(
            [sys.executable, str(CHILD), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        ) as child:
            assert child.stdout is not None
            for _line in range(chance.randrange(1, 120)):
                assert child.stdout.readline()
            os.kill(child.pid, signal.SIGKILL)
            printed = [int(line) for line in child.stdout.read().splitlines()[-3:] if line.strip()]
        expected = max([expected, *printed])
        store = open_store(URL, tmp_path)
        seqs = seqs_of(store)
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= expected
        results = {record.key for group in store.groups_after(0) for record in group.records if hasattr(record, "key")}
        done = {entry.perform.key for entry in store.ledger(limit=100_000) if entry.state == "done"}
        assert done == results - {""}, "journal and ledger say the same of every act"
        assert len(store.unfinished()) <= 5
        store.close()
        expected = len(seqs)


def test_a_locked_database_is_reported_after_the_busy_timeout(sql: Store, beside: sqlite3.Connection) -> None:
    beside.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"quell\.db: could not keep 1 record: another process keeps it locked; none"):
        sql.accept(accepted(1))
    with pytest.raises(StoreError, match="none of its acts is performed"):
        sql.commit(Turn(seq=1))
    beside.execute("ROLLBACK")
    assert sql.accept(accepted(1)).seq == 1
    assert seqs_of(sql) == [1]


def test_a_locked_database_is_not_opened(sql: Store, beside: sqlite3.Connection, tmp_path: Path) -> None:
    beside.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="bring the schema up to date: another process keeps it locked; the daemon"):
        open_store(URL, tmp_path, busy_timeout_s=0.05)
    beside.execute("ROLLBACK")
    open_store(URL, tmp_path).close()


def test_a_damaged_ledger_entry_is_reported(sql: Store, beside: sqlite3.Connection) -> None:
    sql.commit(Turn(seq=1, intents=[perform("k")]))
    beside.execute("UPDATE ledger SET perform = x'c1'")
    with pytest.raises(StoreError, match=r"a stored Perform cannot be read: .*; restore a backup"):
        sql.unfinished()


def test_a_store_that_another_process_writes_to_refuses(sql: Store, tmp_path: Path) -> None:
    other = open_store(URL, tmp_path)
    other.accept(accepted(1))
    with pytest.raises(StoreError, match="another process writes to the same store"):
        sql.accept(accepted(2))
    assert seqs_of(other) == [1]
    other.close()


def test_a_full_disk_refuses_the_group_whole_and_the_store_goes_on_after_it(sql: Store) -> None:
    sql.accept(accepted(1))
    database = sql._database  # type: ignore[attr-defined]
    with database.transaction("cap", "-") as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    noise = random.Random(1)
    large = [alert(n, annotations={"text": noise.randbytes(2000).hex()}) for n in range(50)]
    for _ in range(2):
        with pytest.raises(StoreError, match="could not keep 50 records: the disk is full; none of them was accepted"):
            sql.accept(Accepted(now=1.0, records=large, cursors={"p": "9"}))
    with pytest.raises(StoreError, match="the one before it and the journal stay good"):
        sql.save_snapshot(1, noise.randbytes(100_000))
    assert (seqs_of(sql), sql.recover().cursors) == ([1], {})
    assert sql.accept(accepted(2)).seq == 2
    with database.transaction("lift", "-") as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert sql.accept(Accepted(now=1.0, records=large, cursors={"p": "9"})).seq == 3
    assert (seqs_of(sql), sql.recover().cursors) == ([1, 2, 3], {"p": "9"})


def test_a_damaged_snapshot_falls_back_to_the_one_before_it(sql: Store, beside: sqlite3.Connection) -> None:
    for n in range(1, 5):
        sql.accept(accepted(n))
    sql.save_snapshot(2, b"two" * 2000)
    sql.save_snapshot(4, b"four" * 2000)
    sql.trim(records_before=1e12, incidents_before=0.0, audit_before=0.0)
    beside.execute("UPDATE snapshots SET state = substr(state, 1, 20) WHERE seq = 4")
    recovered = sql.recover()
    assert (recovered.seq, recovered.state, recovered.damaged) == (2, b"two" * 2000, (4,))
    assert seqs_of(sql, recovered.seq) == [3, 4]
    assert sql.recover().damaged == ()


def test_without_a_readable_snapshot_everything_is_replayed(sql: Store, beside: sqlite3.Connection) -> None:
    for n in range(1, 4):
        sql.accept(accepted(n))
    sql.save_snapshot(2, b"two")
    beside.execute("UPDATE snapshots SET state = x'00'")
    recovered = sql.recover()
    assert (recovered.seq, recovered.state, recovered.damaged) == (0, None, (2,))
    assert seqs_of(sql, recovered.seq) == [1, 2, 3]


def test_what_can_no_longer_be_recovered_is_said_and_not_guessed(sql: Store, beside: sqlite3.Connection) -> None:
    for n in range(1, 5):
        sql.accept(accepted(n))
    sql.save_snapshot(2, b"two")
    sql.save_snapshot(4, b"four")
    sql.trim(records_before=1e12, incidents_before=0.0, audit_before=0.0)
    beside.execute("UPDATE snapshots SET state = x'00'")
    for _ in range(2):
        with pytest.raises(StoreError, match="no snapshot can be read and the journal begins at group 3; the daemon"):
            sql.recover()


def test_a_damaged_group_is_named(sql: Store, beside: sqlite3.Connection) -> None:
    sql.accept(accepted(1))
    sql.accept(accepted(2))
    beside.execute("UPDATE journal SET records = x'c1' WHERE seq = 2")
    reading = sql.groups_after(0)
    with pytest.raises(StoreError, match="journal group 2: stored records cannot be read"):
        list(reading)


@pytest.mark.parametrize(
    ("tampering", "n", "text"),
    [
        ("UPDATE audit SET who = 'eve' WHERE n = 2", 2, "row 2 was changed after"),
        ("UPDATE audit SET at = at + 1 WHERE n = 1", 1, "row 1 was changed after"),
        ("DELETE FROM audit WHERE n = 2", 2, "row 2 is missing"),
        ("DELETE FROM audit WHERE n = 1", 1, "row 1 is missing"),
        ("DELETE FROM audit WHERE n = 3", 3, "ends at row 2, but row 3"),
        ("DELETE FROM audit", 1, "ends at row 0, but row 3"),
        ("UPDATE audit SET prev_hash = 'x' WHERE n = 3", 3, "row 3 does not continue"),
        (
            "INSERT INTO audit SELECT 4, seq, at, who, what, target, detail, hash, 'x' FROM audit WHERE n = 3",
            4,
            "row 4",
        ),
    ],
)
def test_the_first_broken_audit_row_is_named(
    sql: Store, beside: sqlite3.Connection, tampering: str, n: int, text: str
) -> None:
    sql.commit(Turn(seq=1, audits=[audit(1.0), audit(2.0), audit(3.0)]))
    assert sql.verify_audit() is None
    beside.execute(tampering)
    broken = sql.verify_audit()
    assert broken is not None
    assert broken.n == n
    assert text in broken.text


def test_a_long_trail_is_verified_to_its_end(sql: Store, beside: sqlite3.Connection) -> None:
    sql.commit(Turn(seq=1, audits=[audit(float(n)) for n in range(2500)]))
    assert sql.verify_audit() is None
    beside.execute("UPDATE audit SET detail = 'x' WHERE n = 2400")
    broken = sql.verify_audit()
    assert broken is not None
    assert broken.n == 2400


def test_migrations_run_down_and_up_on_data_and_agree_with_the_tables(tmp_path: Path, file: Path) -> None:
    store = open_store(URL, tmp_path)
    filled(store)
    store.close()
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == NEWEST
        assert MigrationContext.configure(connection).get_current_revision() == NEWEST
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(alembic_config(connection), "head")
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()
    store = open_store(URL, tmp_path)
    filled(store)
    store.finish_act(finished("k"))
    store.close()


def test_a_new_store_and_one_that_is_up_to_date_need_no_migrations(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from quell.store.opening import open_store
for _ in range(2):
    open_store("sqlite:///new.db", Path(sys.argv[1])).close()
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_each_migration_goes_one_step_down_and_up_with_data(tmp_path: Path, file: Path) -> None:
    store = open_store(URL, tmp_path)
    filled(store)
    store.close()
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        for revision in ("0002", "0001"):
            command.downgrade(alembic_config(connection), revision)
        command.upgrade(alembic_config(connection), "head")
    engine.dispose()
    store = open_store(URL, tmp_path)
    assert [record.id for group in store.groups_after(0) for record in group.records] == ["a1", "a2"]
    assert [kept.reason for kept in store.quarantine()] == ["r"]
    assert [entry.state for entry in store.unfinished()] == ["acting"]
    assert store.recover().state == b"state"
    assert store.verify_audit() is None
    store.close()


def test_every_index_of_the_tables_is_migrated(sql: Store) -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    made = {table: inspect(engine).get_indexes(table) for table in inspect(engine).get_table_names()}
    engine.dispose()
    with sql._database.transaction("look", "-") as connection:  # type: ignore[attr-defined]
        assert {table: inspect(connection).get_indexes(table) for table in made} == made


def test_a_database_of_a_newer_quell_is_left_alone(tmp_path: Path, file: Path) -> None:
    open_store(URL, tmp_path).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="was written by a newer quell"):
        open_store(URL, tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"quell\.db: could not open the store: file is not a database; the daemon"):
        open_store(URL, tmp_path)
    assert file.read_bytes().startswith(b"not a database")


def test_a_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match=r"could not open the store: .*; the daemon does not start"):
        open_store(URL, tmp_path / "taken" / "data")


def test_a_closed_store_reports_instead_of_crashing(tmp_path: Path) -> None:
    store = open_store(URL, tmp_path)
    store.close()
    with pytest.raises(StoreError):
        store.accept(accepted(1))
