"""What detectors say of a model's behaviour: with numbers, how sure, what was expected, and not from little data."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.watching import T0, Watched
from quell.core.detect.behaviours import measured
from quell.core.detect.intervals import deviations, difference, share
from quell.core.engine import Engine
from quell.model.detect import Behaviour, DetectRule
from quell.model.distribution import Tally, record_of
from quell.model.profile import Profile, ProfiledField, hashed
from quell.model.records import DistributionRecord, ValueType
from quell.model.rulebook import Rulebook

HOUR = 3600.0
FRAUD = "model/fraud"


def rule(field: str, of: Behaviour, **more: Any) -> DetectRule:
    return DetectRule(name="Behaves", distribution=field, pooled=True, when=of, every_s=HOUR, **more)


def counted(at: float, field: str, values: list[Any], segment: str = "", kind: ValueType = "") -> DistributionRecord:
    tally = Tally(kind)
    for value in values:
        tally.add(value)
    return record_of(tally.told(), entity=FRAUD, field=field, at=T0 + at, over_s=60, version="7", segment=segment)


def shares(yes: int, no: int) -> list[bool]:
    return [True] * yes + [False] * no


def one(watched: Watched) -> Any:
    assert len(watched.firing) == 1, watched.alerts
    return watched.firing[0]


def test_a_daily_mean_of_confidence_below_70_percent() -> None:
    watched = Watched(rule("confidence", Behaviour(of="confidence", below=0.7, over_s=24 * HOUR)))
    chance = Random(1)
    for hour in range(40):
        middle = 0.9 if hour < 24 else 0.45
        values = [min(max(chance.gauss(middle, 0.1), 0.0), 1.0) for _ in range(100)]
        watched.tell(hour * HOUR + 60, counted(hour * HOUR, "confidence", values))
    assert not [at for at, _, status in watched.course() if status == "firing" and at < 30 * HOUR]
    watched.wait(40 * HOUR + 60)
    alert = one(watched)
    assert alert.entity == FRAUD
    assert alert.annotations["expected"] == "at least 0.7"
    assert alert.annotations["predictions"] == "2400"
    assert alert.annotations["version"] == "7"
    assert (
        "mean confidence of 2,400 predictions is 0.5985 (0.5894 to 0.6076 with 95% confidence)"
        in alert.annotations["description"]
    )
    low, high = map(float, alert.annotations["interval"].split(" to "))
    assert low < alert.value < high < 0.7


@pytest.mark.parametrize("n", [10, 199])
def test_little_data_says_nothing(n: int) -> None:
    watched = Watched(
        rule("confidence", Behaviour(of="confidence", below=0.7)),
        msgspec.structs.replace(rule("agreement", Behaviour(of="disagreement", above=0.1)), name="Disagrees"),
    )
    watched.tell(60, counted(0, "confidence", [0.1] * n), counted(0, "agreement", [False] * n))
    watched.wait(2 * HOUR)
    assert watched.alerts == []


def test_what_could_be_chance_is_not_told() -> None:
    watched = Watched(rule("agreement", Behaviour(of="disagreement", above=0.1)))
    watched.tell(60, counted(0, "agreement", shares(175, 25)))  # 12.5%: 8.6% to 17.8%
    watched.tell(HOUR + 60, counted(HOUR, "agreement", shares(1750, 250)))
    watched.wait(HOUR + 1800)
    assert watched.alerts == []
    watched.wait(2 * HOUR + 60)
    alert = one(watched)
    assert alert.value == pytest.approx(0.125)
    assert "disagreement with 2,000 labels is 0.125" in alert.annotations["description"]


def test_what_fires_goes_on_until_the_limit_itself_is_met() -> None:
    watched = Watched(rule("agreement.human", Behaviour(of="disagreement", above=0.1)))
    for hour, wrong in enumerate((300, 120, 90)):
        watched.tell(hour * HOUR + 60, counted(hour * HOUR, "agreement.human", shares(1000 - wrong, wrong)))
    watched.wait(3 * HOUR + 60)
    assert [(at / HOUR, status) for at, _, status in watched.course()] == [(1.0, "firing"), (3.0, "resolved")]
    assert "labels of people" in watched.alerts[0].annotations["description"]


def test_a_model_that_is_too_sure_of_itself_and_one_that_is_right() -> None:
    chance = Random(2)
    said = [chance.random() for _ in range(4000)]
    for shift, fires in ((0.0, False), (0.25, True)):
        came = [chance.random() < max(p - shift, 0.0) for p in said]
        watched = Watched(rule("calibration.*", Behaviour(of="calibration", above=0.1)))
        for truth in (True, False):
            values = [p for p, yes in zip(said, came, strict=True) if yes == truth]
            watched.tell(60, counted(0, f"calibration.{str(truth).lower()}", values))
        watched.wait(2 * HOUR)
        assert bool(watched.firing) == fires
        if fires:
            alert = one(watched)
            assert alert.annotations["direction"] == "too sure of itself"
            assert float(alert.annotations["stated"]) > float(alert.annotations["observed"]) + 0.1
            assert alert.value == pytest.approx(0.22, abs=0.05)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(200, 1000))
def test_a_calibrated_model_is_not_found_otherwise(seed: int, n: int) -> None:
    chance = Random(seed)
    pairs = [(p, chance.random() < p) for p in (chance.random() for _ in range(n))]
    told = {
        ("", f"calibration.{name}"): _told([p for p, yes in pairs if yes == truth])
        for name, truth in (("true", True), ("false", False))
    }
    found = measured(Behaviour(of="calibration", above=0.05, sure=0.9999), told)
    assert found is not None
    assert found.interval.low <= 0.05 or found.interval.value <= found.chance


def _told(values: list[float]) -> Any:
    tally = Tally("number")
    for value in values:
        tally.add(value)
    return tally.told()


def test_scores_that_go_to_the_ends_against_the_profile() -> None:
    chance = Random(3)
    profile = hashed(
        Profile(
            entity=FRAUD, version="7", rows=5000,
            fields=(ProfiledField(name="score", values=_told([chance.random() for _ in range(5000)])),),
        )
    )  # fmt: skip
    book = Rulebook(version="1", detect=(rule("score", Behaviour(of="polarised", change=0.2)),), profiles=(profile,))
    watched = Watched(rulebook=book)
    watched.tell(60, counted(0, "score", [chance.random() for _ in range(500)]))
    watched.tell(HOUR + 60, counted(HOUR, "score", [0.001, 0.0, 1.0, 0.5] * 200))
    watched.wait(2 * HOUR + 60)
    alert = one(watched)
    assert alert.value == pytest.approx(0.75)
    assert "as in the profile" in alert.annotations["expected"]


def test_a_gap_between_segments_is_of_impact_fairness_only_if_both_have_enough() -> None:
    of = Behaviour(of="fairness", across="region", rate="positive", above=0.1)
    watched = Watched(rule("positive", of, impact="fairness"))
    watched.tell(
        60,
        counted(0, "positive", shares(500, 500), "region=eu"),
        counted(0, "positive", shares(300, 700), "region=us"),
        counted(0, "positive", shares(480, 520), "region=uk"),
        counted(0, "positive", shares(5, 100), "region=ch"),  # too few
        counted(0, "positive", shares(0, 1000), "age=18-25"),  # another matter
        counted(0, "positive", shares(1500, 1500)),
    )
    watched.wait(HOUR + 60)
    alert = one(watched)
    assert alert.labels["impact"] == "fairness"
    assert (alert.annotations["higher"], alert.annotations["lower"]) == ("eu", "us")
    assert alert.value == pytest.approx(0.2)
    assert "region=eu (50.0% of 1,000) and region=us (30.0% of 1,000)" in alert.annotations["description"]
    assert "ch" not in alert.annotations["rates"]


def test_a_gap_of_true_positives() -> None:
    of = Behaviour(of="fairness", across="sex", rate="true_positive", above=0.05)
    watched = Watched(rule("confusion", of))
    cells = ["true positive"] * 900 + ["false negative"] * 100 + ["true negative"] * 5000
    other = ["true positive"] * 700 + ["false negative"] * 300
    watched.tell(60, counted(0, "confusion", cells, "sex=m"), counted(0, "confusion", other, "sex=f"))
    watched.wait(HOUR + 60)
    assert one(watched).value == pytest.approx(0.2)


def test_tokens_cost_refusals_and_quality_of_a_language_model() -> None:
    of = {
        "Tokens": ("tokens_*", Behaviour(of="tokens", change=0.5, against_s=3 * HOUR, volume=100)),
        "Cost": ("cost", Behaviour(of="cost", above=0.02, volume=100)),
        "Spend": ("cost", Behaviour(of="spend", above=10.0, volume=100)),
        "Refusal": ("refusal", Behaviour(of="refusal", above=0.05, volume=100)),
        "Quality": ("quality", Behaviour(of="quality", below=0.8, volume=100)),
    }
    rules = [msgspec.structs.replace(rule(field, when), name=name) for name, (field, when) in of.items()]
    watched = Watched(*rules)
    for hour in range(5):
        bad = hour == 4
        watched.tell(
            hour * HOUR + 60,
            counted(hour * HOUR, "tokens_in", [100 + n % 7 for n in range(200)]),
            counted(hour * HOUR, "tokens_out", [(400 if bad else 100) + n % 9 for n in range(200)]),
            counted(hour * HOUR, "cost", [0.06 if bad else 0.01] * 200),
            counted(hour * HOUR, "refusal", shares(40 if bad else 2, 160 if bad else 198)),
            counted(hour * HOUR, "quality", [0.6 if bad else 0.9] * 200),
        )
    watched.wait(5 * HOUR + 60)
    assert {name.split()[0] for at, name, _ in watched.course() if at < 5 * HOUR} == set()
    assert {alert.labels["alertname"] for alert in watched.firing} == set(of)
    tokens = next(alert for alert in watched.firing if alert.labels["alertname"] == "Tokens")
    assert (
        "mean tokens of 200 requests is 506.9 (506.3 to 507.6 with 95% confidence)" in tokens.annotations["description"]
    )
    assert "as in the last 3h" in tokens.annotations["expected"]


def test_missing_values_are_told_apart_from_numbers_and_are_never_zero() -> None:
    watched = Watched(
        rule("*", Behaviour(of="missing", above=0.05)),
        msgspec.structs.replace(rule("score", Behaviour(of="confidence", below=0.5)), name="Low"),
    )
    scores = [0.9] * 300 + [float("nan")] * 90 + [float("inf")] * 10
    watched.tell(60, counted(0, "score", scores, kind="number"), counted(0, "amount", [1.0] * 400))
    watched.wait(HOUR + 60)
    alert = one(watched)
    assert alert.labels["alertname"] == "Behaves"
    assert alert.annotations["field"] == "score"
    assert alert.value == pytest.approx(0.25)


def test_only_the_segment_that_a_rule_names_counts() -> None:
    watched = Watched(rule("confidence", Behaviour(of="confidence", below=0.7, segment="region=eu")))
    watched.tell(60, counted(0, "confidence", [0.1] * 500), counted(0, "confidence", [0.9] * 500, "region=eu"))
    watched.tell(HOUR + 60, counted(HOUR, "confidence", [0.2] * 500, "region=eu"))
    watched.wait(HOUR + 1800)
    assert watched.alerts == []
    watched.wait(2 * HOUR + 60)
    assert "in region=eu" in one(watched).annotations["description"]


def test_labels_that_come_long_after_their_window_count_in_the_open_one() -> None:
    watched = Watched(rule("agreement", Behaviour(of="disagreement", above=0.1)))
    watched.tell(60, counted(0, "agreement", shares(500, 0)))
    watched.tell(30 * HOUR, counted(0, "agreement", shares(100, 400)))
    watched.wait(31 * HOUR + 60)
    assert one(watched).value == pytest.approx(0.8)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 8), st.booleans())
def test_order_batches_and_restarts_change_nothing(order: list[int], size: int, again: bool) -> None:
    of = Behaviour(of="fairness", across="region", above=0.1, over_s=2 * HOUR, volume=50)
    book = Rulebook(
        version="1",
        detect=(
            rule("positive", of),
            msgspec.structs.replace(rule("cost", Behaviour(of="cost", above=1.0, volume=50)), name="Cost"),
        ),
    )
    parts = [
        counted(60 * n, "positive", shares(30 - 5 * (n % 2), 20 + 5 * (n % 2)), f"region={'eu' if n % 2 else 'us'}")
        for n in range(4)
    ] + [counted(60 * n, "cost", [1.0 + n, 2.0] * 20) for n in range(4)]

    def told(places: list[int], at_once: int, *, restart: bool) -> set[tuple[str, str, str]]:
        watched = Watched(rulebook=book)
        for start in range(0, len(places), at_once):
            watched.tell(600 + start, *[parts[n] for n in places[start : start + at_once]])
            if restart:
                watched.engine = Engine.restored(book, watched.engine.snapshot())
        watched.wait(HOUR + 60)
        return {(one.labels["alertname"], one.annotations["description"], str(one.starts_at)) for one in watched.firing}

    assert told(order, size, restart=again) == told(list(range(8)), 8, restart=False)


@given(st.integers(0, 500), st.integers(1, 500))
def test_intervals_hold_their_value_and_lie_within_bounds(hits: int, more: int) -> None:
    n, z = hits + more, deviations(0.95)
    one = share(hits, n, z)
    assert 0.0 <= one.low <= one.value + 1e-12
    assert one.value - 1e-12 <= one.high <= 1.0
    other = share(more, n, z)
    gap = difference(one, other)
    assert gap.low - 1e-12 <= gap.value <= gap.high + 1e-12
    assert difference(other, one).value == pytest.approx(-gap.value)


def test_intervals_as_published() -> None:
    """Newcombe (1998): 56/70 against 48/80, score method without continuity correction."""
    z = deviations(0.95)
    gap = difference(share(56, 70, z), share(48, 80, z))
    assert (round(gap.value, 4), round(gap.low, 4), round(gap.high, 4)) == (0.2, 0.0524, 0.3339)
    assert tuple(round(one, 4) for one in share(81, 263, z)[1:3]) == (0.2553, 0.3662)
