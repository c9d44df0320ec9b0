"""Elasticsearch, OpenSearch and Loki: every line is counted once, whatever comes late, breaks or is cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.monitors import alerts
from connectors.pretend_logs import TOKEN, PretendElastic, PretendLoki, PretendOpenSearch
from connectors.wire import Pretend, served
from quell.errors import BadPayload, Misconfigured, Refused, Unreachable
from quell.model.records import LogRecord
from quell.sdk.connector import Context, Pulled, Received
from quell.sdk.http_client import GuardedHttp
from quell.sdk.log_pull import MOST_STATEMENTS, REST, Line, counted, severity_of
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, check_connector, run
from quell_connectors.elasticsearch import Elasticsearch
from quell_connectors.elasticsearch import client as elastic_client
from quell_connectors.loki import Loki
from quell_connectors.loki import connector as loki_connector

Pull = Callable[..., Awaitable[Pulled]]
both = pytest.mark.parametrize("kind", [PretendElastic, PretendOpenSearch], ids=["elasticsearch", "opensearch"])


def pulling(pretend: Pretend, work: Callable[[Pull], Awaitable[None]], **options: Any) -> None:
    async def inner() -> None:
        http = GuardedHttp(["loopback"])
        async with served(pretend) as url:
            made: Any
            if isinstance(pretend, PretendElastic):
                given = {"url": url, "product": pretend.kind, "api_key": Secret(TOKEN), **options}
                made = Elasticsearch(given, Context("logs", http))
            else:
                given = {"url": url, "query": '{app="shop"}', "tenant": "shop", "token": Secret(TOKEN), **options}
                made = Loki(given, Context("logs", http))
            try:
                await work(made.pull)
            finally:
                await http.close()

    run(inner())


def counts(*pulled: Pulled) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for one in pulled:
        for record in one.records:
            if isinstance(record, LogRecord):
                found[record.entity, record.severity, record.template] += record.count
    return found


def wrong(pulled: Pulled) -> list[str]:
    return [one.annotations["summary"].partition(": ")[2] for one in alerts(Received(pulled.records))]


def test_the_rules_of_the_house_hold() -> None:
    check_connector(Elasticsearch)
    check_connector(Loki)


@both
def test_documents_become_counted_statements_once(kind: type[PretendElastic]) -> None:
    store = kind()
    for number in range(6):
        store.add(number, NOW - 100 + number, message=f"order {number} failed for user u{number}@shop.example",
                  service_name="checkout", log_level="ERROR")  # fmt: skip
    store.add(7, NOW - 90, message="ready", service_name="cart", log_level="warn")
    store.add(8, NOW - 10, message="too new yet", service_name="cart", log_level="info")

    async def work(pull: Pull) -> None:
        first = await pull(None, NOW)
        assert counts(first) == {("service/checkout", "error", "order <*> failed for user <*>"): 6,
                                 ("service/cart", "warning", "ready"): 1}  # fmt: skip
        assert "shop.example" not in repr(first.records)
        assert wrong(first) == []
        assert store.views == {}  # what was opened is closed
        store.add(
            9, NOW - 80, message="order 9 failed for user x@y.z", service_name="checkout", log_level="ERROR"
        )  # late
        second = await pull(first.cursor, NOW + 30)
        assert counts(second) == {("service/checkout", "error", "order <*> failed for user <*>"): 1,
                                  ("service/cart", "info", "too new yet"): 1}  # fmt: skip
        assert counts(await pull(second.cursor, NOW + 31)) == {}

    pulling(store, work)


@both
def test_pages_lose_and_double_nothing(kind: type[PretendElastic], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_client, "PAGE", 5)
    store = kind()
    moments = [NOW - 120] * 13 + [NOW - 100 + number // 3 for number in range(40)]
    for number, at in enumerate(moments):
        store.add(number, at, message=f"line {chr(97 + number % 26)}{chr(97 + number // 26)}", service_name="a")

    async def work(pull: Pull) -> None:
        assert sum(counts(await pull(None, NOW)).values()) == len(moments)
        parts, cursor = [], None
        for _ in range(12):
            parts.append(await pull(cursor, NOW))
            cursor = parts[-1].cursor
        found = counts(*parts)
        assert (sum(found.values()), max(found.values())) == (len(moments), 1)

    async def in_parts(pull: Pull) -> None:
        parts, cursor = [], None
        for _ in range(12):
            parts.append(await pull(cursor, NOW))
            cursor = parts[-1].cursor
        found = counts(*parts)
        assert (sum(found.values()), max(found.values())) == (len(moments), 1)
        assert all(sum(counts(part).values()) <= 20 for part in parts)

    pulling(store, work)
    pulling(store, in_parts, limit=10)


@both
def test_what_is_there_in_part_is_not_taken_for_all(kind: type[PretendElastic]) -> None:
    store = kind()
    store.add(1, NOW - 100, message="x", service_name="a")
    store.failed_shards = 2

    async def work(pull: Pull) -> None:
        with pytest.raises(Unreachable, match="answered in part: 2 of 5 shards failed"):
            await pull(None, NOW)
        store.failed_shards, store.forgetful = 0, True
        with pytest.raises(Unreachable, match="has lost the point in time"):
            await pull(None, NOW)
        store.forgetful = False
        for fault, error in ((503, Unreachable), (429, Unreachable), (500, Unreachable), (403, Refused)):
            store.faults = [fault]
            with pytest.raises(error) as caught:
                await pull(None, NOW)
            assert TOKEN not in str(caught.value)
        assert sum(counts(await pull(None, NOW)).values()) == 1

    pulling(store, work)


def test_the_wrong_key_and_the_wrong_product() -> None:
    async def refused(pull: Pull) -> None:
        with pytest.raises(Refused, match="answered 401: "):
            await pull(None, NOW)

    async def other(pull: Pull) -> None:
        with pytest.raises(Refused, match="answered 400: no handler for POST"):
            await pull(None, NOW)

    pulling(PretendElastic(), refused, api_key=Secret("wrong"))
    pulling(PretendElastic(), other, product="opensearch")


def test_documents_that_cannot_be_counted_are_told_of() -> None:
    store = PretendElastic()
    store.add(1, NOW - 100, message="x")
    store.add(2, NOW - 100, message="x")
    store.add(3, NOW - 100, service_name="a", message="")
    store.add(4, NOW - 100, service_name="a", message="fine")

    async def work(pull: Pull) -> None:
        got = await pull(None, NOW)
        assert counts(got) == {("service/a", "", "fine"): 1}
        assert wrong(got) == [
            'documents lack a field of service/${service.name} (2 times); documents have no text in "message"'
        ]

    pulling(store, work)


def test_a_query_and_fields_of_ones_own() -> None:
    store = PretendElastic()
    store.add(1, NOW - 100, msg="kept", app="shop", env="prod")
    store.add(2, NOW - 100, msg="not", app="shop", env="test")

    async def work(pull: Pull) -> None:
        assert counts(await pull(None, NOW)) == {("app/shop", "", "kept"): 1}

    pulling(store, work, message="msg", entity="app/${app}", query={"term": {"env": "prod"}})
    with pytest.raises(Misconfigured, match='entity: "shop" is none'):
        Elasticsearch({"url": "http://x", "entity": "shop"}, Context("logs", FakeHttp()))
    with pytest.raises(Misconfigured, match="limit: expected 1 to 100000 lines"):
        Elasticsearch({"url": "http://x", "limit": 0}, Context("logs", FakeHttp()))


def test_lines_of_loki_become_counted_statements_once() -> None:
    store = PretendLoki()
    for number in range(5):
        store.add(NOW - 100 + number, f"GET /cart/{number} took {number} ms", service_name="cart", level="info")
    store.add(NOW - 90, "out of memory", service_name="cart", detected_level="critical")
    store.add(NOW - 90, "no service", app="x")

    async def work(pull: Pull) -> None:
        first = await pull(None, NOW)
        assert counts(first) == {("service/cart", "info", "GET <*> took <*> ms"): 5,
                                 ("service/cart", "fatal", "out of memory"): 1}  # fmt: skip
        assert wrong(first) == ["streams lack a label of service/${service_name}"]
        store.add(NOW - 85, "out of memory", service_name="cart", detected_level="critical")
        second = await pull(first.cursor, NOW + 10)
        assert counts(second) == {("service/cart", "fatal", "out of memory"): 1}
        assert counts(await pull(second.cursor, NOW + 11)) == {}

    pulling(store, work)


@pytest.mark.parametrize("limit", [10_000, 7])
def test_pages_of_loki_lose_and_double_nothing(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki_connector, "PAGE", 6)
    store = PretendLoki()
    for number in range(40):
        name = f"{chr(97 + number % 26)}{chr(97 + number // 26)}"
        store.add(NOW - 100 + number // 4, f"line {name}", service_name="a", pod=f"p{number % 3}")

    async def work(pull: Pull) -> None:
        parts, cursor = [], None
        for _ in range(12):
            parts.append(await pull(cursor, NOW))
            cursor = parts[-1].cursor
        found = counts(*parts)
        assert (sum(found.values()), max(found.values())) == (40, 1)
        assert wrong(parts[-1]) == []

    pulling(store, work, limit=limit)


def test_more_lines_of_one_moment_than_can_be_read_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki_connector, "PAGE", 6)
    store = PretendLoki()
    for number in range(9):
        store.add(NOW - 100, f"line {chr(97 + number)}", service_name="a")
    store.add(NOW - 50, "later", service_name="a")

    async def work(pull: Pull) -> None:
        got = await pull(None, NOW)
        assert counts(got)["service/a", "", "later"] == 1
        assert wrong(got) == ["more than 6 lines of one moment; the others of it are not read"]

    pulling(store, work)


def test_a_source_that_falls_behind_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki_connector, "PAGE", 5)
    store = PretendLoki()
    for number in range(200):
        store.add(NOW - 3600 + number, f"line {number}", service_name="a")

    async def work(pull: Pull) -> None:
        got = await pull(None, NOW)
        assert wrong(got) == ["59 minutes behind: there are more lines than the limit of 10 a pull"]

    pulling(store, work, limit=10, lookback=3700.0)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (b"<html>", "not readable as JSON"),
        (b"{}", "status"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', 'not "matrix"; the query must not count'),
        (b'{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["soon","a"]]}]}}',
         "expected a time in ns and a line, as texts, not .'soon'"),
        (b'{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["1"]]}]}}',
         "expected a time in ns"),
    ],
)  # fmt: skip
def test_an_answer_of_loki_that_cannot_be_read(says: bytes, said: str) -> None:
    store = PretendLoki()
    store.says = says

    async def work(pull: Pull) -> None:
        with pytest.raises(BadPayload, match=said):
            await pull(None, NOW)

    pulling(store, work)


def test_faults_of_loki_are_told_apart() -> None:
    store = PretendLoki()

    async def work(pull: Pull) -> None:
        for fault, error in ((503, Unreachable), (429, Unreachable), (500, Unreachable), (403, Refused)):
            store.faults = [fault]
            with pytest.raises(error) as caught:
                await pull(None, NOW)
            assert TOKEN not in str(caught.value)

    async def query(pull: Pull) -> None:
        with pytest.raises(Refused, match='loki "logs" answered 400: parse error at line 1'):
            await pull(None, NOW)

    pulling(store, work)
    pulling(store, query, query="sum")


def test_statements_are_bounded_and_clocks_are_watched() -> None:
    lines = [
        Line(NOW, str(number), "service/a", "", f"word {_letters(number)}") for number in range(MOST_STATEMENTS + 50)
    ]
    told = list(counted(lines, "logs", NOW))
    assert len(told) == MOST_STATEMENTS + 1
    assert {one.template: one.count for one in told}[REST] == 50
    assert (severity_of("WARN"), severity_of(" Critical"), severity_of("")) == ("warning", "fatal", "")


def _letters(number: int) -> str:
    """A word of its own without a digit."""
    return "".join(chr(97 + int(digit)) for digit in str(number))
