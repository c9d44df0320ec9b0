"""Samples, logs and spans: bounded, and evidence when they moved as trouble began."""

from __future__ import annotations

from core.scene import T0, Scene, outage
from quell.core.telemetry import KEEP_METRICS, KEEP_POINTS, evidence, take_log, take_sample, take_span
from quell.model.records import LogRecord, SampleRecord, SpanRecord
from quell.model.state import Signals, State

LEDGER = "service/ledger"


def sample(metric: str, at: float, value: float) -> SampleRecord:
    return SampleRecord(at=T0 + at, entity=LEDGER, metric=metric, value=value)


def signals_of(*records: SampleRecord | LogRecord | SpanRecord) -> Signals:
    state = State()
    for record in records:
        if isinstance(record, SampleRecord):
            take_sample(state, record)
        elif isinstance(record, LogRecord):
            take_log(state, record)
        else:
            take_span(state, record)
    return state.signals[LEDGER]


def test_nothing_known_is_no_evidence():
    assert evidence(None, T0) == []
    assert evidence(Signals(), T0) == []


def test_points_are_kept_in_order_of_time_and_bounded():
    late = SampleRecord(at=T0, entity=LEDGER, metric="m", points=[(T0 + at, float(at)) for at in range(400, 0, -1)])
    kept = signals_of(sample("m", 500.0, 1.0), late).samples["m"]
    assert len(kept) == KEEP_POINTS
    assert kept == sorted(kept)
    assert kept[-1] == (T0 + 500.0, 1.0)


def test_metrics_of_an_entity_are_bounded():
    assert len(signals_of(*(sample(f"m{number}", 0.0, 1.0) for number in range(100))).samples) == KEEP_METRICS


def test_a_metric_that_jumps_when_trouble_begins_is_evidence():
    quiet = [sample("latency", -60.0 * at, 1.0 + 0.01 * (at % 3)) for at in range(2, 30)]
    loud = [sample("latency", 20.0 * at, 9.0) for at in range(4)]
    (found,) = evidence(signals_of(*quiet, *loud), T0)
    assert found.code == "metric_shift"
    assert found.text.startswith("latency went from 1.01 to 9, ")
    assert found.weight == 1.0


def test_a_flat_metric_and_too_few_points_are_none():
    flat = [sample("flat", 60.0 * at, 3.0) for at in range(-30, 5)]
    few = [sample("few", 60.0 * at, 100.0 * at * at) for at in range(-2, 5)]
    assert evidence(signals_of(*flat, *few), T0) == []


def test_errors_that_rise_are_evidence_and_others_are_not_counted():
    noise = [LogRecord(at=T0 - 1200.0, entity=LEDGER, severity="INFO", count=900)]
    errors = [LogRecord(at=T0 + 10.0 * at, entity=LEDGER, severity="Error") for at in range(6)]
    (found,) = evidence(signals_of(*noise, *errors), T0)
    assert found.text == "6 errors in the first 15 minutes, 0 in the hour before"


def test_spans_count_calls_and_failures():
    state = State()
    take_span(state, SpanRecord(at=T0, trace="t", span="1"))
    assert state.signals == {}
    take_span(state, SpanRecord(at=T0, trace="t", span="1", entity=LEDGER))
    take_span(state, SpanRecord(at=T0, trace="t", span="2", entity=LEDGER, error=True))
    minute = T0 - T0 % 60
    assert state.signals[LEDGER] == Signals(calls=[(minute, 2)], errors=[(minute, 1)])


def test_the_explanation_shows_what_moved():
    scene = Scene()
    scene.tell(*(sample("queue_depth", -60.0 * at, 5.0) for at in range(30, 1, -1)), at=-60.0)
    scene.tell(*outage(), *(sample("queue_depth", 10.0 + at, 500.0) for at in range(3)))
    scene.tell(LogRecord(at=T0 + 20.0, entity=LEDGER, severity="error", count=40))
    scene.wait(60.0)
    assert "  + queue_depth went from 5 to 500" in scene.text()
    assert "40 errors in the first 15 minutes" in scene.text()
