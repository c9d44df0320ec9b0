"""Queries of real databases: SQLite and PostgreSQL, and what is wrong with queries, rows and connections."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.monitors import alerts
from ports import free_port
from postgres_server import Databases, execute
from quell.errors import Misconfigured, Refused, Unreachable
from quell.model.records import AlertRecord, AnyRecord, SampleRecord
from quell.sdk.connector import Context, Pulled, Received
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, check_connector, run
from quell_connectors.sql import Sql
from quell_connectors.sql.database import Table
from quell_connectors.sql.queries import read_queries
from quell_connectors.sql.translate import read

APPROVALS = {
    "sql": "SELECT minute, region, share, n FROM kpi WHERE minute > :since AND minute <= :until ORDER BY minute",
    "entity": "kpi/approvals-${region}",
    "time": "minute",
    "values": {"approved_share": "share", "requests": "n"},
    "time_as": "epoch",
    "lookback": "1h",
    "overlap": "5m",
}


def pulled(
    url: str, queries: Mapping[str, Any], cursor: str | None = None, now: float = NOW, timeout: float = 5.0
) -> Pulled:
    options = {"url": Secret(url), "queries": queries, "timeout": timeout}
    got: Pulled = run(Sql(options, Context("kpis", FakeHttp())).pull(cursor, now))
    return got


def points(records: Any) -> dict[tuple[str, str], list[tuple[float, float]]]:
    return {(one.entity, one.metric): one.points for one in records if isinstance(one, SampleRecord)}


def wrong(got: Pulled) -> dict[str, str]:
    """What is wrong with which query."""
    firing = alerts(Received(got.records))
    return {one.labels["query"]: one.annotations["summary"].partition(": ")[2] for one in firing}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, sqlite3.Connection]]:
    file = tmp_path / "shop.db"
    base = sqlite3.connect(file, isolation_level=None)
    base.execute("CREATE TABLE kpi (minute REAL, region TEXT, share REAL, n INTEGER)")
    rows = [(NOW - 60 * ago, region, 0.9 - ago / 100, 10 + ago) for ago in (3, 2, 1) for region in ("eu", "us")]
    base.executemany("INSERT INTO kpi VALUES (?, ?, ?, ?)", rows)
    yield f"sqlite:///{file}", base
    base.close()


def test_the_rules_of_the_house_hold() -> None:
    check_connector(Sql)


def test_rows_become_samples_and_only_new_ones_later(shop: tuple[str, sqlite3.Connection]) -> None:
    url, base = shop
    first = pulled(url, {"approvals": APPROVALS})
    assert wrong(first) == {}
    told = points(first.records)
    assert set(told) == {(f"kpi/approvals-{region}", metric) for region in ("eu", "us")
                         for metric in ("approved_share", "requests")}  # fmt: skip
    assert told["kpi/approvals-eu", "approved_share"] == [
        (NOW - 180, pytest.approx(0.87)), (NOW - 120, pytest.approx(0.88)), (NOW - 60, pytest.approx(0.89))
    ]  # fmt: skip
    again = pulled(url, {"approvals": APPROVALS}, first.cursor, NOW + 30)
    assert points(again.records) == {}
    base.execute("INSERT INTO kpi VALUES (?, 'eu', 0.5, 99)", (NOW + 20,))
    base.execute("INSERT INTO kpi VALUES (?, 'us', 0.4, 98)", (NOW - 90,))  # late
    later = pulled(url, {"approvals": APPROVALS}, again.cursor, NOW + 60)
    told = points(later.records)
    assert told["kpi/approvals-eu", "requests"] == [(NOW + 20, 99.0)]
    assert told["kpi/approvals-us", "requests"] == [(NOW - 90, 98.0)]
    assert points(pulled(url, {"approvals": APPROVALS}, later.cursor, NOW + 90).records) == {}


def test_times_as_sqlite_writes_them(shop: tuple[str, sqlite3.Connection]) -> None:
    url, base = shop
    base.execute("CREATE TABLE visits (at TEXT, page TEXT, users INTEGER)")
    base.execute("INSERT INTO visits VALUES ('2026-03-01 09:59:00', 'checkout', 41), ('2026-03-01 08:00:00', 'a', 1)")
    query = {"sql": "SELECT * FROM visits WHERE at > :since AND at <= :until", "entity": "touchpoint/${page}",
             "time": "at", "value": "users", "unit": "users"}  # fmt: skip
    got = pulled(url, {"visits": query})
    assert points(got.records) == {("touchpoint/checkout", "visits"): [(NOW - 60, 41.0)]}
    [sample] = [one for one in got.records if isinstance(one, SampleRecord)]
    assert (sample.unit, sample.source) == ("users", "kpis")


def test_parameters_and_a_value_as_of_now(shop: tuple[str, sqlite3.Connection]) -> None:
    url, _ = shop
    query = {"sql": "SELECT count(*) AS value, ':no' AS x FROM kpi WHERE region = :region -- a :note",
             "entity": "kpi/rows", "params": {"region": "eu"}}  # fmt: skip
    for cursor in (None, pulled(url, {"rows": query}).cursor):
        assert points(pulled(url, {"rows": query}, cursor).records) == {("kpi/rows", "rows"): [(NOW, 3.0)]}


def test_nothing_is_written_and_the_rest_goes_on(shop: tuple[str, sqlite3.Connection]) -> None:
    url, base = shop
    queries = {
        "evil": {"sql": "WITH a AS (SELECT 1) DELETE FROM kpi", "entity": "kpi/x"},
        "gone": {"sql": "SELECT 1 AS value FROM nowhere", "entity": "kpi/x"},
        "good": {"sql": "SELECT 2 AS value", "entity": "kpi/x"},
    }
    got = pulled(url, queries)
    assert base.execute("SELECT count(*) FROM kpi").fetchone() == (6,)
    assert wrong(got) == {"evil": "attempt to write a readonly database", "gone": "no such table: nowhere"}
    assert points(got.records) == {("kpi/x", "good"): [(NOW, 2.0)]}
    one = alerts(Received(got.records))[0]
    assert (one.entity, one.labels["alertname"], one.labels["impact"]) == ("source/kpis", "InputUnreadable", "system")


def test_a_statement_that_takes_too_long_is_stopped(shop: tuple[str, sqlite3.Connection]) -> None:
    url, _ = shop
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS value FROM n"
    got = pulled(url, {"endless": {"sql": endless, "entity": "kpi/x"}, "good": {"sql": "SELECT 2 AS value",
                       "entity": "kpi/x"}}, timeout=0.2)  # fmt: skip
    assert wrong(got) == {"endless": "it took longer than 0.2 s and was stopped"}
    assert ("kpi/x", "good") in points(got.records)


def test_a_renamed_column_is_an_alert_and_its_return_ends_it(shop: tuple[str, sqlite3.Connection]) -> None:
    url, base = shop
    first = pulled(url, {"approvals": APPROVALS})
    base.execute("ALTER TABLE kpi RENAME COLUMN share TO rate")
    changed = {**APPROVALS, "sql": APPROVALS["sql"].replace("share", "rate")}  # type: ignore[attr-defined]
    got = pulled(url, {"approvals": changed}, first.cursor, NOW + 60)
    assert wrong(got) == {"approvals": 'no column "share"; the answer has minute, region, rate, n'}
    assert points(got.records) == {}
    base.execute("ALTER TABLE kpi RENAME COLUMN rate TO share")
    well = pulled(url, {"approvals": APPROVALS}, got.cursor, NOW + 120)
    over: list[AnyRecord] = [one for one in well.records if isinstance(one, AlertRecord)]
    assert [(one.status, one.key) for one in over if isinstance(one, AlertRecord)] == [
        ("resolved", alerts(Received(got.records))[0].key)
    ]


def test_what_is_no_number_is_said_and_null_is_nothing(shop: tuple[str, sqlite3.Connection]) -> None:
    url, base = shop
    base.execute("CREATE TABLE odd (at REAL, value, who TEXT)")
    base.executemany("INSERT INTO odd VALUES (?, ?, ?)", [
        (NOW - 1, None, "a"), (NOW - 2, "12", "a"), (NOW - 3, b"x", "a"), (NOW - 4, float("inf"), "a"),
        (NOW - 5, 7, ""), (NOW + 900, 7, "a"), (None, 7, "a"), ("soon", 7, "a"), (NOW - 6, 5, "a"), (NOW - 7, "1", "a"),
    ])  # fmt: skip
    got = pulled(url, {"odd": {"sql": "SELECT * FROM odd", "entity": "kpi/${who}", "time": "at", "time_as": "epoch"}})
    assert points(got.records) == {("kpi/a", "odd"): [(NOW - 6, 5.0)]}
    assert wrong(got)["odd"] == (
        'column "at" holds times ahead of the clock; column "at" holds nothing (NULL) and no time; '
        'column "at" holds text and no time; column "value" holds text and no number (2 times); '
        'column "value" holds bytes and no number'
    )


def test_an_answer_in_which_every_row_has_a_fault_of_its_own_is_told_at_once() -> None:
    (query,) = read_queries({"approvals": APPROVALS | {"limit": 100_000}}, "kpis")
    rows = [(NOW, f"//{number}", 0.5, 1) for number in range(100_000)]
    told = read(query, Table(("minute", "region", "share", "n"), rows), None, until=NOW, now=NOW, source="kpis")
    assert told.samples == []
    assert told.wrong.startswith("a row names no entity (kpi/approvals-//0); a row names no entity (kpi/approvals-//1)")


def test_a_long_answer_is_read_in_parts_without_loss(shop: tuple[str, sqlite3.Connection]) -> None:
    url, base = shop
    base.execute("DELETE FROM kpi")
    base.executemany("INSERT INTO kpi VALUES (?, 'eu', 0.5, ?)", [(NOW - 600 + at // 2, at) for at in range(60)])
    query = {**APPROVALS, "limit": 7, "overlap": 0}
    cursor, found, parts = None, [], 0
    while len(found) < 60 and parts < 20:
        got = pulled(url, {"approvals": query}, cursor)
        assert wrong(got) == {}
        found += points(got.records).get(("kpi/approvals-eu", "requests"), [])
        cursor, parts = got.cursor, parts + 1
    assert sorted(value for _, value in found) == list(range(60))
    unordered = {**query, "sql": "SELECT * FROM kpi WHERE minute > :since ORDER BY minute DESC"}
    assert wrong(pulled(url, {"u": unordered})) == {
        "u": "more than 7 rows, not in order of time: write ORDER BY minute"
    }


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"entity": "kpi/x"}, 'needs "sql"'),
        ({"sql": "SELECT 1"}, 'needs "entity"'),
        ({"sql": "SELECT 1", "entity": "approvals"}, '"approvals" is no entity'),
        ({"sql": "DELETE FROM a", "entity": "kpi/x"}, 'a query that begins with "delete" does not only read'),
        ({"sql": "/* SELECT */ DROP TABLE a", "entity": "kpi/x"}, 'begins with "drop"'),
        ({"sql": "SELECT :a", "entity": "kpi/x"}, ":a has no value"),
        ({"sql": "SELECT :since", "entity": "kpi/x"}, "does not say which column holds the time"),
        ({"sql": "SELECT 1", "entity": "kpi/x", "tiem": "a"}, '"tiem" is not known'),
        ({"sql": "SELECT 1", "entity": "kpi/x", "limit": 0}, "limit: expected a whole number"),
        ({"sql": "SELECT 1", "entity": "kpi/x", "lookback": "soon"}, "lookback: expected a duration"),
        ({"sql": "SELECT 1", "entity": "kpi/x", "values": 7}, "values: expected columns"),
        ({"sql": "SELECT 1", "entity": "kpi/x", "time_as": "x"}, 'time_as: "x" is not one of timestamp'),
        ("SELECT 1", "expected a mapping"),
    ],
)  # fmt: skip
def test_mistakes_in_queries_are_all_found_at_the_start(query: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Sql({"url": Secret("sqlite:////x"), "queries": {"q": query, "p": 7}}, Context("kpis", FakeHttp()))
    assert any(said in str(problem) for problem in caught.value.problems)
    assert any("queries.p: expected a mapping" in str(problem) for problem in caught.value.problems)


def test_a_database_that_cannot_be_asked_is_unreachable_and_shows_no_password(tmp_path: Path) -> None:
    query = {"q": {"sql": "SELECT 1 AS value", "entity": "kpi/x"}}
    with pytest.raises(Unreachable, match='sql "kpis" cannot be connected to: unable to open'):
        pulled(f"sqlite:///{tmp_path}/none.db", query)
    with pytest.raises(Unreachable, match='sql "kpis" cannot be connected to') as caught:
        pulled(f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x", query)
    assert "hunter2" not in str(caught.value)
    for url, said in (
        ("hunter2", "is none of a database"),
        ("nosuch://u:hunter2@h/x", 'the driver of "nosuch" is not'),
    ):
        with pytest.raises(Refused, match=said) as refused:
            pulled(url, query)
        assert "hunter2" not in str(refused.value)


def test_postgresql(postgres: Databases) -> None:
    url = postgres.new()
    execute(
        url,
        "CREATE TABLE kpi (minute timestamptz, local timestamp, region text, share numeric(6, 4), n bigint)",
        "INSERT INTO kpi SELECT to_timestamp(1772359200 - 60 * ago), to_timestamp(1772359200 - 60 * ago) AT TIME ZONE "
        "'UTC', 'eu', 0.9 - ago / 100.0, ago FROM generate_series(1, 3) ago",
        "INSERT INTO kpi VALUES (to_timestamp(1772359200 - 30), NULL, 'us', 'NaN', NULL)",
    )
    aware = {**APPROVALS, "time_as": "timestamp"}
    local = {**aware, "sql": str(APPROVALS["sql"]).replace("minute", "local"), "time": "local"}
    queries = {
        "aware": aware,
        "local": {**local, "time_as": "naive"},
        "unzoned": local,
        "evil": {"sql": "WITH gone AS (DELETE FROM kpi RETURNING n) SELECT n AS value FROM gone", "entity": "kpi/x"},
        "slow": {"sql": "SELECT 1 AS value FROM pg_sleep(60)", "entity": "kpi/x"},
        "cast": {"sql": "SELECT '7'::int AS value", "entity": "kpi/cast"},
    }
    got = pulled(url, queries, timeout=2.0)
    told = points(got.records)
    assert told["kpi/approvals-eu", "requests"] == [(NOW - 180, 3.0), (NOW - 120, 2.0), (NOW - 60, 1.0)]
    assert told["kpi/cast", "cast"] == [(NOW, 7.0)]
    said = wrong(got)
    assert set(said) == {"aware", "unzoned", "evil", "slow"}
    assert said["aware"] == 'column "share" holds NaN or an infinity'
    assert said["unzoned"].endswith("the column has no zone: write time_as: naive")
    assert said["evil"].endswith("in a read-only transaction")
    assert said["slow"] == "it took longer than 2 s and was stopped"
    assert points(pulled(url, {"aware": aware}, got.cursor, NOW + 30).records) == {}
