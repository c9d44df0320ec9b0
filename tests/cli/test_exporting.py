"""The command export: what a daemon has kept, read back by those who get it."""

import gzip
import json
import sqlite3
import sys
from contextlib import closing

import pytest
from pyarrow import parquet

from quell.cli.main import run
from quell.store.opening import open_for_reading, open_store
from quell.store.port import Accepted, Quarantined, Turn
from quell.store.tables import METADATA
from store.values import alert, audit, finished, incident, perform
from store.values import run as run_of

SECRET = "hunter2-hunter2"
SETTINGS = """\
store: sqlite:///quell.db
sources:
  hook: {use: webhook, auth: {token: "env:HOOK_SECRET"}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    (tmp_path / "quell.yaml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def store(folder):
    opened = open_store("sqlite:///quell.db", folder)
    yield opened
    opened.close()


@pytest.fixture
def export(folder, capfdbinary):
    def exported(*words, code=0):
        assert run(["export", *words, "-c", str(folder)]) == code
        sys.stdout.flush()
        told = capfdbinary.readouterr()
        return [json.loads(line) for line in told.out.splitlines()] if code == 0 else told.err.decode()

    return exported


def filled(store):
    junk = Quarantined(at=1001.0, source="s", reason="no JSON", payload=b"{token=abcdef")
    store.accept(Accepted(now=1000.0, records=[alert(0, seen=1000.0)], quarantined=[junk]))
    store.accept(Accepted(now=2000.0, records=[alert(n, seen=1999.0) for n in range(3)]))
    store.commit(
        Turn(
            seq=2,
            audits=[audit(1500.0)],
            intents=[perform("k", at=1500.0)],
            incidents=[incident(opened_at=1100.0, updated_at=1200.0, status="resolved", harm="business")],
            runs=[run_of()],
        )
    )
    store.finish_act(finished("k"))


def test_records_are_lines_in_order(store, export):
    filled(store)
    lines = export()
    assert [line["kind"] for line in lines] == ["alert", "tick", "alert", "alert", "alert"]
    assert lines[1]["at"] == "1970-01-01T00:33:20.000Z"
    assert lines[2]["labels"] == {"alertname": "HighErrors", "service": "svc-0"}


def test_a_span_of_time_bounds_what_is_written(store, export):
    filled(store)
    assert len(export("records", "--until", "1970-01-01T00:30:00Z")) == 1
    assert len(export("records", "--since", "1970-01-01T00:30:00Z")) == 4
    assert export("records", "--since", "1h") == []
    assert export("audit", "--since", "1970-01-01T00:30:00Z") == []
    assert "--until must be later than --since" in export("--since", "1h", "--until", "2h", code=2)
    assert export("incidents", "--since", "1970-01-01T00:20:01Z") == []
    assert len(export("incidents", "--since", "1970-01-01T00:19:00Z")) == 1


@pytest.mark.parametrize(
    ("what", "field", "value"),
    [("incidents", "id", "INC-1"), ("runs", "id", "run-1"), ("ledger", "state", "done"), ("audit", "who", "ada")],
)
def test_everything_else_is_lines_too(store, export, what, field, value):
    filled(store)
    (line,) = export(what)
    assert line[field] == value


def test_what_is_secret_never_leaves(store, export):
    filled(store)
    store.accept(Accepted(now=3000.0, records=[alert(9, annotations={"summary": f"it said {SECRET}"})]))
    assert export()[-1]["annotations"] == {"summary": "it said ***"}
    (junk,) = export("quarantine")
    assert junk["payload"] == "{token=***"


def test_an_empty_store_gives_nothing(store, export, folder):
    for what in ("records", "alerts", "incidents", "runs", "ledger", "audit", "quarantine"):
        assert export(what) == []
        assert export(what, "--format", "parquet", "--out", str(folder / "t.parquet")) == []
        assert parquet.read_table(folder / "t.parquet").num_rows == 0


def test_a_packed_file_is_whole_and_replays(store, export, folder):
    filled(store)
    export("--out", str(folder / "records.jsonl.gz"))
    with gzip.open(folder / "records.jsonl.gz") as stream:
        assert len(stream.readlines()) == 5
    assert run(["replay", str(folder / "records.jsonl.gz"), "--strict", "--out", str(folder / "result.jsonl")]) == 0
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def test_a_failure_leaves_what_was_there(store, export, folder, tmp_path):
    filled(store)
    kept = folder / "records.jsonl"
    kept.write_text("before\n")
    with closing(sqlite3.connect(folder / "quell.db", isolation_level=None)) as beside:
        beside.execute("UPDATE journal SET records = x'ff', packed = 0 WHERE seq = 2")
    assert "journal group 2" in export("--out", str(kept), code=1)
    assert kept.read_text() == "before\n"
    assert "cannot be written" in export("--out", str(tmp_path / "no" / "where.jsonl"), code=1)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_table_has_typed_columns(store, export, folder):
    filled(store)
    file = folder / "records.parquet"
    export("records", "--format", "parquet", "--out", str(file))
    rows = parquet.read_table(file).to_pylist()
    assert [row["group"] for row in rows] == [1, 2, 2, 2]
    assert rows[1]["kind"] == "alert"
    assert rows[1]["name"] == "HighErrors"
    assert dict(rows[1]["labels"]) == {"alertname": "HighErrors", "service": "svc-0"}
    assert rows[1]["accepted_at"].timestamp() == 2000.0
    assert rows[1]["seen"].timestamp() == 1999.0
    assert rows[1]["other"] is None
    for what in ("incidents", "runs", "ledger", "audit", "quarantine"):
        export(what, "--format", "parquet", "--out", str(file))
        (row,) = parquet.read_table(file).to_pylist()
        assert row
        assert what != "incidents" or row["harm"] == "business"


def test_without_pyarrow_it_says_what_to_install(store, export, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = export("--format", "parquet", "--out", str(folder / "t.parquet"), code=1)
    assert 'pip install "quell[parquet]"' in told
    assert not (folder / "t.parquet").exists()


def test_wrong_words_are_refused_before_anything_is_read(export, folder):
    assert "say where it goes with --out FILE" in export("--format", "parquet", code=2)
    assert '"soon" is neither a duration' in export("--since", "soon", code=2)
    assert "there is no such file" in export(code=1)
    assert not (folder / "quell.db").exists()
    (folder / "quell.yaml").write_text('store: "memory://"\n')
    assert "kept nowhere" in export(code=1)


def test_another_version_is_told_and_left_alone(store, export, folder):
    with closing(sqlite3.connect(folder / "quell.db", isolation_level=None)) as beside:
        beside.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "holds schema 0001" in export(code=1)


def test_a_database_without_its_daemon_is_read(store, export, folder):
    filled(store)
    store.close()
    assert len(export()) == 5
    assert METADATA.tables


def test_while_the_daemon_writes(store, folder):
    """A reader sees a beginning of the journal and nobody waits for it."""
    reading = open_for_reading("sqlite:///quell.db", folder)
    seen = []
    for n in range(50):
        store.accept(Accepted(now=float(n), records=[alert(n)]))
    for group in reading.groups():
        seen.append(group.seq)
        store.accept(Accepted(now=100.0 + group.seq, records=[alert(group.seq)]))
        if group.seq == 200:
            break
    reading.close()
    assert seen == list(range(1, 201))
