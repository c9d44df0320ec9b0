"""A backup holds the store as of one moment, is tried out before it has its name, and damage never passes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine

from backup.parts import NOW, filled, readable, seen, some
from backup.parts import taken as of_store
from quell.daemon.claim import claimed
from quell.errors import StoreError
from quell.store.backup.making import Backup, back_up
from quell.store.backup.restoring import checked, restore
from quell.store.opening import open_store
from quell.store.port import Quarantined, Store, Turn
from quell.store.upgrading import alembic_config
from store.values import accepted, audit, perform, seqs_of

URL = "sqlite:///quell.db"


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(URL, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "b.db"


def taken(directory: Path, file: Path, *, force: bool = False) -> Backup:
    return of_store(URL, directory, file, force=force)


def put(file: Path, directory: Path, url: str = URL) -> str:
    return restore(file, url, directory, now=NOW, version="1", decodes=readable).kept


def test_everything_of_a_store_that_is_open_comes_back(sql: Store, file: Path, tmp_path: Path) -> None:
    filled(sql)
    was = seen(sql)
    made = taken(tmp_path, file)
    sql.accept(accepted(999))
    assert (made.contents.seq, made.contents.at, made.contents.groups, made.contents.snapshot) == (2, 1000.0, 2, 1)
    assert made.contents.rows["ledger"] == 2
    assert made.contents.audit_break == ""
    assert (file.stat().st_mode & 0o777, made.size) == (0o600, file.stat().st_size)
    assert put(file, tmp_path / "deep" / "er") == ""
    there = open_store(URL, tmp_path / "deep" / "er")
    assert seen(there) == was
    assert there.accept(accepted(5)).seq == 3
    there.commit(Turn(seq=3, audits=[audit(9.0)], intents=[perform("new")]))
    assert there.verify_audit() is None
    there.close()


def test_an_empty_store_and_one_that_is_closed_are_backed_up(tmp_path: Path, file: Path) -> None:
    open_store(URL, tmp_path).close()
    assert (taken(tmp_path, file).contents.at, checked(file, readable).contents.seq) == (None, 0)
    assert sorted(path.name for path in tmp_path.iterdir() if "-" not in path.name) == ["b.db", "quell.db"]


def test_a_backup_is_made_beside_a_writer_that_is_not_kept_waiting(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None, timeout=0.1)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM journal")
        assert taken(tmp_path, file).contents.groups == 2, "what is not committed is not in it"
        writer.execute("ROLLBACK")


def test_nothing_is_overwritten_unasked(sql: Store, tmp_path: Path, file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(StoreError, match=r"b\.db: is there already; nothing was written"):
        taken(tmp_path, file)
    assert file.read_text() == "mine"
    assert taken(tmp_path, file, force=True).contents.seq == 0
    assert checked(file, readable).manifest is not None


def test_the_store_is_never_taken_for_a_backup(sql: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "quell.db")
    for name in ("quell.db", "link"):
        with pytest.raises(StoreError, match="is the store itself"):
            taken(tmp_path, tmp_path / name, force=True)
        with pytest.raises(StoreError, match="is the store itself"):
            put(tmp_path / name, tmp_path)


def test_what_cannot_be_backed_up_is_said(tmp_path: Path, file: Path) -> None:
    with pytest.raises(StoreError, match=r"quell\.db: there is no such database"):
        taken(tmp_path, file)
    (tmp_path / "quell.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="it is not a database"):
        taken(tmp_path, file)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="holds no store of quell"):
        back_up("sqlite:///other.db", tmp_path, file, now=NOW, version="1", decodes=readable)
    with pytest.raises(StoreError, match='a store of kind "memory" is kept nowhere'):
        back_up("memory:", tmp_path, file, now=NOW, version="1", decodes=readable)
    with pytest.raises(StoreError, match=r"none/b\.db\.part: cannot be written: No such file"):
        taken(tmp_path, tmp_path / "none" / "b.db")
    assert not file.exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_store_of_a_newer_quell_is_refused(sql: Store, tmp_path: Path, file: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="was written by a newer quell"):
        taken(tmp_path, file)
    assert [path.name for path in tmp_path.glob("b.db*")] == []


def test_a_store_of_an_older_quell_is_brought_up_to_date_in_the_backup(tmp_path: Path, file: Path) -> None:
    store = open_store(URL, tmp_path)
    filled(store)
    store.close()
    engine = create_engine(f"sqlite:///{tmp_path / 'quell.db'}")
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    engine.dispose()
    made = taken(tmp_path, file)
    assert (made.contents.seq, made.contents.rows["audit"]) == (2, 2)
    with closing(sqlite3.connect(tmp_path / "quell.db")) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    put(file, tmp_path / "new")
    store = open_store(URL, tmp_path / "new")
    assert seqs_of(store) == [1, 2]
    store.close()


def test_a_state_that_no_daemon_could_read_is_no_backup(sql: Store, tmp_path: Path, file: Path) -> None:
    sql.accept(accepted(1))
    sql.save_snapshot(1, b"of the future")
    with pytest.raises(StoreError, match=r"cannot be read by this version.*there is no backup"):
        taken(tmp_path, file)
    assert list(tmp_path.glob("b.db*")) == []


def test_a_damaged_snapshot_of_the_store_is_left_out(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    sql.save_snapshot(2, b"state two")
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("UPDATE snapshots SET sha256 = 'x' WHERE seq = 2")
    made = taken(tmp_path, file)
    assert (made.contents.snapshot, made.contents.left_out) == (1, (2,))
    assert checked(file, readable).contents.left_out == ()


def test_a_hole_in_the_journal_is_no_backup(sql: Store, tmp_path: Path, file: Path) -> None:
    for at in range(1, 5):
        sql.accept(accepted(at))
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("DELETE FROM journal WHERE seq = 3")
        with pytest.raises(StoreError, match="hole: group 4 follows 2"):
            taken(tmp_path, file)
        beside.execute("DELETE FROM journal WHERE seq = 1")
        beside.execute("DELETE FROM journal WHERE seq = 2")
        with pytest.raises(StoreError, match="begins at group 4"):
            taken(tmp_path, file)


def test_a_broken_audit_trail_is_told_and_keeps_nobody_from_a_backup(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("UPDATE audit SET who = 'eve' WHERE n = 2")
    assert "row 2 was changed" in taken(tmp_path, file).contents.audit_break


@pytest.mark.parametrize("seed", some([0, 5, 11], [1, 2, 3, 4, 6, 7, 8, 9, 10]))
def test_a_byte_changed_anywhere_is_found(sql: Store, tmp_path: Path, file: Path, seed: int) -> None:
    filled(sql)
    taken(tmp_path, file)
    data = bytearray(file.read_bytes())
    before = bytes(data)
    at = (len(data) * seed + 4096 * 3) // 12 % len(data)
    while data[at] == 0:  # in a page that is in use
        at = (at + 1) % len(data)
    data[at] ^= 0x55
    file.write_bytes(data)
    try:
        checked(file, readable)
    except StoreError as error:
        assert str(file) in str(error)  # noqa: PT017
    else:  # what is left of a row that is gone, or a hint in a header, is nobody's
        with closing(sqlite3.connect(file)) as found, closing(sqlite3.connect(":memory:")) as other:
            other.deserialize(before)
            assert list(found.iterdump()) == list(other.iterdump())
    file.write_bytes(before)
    assert checked(file, readable).contents.seq == 2


def test_damaged_backups_are_refused_and_the_store_stays(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    taken(tmp_path, file)
    sql.close()
    old = (tmp_path / "quell.db").read_bytes()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"b\.db.*(damaged|malformed)"):
        put(file, tmp_path)
    file.write_bytes(b"")
    with pytest.raises(StoreError, match="holds no store of quell"):
        put(file, tmp_path)
    file.write_bytes(whole)
    with closing(sqlite3.connect(file, isolation_level=None)) as beside:
        beside.execute("UPDATE incidents SET updated_at = updated_at + 1")
    with pytest.raises(StoreError, match=r"is damaged: not as it was written: incidents; .* as it was"):
        put(file, tmp_path)
    with pytest.raises(StoreError, match="no such file"):
        put(tmp_path / "none.db", tmp_path)
    assert (tmp_path / "quell.db").read_bytes() == old
    assert list(tmp_path.glob("*.restoring*")) == []


def test_the_old_database_is_kept_whole_with_what_was_in_its_log(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    taken(tmp_path, file)
    sql.accept(accepted(1000))
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("quell.db", "quell.db-wal"):  # as kill -9 leaves them
        shutil.copyfile(tmp_path / name, killed / name)
    kept = Path(put(file, killed))
    assert sorted(path.name for path in killed.iterdir()) == ["quell.db", kept.name]
    store, before = open_store(URL, killed), open_store(f"sqlite:///{kept}", killed)
    assert (seqs_of(store), seqs_of(before)) == ([1, 2], [1, 2, 3])
    store.close()
    before.close()
    assert Path(put(file, killed)) != kept


def test_a_damaged_database_is_replaced_and_kept_as_it_is(tmp_path: Path, file: Path) -> None:
    open_store(URL, tmp_path).close()
    taken(tmp_path, file)
    (tmp_path / "quell.db").write_bytes(b"nothing of a database" * 500)
    (tmp_path / "quell.db-wal").write_bytes(b"its log")
    kept = put(file, tmp_path)
    assert Path(kept).read_bytes().startswith(b"nothing of a")
    assert Path(f"{kept}-wal").read_bytes() == b"its log"
    open_store(URL, tmp_path).close()


def test_a_restored_database_is_of_whom_the_directory_or_the_one_before_was(tmp_path: Path, file: Path) -> None:
    open_store(URL, tmp_path).close()
    taken(tmp_path, file)
    place = tmp_path / "daemon"
    place.mkdir()
    if os.geteuid() == 0:
        os.chown(place, 65534, 65534)
    owner = (place.stat().st_uid, place.stat().st_gid)
    for _ in range(2):
        with claimed(f"sqlite:///{place}/quell.db"):
            put(file, place)
        for name in ("quell.db", "quell.db.lock"):
            found = (place / name).stat()
            assert (found.st_uid, found.st_gid) == owner
        (place / "quell.db").chmod(0o640)
    assert (place / "quell.db").stat().st_mode & 0o777 == 0o640


def test_a_file_system_without_second_names_will_do(
    sql: Store, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(_source: object, _target: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    filled(sql)
    assert taken(tmp_path, file).contents.seq == 2
    with pytest.raises(StoreError, match="is there already"):
        taken(tmp_path, file)
    sql.close()
    kept = Path(put(file, tmp_path))
    assert kept.stat().st_ino != (tmp_path / "quell.db").stat().st_ino
    store = open_store(f"sqlite:///{kept}", tmp_path)
    assert seqs_of(store) == [1, 2]
    store.close()


def test_a_database_that_somebody_has_open_is_not_replaced(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    taken(tmp_path, file)
    with pytest.raises(StoreError, match="another process has it open"):
        put(file, tmp_path)
    assert seqs_of(sql) == [1, 2]


def test_a_plain_copy_of_a_database_is_restored_too(sql: Store, tmp_path: Path, file: Path) -> None:
    filled(sql)
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("VACUUM INTO ?", [str(file)])
    assert checked(file, readable).manifest is None
    put(file, tmp_path / "other")


CHILD = """
import resource, signal, sys
from pathlib import Path
from quell.store.backup.making import back_up
from quell.store.backup.restoring import restore
what, directory, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("begins", flush=True)
if what == "backup":
    back_up("sqlite:///quell.db", directory, directory / "b.db", now=1.0, version="1", decodes=bytes, force=True)
