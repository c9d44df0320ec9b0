"""What is left of a budget does not depend on how telemetry comes, nor on restarts; it is exact, and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.watching import CHECKOUT, T0
from quell.core.detect.spans import Spans
from quell.core.engine import Engine
from quell.core.slos import slo_views
from quell.model.detect import Burn, BurnRate, DetectRule
from quell.model.detecting import Budget
from quell.model.records import AnyRecord, CallRecord, SampleRecord
from quell.model.rulebook import Rulebook

RATES = (
    BurnRate(rate=4.0, over_s=600.0, confirm_s=120.0),
    BurnRate(rate=1.0, over_s=1800.0, confirm_s=300.0, severity="warning", pages=False),
)
CALLS = Burn(measured="events", objective=0.9, period_s=7200.0, rates=RATES, by="calls.count")
PAID = Burn(measured="events", objective=0.9, period_s=7200.0, rates=RATES, by="tried", reads_good=True, counter=True)
SLOW = Burn(measured="windows", objective=0.9, period_s=7200.0, rates=RATES, at_most=1.0)
BOOK = Rulebook(
    version="1",
    detect=(
        DetectRule(name="calls", metric="calls.errors", when=CALLS),
        DetectRule(name="slow", metric="calls.mean_s", when=SLOW),
        DetectRule(name="paid", metric="paid", when=PAID),
    ),
)
records = st.builds(
    lambda at, entity, count, share, mean: CallRecord(
        at=T0 + at, entity=entity, count=count, errors=round(count * share), mean_s=mean
    ),
    st.integers(0, 5000), st.sampled_from([CHECKOUT, "service/b"]), st.integers(1, 50), st.floats(0.0, 1.0),
    st.sampled_from([0.5, 2.0]),
)  # fmt: skip
counters = st.builds(
    lambda at, metric: SampleRecord(
        at=T0 + at, entity=CHECKOUT, metric=metric, value=float(at // 7 if metric == "paid" else at // 5)
    ),
    st.integers(0, 5000), st.sampled_from(["paid", "tried"]),
)  # fmt: skip
Groups = Sequence[tuple[float, Sequence[AnyRecord]]]


def played(groups: Groups, *, restarts: bool = False, split: bool = False, ticks: Random | None = None) -> list[object]:
    """How the service levels stand after all of it."""
    engine = Engine(BOOK)
    engine.decide([], T0)
    before = T0
    for at, told in groups:
        if ticks is not None and at > before:
            engine.decide([], ticks.uniform(before, at))
        for part in [[one] for one in told] if split else [list(told)]:
            engine.decide(part, at)
        before = at
        if restarts:
            engine = Engine.restored(BOOK, engine.snapshot())
    engine.decide([], T0 + 6000.0)
    return [msgspec.to_builtins(view) for view in slo_views(engine.state, BOOK)]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.one_of(records, counters), max_size=50), st.integers(0, 600), st.randoms(use_true_random=False))
def test_neither_order_nor_batches_nor_restarts_change_a_budget(
    told: list[CallRecord | SampleRecord], late: int, chance: Random
) -> None:
    found: dict[float, list[AnyRecord]] = {}
    for record in told:
        found.setdefault(record.at + chance.randint(0, late), []).append(record)
    groups = sorted(found.items())
    stands = played(groups)
    shuffled = [(at, chance.sample(some, len(some))) for at, some in groups]
    assert played(shuffled) == stands
    assert played(groups, restarts=True) == stands
    assert played(groups, split=True, ticks=chance) == stands


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 9), st.integers(1, 9)), max_size=80))
def test_every_window_counts_once_whatever_was_summed_up(told: list[tuple[int, int, int]]) -> None:
    of = Burn(measured="events", objective=0.9, period_s=4000 * 60.0, rates=RATES)
    spans, memory = Spans(60.0, of), Budget()
    counted = [(slot, (float(min(bad, total)), float(total))) for slot, bad, total in sorted(told)]
    for slot, one in counted:
        spans.add(memory, slot, one)
        spans.roll(memory, slot)
    end = 4001 * 60.0
    bad, total = spans.over(memory, {}, end, end)
    assert total == pytest.approx(sum(one[1] for _, one in counted))
    assert bad == pytest.approx(sum(one[0] for _, one in counted))


def test_memory_follows_the_period_and_not_what_is_told() -> None:
    engine, sizes = Engine(BOOK), []
    for minute in range(400):
        at = T0 + minute * 60.0
        engine.decide([CallRecord(at=at + n / 10, entity=CHECKOUT, count=3, mean_s=1.0) for n in range(20)], at + 30.0)
        sizes.append(len(msgspec.msgpack.encode(engine.state.detecting)))
    assert sizes[-1] < 1.1 * max(sizes[200:300])
    assert sizes[-1] < 40_000
