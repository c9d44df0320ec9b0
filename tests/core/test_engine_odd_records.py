"""The core never raises for what a record says, and nothing that it says spoils the state."""

from __future__ import annotations

from math import inf, isfinite, nan

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, Scene, consistent, fires, playbook, rulebook, says
from quell.core.engine import Engine
from quell.core.intake import MOST_IDS, encoded, sound
from quell.core.telemetry import floats
from quell.model.provenance import Column
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    CommandRecord,
    DeliveryRecord,
    DependencyRecord,
    DistributionRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    RunningHistogram,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    StepFinished,
    Tick,
    TotalsRecord,
    VersionRecord,
)
from quell.model.state import Pattern, State

TIMES = st.one_of(
    st.floats(T0 - 4000, T0 + 9000),
    st.sampled_from((0.0, -1.0, 86400.0, -6.3e10, 2.5e11, 1e300, -1e300, nan, inf, -inf, T0, T0 + 300.0)),
)
NUMBERS = st.one_of(st.floats(), st.sampled_from((0.0, 1.0, nan, inf, -inf, -5.0, 1e308)))
ODD = (
    "",
    "a",
    "service/ledger",
    "service/disk",
    "x/",
    "/",
    "//",
    "\x00",
    "ledger",
    "e" * 5000,
    "ü",
    "\ud800",
    "service/new",
)
TEXTS = st.one_of(st.sampled_from(ODD), st.text(max_size=8))
LABELS = st.dictionaries(
    st.one_of(st.sampled_from(("alertname", "service", "namespace", "severity", "instance", "pod")), TEXTS),
    st.one_of(st.sampled_from(("critical", "info", "payments", "ledger-7d9f8b6c5-abcde", "10.0.0.1:9100")), TEXTS),
    max_size=6,
)
COMMON = {"at": TIMES, "seen": st.one_of(st.none(), TIMES), "source": TEXTS, "id": st.one_of(st.just(""), TEXTS)}
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
RECORDS = st.one_of(
    st.builds(
        AlertRecord, **COMMON, status=st.sampled_from(("firing", "resolved")), labels=LABELS, annotations=LABELS,
        starts_at=st.one_of(st.none(), TIMES), ends_at=st.one_of(st.none(), TIMES), timeout=st.booleans(),
        key=st.one_of(st.just(""), TEXTS), value=st.one_of(st.none(), NUMBERS),
        entity=st.one_of(st.none(), TEXTS),
    ),
    st.builds(
        ChangeRecord, **COMMON, type=st.sampled_from(("deploy", "flag", "data")), entity=TEXTS, labels=LABELS,
        revision=TEXTS, summary=TEXTS,
    ),
    st.builds(
        SampleRecord, **COMMON, entity=TEXTS, metric=TEXTS, value=st.one_of(st.none(), NUMBERS),
        points=st.lists(st.tuples(TIMES, NUMBERS), max_size=5),
    ),
    st.builds(
        SamplesRecord, **COMMON, entity=TEXTS, times=st.lists(st.one_of(TIMES, NUMBERS), max_size=4),
        values=st.dictionaries(TEXTS, st.lists(st.one_of(st.none(), NUMBERS), max_size=4), max_size=2),
    ),
    st.builds(
        TotalsRecord, **COMMON, entity=TEXTS, instance=TEXTS, started_at=st.one_of(st.none(), TIMES, NUMBERS),
        values=st.dictionaries(TEXTS, NUMBERS, max_size=2),
        histograms=st.dictionaries(
            TEXTS,
            st.builds(
                RunningHistogram, count=st.integers(-5, 2**70), sum=st.one_of(st.none(), NUMBERS),
                bounds=st.lists(NUMBERS, max_size=2).map(tuple),
                counts=st.lists(st.integers(-5, 2**40), max_size=3).map(tuple),
            ),
            max_size=2,
        ),
    ),
    st.builds(
        CallRecord, **COMMON, entity=TEXTS, caller=TEXTS, operation=TEXTS, count=st.integers(-5, 2**70),
        errors=st.integers(-5, 2**70), mean_s=st.one_of(st.none(), NUMBERS), net_s=st.one_of(st.none(), NUMBERS),
    ),
    st.builds(
        DistributionRecord, **COMMON, entity=TEXTS, field=TEXTS, over_s=NUMBERS, count=st.integers(-5, 2**70),
        type=st.sampled_from(("", "number", "text", "bool", "time")), nulls=st.integers(-5, 2**70),
        bad=st.integers(-5, 2**70), scale=st.integers(-30, 30), zero=st.integers(-5, 2**70),
        positive=st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(-5, 2**70)), max_size=4),
        negative=st.lists(st.tuples(st.integers(-9, 9), st.integers(-5, 2**70)), max_size=4),
        low=st.one_of(st.none(), NUMBERS), high=st.one_of(st.none(), NUMBERS), total=NUMBERS,
        categories=st.dictionaries(TEXTS, st.integers(-5, 2**70), max_size=3), other=st.integers(-5, 2**70),
        version=TEXTS, segment=TEXTS, samples=st.lists(TEXTS, max_size=2), skew_s=NUMBERS,
    ),
    st.builds(LogRecord, **COMMON, entity=TEXTS, severity=st.sampled_from(("error", "")), count=st.integers(-5, 2**70)),
    st.builds(
        SpanRecord, **COMMON, trace=TEXTS, span=TEXTS, parent=TEXTS, entity=TEXTS, duration_s=NUMBERS,
        error=st.booleans(),
    ),
    st.builds(
        EntityRecord, **COMMON, entity=TEXTS, labels=LABELS, tier=st.one_of(st.none(), st.integers(-3, 2**70)),
        removed=st.booleans(),
    ),
    st.builds(
        DependencyRecord, **COMMON, from_=TEXTS, to=TEXTS, type=TEXTS, weight=NUMBERS, confidence=NUMBERS,
        removed=st.booleans(),
    ),
    st.builds(
        VersionRecord, **COMMON, entity=TEXTS, version=TEXTS, by=TEXTS, run=TEXTS, commit=TEXTS, inputs=LABELS,
        columns=st.lists(st.builds(Column, name=TEXTS, type=TEXTS, unit=TEXTS, about=TEXTS), max_size=4),
        aliases=st.lists(TEXTS, max_size=2), promoted_by=TEXTS, labels=LABELS, url=TEXTS,
    ),
    st.builds(
        IncidentRecord, **COMMON, status=st.sampled_from(("open", "closed")), title=TEXTS, entity=TEXTS, labels=LABELS,
    ),
    st.builds(FeedbackRecord, **COMMON, verdict=st.just("wrong_cause"), incident=TEXTS, alert=TEXTS, note=TEXTS),
    st.builds(
        CommandRecord, **COMMON,
        verb=st.sampled_from(("ack", "resolve", "silence", "expire_silence", "approve", "stop", "run", "pause", "no")),
        args=st.dictionaries(st.sampled_from(("note", "silence", "incident", "dry")), ANYTHING, max_size=3),
        target=TEXTS,
    ),
    st.builds(
        StepFinished, **COMMON, key=TEXTS, outcome=st.sampled_from(("done", "failed", "pending", "in_doubt")),
        output=st.dictionaries(TEXTS, ANYTHING, max_size=2), check_after_s=st.one_of(st.none(), NUMBERS),
    ),
    st.builds(Tick, **COMMON),
    st.builds(DeliveryRecord, **COMMON, path=TEXTS, body=ANYTHING),
)  # fmt: skip
BOOK = rulebook(playbooks=(playbook(),))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 900), st.lists(RECORDS, max_size=6)), max_size=8))
def test_decide_never_raises_and_the_state_stays_sound(turns: list[tuple[int, list[AnyRecord]]]) -> None:
    engine, at = Engine(BOOK), T0
    for wait, records in turns:
        at += wait
        engine.decide(records, at)
        consistent(engine)
    engine.decide([fires("ledger"), fires("payments"), fires("checkout")], at)
    engine.decide([], at + 900.0)
    consistent(engine)
    assert Engine.restored(BOOK, engine.snapshot()).snapshot() == engine.snapshot()
    _finite(msgspec.to_builtins(engine.state))
    for incident in engine.state.incidents:
        assert engine.explain(incident) is not None
    for mark in engine.state.alerts:
        assert engine.why_not(mark)


