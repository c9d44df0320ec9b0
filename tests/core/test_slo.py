"""Service levels: when a budget burns, what is left of it, what conditions and gates see of that."""

from __future__ import annotations

import pytest

from core.watching import CHECKOUT, T0, Watched, sample
from quell.config.slo_file import WORKBOOK
from quell.core.catalog import Catalog
from quell.core.slos import budget, gate, slo_views
from quell.model.detect import Burn, BurnRate, DetectRule, Measured
from quell.model.detecting import Budget, Stand
from quell.model.records import CallRecord, DistributionRecord

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
RATES = tuple(BurnRate(rate=r, over_s=o, confirm_s=c, severity=s, pages=p) for r, o, c, s, p in WORKBOOK)
CALLS = DetectRule(
    name="availability",
    metric="calls.errors",
    when=Burn(measured="events", objective=0.995, period_s=30 * DAY, rates=RATES, by="calls.count"),
)


def of(measured: Measured, objective: float = 0.99, *, metric: str = "latency", **more: object) -> DetectRule:
    when = Burn(measured=measured, objective=objective, period_s=30 * DAY, rates=RATES, **more)  # type: ignore[arg-type]
    field = {"distribution": metric} if measured in {"values", "gaps"} else {"metric": metric}
    return DetectRule(name="level", when=when, **field)  # type: ignore[arg-type]


def calls(scene: Watched, first: int, last: int, share: float, entity: str = CHECKOUT) -> None:
    """200 calls a minute, of which so many fail."""
    for minute in range(first, last):
        told = CallRecord(at=T0 + minute * MINUTE + 30.0, entity=entity, count=200, errors=round(200 * share))
        scene.tell(minute * MINUTE + 31.0, told)


def test_a_fast_burn_pages_and_is_over_soon_after_the_trouble() -> None:
    scene = Watched(CALLS)
    calls(scene, 0, 300, 0.0)
    assert not scene.alerts
    calls(scene, 300, 330, 0.2)
    (alert,) = scene.firing
    assert (alert.severity, alert.labels["page"], alert.labels["burn"]) == ("critical", "burn", "14.4x 1h")
    assert alert.value is not None
    assert alert.value >= 14.4
    assert "times as fast as 99.5% over 30d allows" in alert.annotations["description"]
    began = scene.course()[0][0]
    assert 320 * MINUTE < began < 326 * MINUTE  # 14.4 × 0.5% of an hour is 21.6 minutes of 20%
    calls(scene, 330, 345, 0.0)
    assert not scene.firing


def test_what_is_left_of_the_budget_is_what_was_not_spent_of_a_whole_period() -> None:
    scene = Watched(CALLS)
    calls(scene, 0, 60, 0.0)
    calls(scene, 60, 90, 0.2)
    calls(scene, 90, 120, 0.0)
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    spent = 30 * 40 / (0.005 * 200 * 30 * DAY / MINUTE)
    assert view.left == pytest.approx(1.0 - spent, rel=0.02)
    assert view.good == pytest.approx(1.0 - 1200 / (120 * 200), rel=0.02)
    assert (view.standing, view.goal) == ("met", "99.5% over 30d")


def test_what_burns_slowly_is_a_ticket_and_becomes_a_page_when_it_burns_fast() -> None:
    when = Burn(
        measured="events", objective=0.9, period_s=DAY, by="calls.count",
        rates=(BurnRate(rate=5.0, over_s=HOUR, confirm_s=300.0),
               BurnRate(rate=1.0, over_s=4 * HOUR, confirm_s=900.0, severity="warning", pages=False)),
    )  # fmt: skip
    scene = Watched(DetectRule(name="slow", metric="calls.errors", when=when))
    calls(scene, 0, 260, 0.15)
    (alert,) = scene.firing
    assert (alert.severity, "page" in alert.labels) == ("warning", False)
    calls(scene, 260, 315, 0.9)
    (alert,) = scene.firing
    assert (alert.severity, alert.labels["page"]) == ("critical", "burn")
    assert len(scene.alerts) == 1


def test_a_spent_budget_shuts_the_gate_and_conditions_see_it() -> None:
    when = Burn(measured="events", objective=0.99, period_s=DAY, rates=(), by="calls.count")
    scene = Watched(DetectRule(name="shop", metric="calls.errors", when=when))
    catalog = Catalog(scene.engine.state)
    assert catalog("slo.budget", ["shop"]) == {}
    assert catalog.unknown == ['nothing is known yet of the budget of "shop"']
    shut = gate(slo_views(scene.engine.state, scene.rulebook, "shop"), "shop")
    assert not shut.open
    assert "nothing was told" in shut.reason
    assert gate(shut.slos, "shop", unknown_opens=True).open
    calls(scene, 0, 30, 0.0)
    assert gate(slo_views(scene.engine.state, scene.rulebook, "shop"), "shop", 0.5).open
    calls(scene, 30, 60, 0.5, "service/cart")
    calls(scene, 60, 61, 0.0)
    seen = catalog("slo.budget", ["shop"])
    assert seen["entity"] == "service/cart"
    assert seen["burnt"]
    assert seen["left"] < 0.0
    assert not catalog("slo.budget", ["shop", "checkout"])["burnt"]
    told = gate(slo_views(scene.engine.state, scene.rulebook, "shop"), "shop")
    assert (told.open, told.reason) == (False, "service/cart: the budget is spent")
    assert gate(slo_views(scene.engine.state, scene.rulebook, "shop", "checkout"), "shop").open
    almost = gate(slo_views(scene.engine.state, scene.rulebook, "shop", "checkout"), "shop", 0.9999)
    assert almost.open or "more than 100% is asked for" in almost.reason


