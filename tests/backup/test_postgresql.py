"""The same file backs up and restores PostgreSQL: a store moves from one into the other."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from backup.parts import NOW, filled, readable, seen, some, taken
from backup.test_running import Posting, alerts, quell, recovered
from faults.child import Child, write_config
from ports import free_port
from postgres_server import Databases
from quell.errors import StoreError
from quell.store.backup.restoring import Restored, checked, restore
from quell.store.opening import open_store
from quell.store.port import Accepted, Quarantined, Turn
from store.values import accepted, alert, audit, perform, seqs_of


def put(file: Path, url: str, directory: Path) -> Restored:
    return restore(file, url, directory, now=NOW, version="1", decodes=readable)


@pytest.fixture
def url(postgres: Databases) -> str:
    return postgres.new_store()


def test_a_store_moves_into_postgresql_and_back(url: str, tmp_path: Path) -> None:
    store = open_store("sqlite:///quell.db", tmp_path)
    filled(store)
    store.keep_quarantined([Quarantined(at=2.0, source="a\0b\x1ac", reason="no\0t text", payload=b"\0\xff")])
    was = seen(store)
    store.close()
    first = taken("sqlite:///quell.db", tmp_path, tmp_path / "a.db")
    assert put(tmp_path / "a.db", url, tmp_path).kept == ""
    there = open_store(url, tmp_path)
    assert seen(there) == was
    there.accept(accepted(7))
    there.commit(Turn(seq=3, audits=[audit(9.0)], intents=[perform("next")]))
    there.keep_quarantined([Quarantined(at=3.0, source="s", reason="r", payload=b"y")])
    assert there.verify_audit() is None
    assert [entry.id for entry in there.quarantine()] == [3, 2, 1]
    assert len(there.ledger()) == 3
    was = seen(there)
    second = taken(url, tmp_path, tmp_path / "b.db")  # beside its daemon
    there.accept(accepted(8))
    there.close()
    assert first.contents.seq == 2
    assert (second.contents.seq, second.contents.rows["quarantine"]) == (3, 3)
    assert put(tmp_path / "b.db", "sqlite:///again.db", tmp_path).kept == ""
    back = open_store("sqlite:///again.db", tmp_path)
    assert seen(back) == was
    back.close()


def test_what_was_in_the_database_is_kept_in_a_backup_of_its_own(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path)
    filled(store)
    taken(url, tmp_path, tmp_path / "a.db")
    store.accept(accepted(5))
    with pytest.raises(StoreError, match=r"another quell uses it.*the store is as it was"):
        put(tmp_path / "a.db", url, tmp_path)
    store.close()
    kept = Path(put(tmp_path / "a.db", url, tmp_path).kept)
    assert kept.name.startswith("a.db.before-")
    store = open_store(url, tmp_path)
    assert seqs_of(store) == [1, 2]
    store.close()
    assert checked(kept, readable).contents.seq == 3
    put(kept, url, tmp_path)
    store = open_store(url, tmp_path)
    assert seqs_of(store) == [1, 2, 3]
    store.close()


def test_a_damaged_backup_leaves_the_database_as_it_was(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path)
    filled(store)
    was = seen(store)
    taken(url, tmp_path, tmp_path / "a.db")
    store.close()
    data = bytearray((tmp_path / "a.db").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    (tmp_path / "a.db").write_bytes(data)
    with pytest.raises(StoreError, match=r"a\.db.*the store is as it was"):
        put(tmp_path / "a.db", url, tmp_path)
    store = open_store(url, tmp_path)
    assert seen(store) == was
    store.close()


def test_a_large_store_is_copied_piece_by_piece(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path)
    for number in range(350):
        store.accept(accepted(number))
    store.accept(Accepted(now=1.0, records=[alert(1, annotations={"text": "".join(map(str, range(500_000)))})]))
    made = taken(url, tmp_path, tmp_path / "a.db")
    store.close()
    assert (made.contents.groups, made.contents.seq) == (351, 351)
    put(tmp_path / "a.db", url, tmp_path)


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    nowhere = "postgresql://ada:secret@127.0.0.1:1/quell"
    with pytest.raises(StoreError, match=r"127\.0\.0\.1") as caught:
        taken(nowhere, tmp_path, tmp_path / "a.db")
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_goes_on_from_a_backup_in_postgresql(url: str, tmp_path: Path) -> None:
    directory, file = tmp_path / "quell", tmp_path / "b.db"
    config = write_config(directory, "snapshot_every: 1s\n")
    config.write_text(config.read_text().replace("sqlite:///quell.db", url))
    child = Child(config, free_port())
    posting = Posting(child, 0)
    try:
        child.spawn()
        child.wait_ready()
        posting.start()
        while len(posting.acknowledged) < 200:
            posting.over.wait(0.05)
        made = msgspec.json.decode(quell("backup", str(file), "-c", str(directory), "--json"))
        before = len(posting.acknowledged)
        while len(posting.acknowledged) < before + 50:
            posting.over.wait(0.05)
        assert "another quell uses it" in quell("restore", str(file), "-c", str(directory), code=1)
        posting.over.set()
        posting.join(30)
        assert posting.refused == 0
        assert child.end() == 0
        said = quell("restore", str(file), "-c", str(directory))
        assert "what was there is kept as" in said
        assert "pw-" not in said
        child.spawn()
        child.wait_ready()
        assert child.api("GET", "/status")["journal"]["seq"] == made["contents"]["seq"]
        assert len(alerts(child)) == made["contents"]["records"]
        assert child.end() == 0
        last = made["contents"]["seq"]
        (kept,) = tmp_path.glob("b.db.before-*")
        state = recovered(tmp_path, f"sqlite:///{kept.name}", last, from_the_start=True)
        assert recovered(tmp_path, url, last, from_the_start=True) == state
        assert "Traceback" not in child.log
    finally:
        child.close()


CHILD = """
import sys
from pathlib import Path
from quell.store.backup.restoring import restore
print("begins", flush=True)
restore(Path(sys.argv[1]), sys.argv[2], Path("."), now=1.0, version="1", decodes=bytes)
"""


@pytest.mark.parametrize("after_s", some([0.5], [0.2, 0.4, 0.6, 0.8, 1.2]))
def test_a_killed_restore_leaves_the_old_content_or_the_new(url: str, tmp_path: Path, after_s: float) -> None:
    store = open_store(url, tmp_path)
    filled(store)
    store.keep_quarantined([Quarantined(at=1.0, source="s", reason="r", payload=bytes(300_000))] * 20)
    taken(url, tmp_path, tmp_path / "a.db")
    store.accept(accepted(5))
    store.close()
    command = [sys.executable, "-c", CHILD, str(tmp_path / "a.db"), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        process.kill()
    store = open_store(url, tmp_path)
    assert seqs_of(store) in ([1, 2], [1, 2, 3])
    assert store.quarantine_size() == 21
    assert store.verify_audit() is None
    store.close()
    put(tmp_path / "a.db", url, tmp_path)
