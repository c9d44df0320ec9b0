"""What is told twice counts once: requests that come again, and calls that both of their ends tell of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import AggregationTemporality

from connectors.otlp_payloads import CLIENT, JSON, PROTOBUF, as_sent, gauge, logs, metrics, ns, sent, span, traces
from connectors.test_otlp_sdk import CONFIG, WORLD, engine, logged, measured, nothing_from_outside, shop
from daemon.chatroom import in_a_loop
from daemon.parts import running
from quell.core.engine import Engine
from quell.model.detect import DetectRule, Threshold
from quell.model.parts import MOST_PARTS, part_of
from quell.model.records import AlertRecord, AnyRecord, CallRecord, LogRecord, SampleRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.sdk.testkit import NOW

__all__ = ["nothing_from_outside"]  # a fixture for all tests here as well

BOOK = Rulebook(detect=(DetectRule(name="All", metric="*", when=Threshold(above=1e300)),))
CART = {"http.request.method": "GET", "server.address": "cart"}
REQUESTS: dict[str, dict[str, Any]] = {
    "traces": traces(("web", [span(1, name="GET"), span(2, 1, kind=CLIENT, name="GET", told=CART)])),
    "metrics": metrics(
        "web",
        gauge("g", 1.5),
        {"name": "n", "sum": {"isMonotonic": True, "aggregationTemporality": 1, "dataPoints": [
            {"timeUnixNano": str(ns()), "asInt": "7"}]}},
        {"name": "e", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
            {"timeUnixNano": str(ns()), "startTimeUnixNano": str(ns(60)), "count": "3", "sum": 3.0, "scale": 1,
             "positive": {"offset": 1, "bucketCounts": ["3"]}}]}},
    ),
    "logs": logs("web", {"timeUnixNano": str(ns()), "severityNumber": 17, "body": {"stringValue": "it broke"}}),
}  # fmt: skip


def counted(state: State) -> dict[str, Any]:
    """All that was counted of telemetry, and by whom."""
    found: dict[str, Any] = {}
    for entity, told in state.signals.items():
        found[entity] = (
            {name: (one.times, one.values) for name, one in sorted(told.series.items())},
            {name: sorted(one.seen) for name, one in sorted(told.patterns.items())},
            {name: sorted(calls, key=lambda one: one.minute) for name, calls in sorted(told.calls.items())},
        )
    watches = {
        (rule, key): (watch.pending, watch.slots, watch.memory)
        for rule, of_rule in sorted(state.detecting.watches.items())
        for key, watch in sorted(of_rule.items())
    }
    return {
        "told": found,
        "watches": watches,
        "edges": sorted((one.from_, one.to) for one in state.dependencies.values()),
    }


# Requests that come again


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_a_request_that_comes_again_changes_nothing(signal: str, kind: str) -> None:
    got = as_sent(signal, REQUESTS[signal], kind)
    once, twice = Engine(BOOK), Engine(BOOK)
    for one in (once, twice):
        one.decide(got.records, NOW)
    twice.decide([], NOW + 2)
    twice = Engine.restored(BOOK, twice.snapshot())
    twice.decide(as_sent(signal, REQUESTS[signal], kind).records, NOW + 5)
    once.decide([], NOW + 5)
    assert counted(twice.state)["told"]
    for one in (once, twice):
        one.decide([], NOW + 300)
    assert counted(once.state) == counted(twice.state)


def test_the_same_request_twice_at_once_counts_once() -> None:
    got = as_sent("logs", REQUESTS["logs"])
    one, both = Engine(BOOK), Engine(BOOK)
    one.decide(got.records, NOW)
    both.decide([*got.records, *got.records], NOW)
    assert counted(one.state) == counted(both.state)


def test_another_source_and_another_request_are_others() -> None:
    got = as_sent("logs", REQUESTS["logs"]).records
    later = logs("web", {"timeUnixNano": str(ns(4)), "severityNumber": 17, "body": {"stringValue": "it broke"}})
    told = Engine(BOOK)
    told.decide([*got, *as_sent("logs", later).records], NOW)
    [pattern] = told.state.signals["service/web"].patterns.values()
    assert sum(count for _, count in pattern.seen) == 2


def test_deliveries_are_remembered_in_bounded_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.intake.MOST_DELIVERED", 10)
    told = Engine(BOOK)
    told.decide(
        [SampleRecord(at=NOW, source="s", id=f"part/{n:032x}/3", entity="a/b", metric="m") for n in range(50)], NOW
    )
    assert len(told.state.delivered) == 10
    assert {one.parts for one in told.state.delivered.values()} == {b"\x08"}
    told.decide([], NOW + 3 * 3600)
    assert not told.state.delivered


@pytest.mark.parametrize(
    "name", ["part/abc/x", f"part/abc/{MOST_PARTS}", "part//1", "part/1", "abc", "part/a/-1", "part/a/²"]
)
def test_other_ids_are_nobodys_part(name: str) -> None:
    assert part_of(LogRecord(at=NOW, entity="a/b", id=name)) is None


def test_alerts_are_known_by_their_own_ids() -> None:
    assert part_of(AlertRecord(at=NOW, status="firing", labels={"alertname": "A"}, id="part/abc/1")) is None


class Unheard:
    """A gateway that hands requests on and loses the first answer to each; ``came`` are their bodies, by path."""

    def __init__(self) -> None:
        self.came: dict[str, list[bytes]] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        came = self.came.setdefault(request.path, [])
        came.append(body)
        headers = {"content-type": request.content_type}  # the body is inflated already
        asked = self.http.post(f"{self.url}{request.path}", data=body, headers=headers)
        async with asked as answer:
            told = await answer.read()
        if came.count(body) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, body=told, content_type=answer.content_type)

    async def __aenter__(self) -> Unheard:
        self.http = aiohttp.ClientSession()
        self._runner = web.ServerRunner(web.Server(self.handle), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.front = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self.http.close()


@in_a_loop
async def test_the_sdk_repeats_what_it_heard_no_answer_to_and_it_counts_once() -> None:
    async with Unheard() as between, running(CONFIG, kinds=WORLD, restore=engine) as place:
        between.url = place.url
        await asyncio.to_thread(shop, between.front)
        await asyncio.to_thread(measured, between.front, AggregationTemporality.DELTA)
        await asyncio.to_thread(logged, between.front)
        await place.settled()
        assert set(between.came) == {"/v1/traces", "/v1/metrics", "/v1/logs"}
        for came in between.came.values():
            assert all(came.count(body) >= 2 for body in came)
        state: Any = place.daemon.loop.decider.state
        calls = state.signals["database/pg-1"].calls
        assert sum(one.count for told in calls.values() for one in told) == 40
        assert sum(one.errors for told in calls.values() for one in told) == 4
        [pattern] = state.signals["service/shop"].patterns.values()
        assert sum(count for _, count in pattern.seen) == 30


# Calls that both ends tell of

BEGAN = NOW - NOW % 60 + 20
"""Seconds into a minute."""


def by_caller(count: int, at: float = 0.0, errors: int = 0, entity: str = "service/cart") -> CallRecord:
    return CallRecord(at=BEGAN + at, source="a", entity=entity, caller="service/web", operation="GET", count=count,
                      errors=errors, by_caller=True)  # fmt: skip


def by_callee(count: int, at: float = 0.0, errors: int = 0) -> CallRecord:
    return CallRecord(at=BEGAN + at, source="b", entity="service/cart", caller="?", operation="GET /", count=count,
                      errors=errors)  # fmt: skip


def told_in(deliveries: Iterable[tuple[float, Sequence[AnyRecord]]], until: float = 600.0) -> State:
    one = Engine(BOOK)
    one.decide([], BEGAN - 100)
    for at, records in deliveries:
        one.decide(records, BEGAN + at)
        one = Engine.restored(BOOK, one.snapshot())
    one.decide([], BEGAN + until)
    return one.state


def calls_to(state: State, entity: str = "service/cart") -> int:
    told = state.signals.get(entity)
    return sum(one.count for calls in told.calls.values() for one in calls) if told is not None else 0


def test_spans_of_both_ends_in_deliveries_of_their_own_count_once() -> None:
    at = NOW - BEGAN - 1
    asks = as_sent(
        "traces", traces(("web", [span(1, name="GET", ago=at), span(2, 1, kind=CLIENT, name="GET", told=CART, ago=at)]))
    ).records
    answers = as_sent("traces", traces(("cart", [span(3, 2, name="GET /", ago=at)]))).records
    for order in permutations((asks, answers)):
        state = told_in([(5.0 + number, records) for number, records in enumerate(order)])
        assert calls_to(state) == 1
        assert ("service/web", "service/cart") in {(one.from_, one.to) for one in state.dependencies.values()}
        state = told_in([(5.0, [*order[0], *order[1]])])
        assert calls_to(state) == 1


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_order_and_batches_change_nothing(data: st.DataObject) -> None:
    records = [by_caller(4), by_caller(3, 10), by_callee(5, 1), by_callee(2, 12), by_caller(6, 60),
               by_caller(9, entity="service/pay", errors=2)]  # fmt: skip
    expected = told_in([(20.0, records)])
    assert calls_to(expected) == 7 + 6
    assert calls_to(expected, "service/pay") == 9
    mixed = data.draw(st.permutations(records))
    cut = data.draw(st.integers(0, len(mixed)))
    first, second = data.draw(st.tuples(st.floats(15, 40), st.floats(41, 65)))
    state = told_in([(first, mixed[:cut]), (second, mixed[cut:])])
    assert counted(state)["told"].keys() == counted(expected)["told"].keys()
    for entity in ("service/cart", "service/pay"):
        assert counted(state)["told"][entity] == counted(expected)["told"][entity]


def test_what_the_callee_does_not_tell_is_counted_as_the_caller_saw_it() -> None:
    state = told_in([(5.0, [by_caller(10, errors=10)])], until=30.0)
    assert calls_to(state) == 0
    state = told_in([(5.0, [by_caller(10, errors=10)])], until=100.0)
    assert calls_to(state) == 10
    watch = state.detecting.watches["All"]["service/cart\x00calls.errors"]
    assert watch.told_at > 0


def test_a_callee_that_went_silent_is_seen_by_its_callers_from_the_next_minute_on() -> None:
    state = told_in([
        (5.0, [by_caller(100), by_callee(50)]), (65.0, [by_caller(100, 60, errors=100)]),
        (125.0, [by_caller(100, 120, errors=100)]),
    ])  # fmt: skip
    assert calls_to(state) == 50 + 100 + 100


def test_the_first_minute_of_a_callee_that_is_gone_counts_though_it_told_as_many_calls_before() -> None:
    state = told_in([
        (20.0, [by_caller(60), by_callee(60)]), (80.0, [by_caller(60, 60), by_callee(60, 60)]),
        (140.0, [by_caller(60, 120, errors=60)]), (200.0, [by_caller(60, 180, errors=60)]),
        (260.0, [by_caller(60, 240), by_callee(60, 240)]),
    ])  # fmt: skip
    [callers] = [calls for name, calls in state.signals["service/cart"].calls.items() if name.startswith("service/web")]
    assert {(one.minute - BEGAN) // 60 + 1: (one.count, one.errors) for one in callers} == {2: (60, 60), 3: (60, 60)}
    assert calls_to(state) == 300


def test_one_call_of_the_callee_covers_one_call_of_one_minute() -> None:
    crossing = [by_caller(1, 39.9), by_callee(1, 40.0)]
    assert calls_to(told_in([(45.0, crossing), (110.0, [by_caller(1, 100.0)])])) == 2
    late = told_in([(45.0, [by_caller(5)]), (105.0, [by_callee(5, 60), by_caller(5, 60)])])
    assert calls_to(late) == 10, "what the callee tells in the next minute is what callers told in it"


def test_a_call_that_crosses_the_end_of_a_minute_counts_once() -> None:
    assert calls_to(told_in([(45.0, [by_caller(1, 40.0), by_callee(1, 39.9)])])) == 1
    assert calls_to(told_in([(45.0, [by_caller(1, 39.9), by_callee(1, 40.0)])])) == 1


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.hearsay.MOST_HELD", 20)
    monkeypatch.setattr("quell.core.hearsay.MOST_CALLEES", 5)
    one = Engine(Rulebook())
    one.decide([by_caller(1, 60.0 * n, entity=f"service/{n % 7}") for n in range(100)], BEGAN + 6000)
    assert sum(len(told) for minute in one.state.hearsay.values() for told in minute.values()) <= 20
    one.decide([CallRecord(at=BEGAN, entity=f"service/{n}", caller="?") for n in range(50)], BEGAN + 6000)
    assert len(one.state.own_calls) == 5


def test_a_database_is_never_waited_for() -> None:
    told = {"db.system.name": "postgresql", "server.address": "pg-1"}
    records = sent("traces", traces(("web", [span(1, kind=CLIENT, name="SELECT", told=told)]))).records
    [call] = [one for one in records if isinstance(one, CallRecord)]
    assert not call.by_caller
