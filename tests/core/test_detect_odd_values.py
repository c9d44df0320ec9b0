"""Whatever values and counts are told, no detector breaks on them, and none finds what is no number."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.watching import T0, Watched
from quell.expressions.matchers import parse_matchers
from quell.model.detect import (
    Absence,
    Anomaly,
    Behaviour,
    Burn,
    BurnRate,
    Compare,
    Condition,
    DetectRule,
    Forecast,
    Measure,
    Shift,
    Threshold,
)
from quell.model.records import CallRecord, DistributionRecord, SampleRecord

RATES = (BurnRate(rate=2.0, over_s=300.0, confirm_s=60.0),)
SIDES: dict[str, Any] = {
    "canary": parse_matchers('version="8"'), "baseline": parse_matchers('version="7"'), "volume": 1.0, "over_s": 300.0
}  # fmt: skip
SERIES: dict[str, Any] = {
    "canary": parse_matchers('name="a"'), "baseline": parse_matchers('name="b"'), "volume": 1.0, "over_s": 300.0
}  # fmt: skip


def burn(measured: Any, **more: Any) -> Burn:
    return Burn(measured=measured, objective=0.9, period_s=3600.0, rates=RATES, **more)


def behaviours() -> list[Behaviour]:
    found = [
        Behaviour(of=of, above=0.1, across="region" if of == "fairness" else "", volume=1) for of in get_args(Measure)
    ]
    changes: list[Any] = ["confidence", "tokens", "cost", "spend", "quality", "polarised", "refusal"]
    return [*found, *(Behaviour(of=of, change=0.5, against_s=120.0, volume=1) for of in changes)]


VALUES: list[Condition] = [
    *behaviours(),
    burn("values", at_least=0.5), burn("values", at_most=-1.0), burn("values", among=("yes",)),
    burn("gaps", share_above=0.5, at_most=0.1), burn("gaps", among=("yes",), at_most=0.1), burn("ages", at_most=60.0),
    Compare(**SIDES), Compare(**SIDES, of="p99"), Compare(**SIDES, of="share", above=0.5, worse="down"),
    Compare(**SIDES, of="share", among=("yes",)),
]  # fmt: skip
METRICS: list[Condition] = [
    Threshold(above=1.0, by="other"), Threshold(below=1.0, aggregate="p99"), Threshold(above=1.0, aggregate="rate"),
    Forecast(above=1.0, within_s=600.0, over_s=600.0), Absence(after_s=120.0), Shift(against_s=600.0),
    Anomaly(history_s=60.0, aggregate="sum"),
    burn("events", by="other"), burn("events", by="other", counter=True, reads_good=True), burn("points", at_most=1.0),
    burn("windows", at_least=1.0, aggregate="rate"), burn("amounts", at_most=0.001),
    Compare(**SERIES), Compare(**SERIES, of="share", by="other"),
    Compare(**SERIES, of="share", by="other", counter=True),
]  # fmt: skip
BOTH = [
    *(
        DetectRule(name=f"v{n}", distribution="*", when=when, pooled=isinstance(when, Behaviour))
        for n, when in enumerate(VALUES)
    ),
    *(DetectRule(name=f"m{n}", metric="some", when=when) for n, when in enumerate(METRICS)),
]
odd = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e308, -1e308, 5e-324, float("nan"), float("inf")]))
buckets = st.lists(st.tuples(st.integers(-(2**31), 2**31), st.integers(1, 2**40)), max_size=4).map(sorted)
times = st.integers(0, 1200).map(lambda at: T0 + at)
distributions = st.builds(
    DistributionRecord, at=times, entity=st.sampled_from(["model/a", "model/b"]),
    field=st.sampled_from(["score", "cost", "confidence", "calibration.true", "tokens_in", "refusal", "positive"]),
    over_s=st.sampled_from([0.0, 60.0, 3600.0, 1e12]), type=st.sampled_from(["", "number", "text", "bool", "time"]),
    count=st.integers(0, 2**40), nulls=st.integers(0, 2**40), bad=st.integers(0, 2**40), scale=st.integers(-20, 25),
    zero=st.integers(0, 2**40), positive=buckets, negative=buckets, low=st.none() | odd, high=st.none() | odd,
    total=odd,
    categories=st.dictionaries(st.sampled_from(["yes", "true", "false", "#01"]), st.integers(1, 2**40), max_size=3),
    other=st.integers(0, 99), hashed=st.booleans(), version=st.sampled_from(["", "7", "8"]),
    segment=st.sampled_from(["", "region=eu", "region=us", "odd"]),
)  # fmt: skip
samples = st.builds(
    SampleRecord, at=times, entity=st.sampled_from(["service/a", "service/b"]),
    metric=st.sampled_from(["some", "other"]), value=odd,
)  # fmt: skip
told_calls = st.builds(CallRecord, at=times, entity=st.just("service/a"), count=st.integers(-5, 2**50), mean_s=odd)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.one_of(distributions, samples, told_calls), max_size=40))
@example([SampleRecord(at=T0, entity="service/a", metric="other", value=5e-324)])
def test_nothing_breaks_on_odd_values(told: list[Any]) -> None:
    scene = Watched(*BOTH)
    for record in sorted(told, key=lambda one: one.at):
        scene.tell(record.at - T0 + 1.0, record)
    scene.wait(1500.0)
    assert not scene.engine.state.detecting.failed
    for alert in scene.alerts:
        words = f"{alert.annotations.get('summary', '')} {alert.annotations.get('description', '')}"
        assert "nan" not in words.split(), words
