"""A canary against its baseline: by how much it is worse, how sure that is, and when nothing is said."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.watching import T0, Watched, sample
from quell.core.detect.beside import Beside
from quell.core.detect.compare import quantile_interval
from quell.core.detect.intervals import student, welch
from quell.expressions.matchers import parse_matchers
from quell.model.detect import Compare, DetectRule
from quell.model.distribution import Distribution
from quell.model.records import CallRecord, DistributionRecord, EntityRecord
from quell.model.sketch import sketch_of

NEW, OLD = parse_matchers('track="canary"'), parse_matchers('track="stable"')
SHARES = DetectRule(
    name="CanaryFails",
    metric="calls.errors",
    when=Compare(canary=NEW, baseline=OLD, same=("app",), of="share", by="calls.count", over_s=600.0, volume=100.0),
)


def entities(scene: Watched, *apps: str) -> None:
    for app in apps:
        for track in ("canary", "stable"):
            told = EntityRecord(at=T0, entity=f"service/{app}-{track}", labels={"track": track, "app": app})
            scene.tell(0.0, told)


def minutes(scene: Watched, app: str, canary: float, stable: float, count: int = 100) -> None:
    for minute in range(11):
        at = minute * 60.0
        for track, share in (("canary", canary), ("stable", stable)):
            errors = round(count * share)
            scene.tell(at, CallRecord(at=T0 + at, entity=f"service/{app}-{track}", count=count, errors=errors))


def test_a_canary_that_fails_more_is_told_with_how_much_more_surely() -> None:
    scene = Watched(SHARES)
    entities(scene, "shop", "cart")
    minutes(scene, "shop", 0.05, 0.01)
    (alert,) = scene.firing
    assert alert.entity == "service/shop-canary"
    said = alert.annotations["description"]
    assert "of the canary is 5%, of the baseline 1%: worse by 4 points (" in said, said
    assert alert.labels["app"] == "shop"


def test_only_what_has_equal_labels_is_compared() -> None:
    scene = Watched(SHARES)
    entities(scene, "shop", "cart")
    for minute in range(11):
        at = minute * 60.0
        scene.tell(at, CallRecord(at=T0 + at, entity="service/shop-canary", count=100, errors=9),
                   CallRecord(at=T0 + at, entity="service/cart-stable", count=100, errors=0))  # fmt: skip
    assert not scene.alerts


@pytest.mark.parametrize(("canary", "stable", "count"), [(0.02, 0.02, 100), (0.01, 0.05, 100), (0.5, 0.0, 4)])
def test_chance_a_better_canary_and_small_numbers_say_nothing(canary: float, stable: float, count: int) -> None:
    scene = Watched(SHARES)
    entities(scene, "shop")
    minutes(scene, "shop", canary, stable, count)
    assert not scene.alerts


def test_a_margin_is_what_it_must_be_worse_by_at_least() -> None:
    of = Compare(canary=NEW, baseline=OLD, of="share", by="calls.count", over_s=600.0, margin=0.05)
    scene = Watched(DetectRule(name="A", metric="calls.errors", when=of))
    entities(scene, "shop")
    minutes(scene, "shop", 0.05, 0.01)
    assert not scene.alerts


def test_means_of_windows_are_compared_by_welch() -> None:
    of = Compare(canary=NEW, baseline=OLD, aggregate="p95", over_s=1200.0, volume=5.0)
    scene = Watched(DetectRule(name="Slower", metric="latency", when=of))
    entities(scene, "shop")
    chance = Random(4)
    for minute in range(21):
        at = minute * 60.0
        scene.tell(at, sample(at, 0.30 + chance.uniform(0, 0.05), entity="service/shop-canary"),
                   sample(at, 0.20 + chance.uniform(0, 0.05), entity="service/shop-stable"))  # fmt: skip
    (alert,) = scene.firing
    assert "worse by 0.1" in alert.annotations["description"] or "worse by 0.09" in alert.annotations["description"]
    assert 0.05 < float(alert.annotations["interval"].split(" to ")[0]) < 0.1


def scores(version: str, values: list[float], at: float = 0.0, segment: str = "") -> DistributionRecord:
    told = sketch_of(values)
    return DistributionRecord(
        at=T0 + at, entity="model/fraud", field="score", type="number", count=len(values), version=version,
        segment=segment, scale=told.scale, zero=told.zero, positive=list(told.positive), negative=list(told.negative),
        low=told.low, high=told.high, total=told.total,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (Compare(canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), worse="down"), "worse"),
        (Compare(canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), worse="down",
                 of="p90"), "worse"),
        (Compare(canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), worse="down",
                 of="share", above=0.5), "points"),
    ],
)  # fmt: skip
def test_versions_of_a_model_are_compared_by_what_they_answer(of: Compare, words: str) -> None:
    scene = Watched(DetectRule(name="Lower", distribution="score", when=of))
    chance = Random(7)
    old, new = ([chance.betavariate(4, shape) for _ in range(800)] for shape in (3, 5))
    scene.tell(1.0, scores("7", old), scores("8", new), scores("8", old, segment="region=eu"), scores("6", old))
    scene.wait(61.0)
    (alert,) = scene.firing
    assert words in alert.annotations["description"]
    assert (alert.annotations["canary_volume"], alert.annotations["baseline_volume"]) == ("800", "800")


def test_the_same_version_is_no_worse_than_itself() -> None:
    of = Compare(canary=parse_matchers('segment="a"'), baseline=parse_matchers('segment="b"'))
    scene = Watched(DetectRule(name="Lower", distribution="score", when=of))
    chance = Random(8)
    for name in "ab":
        scene.tell(1.0, scores("7", [chance.random() for _ in range(500)], segment=name))
    scene.wait(61.0)
    assert not scene.alerts


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    chance, held, rounds = Random(5), 0, 400
    for _ in range(rounds):
        one = [chance.gauss(1.0, 1.0) for _ in range(12)]
        two = [chance.gauss(0.0, 3.0) for _ in range(8)]
        gap = welch(one, two, 0.9)[0]
        held += gap.low <= 1.0 <= gap.high
    assert 0.86 < held / rounds < 0.94


def test_students_distribution_is_as_in_the_tables() -> None:
    for freedom, wanted in ((5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)):
        assert student(1.959964, freedom) == pytest.approx(wanted, rel=0.01)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_lies_within_its_interval_and_that_within_the_values(values: list[float], wanted: float) -> None:
    found = quantile_interval(Distribution(type="number", numbers=sketch_of(values)), wanted, 1.96)
    assert found.low <= found.value <= found.high
    assert found.n == len(values)


@pytest.mark.parametrize("of", ["share", "mean"])
def test_baselines_are_counted_once_for_all_canaries(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``same`` every canary is compared with every baseline: that takes as long as there are series."""
    looked: list[int] = []
    for name in ("_counts", "_moments"):
        one = getattr(Beside, name)

        def counted(self: Beside, of_one: object, *more: float, one: object = one) -> object:
            looked.append(len(of_one) if isinstance(of_one, list) else 1)
            return one(self, of_one, *more)  # type: ignore[operator]

        monkeypatch.setattr(Beside, name, counted)
    when = Compare(canary=NEW, baseline=OLD, of=of, by="all" if of == "share" else "", over_s=300.0, volume=5.0)  # type: ignore[arg-type]
    scene = Watched(DetectRule(name="Worse", metric="bad", when=when))
    entities(scene, *map(str, range(30)))
    for minute in range(7):
        looked.clear()
        at = minute * 60.0
        scene.tell(at, *(
            sample(at, (9.0 if number == 3 and track == "canary" else 1.0) + 0.1 * (minute % 2), metric=metric,
                   entity=f"service/{number}-{track}")
            if metric == "bad" else sample(at, 100.0, metric=metric, entity=f"service/{number}-{track}")
            for number in range(30) for track in ("canary", "stable") for metric in ("bad", "all")
        ))  # fmt: skip
    assert [alert.entity for alert in scene.firing] == ["service/3-canary"]
    assert sum(looked) <= 30 + 30


def test_whoever_is_on_both_sides_is_compared_with_the_others() -> None:
    for of in ("share", "mean"):
        when = Compare(canary=NEW, baseline=parse_matchers('app="shop"'), of=of, by="all" if of == "share" else "",  # type: ignore[arg-type]
                       over_s=600.0, volume=5.0)  # fmt: skip
        scene = Watched(DetectRule(name="Worse", metric="bad", when=when))
        entities(scene, "shop")
        for minute in range(12):
            at = minute * 60.0
            for track, value in (("canary", 9.0), ("stable", 1.0)):
                wobble = 0.1 * (minute % 2)
                scene.tell(at, sample(at, value + wobble, metric="bad", entity=f"service/shop-{track}"),
                           sample(at, 100.0, metric="all", entity=f"service/shop-{track}"))  # fmt: skip
        (alert,) = scene.firing
        assert alert.threshold == pytest.approx(0.01 if of == "share" else 1.05, rel=0.06)
