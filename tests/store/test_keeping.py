"""How long things stay, how they go, and that the disk gets back what they took."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from quell.model.alert import Alert, Heard
from quell.store import vacuum
from quell.store.opening import open_store
from quell.store.port import Accepted, Quarantined, ShownRow, Store, Turn
from quell.store.vacuum import INCREMENTAL
from store.values import accepted, alert, audit, incident, perform, seqs_of

URL = "sqlite:///quell.db"
DAY = 86400.0
NEVER = {"records_before": 0.0, "incidents_before": 0.0, "audit_before": 0.0}


def over(mark: str, end: float, episode: int = 1, **fields) -> Alert:
    given = {"source": "t", "labels": {"alertname": mark}, "status": "resolved", "starts_at": end - 60.0, **fields}
    return Alert(fingerprint=mark, episode=episode, updated_at=end, onset_seen=end, ends_at=end, **given)


def test_alerts_that_are_over_come_back_the_last_first(store: Store) -> None:
    store.keep_alerts([over("a", 1000.0), over("b", 1100.0)])
    store.keep_alerts([over("c", 1200.0)])
    assert [each.fingerprint for each in store.alerts()] == ["c", "b", "a"]
    assert [each.fingerprint for each in store.alerts(since=1100.0)] == ["c", "b"]
    assert next(iter(store.alerts())) == over("c", 1200.0)


def test_a_storm_is_a_few_rows(sql: Store, tmp_path: Path) -> None:
    marks = [f"m{n}" for n in range(4_500)]
    sql.keep_alerts([over(mark, 1000.0 + n) for n, mark in enumerate(marks)])
    with closing(sqlite3.connect(tmp_path / "quell.db")) as beside:
        assert beside.execute("SELECT count(*), sum(count) FROM alerts").fetchone() == (3, 4_500)
    assert [each.fingerprint for each in sql.alerts()] == marks[::-1]


def test_of_a_firing_the_last_word_counts(store: Store) -> None:
    store.keep_alerts([over("a", 1000.0), over("a", 1500.0, episode=2)])
    store.keep_alerts([msgspec.structs.replace(over("a", 1000.0), incident="INC-1")])
    assert [(each.episode, each.incident) for each in store.alerts()] == [(1, "INC-1"), (2, None)]


def test_quick_returns_are_one_firing_and_a_return_after_days_is_another(store: Store) -> None:
    for end in (1000.0, 1300.0, 1600.0, 1600.0 + 3 * DAY):
        store.keep_alerts([over("a", end)])
    assert [each.ends_at for each in store.alerts()] == [1600.0 + 3 * DAY, 1600.0]


def test_what_only_folding_needs_is_not_kept(sql: Store) -> None:
    heard = Heard(1.0, 1.0, 2.0, False, 1.0, "r")
    sql.keep_alerts([msgspec.structs.replace(over("a", 1000.0), heard=(heard,), ended=(1.0,), late=((1.0, 2.0),))])
    assert list(sql.alerts()) == [over("a", 1000.0)]


def test_each_has_an_age_of_its_own(store: Store) -> None:
    store.keep_alerts([over("old", 1000.0)])
    store.keep_alerts([over("new", 2000.0)])
    store.keep_quarantined([Quarantined(at=at, source="s", reason="r", payload=b"x") for at in (1000.0, 2000.0)])
    assert store.trim(**NEVER, alerts_before=1500.0) == 1
    assert [each.fingerprint for each in store.alerts()] == ["new"]
    assert store.trim(**NEVER, quarantine_before=1500.0) == 1
    assert [each.at for each in store.quarantine()] == [2000.0]
    assert store.trim(**NEVER) == 0


def test_of_too_much_in_quarantine_the_oldest_goes(store: Store) -> None:
    store.keep_quarantined([Quarantined(at=float(n), source="s", reason="r", payload=b"x" * 1000) for n in range(10)])
    assert store.trim(**NEVER, quarantine_bytes=4_600) == 7
    assert [each.at for each in store.quarantine()] == [9.0, 8.0, 7.0]
    assert store.trim(**NEVER, quarantine_bytes=4_600) == 0


def test_much_goes_in_slices_and_nothing_of_it_stays(sql: Store) -> None:
    for n in range(1, 26):
        sql.accept(accepted(n, now=float(n)))
        sql.commit(
            Turn(
                seq=n,
                audits=[audit(float(n))],
                intents=[perform(f"k{n}", at=float(n), run="")],
                incidents=[incident(f"INC-{n}", status="resolved", opened_at=float(n), updated_at=float(n))],
            )
        )
        sql.keep_alerts([over(f"a{n}", float(n))])
    for seq in (24, 25):
        sql.save_snapshot(seq, b"state")
    gone = []
    ages = {"records_before": 100.0, "incidents_before": 100.0, "audit_before": 100.0, "alerts_before": 100.0}
    while part := sql.trim(**ages, most=4):
        gone.append(part)
    assert max(gone) <= 5 * 4
    assert seqs_of(sql) == [25]
    assert [entry.n for entry in sql.audit()] == [25, 24]
    assert sql.verify_audit() is None
    assert list(sql.alerts()) == sql.resolved() == []


def grown(store: Store, groups: int = 60) -> None:
    for n in range(groups):
        store.accept(Accepted(now=float(n), records=[alert(n, annotations={"text": random_text(n)})]))
    store.save_snapshot(groups - 1, b"a")
    store.save_snapshot(groups, b"b")


def random_text(n: int) -> str:
    """What does not pack well."""
    return random.Random(n).randbytes(200_000).hex()


def test_the_file_becomes_smaller_slice_by_slice(sql: Store, tmp_path: Path) -> None:
    grown(sql)
    before = settled_size(sql, tmp_path / "quell.db")
    assert before > 8_000_000
    while sql.trim(records_before=1e9, incidents_before=0.0, audit_before=0.0):
        pass
    slices = []
    while freed := sql.compact():
        slices.append(freed)
    assert len(slices) > 1
    after = (tmp_path / "quell.db").stat().st_size
    assert after < before / 2
    assert sum(slices) >= before - after - 1_000_000
    assert (tmp_path / "quell.db-wal").stat().st_size == 0
    assert sql.compact() == 0
    assert seqs_of(sql) == [60]


def settled_size(_store: Store, file: Path) -> int:
    with closing(sqlite3.connect(file, isolation_level=None)) as beside:
        beside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return file.stat().st_size


def test_a_reader_keeps_nobody_waiting_while_the_file_is_cut(sql: Store, tmp_path: Path) -> None:
    grown(sql)
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("BEGIN")
        (count,) = beside.execute("SELECT count(*) FROM journal").fetchone()
        while sql.trim(records_before=1e9, incidents_before=0.0, audit_before=0.0):
            pass
        while sql.compact():
            pass
        assert beside.execute("SELECT count(*) FROM journal").fetchone() == (count,)
        beside.execute("COMMIT")
    assert sql.accept(accepted(1)).seq == 61


def from_before(file: Path) -> None:
    """The database as a quell made it that knew nothing of cutting."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)


