"""Samples, logs, calls and spans: kept in order of time and in bounded memory, and shown when they say something."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, outage
from quell.core import telemetry
from quell.core.engine import Engine
from quell.core.telemetry import (
    KEEP_METRICS,
    KEEP_MINUTES,
    KEEP_OPERATIONS,
    KEEP_PATTERNS,
    KEEP_POINTS,
    floats,
    forget,
    take_call,
    take_log,
    take_sample,
    take_samples,
    take_span,
)
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
)
from quell.model.rulebook import Rulebook
from quell.model.state import Calls, Pattern, Signals, State

LEDGER = "service/ledger"
MINUTE = T0 - T0 % 60
TIMES = [60.0 * minute for minute in range(-30, 5)]


def sample(metric: str, at: float, value: float, entity: str = LEDGER) -> SampleRecord:
    return SampleRecord(at=T0 + at, entity=entity, metric=metric, value=value)


def state_of(*records: AnyRecord) -> State:
    state = State()
    for record in records:
        match record:
            case SampleRecord():
                take_sample(state, record, record.at)
            case SamplesRecord():
                take_samples(state, record, record.at)
            case LogRecord():
                take_log(state, record, record.at)
            case CallRecord():
                take_call(state, record, record.at)
            case SpanRecord():
                take_span(state, record, record.at)
    return state


def signals_of(*records: AnyRecord) -> Signals:
    return state_of(*records).signals[LEDGER]


def points(signals: Signals, metric: str) -> list[tuple[float, float]]:
    series = signals.series[metric]
    return list(zip(floats(series.times).tolist(), floats(series.values).tolist(), strict=True))


def test_points_are_kept_in_order_of_time_and_bounded():
    told = [(T0 + at * 60.0, float(at)) for at in range(KEEP_POINTS + 100, 0, -1)]
    late = SampleRecord(at=T0, entity=LEDGER, metric="m", points=told)
    kept = points(signals_of(sample("m", 500_000.0, 1.0), late), "m")
    assert len(kept) == KEEP_POINTS
    assert kept == sorted(kept)
    assert kept[-1] == (T0 + 500_000.0, 1.0)


def test_of_points_every_second_fewer_are_kept_and_longer():
    told = [(T0 + at, float(at)) for at in range(3 * KEEP_POINTS)]
    kept = points(signals_of(SampleRecord(at=T0, entity=LEDGER, metric="m", points=told)), "m")
    assert KEEP_POINTS / 2 < len(kept) <= KEEP_POINTS
    assert kept[0][0] <= T0 + telemetry.GRIDS[-1]
    assert kept[-1] == told[-1]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), max_size=40, unique_by=lambda one: one[0]), st.data())
def test_it_does_not_matter_how_points_are_batched_where_some_are_left_out(
    told: list[tuple[int, int]], data: st.DataObject
):
    told.sort()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(told)), max_size=3)))
    with pytest.MonkeyPatch().context() as small:
        small.setattr(telemetry, "KEEP_POINTS", 6)
        one_by_one = state_of(*(sample("m", at, value) for at, value in told))
        parts = [told[start:end] for start, end in zip([0, *cuts], [*cuts, len(told)], strict=True)]
        batched = state_of(*(_batch(part) for part in parts if part))
    assert {name: one.series for name, one in one_by_one.signals.items()} == {
        name: one.series for name, one in batched.signals.items()
    }


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=30), st.integers(0, 30))
def test_it_does_not_matter_how_points_are_batched(told: list[tuple[int, int]], cut: int):
    one_by_one = state_of(*(sample("m", at, value) for at, value in told))
    batched = state_of(*(_batch(part) for part in (told[:cut], told[cut:]) if part))
    assert {name: one.series for name, one in one_by_one.signals.items()} == {
        name: one.series for name, one in batched.signals.items()
    }
    assert one_by_one.telemetry_bytes == batched.telemetry_bytes


def _batch(told: Sequence[tuple[int, int]]) -> SampleRecord:
    return SampleRecord(at=T0, entity=LEDGER, metric="m", points=[(T0 + at, float(value)) for at, value in told])


def test_a_table_is_kept_as_its_metrics_one_by_one_would_be():
    times = [T0 + at for at in (0.0, 60.0, 120.0)]
    table = SamplesRecord(
        at=T0, entity=LEDGER, times=times, values={"a": [1.0, None, 3.0], "b": [4.0, 5.0, 6.0], "short": [1.0]}
    )
    signals = signals_of(table)
    assert sorted(signals.series) == ["a", "b"]
    assert points(signals, "b") == list(zip(times, (4.0, 5.0, 6.0), strict=True))
    assert [value for _, value in points(signals, "a")] == pytest.approx([1.0, float("nan"), 3.0], nan_ok=True)


def test_times_that_no_calendar_holds_are_left_out_of_a_table():
    table = SamplesRecord(at=T0, entity=LEDGER, times=[float("nan"), T0, 1e300], values={"a": [1.0, 2.0, 3.0]})
    assert points(signals_of(table), "a") == [(T0, 2.0)]


def test_times_to_come_are_left_out_of_a_table():
    times = [T0, T0 + 200.0, T0 + 400.0]
    table = SamplesRecord(at=T0, entity=LEDGER, times=times, values={"a": [1.0, 2.0, 3.0]})
    assert points(signals_of(table), "a") == [(T0, 1.0), (T0 + 200.0, 2.0)]


def test_who_tells_nothing_takes_no_place():
    empty = SampleRecord(at=T0, entity=LEDGER, metric="m")
    table = SamplesRecord(at=T0, entity=LEDGER, times=[float("inf")], values={"a": [1.0]})
    state = state_of(empty, table)
    assert (state.signals, state.news) == ({}, {})


def test_names_without_end_are_cut():
    signals = signals_of(
        LogRecord(at=T0, entity=LEDGER, template="t" * 10**5),
        CallRecord(at=T0, entity=LEDGER, operation="o" * 10**5),
        SpanRecord(at=T0, trace="t", span="s", entity=LEDGER, name="n" * 10**5),
    )
    assert all(len(name) < 3000 for name in (*signals.patterns, *signals.calls))


def test_all_that_is_kept_of_an_entity_is_bounded():
    signals = signals_of(
        *(sample(f"m{number}", 0.0, 1.0) for number in range(KEEP_METRICS + 9)),
        *(LogRecord(at=T0 + at, entity=LEDGER, template=f"t{at}") for at in range(KEEP_PATTERNS + 9)),
        *(CallRecord(at=T0 + at, entity=LEDGER, operation=f"o{at}") for at in range(KEEP_OPERATIONS + 9)),
        *(LogRecord(at=T0 + 60.0 * at, entity=LEDGER, template="often") for at in range(KEEP_MINUTES + 9)),
        *(CallRecord(at=T0 + 60.0 * at, entity=LEDGER, operation="often") for at in range(KEEP_MINUTES + 9)),
    )
    assert (len(signals.series), len(signals.patterns), len(signals.calls)) == (
        KEEP_METRICS,
        KEEP_PATTERNS,
        KEEP_OPERATIONS,
    )
    assert len(signals.patterns["often"].seen) == len(signals.calls["\x00often"]) == KEEP_MINUTES


def test_the_entity_told_of_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(telemetry, "MOST_BYTES", 48)
    told = [sample("m", at, 1.0, f"service/{name}") for at, name in enumerate("abac")]
    state = state_of(*told)
    assert list(state.signals) == ["service/a", "service/c"]
    assert state.telemetry_bytes == 48
    assert list(state.news) == ["service/a", "service/c"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("log", "call", "sample")), st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9)
        ),
        max_size=40,
    )
)
def test_what_is_kept_is_added_up(told: list[tuple[str, str, int, int]]):
    records: list[AnyRecord] = []
    for kind, entity, name, minute in told:
        at = T0 + 60.0 * minute
        if kind == "log":
            records.append(LogRecord(at=at, entity=entity, template=str(name)))
        elif kind == "call":
            records.append(CallRecord(at=at, entity=entity, operation=str(name)))
        else:
            records.append(SampleRecord(at=at, entity=entity, metric=str(name), value=1.0))
    kept = pytest.MonkeyPatch()
    with kept.context() as small:
        for limit in ("KEEP_METRICS", "KEEP_PATTERNS", "KEEP_OPERATIONS", "KEEP_MINUTES", "KEEP_POINTS"):
            small.setattr(telemetry, limit, 3)
        small.setattr(telemetry, "MOST_BYTES", 1500)
        state = state_of(*records)
        assert state.telemetry_bytes == sum(telemetry.weight(one) for one in state.signals.values())
        forget(state, T0 + 300.0)
        assert state.telemetry_bytes == sum(telemetry.weight(one) for one in state.signals.values())
    assert state.telemetry_bytes <= 1500 or len(state.signals) == 1


def test_a_line_is_counted_under_its_statement():
    lines = [LogRecord(at=T0, entity=LEDGER, severity="Error", text=f"order {at} failed in {at}ms") for at in range(3)]
    more = LogRecord(at=T0 - 60.0, entity=LEDGER, severity="error", text="order 99 failed in 7ms", count=5)
    assert signals_of(*lines, more).patterns == {
        "order <*> failed in <*>": Pattern(failing=True, seen=[(MINUTE - 60.0, 5), (MINUTE, 3)])
    }


def test_counted_calls_of_a_minute_are_one():
    fast = CallRecord(at=T0, entity=LEDGER, caller="service/cart", operation="get", count=3, mean_s=0.1)
    slow = CallRecord(at=T0 + 1, entity=LEDGER, caller="service/cart", operation="get", errors=1, mean_s=0.5, net_s=0.2)
    none = CallRecord(at=T0 + 1, entity=LEDGER, caller="service/cart", operation="get", count=0)
    (calls,) = signals_of(fast, slow, none).calls["service/cart\x00get"]
    assert calls == Calls(MINUTE, 4, 1, pytest.approx(0.2), 0.2)


def test_spans_count_as_calls_by_their_parents():
    state = State(spans={"t/1": ("service/cart", T0, "")})
    take_span(state, SpanRecord(at=T0, trace="t", span="0"), T0)
    assert state.signals == {}
    for span, parent, failed in (("2", "", False), ("3", "1", True), ("4", "9", False)):
        record = SpanRecord(
            at=T0, trace="t", span=span, parent=parent, entity=LEDGER, name="get", duration_s=2.0, error=failed
        )
        take_span(state, record, T0)
    assert state.signals[LEDGER].calls == {
        "\x00get": [Calls(MINUTE, 1, 0, 2.0)],
        "service/cart\x00get": [Calls(MINUTE, 1, 1, 2.0)],
        "?\x00get": [Calls(MINUTE, 1, 0, 2.0)],
    }


def test_what_is_not_seen_any_more_is_kept_as_long_as_the_entity_tells_anything():
    gone = [LogRecord(at=T0, entity=LEDGER, template="gone"), CallRecord(at=T0, entity=LEDGER, operation="gone")]
    there = [LogRecord(at=T0 + 600, entity=LEDGER, template="x"), CallRecord(at=T0 + 600, entity=LEDGER, operation="x")]
    state = state_of(*gone, *there, sample("m", 0.0, 1.0))
    forget(state, T0 + 300.0)
    assert sorted(state.signals[LEDGER].patterns) == ["gone", "x"]
    assert state.signals[LEDGER].series == {}
    forget(state, T0 + 900.0)
    assert (state.signals, state.news, state.telemetry_bytes) == ({}, {}, 0)


def test_the_explanation_shows_what_moved():
    scene = Scene()
    scene.tell(*(sample("queue_depth", -60.0 * at, 5.0) for at in range(30, 1, -1)), at=-60.0)
    scene.tell(*outage(), *(sample("queue_depth", 10.0 + at, 500.0) for at in range(3)))
    scene.wait(60.0)
    assert "  + queue_depth went from 5 to 500" in scene.text()


def test_telemetry_that_comes_later_ranks_suspects_anew_and_a_restart_changes_nothing():
    told = [
        *(sample("cpu_usage", -60.0 * at, 5.0 + at % 3, "service/cache") for at in range(30, 1, -1)),
        *(sample("cpu_usage", 60.0 * at, 95.0, "service/cache") for at in range(3)),
    ]
    endings = []
    for restarts in (False, True):
        scene = Scene()
        scene.tell(*outage(of=("cart", "checkout", "frontend")))
        scene.wait(100.0)
        before = scene.incident
        assert "cpu_usage" not in scene.text()
        scene.tell(*told, at=125.0)
        if restarts:
            scene.restart()
        scene.wait(160.0)
        assert scene.incident.version > before.version
        assert any(one.code == "resource" for suspect in scene.incident.suspects for one in suspect.evidence), (
            scene.text()
        )
        endings.append(scene.engine.snapshot())
    assert endings[0] == endings[1]


@pytest.mark.parametrize(("after", "said"), [(-3600.0, "1h before trouble began"), (10.0, "10s after trouble began")])
def test_an_alert_without_company_says_when_something_was_changed(after: float, said: str):
    engine = Engine(Rulebook())
    alert = AlertRecord(
        at=T0, status="firing", labels={"alertname": "Slow", "severity": "critical"}, entity=LEDGER, starts_at=T0
    )
    change = ChangeRecord(at=T0 + after, type="deploy", entity=LEDGER, revision="v2")
    told = [SampleRecord(at=T0 + at, entity=LEDGER, metric="latency", value=9.0 if at >= 0 else 1.0) for at in TIMES]
    engine.decide([change, alert, *told], T0 + 300.0)
    engine.decide((), T0 + 4000.0)
    (incident,) = engine.state.incidents.values()
    texts = [one.text for one in incident.suspects[0].evidence if one.code == "change"]
    assert texts == [f"deploy v2 on {LEDGER}, {said}"]
