"""Whatever records tell of fields, detectors that compare with profiles say something sound and never fail."""

from __future__ import annotations

from math import inf, isfinite, nan

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.watching import T0
from profiles.data import PAYMENTS, fine, profile
from quell.core.engine import Engine
from quell.model.detect import Check, DetectRule, Drift, Schema
from quell.model.drift_report import Limits
from quell.model.records import DistributionRecord
from quell.model.rulebook import Rulebook

COUNTS = st.one_of(st.integers(0, 5000), st.integers(-5, 2**70))
BUCKETS = st.lists(st.tuples(st.one_of(st.integers(-50, 400), st.integers(-(2**40), 2**40)), COUNTS), max_size=8)
NUMBERS = st.one_of(st.floats(), st.sampled_from((0.0, nan, inf, -inf, 1e308)))
TEXTS = st.one_of(st.sampled_from(("EUR", "USD", "", "#01", "(rest)")), st.text(max_size=4))
RECORDS = st.builds(
    DistributionRecord,
    at=st.one_of(st.floats(T0 - 4000, T0 + 9000), NUMBERS),
    entity=st.sampled_from((PAYMENTS, PAYMENTS, "dataset/other")),
    field=st.one_of(st.sampled_from(("amount", "age", "currency", "made_at")), TEXTS),
    type=st.sampled_from(("", "number", "text", "bool", "time")),
    over_s=NUMBERS,
    count=COUNTS,
    nulls=COUNTS,
    bad=COUNTS,
    scale=st.integers(-30, 30),
    zero=COUNTS,
    positive=BUCKETS,
    negative=BUCKETS,
    low=st.one_of(st.none(), NUMBERS),
    high=st.one_of(st.none(), NUMBERS),
    total=NUMBERS,
    categories=st.dictionaries(TEXTS, COUNTS, max_size=5),
    other=COUNTS,
    hashed=st.booleans(),
    version=st.sampled_from(("", "v3", "v4")),
    samples=st.lists(TEXTS, max_size=3),
    skew_s=NUMBERS,
)
LIMITS = Limits(
    rows=1, volume=(0.5, 2.0), age_s=600.0, numbers=("ks", "psi", "js"), texts=("chi2", "psi", "js"), chance=0.5
)
EVERYTHING: tuple[Check, ...] = ("columns", "types", "nulls", "values", "rows", "age", "clock", "version")


def rule(name: str, when: Drift | Schema, of: int = 1) -> DetectRule:
    return DetectRule(name=name, distribution="*", pooled=True, every_s=600.0, of=of, when=when)


BOOK = Rulebook(
    version="1",
    profiles=(profile(fine(300)),),
    detect=(
        rule("Drift", Drift(limits=LIMITS), of=3),
        rule("Schema", Schema(checks=EVERYTHING, limits=LIMITS), of=3),
        rule("Counts", Schema(checks=("nulls", "age"), limits=LIMITS)),
    ),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 900), st.lists(RECORDS, max_size=5)), max_size=6))
def test_detectors_say_something_sound_of_whatever_comes(turns: list[tuple[int, list[DistributionRecord]]]) -> None:
    engine, at = Engine(BOOK), T0
    for wait, records in turns:
        at += wait
        engine.decide(records, at)
    engine.decide([], at + 2400.0)
    assert Engine.restored(BOOK, engine.snapshot()).snapshot() == engine.snapshot()
    for alert in engine.state.alerts.values():
        assert alert.value is None or isfinite(alert.value)
        assert alert.annotations["description"]
    for watches in engine.state.detecting.watches.values():
        for watch in watches.values():
            assert "nan" not in str(msgspec.to_builtins(watch.finding))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(RECORDS, max_size=8), st.randoms())
def test_the_order_in_which_records_of_a_window_come_does_not_matter(
    records: list[DistributionRecord], shuffle: st.DataObject
) -> None:
    told = []
    mixed = [*records]
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    for order in (records, mixed):
        engine = Engine(BOOK)
        for record in order:
            engine.decide([msgspec.structs.replace(record, at=T0 + 60.0, total=0.0)], T0 + 100.0)
        engine.decide([], T0 + 600.0)
        told.append({alert.labels["alertname"]: alert.annotations for alert in engine.state.alerts.values()})
    assert told[0] == told[1]