else:
    restore(directory / "b.db", "sqlite:///quell.db", directory, now=1.0, version="1", decodes=bytes)
"""


def child(what: str, directory: Path, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, what, str(directory), str(limit)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def large(directory: Path) -> None:
    store = open_store(URL, directory)
    filled(store)
    for at in range(40):
        store.keep_quarantined([Quarantined(at=float(at), source="s", reason="r", payload=bytes([at]) * 100_000)])
    store.close()


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, what: str) -> None:
    large(tmp_path)
    if what == "restore":
        taken(tmp_path, tmp_path / "b.db")
    else:
        (tmp_path / "b.db").write_text("the one before")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(("-wal", "-shm"))}
    assert len(before["quell.db"]) > 2_000_000 < resource.getrlimit(resource.RLIMIT_FSIZE)[1] % (1 << 62)
    with child(what, tmp_path, 1_000_000) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "StoreError" in said
    assert "File too large" in said or "the disk is full" in said
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(("-wal", "-shm"))}
    assert after == before


@pytest.mark.parametrize("after_s", some([0.1, 0.3], [0.0, 0.2, 0.45, 0.6, 0.8]))
def test_a_killed_backup_leaves_the_one_before_or_the_new_one(tmp_path: Path, after_s: float) -> None:
    large(tmp_path)
    file = tmp_path / "b.db"
    first = taken(tmp_path, file).manifest
    killed(child("backup", tmp_path), after_s)
    found = checked(file, readable)
    assert found.manifest is not None
    assert first is not None
    assert found.manifest.sums == first.sums
    assert taken(tmp_path, file, force=True).contents.seq == 2
    assert [path.name for path in tmp_path.glob("b.db*")] == ["b.db"]


@pytest.mark.parametrize("after_s", some([0.1, 0.3, 0.5], [0.0, 0.2, 0.4, 0.6, 0.8]))
def test_a_killed_restore_leaves_the_old_database_or_the_new_one(tmp_path: Path, after_s: float) -> None:
    large(tmp_path)
    taken(tmp_path, tmp_path / "b.db")
    store = open_store(URL, tmp_path)
    store.accept(accepted(1000))
    shutil.copyfile(tmp_path / "quell.db-wal", tmp_path / "log")
    store.close()
    killed(child("restore", tmp_path), after_s)
    store = open_store(URL, tmp_path)
    assert seqs_of(store) in ([1, 2], [1, 2, 3])
    assert len(store.quarantine()) == 41
    store.close()
    put(tmp_path / "b.db", tmp_path)
    store = open_store(URL, tmp_path)
    assert seqs_of(store) == [1, 2]
    store.close()
    assert list(tmp_path.glob("*.restoring*")) == []


def killed(process: subprocess.Popen[str], after_s: float) -> None:
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