@pytest.mark.parametrize(("room", "mode"), [(True, INCREMENTAL), (False, 0)])
def test_a_file_from_before_is_written_anew_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool, mode: int
) -> None:
    store = open_store(URL, tmp_path)
    store.accept(accepted(1, 2))
    store.close()
    from_before(tmp_path / "quell.db")
    if not room:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(vacuum.shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    store = open_store(URL, tmp_path)
    assert seqs_of(store) == [1]
    assert store.compact() == 0
    store.close()
    with closing(sqlite3.connect(tmp_path / "quell.db")) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (mode,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_from_before_that_somebody_reads_is_opened_as_it_is(tmp_path: Path) -> None:
    open_store(URL, tmp_path).close()
    from_before(tmp_path / "quell.db")
    with closing(sqlite3.connect(tmp_path / "quell.db", isolation_level=None)) as beside:
        beside.execute("BEGIN")
        beside.execute("SELECT count(*) FROM journal").fetchone()
        store = open_store(URL, tmp_path, busy_timeout_s=0.05)
        assert store.accept(accepted(1)).seq == 1
        store.close()


def test_what_is_shown_is_kept_by_its_place(store: Store) -> None:
    first = ShownRow(source="slack", channel="#a", key="INC-1", at=1.0)
    second = ShownRow(source="slack", channel="#b", key="INC-1", at=2.0, own=True)
    store.keep_shown([first, second])
    placed = msgspec.structs.replace(first, ts="17.1", stands="C1", state="placed", sent="ff", told=3.5, telling=4.5)
    store.keep_shown([placed])
    assert store.shown() == [placed, second]
    store.keep_shown([], [placed])
    assert store.shown() == [second]
