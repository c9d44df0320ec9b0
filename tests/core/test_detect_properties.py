"""Detectors find the same however telemetry comes and whenever quell restarts, in bounded memory, whatever numbers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.watching import CHECKOUT, T0, course
from quell.core.engine import Engine
from quell.expressions.matchers import parse_matchers
from quell.model.decision import AnyDecision
from quell.model.detect import Absence, Aggregate, Anomaly, DetectRule, Forecast, New, Shift, Threshold
from quell.model.records import AnyRecord, CallRecord, LogRecord, SampleRecord, SamplesRecord
from quell.model.rulebook import Rulebook

RULES = (
    DetectRule(name="High", metric="m*", when=Threshold(above=3.0, until=2.0), need=2, of=3),
    DetectRule(name="Share", metric="m1", when=Threshold(above=2.0, aggregate="sum", by="m2")),
    DetectRule(name="Rate", metric="m2", when=Threshold(above=0.05, aggregate="rate")),
    DetectRule(name="P90", metric="m*", when=Threshold(above=3.5, aggregate="p90"), where=parse_matchers('name!="b"')),
    DetectRule(name="Silent", metric="m*", pooled=True, when=Absence(after_s=180.0, expected=("service/c",))),
    DetectRule(name="Full", metric="m*", when=Forecast(above=5.0, within_s=600.0, over_s=900.0)),
    DetectRule(name="Odd", metric="m*", when=Anomaly(history_s=300.0, deviations=2.0), every_s=60.0),
    DetectRule(name="More", log="*", when=Shift(factor=2.0, against_s=900.0, volume=2.0)),
    DetectRule(name="New", log="*", errors=True, pooled=True, when=New(unseen_s=1800.0, learn_s=60.0, quiet_s=120.0)),
    DetectRule(name="Fails", metric="calls.error_share", when=Threshold(above=0.5, volume=2.0), blind_s=600.0),
)
BOOK = Rulebook(version="1", detect=RULES)

entities = st.sampled_from([CHECKOUT, CHECKOUT, CHECKOUT, "service/b"])
seconds = st.integers(0, 700)
numbers = st.integers(0, 48).map(lambda whole: whole / 8)
"""Whose sums are the same in any order."""
records: st.SearchStrategy[AnyRecord] = st.one_of(
    st.builds(
        lambda at, entity, metric, value: SampleRecord(at=T0 + at, entity=entity, metric=metric, value=value),
        seconds, entities, st.sampled_from(["m1", "m2", "other"]), numbers,
    ),
    st.builds(
        lambda at, entity, values: SamplesRecord(
            at=T0 + at,
            entity=entity,
            times=[T0 + at + 7 * n for n in range(len(values))],
            values={"m1": values, "m2": [None if one is None else one / 4 for one in values]},
        ),
        seconds, entities, st.lists(st.one_of(st.none(), numbers), max_size=4),
    ),
    st.builds(
        lambda at, entity, text, severity, count: LogRecord(
            at=T0 + at, entity=entity, template=text, severity=severity, count=count
        ),
        seconds, entities, st.sampled_from(["a <*>", "b <*>"]), st.sampled_from(["error", "info"]), st.integers(1, 30),
    ),
    st.builds(
        lambda at, entity, errors: CallRecord(at=T0 + at, entity=entity, count=4, errors=errors),
        seconds, entities, st.integers(0, 4),
    ),
)  # fmt: skip


def batches(told: Sequence[AnyRecord], late: int) -> list[tuple[float, list[AnyRecord]]]:
    """The records by when they come: up to so many seconds after their time, on whole seconds."""
    chance = Random(late)
    found: dict[float, list[AnyRecord]] = {}
    for record in told:
        found.setdefault(record.at + chance.randint(0, late), []).append(record)
    return sorted(found.items())


def played(
    groups: Sequence[tuple[float, list[AnyRecord]]], *, restarts: bool = False, ticks: Random | None = None,
    split: bool = False,
) -> tuple[list[tuple[float, str, str]], Any]:  # fmt: skip
    engine, out = Engine(BOOK), list[AnyDecision]()
    out += engine.decide([], T0)
    before = T0
    for at, told in groups:
        if ticks is not None:
            for between in sorted(ticks.uniform(before, at) for _ in range(ticks.randint(0, 3))):
                out += engine.decide([], between)
        parts = [[one] for one in told] if split else [told]
        for part in parts:
            out += engine.decide(part, at)
        before = at
        if restarts:
            engine = Engine.restored(BOOK, engine.snapshot())
    out += engine.decide([], T0 + 4000.0)
    return course(out), msgspec.to_builtins(engine.state.detecting, str_keys=True)


@settings(max_examples=25)
@given(st.lists(records, min_size=5, max_size=70), st.integers(0, 100), st.randoms(use_true_random=False))
def test_neither_order_nor_ticks_nor_restarts_change_what_is_found(
    told: list[AnyRecord], late: int, chance: Random
) -> None:
    groups = batches(told, late)
    found, state = played(groups)
    shuffled = [(at, chance.sample(some, len(some))) for at, some in groups]
    assert played(shuffled)[0] == found
    assert played(groups, ticks=chance)[0] == found
    assert played(groups, restarts=True) == (found, state)
    assert played(groups, split=True)[0] == found
    assert played(shuffled, split=True, restarts=True, ticks=chance)[0] == found


values = st.one_of(st.floats(), st.sampled_from([1e308, -1e308, 5e-324, 0.0, -0.0, 1e30, 1e-30]))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-400.0, 1200.0), values), min_size=1, max_size=40),
    st.sampled_from(["mean", "min", "max", "sum", "count", "rate", "last", "p50", "p99"]),
)
def test_no_number_breaks_a_detector(points: list[tuple[float, float]], aggregate: Aggregate) -> None:
    rules = (
        DetectRule(name="A", metric="m", when=Threshold(above=0.0, aggregate=aggregate)),
        DetectRule(name="B", metric="m", when=Threshold(below=0.0, aggregate=aggregate, by="n", until=1.0)),
        DetectRule(name="C", metric="m", when=Forecast(below=0.0, within_s=60.0, over_s=600.0, aggregate=aggregate)),
        DetectRule(name="D", metric="m", when=Anomaly(history_s=60.0, aggregate=aggregate)),
        DetectRule(name="E", metric="m", when=Shift(against_s=600.0, volume=1.0, direction="both")),
        DetectRule(name="F", metric="m", pooled=True, when=Absence(after_s=60.0)),
    )
    engine = Engine(Rulebook(version="1", detect=rules))
    engine.decide([], T0)
    table = SamplesRecord(
        at=T0,
        entity=CHECKOUT,
        times=[T0 + at for at, _ in points],
        values={name: [v for _, v in points] for name in "mn"},
    )
    engine.decide([table], T0 + 900.0)
    engine.decide(
        [SampleRecord(at=T0, entity=CHECKOUT, metric="m", points=[(T0 + a, v) for a, v in points])], T0 + 901.0
    )
    engine.decide([], T0 + 3000.0)
    assert Engine.restored(Rulebook(version="1", detect=rules), engine.snapshot()).snapshot() == engine.snapshot()


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_no_time_breaks_a_detector(at: float, now: float) -> None:
    engine = Engine(BOOK)
    engine.decide([SampleRecord(at=at, entity=CHECKOUT, metric="m1", value=9.0)], T0)
    engine.decide([SamplesRecord(at=at, entity=CHECKOUT, times=[at], values={"m1": [9.0]})], T0 + 60.0)
    engine.decide([], min(max(now, T0), T0 + 10_000.0))


def test_memory_is_bounded_by_what_rules_declare_and_not_by_traffic() -> None:
    narrow = tuple(msgspec.structs.replace(rule, series=5) for rule in BOOK.detect)
    engine, chance = Engine(msgspec.structs.replace(BOOK, detect=narrow)), Random(1)
    sizes = []
    for minute in range(100):
        start = T0 + 60.0 * minute
        told: list[AnyRecord] = [
            SamplesRecord(
                at=start,
                entity=f"service/{entity}",
                times=[start + n / 4 for n in range(240)],
                values={"m1": [chance.random() for _ in range(240)]},
            )
            for entity in range(6)
        ]
        told += [
            LogRecord(at=start, entity=CHECKOUT, template=f"never the same {minute} {n}", severity="error")
            for n in range(20)
        ]
        engine.decide(told, start + 59.5)
        sizes.append(len(msgspec.msgpack.encode(engine.state.detecting)))
    assert sizes[-1] < 1.3 * sizes[50] < 2_000_000
    assert all(len(watches) <= 5 for watches in engine.state.detecting.watches.values())
    assert engine.state.detecting.refused["High"] >= 1


def test_without_detectors_nothing_is_remembered() -> None:
    engine = Engine(Rulebook(version="1"))
    engine.decide([SampleRecord(at=T0, entity=CHECKOUT, metric="m1", value=9.0)], T0)
    assert msgspec.to_builtins(engine.state.detecting) == {
        "rules": {}, "watches": {}, "refused": {}, "crowded": {}, "began": {}, "read_at": {}, "blind": {}, "failed": {},
        "unfit": {}, "elders": {}, "counted": {},
    }  # fmt: skip
    assert engine.next_due() == Engine(Rulebook(version="1"), engine.state).next_due()
