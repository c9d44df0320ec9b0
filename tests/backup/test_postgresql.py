"""The same file backs up and restores PostgreSQL: a store moves from one into the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from backup.parts import NOW, filled, readable, seen, taken
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