def _finite(value: object) -> None:
    if isinstance(value, float):
        assert isfinite(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name != "output":
                _finite(item)
    elif isinstance(value, list):
        for item in value:
            _finite(item)


@pytest.mark.parametrize("now", [nan, inf, -inf, -5.0])
def test_a_clock_that_tells_nonsense_is_not_believed(now: float) -> None:
    scene = Scene()
    scene.tell(fires("ledger"))
    scene.engine.decide([fires("payments", 5.0)], now)
    assert scene.engine.state.now == T0
    assert len(scene.engine.state.alerts) == 2


def test_before_time_began() -> None:
    engine = Engine(rulebook())
    engine.decide([fires("ledger")], 0.0)
    assert engine.state.now == 0.0
    engine.decide([], T0)
    engine.decide([], T0 + 700.0)
    assert engine.state.now == T0 + 700.0


def test_a_record_that_nothing_could_keep_is_refused_and_the_rest_taken() -> None:
    scene = Scene()
    scene.tell(says("ack", "INC-1", note=2**80), fires("ledger"), fires("pay\ud800ments"), at=0.0)
    assert [one for one in scene.audits if "refused" in one] == [
        "quell record refused CommandRecord: OverflowError while it was encoded",
        "quell record refused AlertRecord: UnicodeEncodeError while it was encoded",
    ]
    assert len(scene.engine.state.alerts) == 1


def test_times_ahead_are_taken_for_now() -> None:
    record = sound(ChangeRecord(at=T0 + 1e6, type="deploy", entity="service/ledger"), T0)
    assert record.at == T0
    slightly = ChangeRecord(at=T0 + 200.0, seen=T0, type="deploy", entity="service/ledger")
    assert sound(slightly, T0) is slightly


def test_a_record_seen_before_is_not_taken_twice_whatever_its_kind() -> None:
    scene = Scene()
    log = LogRecord(at=T0, id="1", source="a", entity="service/ledger", severity="error", count=5)
    sample = SampleRecord(at=T0, id="1", source="a", entity="service/ledger", metric="m", value=1.0)
    scene.tell(log, log, sample, at=0.0)
    scene.tell(log, at=60.0)
    signals = scene.engine.state.signals["service/ledger"]
    assert signals.patterns == {"": Pattern(failing=True, seen=[(T0 - T0 % 60, 5)])}
    assert [*floats(signals.series["m"].values)] == [1.0]


def test_one_id_may_open_and_close() -> None:
    scene = Scene()
    opened = IncidentRecord(
        at=T0, id="42", source="desk", status="open", title="Ledger is down", entity="service/ledger"
    )
    closed = IncidentRecord(at=T0 + 60, id="42", source="desk", status="closed", entity="service/ledger")
    scene.tell(opened, fires("ledger"), at=0.0)
    assert scene.alert("ledger").reason.code == "owned"
    scene.tell(closed, at=60.0)
    assert scene.alert("ledger").reason.code == "waiting_for_company"
    scene.tell(opened, at=70.0)
    scene.tell(msgspec.structs.replace(opened, at=T0 + 30), at=80.0)
    assert scene.alert("ledger").reason.code == "waiting_for_company"


def test_remembered_ids_are_bounded() -> None:
    state = State(seen_ids={f"x{number}": T0 for number in range(MOST_IDS)})
    engine = Engine(rulebook(), state)
    engine.decide([fires("ledger", id="new")], T0)
    assert len(state.seen_ids) < MOST_IDS
    engine.decide([fires("ledger", id="new")], T0)
    assert next(iter(engine.state.alerts.values())).count == 1


def test_content_is_the_same_in_whatever_order_it_was_written() -> None:
    assert encoded(Tick(at=1.0)) == encoded(Tick(at=1.0))
    one = AlertRecord(at=T0, status="firing", labels={"a": "1", "b": "2"})
    assert encoded(one) == encoded(msgspec.structs.replace(one, labels={"b": "2", "a": "1"}))