def spent_by(rule: DetectRule, *values: float | None, each: float = MINUTE) -> tuple[float, float]:
    """What was bad of how much, of values told at even times."""
    scene = Watched(rule)
    scene.feed(values, every=each)
    scene.wait(len(values) * each + 2 * MINUTE)
    stand = stand_of(scene)
    return stand.bad, stand.total


def stand_of(scene: Watched, rule: str = "level") -> Stand:
    """How the one service level that was told of stood when it was judged last."""
    memory = next(iter(scene.engine.state.detecting.watches[rule].values())).memory
    assert isinstance(memory, Budget)
    assert memory.stand is not None
    return memory.stand


def test_windows_count_by_what_they_come_to() -> None:
    rule = of("windows", at_most=0.3, aggregate="p99", volume=1.0)
    assert spent_by(rule, 0.1, 0.2, 0.4, None, 0.31) == (2.0, 4.0)


def test_points_count_one_by_one() -> None:
    rule = of("points", at_least=0.92)
    assert spent_by(rule, 0.95, 0.91, 0.5, 0.92, each=10.0) == (2.0, 4.0)


def test_amounts_are_spent_against_what_may_be() -> None:
    rule = of("amounts", 0.0, at_most=40.0 / DAY)
    bad, _ = spent_by(rule, *[1.0] * 60)
    assert bad == 60.0
    scene = Watched(rule)
    scene.feed([1.0] * 60)
    (alert,) = scene.firing
    assert "54 was spent in the last 54m, which is all that is known, " in alert.annotations["description"]
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert (view.goal, view.good) == ("at most 1200 in 30d", None)
    assert view.left == pytest.approx(1.0 - 60 / 1200, rel=0.02)


def test_data_that_grows_old_is_bad_from_its_limit_on_and_quells_own_absence_is_not() -> None:
    rule = of("ages", at_most=HOUR)
    scene = Watched(rule)
    scene.tell(0.0, sample(0.0, 1.0))
    scene.wait(3 * HOUR)
    stand = stand_of(scene)
    assert (stand.bad, stand.total) == (120.0, 180.0)
    (alert,) = scene.firing
    assert "of windows were bad" in alert.annotations["description"]
    scene.tell(3 * HOUR + 1.0, sample(3 * HOUR, 1.0))
    scene.wait(3 * HOUR + 2400.0)
    (alert,) = scene.firing
    assert (alert.severity, alert.labels["burn"]) == ("warning", "1x 3d")  # it goes on to be a ticket


def scores(at: float, segment: str, high: int, low: int) -> DistributionRecord:
    return DistributionRecord(
        at=T0 + at, entity="model/fraud", field="approved", count=high + low, segment=segment,
        categories={"true": high, "false": low},
    )  # fmt: skip


def test_values_and_gaps_between_segments_are_counted_from_distributions() -> None:
    values = Watched(of("values", 0.5, metric="approved", among=("true",)))
    gaps = Watched(of("gaps", 0.9, metric="approved", among=("true",), at_most=0.05, volume=50.0))
    for minute in range(6):
        at = minute * MINUTE
        told = [
            scores(at, "region=eu", 80, 20),
            scores(at, "region=us", 78 if minute < 3 else 60, 22 if minute < 3 else 40),
            scores(at, "region=tiny", 0, 3),
            scores(at, "", 158, 45),
        ]
        values.tell(at + 1.0, *told)
        gaps.tell(at + 1.0, *told)
    values.wait(7 * MINUTE)
    gaps.wait(7 * MINUTE)
    (one,) = slo_views(values.engine.state, values.rulebook)
    (two,) = slo_views(gaps.engine.state, gaps.rulebook)
    assert one.good == pytest.approx(158 / 203)
    assert two.bad == 3.0
    assert two.good == pytest.approx(0.5)


def test_numbers_of_a_distribution_are_good_within_their_limits() -> None:
    rule = of("values", 0.9, metric="latency", at_most=0.3)
    scene = Watched(rule)
    told = DistributionRecord(
        at=T0, entity=CHECKOUT, field="latency", count=10, type="number", scale=0, zero=1,
        positive=[(-3, 6), (0, 2)], negative=[(0, 1)],
    )  # fmt: skip
    scene.tell(1.0, told)
    scene.wait(120.0)
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert view.good == pytest.approx(0.8)


def test_a_service_level_of_which_nothing_is_told_is_unknown() -> None:
    scene = Watched(CALLS)
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert (view.standing, view.entity, view.text) == ("unknown", "", "nothing was told yet")
    assert budget(scene.engine.state, "availability") == 'nothing is known yet of the budget of "availability"'
    assert slo_views(scene.engine.state, scene.rulebook, "other") == []


def test_a_budget_comes_back_as_its_period_passes() -> None:
    when = Burn(measured="events", objective=0.99, period_s=HOUR, rates=(), by="calls.count")
    scene = Watched(DetectRule(name="shop", metric="calls.errors", when=when))
    calls(scene, 0, 10, 0.5)
    calls(scene, 10, 60, 0.0)
    (burnt,) = slo_views(scene.engine.state, scene.rulebook)
    calls(scene, 60, 80, 0.0)
    (fresh,) = slo_views(scene.engine.state, scene.rulebook)
    assert burnt.standing == "burnt"
    assert fresh.left == 1.0
