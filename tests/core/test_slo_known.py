"""Service levels where little is known: silence, counters told seldom, values at a limit, rules that change."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.test_slo import CALLS, DAY, HOUR, MINUTE, RATES, calls, of, stand_of
from core.watching import CHECKOUT, T0, Watched, sample
from quell.core.detect.spans import Spans
from quell.core.detect.words import rest
from quell.core.slos import budget, gate, slo_views
from quell.expressions.matchers import parse_matchers
from quell.model.detect import Burn, BurnRate, DetectRule
from quell.model.detecting import Budget
from quell.model.distribution import Tally, record_of
from quell.model.records import CallRecord, CommandRecord, DistributionRecord
from quell.model.rulebook import Rulebook
from quell.model.sketch import between, sketch_of


def of_counters(every: float = 60.0) -> DetectRule:
    """A service level of counters of Prometheus."""
    when = Burn(measured="events", objective=0.99, period_s=DAY, rates=RATES, by="all", counter=True)
    return DetectRule(name="level", metric="failed", when=when, every_s=every)


def telling(scene: Watched, field: str, *values: object, at: float = 0.0, **more: object) -> None:
    tally = Tally()
    for value in values:
        tally.add(value)
    record = record_of(tally.told(), entity="model/fraud", field=field, at=T0 + at, **more)  # type: ignore[arg-type]
    scene.tell(at + 1.0, record)


def test_a_service_that_falls_silent_while_it_fails_is_not_well_again() -> None:
    scene = Watched(CALLS)
    calls(scene, 0, 60, 0.0)
    calls(scene, 60, 90, 0.5)
    (alert,) = scene.firing
    scene.wait(90 * MINUTE + 30 * MINUTE)  # nothing is called any more: nobody knows whether it would work
    assert scene.firing, alert
    calls(scene, 121, 135, 0.0)
    assert not scene.firing


def test_a_gate_is_shut_when_nothing_was_told_for_long() -> None:
    scene = Watched(CALLS)
    calls(scene, 0, 60, 0.0)
    known = slo_views(scene.engine.state, scene.rulebook)
    assert gate(known, "availability").open
    scene.wait(60 * MINUTE + 3 * HOUR)
    (view,) = unknown = slo_views(scene.engine.state, scene.rulebook)
    assert (view.standing, view.left) == ("unknown", 1.0)
    assert view.text == "nothing was told for 3h, so nobody knows how it is now; 100% of the budget was left then"
    shut = gate(unknown, "availability")
    assert (shut.open, shut.reason.split(",")[0]) == (False, "service/checkout: nothing was told for 3h")
    assert gate(unknown, "availability", unknown_opens=True).open
    assert not gate(slo_views(scene.engine.state, scene.rulebook, now=T0 + 9 * HOUR), "availability").open
    seen = budget(scene.engine.state, "availability")
    assert seen == 'nothing was told of the budget of "availability" of service/checkout for 3h'


def test_what_is_told_once_a_day_is_known_for_longer() -> None:
    scene = Watched(of("points", 0.9, at_least=0.92))
    for day in range(4):
        scene.tell(day * DAY, sample(day * DAY, 0.95))
    scene.wait(4.5 * DAY)
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert view.standing == "met"


@pytest.mark.parametrize("seconds", [61.0, 150.0, 1800.0])
def test_a_counter_that_is_told_less_often_than_windows_end_loses_nothing(seconds: float) -> None:
    scene = Watched(of_counters())
    for number in range(20):
        at = number * seconds
        scene.tell(at, sample(at, 3.0 * number, "failed"), sample(at, 100.0 * number, "all"))
    scene.wait(20 * seconds + 60.0)
    stand = stand_of(scene)
    assert (stand.bad, stand.total) == (pytest.approx(57.0), pytest.approx(1900.0))


def test_what_is_bad_counts_although_it_is_told_in_the_window_beside_its_total() -> None:
    for good, expected in ((False, 20.0), (True, 1980.0)):
        when = Burn(measured="events", objective=0.99, period_s=DAY, rates=RATES, by="all", reads_good=good)
        scene = Watched(DetectRule(name="level", metric="some", when=when))
        for minute in range(20):
            at = minute * 60.0
            scene.tell(at + 59.9, sample(at + 59.9, 1.0, "some"))
            scene.tell(at + 60.1, sample(at + 60.1, 100.0, "all"))
        scene.wait(25 * 60.0)
        stand = stand_of(scene)
        assert (stand.bad, stand.total) == (pytest.approx(expected), pytest.approx(2000.0))


def test_what_fails_by_fits_and_starts_is_one_alert() -> None:
    scene = Watched(msgspec.structs.replace(CALLS, of=5, when=msgspec.structs.replace(CALLS.when, rates=RATES[:1])))
    for minute in range(240):
        share = 0.6 if minute >= 60 and minute % 7 == 0 else 0.0
        calls(scene, minute, minute + 1, share)
    assert [status for _, _, status in scene.course()] == ["firing"]
    (alert,) = scene.firing
    assert (alert.labels["page"], alert.severity) == ("burn", "critical")
    calls(scene, 240, 260, 0.0)
    assert [status for _, _, status in scene.course()] == ["firing", "resolved"]


def test_few_calls_in_the_short_span_confirm_what_many_said_in_the_long_one() -> None:
    when = msgspec.structs.replace(CALLS.when, volume=300.0, rates=RATES[:1])
    scene = Watched(msgspec.structs.replace(CALLS, when=when))
    for minute in range(90):
        at = minute * MINUTE
        failed = 10 if minute >= 60 else 0
        scene.tell(at + 1.0, CallRecord(at=T0 + at, entity=CHECKOUT, count=10, errors=failed))
    assert scene.firing


def test_the_gravest_of_the_rates_that_burn_is_told() -> None:
    rates = (
        BurnRate(rate=8.0, over_s=600.0, confirm_s=120.0, severity="warning", pages=False),
        BurnRate(rate=2.0, over_s=1800.0, confirm_s=300.0, severity="critical"),
    )
    when = Burn(measured="events", objective=0.9, period_s=DAY, rates=rates, by="calls.count")
    scene = Watched(DetectRule(name="level", metric="calls.errors", when=when))
    calls(scene, 0, 40, 0.95)
    (alert,) = scene.firing
    assert (alert.severity, alert.labels.get("page"), alert.labels["burn"]) == ("critical", "burn", "2x 30m")


def test_the_highest_rate_that_can_be_is_reached() -> None:
    rates = (BurnRate(rate=100.0, over_s=600.0, confirm_s=120.0),)
    when = Burn(measured="events", objective=0.99, period_s=DAY, rates=rates, by="calls.count")
    scene = Watched(DetectRule(name="level", metric="calls.errors", when=when))
    calls(scene, 0, 20, 1.0)
    assert scene.firing


def test_another_promise_does_not_make_a_spent_budget_whole() -> None:
    scene = Watched(CALLS)
    calls(scene, 0, 60, 0.3)
    (before,) = slo_views(scene.engine.state, scene.rulebook)
    when = msgspec.structs.replace(CALLS.when, objective=0.999, rates=RATES[2:], volume=5.0, period_s=7 * DAY)
    rule = msgspec.structs.replace(CALLS, when=when, where=parse_matchers('kind="service"'), of=5)
    scene.rulebook = Rulebook(version="2", detect=(rule,))
    scene.engine.use(scene.rulebook)
    calls(scene, 60, 62, 0.3)
    (after,) = slo_views(scene.engine.state, scene.rulebook)
    assert after.bad > before.bad > 0.0
    other = msgspec.structs.replace(rule, where=parse_matchers('kind="model"'))
    scene.rulebook = Rulebook(version="3", detect=(other,))
    scene.engine.use(scene.rulebook)
    scene.wait(63 * MINUTE)
    assert [view.entity for view in slo_views(scene.engine.state, scene.rulebook)] == [""]


@pytest.mark.parametrize(
    ("values", "least", "most", "good"),
    [
        ([1, 2, 3, 4, 5], 4.0, None, 2),
        ([1, 2, 3, 4, 5], 3.0, None, 3),
        ([1, 2, 3, 4, 5], None, 2.0, 2),
        ([0, 0, 1, 1, 1], 1.0, None, 3),
        ([-4, -2, -1, 0, 1], -2.0, None, 4),
        ([-4, -2, -1, 0, 1], None, -2.0, 2),
        ([0.5, 0.25, 0.75, 0.5], 0.5, 0.5, 2),
    ],
)
def test_a_value_that_is_the_limit_itself_is_good(
    values: list[float], least: float | None, most: float | None, good: int
) -> None:
    scene = Watched(of("values", 0.5, metric="stars", at_least=least, at_most=most))
    telling(scene, "stars", *values)
    scene.wait(180.0)
    stand = stand_of(scene)
    assert (stand.total - stand.bad, stand.total) == (good, len(values))


numbers = st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda one: round(one, 3)), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(numbers, st.floats(-1e6, 1e6).map(lambda one: round(one, 3)))
def test_what_lies_within_limits_is_counted_to_the_accuracy_of_buckets(values: list[float], limit: float) -> None:
    sketch = sketch_of(values)
    slack = abs(limit) * (2 ** (2.0**-sketch.scale) - 1.0) + 1e-9
    for found, surely, perhaps in (
        (between(sketch, least=limit), lambda one: one >= limit, lambda one: one >= limit - slack),
        (between(sketch, most=limit), lambda one: one <= limit, lambda one: one <= limit + slack),
    ):
        assert sum(map(surely, values)) <= found <= sum(map(perhaps, values))
    assert between(sketch) == len(values)


def test_texts_that_nobody_can_tell_any_more_are_not_all_bad() -> None:
    scene = Watched(of("values", 0.5, metric="answer", among=("yes",)))
    telling(scene, "answer", *[f"text {number}" for number in range(300)], *["yes"] * 700)
    telling(scene, "other", "yes")
    scene.wait(180.0)
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert view.standing == "unknown"
    watch = next(iter(scene.engine.state.detecting.watches["level"].values()))
    assert watch.unread == 1000


def test_values_of_another_type_are_not_good() -> None:
    scene = Watched(of("values", 0.5, metric="score", at_most=1.0))
    telling(scene, "score", 0.5, 0.6, "high", float("inf"), None)
    scene.wait(180.0)
    stand = stand_of(scene)
    assert (stand.bad, stand.total) == (2.0, 4.0)


def test_counts_of_an_hour_that_is_over_are_not_too_late() -> None:
    scene = Watched(of("values", 0.5, metric="score", at_least=0.5))
    scene.wait(HOUR)
    record = DistributionRecord(
        at=T0, over_s=HOUR, entity="model/fraud", field="score", type="number", count=10, scale=0, positive=[(0, 10)]
    )
    scene.tell(HOUR + 5.0, record)
    scene.wait(HOUR + 120.0)
    assert stand_of(scene).total == 10.0


def test_regions_are_not_compared_with_ages_and_chance_is_no_gap() -> None:
    scene = Watched(of("gaps", 0.9, metric="approved", among=("true",), at_most=0.05, volume=50.0))
    chance = Random(7)
    for minute in range(60):
        at = minute * MINUTE
        for segment, share in (("region=eu", 0.5), ("region=us", 0.5), ("age=young", 0.9), ("age=old", 0.9)):
            yes = sum(chance.random() < share for _ in range(100))
            told = DistributionRecord(
                at=T0 + at, entity="model/fraud", field="approved", count=100, segment=segment,
                categories={"true": yes, "false": 100 - yes},
            )  # fmt: skip
            scene.tell(at + 1.0, told)
    scene.wait(62 * MINUTE)
    stand = stand_of(scene)
    assert stand.total == 60.0
    assert stand.bad <= 2.0


def test_only_the_segments_that_a_service_level_names_are_compared() -> None:
    scene = Watched(of("gaps", 0.9, metric="approved", among=("true",), at_most=0.05, across="region"))
    for segment, yes in (("region=eu", 80), ("region=us", 81), ("age=young", 10), ("age=old", 90)):
        told = DistributionRecord(
            at=T0, entity="model/fraud", field="approved", count=100, segment=segment,
            categories={"true": yes, "false": 100 - yes},
        )  # fmt: skip
        scene.tell(1.0, told)
    scene.wait(120.0)
    assert (stand_of(scene).bad, stand_of(scene).total) == (0.0, 1.0)


def test_data_grows_old_although_quell_is_started_again_and_again() -> None:
    scene = Watched(of("ages", at_most=2 * HOUR))
    scene.tell(0.0, sample(0.0, 1.0))
    for hour in range(1, 8):
        scene.wait(hour * HOUR)
        scene.tell(hour * HOUR + 30.0, CommandRecord(at=T0 + hour * HOUR + 30.0, verb="resumed", by="quell"))
    assert stand_of(scene).bad > 200.0


@pytest.mark.parametrize(("every", "rates"), [(1.0, RATES[2:]), (1.0, RATES), (1.0, ()), (60.0, ()), (10.0, RATES[1:])])
def test_windows_remembered_are_bounded_whatever_rates_there_are(every: float, rates: tuple[BurnRate, ...]) -> None:
    when = Burn(measured="events", objective=0.99, period_s=30 * DAY, rates=rates, by="all")
    spans, memory = Spans(every, when), Budget()
    last = int(31 * DAY / every)
    step = max(int(20 / every), 1)
    for slot in range(0, last, step):
        spans.add(memory, slot, (1.0, 10.0))
        if slot % (step * 500) == 0:
            spans.roll(memory, slot)
    spans.roll(memory, last)
    assert sum(map(len, memory.tiers)) < 3000
    end = (last + 1) * every
    for span_s in {30 * DAY, *(one.over_s for one in rates), *(one.confirm_s for one in rates)}:
        bad, total = spans.over(memory, {}, end, span_s)
        assert total == pytest.approx(10.0 * span_s / (step * every), rel=0.12)
        assert bad == pytest.approx(total / 10.0)


def test_what_was_long_ago_is_not_in_the_last_hour() -> None:
    when = msgspec.structs.replace(CALLS.when, rates=RATES[:1])
    scene = Watched(msgspec.structs.replace(CALLS, when=when))
    calls(scene, 0, 60, 0.5)
    calls(scene, 60, 360, 0.0)
    assert stand_of(scene, "availability").burns == ((0.0, 0.0),)
    assert stand_of(scene, "availability").bad == pytest.approx(6000.0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 9)), min_size=1, max_size=60),
    st.permutations([0, 1, 2, 3]),
)
def test_other_rates_keep_all_that_was_counted(told: list[tuple[int, int]], order: list[int]) -> None:
    rules = [(RATES, 30 * DAY), (RATES[:1], 30 * DAY), (RATES[2:], 29 * DAY), ((), 30 * DAY)]
    memory = Budget()
    for turn in [*order, order[0]]:
        rates, period_s = rules[turn]
        when = Burn(measured="events", objective=0.99, period_s=period_s, rates=rates, by="all")
        spans = Spans(60.0, when)
        spans.lay_out(memory)
        if turn == order[0] and not any(memory.tiers):
            for slot, count in sorted(told):
                spans.add(memory, slot, (1.0, float(count)))
            memory.first = min(slot for slot, _ in told)
        spans.roll(memory, 20_001)
        bad, total = spans.over(memory, {}, 20_001 * 60.0, period_s)
        assert (bad, total) == (pytest.approx(len(told)), pytest.approx(sum(count for _, count in told)))


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "100%"), (0.9996, "99.9%"), (0.5, "50%"), (0.0004, "<0.1%"), (0.0, "0%"), (0.29, "29%")]
)
def test_what_is_left_is_never_said_to_be_more_than_it_is(share: float, words: str) -> None:
    assert rest(share) == words


def told_of_metrics(scene: Watched, first: int, last: int, *metrics: str) -> None:
    for minute in range(first, last):
        at = minute * MINUTE
        scene.tell(at, *[sample(at, (1.0 if metric == "failed" else 100.0) * minute, metric) for metric in metrics])


def test_a_total_that_is_not_told_keeps_the_gate_shut() -> None:
    scene = Watched(of_counters())
    told_of_metrics(scene, 0, 60, "failed")
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert (view.standing, view.left) == ("unknown", None)
    assert budget(scene.engine.state, "level") == 'nothing is known yet of the budget of "level"'


@pytest.mark.parametrize("lost", ["failed", "all"])
def test_a_counter_that_was_told_and_is_not_any_more_is_no_zero(lost: str) -> None:
    scene = Watched(of_counters())
    told_of_metrics(scene, 0, 60, "failed", "all")
    assert gate(slo_views(scene.engine.state, scene.rulebook), "level").open
    told_of_metrics(scene, 60, 240, "all" if lost == "failed" else "failed")
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert view.standing in {"unknown", "burning"}
    assert stand_of(scene).total < 100.0 * 80
    assert view.silent_s > 2 * HOUR


def test_an_entity_that_is_gone_for_a_week_is_not_asked() -> None:
    when = msgspec.structs.replace(CALLS.when, rates=RATES[:1])
    scene = Watched(msgspec.structs.replace(CALLS, every_s=600.0, when=when))
    calls(scene, 0, 60, 0.9, "service/old")
    for hour in range(1, 8 * 24):
        told = CallRecord(at=T0 + hour * HOUR, entity=CHECKOUT, count=200)
        scene.tell(hour * HOUR + 1.0, told)
        if hour == 24:
            assert not gate(slo_views(scene.engine.state, scene.rulebook), "availability").open
            assert budget(scene.engine.state, "availability")["entity"] == "service/old"  # type: ignore[index]
    assert gate(slo_views(scene.engine.state, scene.rulebook), "availability").open
    assert budget(scene.engine.state, "availability")["entity"] == CHECKOUT  # type: ignore[index]
    alone = slo_views(scene.engine.state, scene.rulebook, "availability", "service/old")
    assert not gate(alone, "availability").open


def test_words_say_of_how_long_a_time_they_speak_and_that_it_is_nearly_over() -> None:
    scene = Watched(msgspec.structs.replace(CALLS, of=5))
    calls(scene, 0, 30, 0.5)
    (alert,) = scene.firing
    words = alert.annotations["description"]
    assert "50% of all were bad in the last 24m, which is all that is known, " in words, words
    slow = msgspec.structs.replace(CALLS, of=5, when=msgspec.structs.replace(CALLS.when, rates=RATES[:1]))
    scene = Watched(slow)
    calls(scene, 0, 100, 0.0)
    calls(scene, 100, 120, 0.3)
    calls(scene, 120, 127, 0.0)
    (view,) = slo_views(scene.engine.state, scene.rulebook)
    assert view.standing == "burning"
    assert view.text.startswith("the budget was spent too fast until a moment ago; "), view.text


def test_samples_that_are_no_numbers_are_counted_as_that() -> None:
    scene = Watched(msgspec.structs.replace(of("windows", at_most=1.0), blind_s=HOUR))
    for minute in range(90):
        scene.tell(minute * MINUTE, sample(minute * MINUTE, float("nan")))
    assert {alert.name for alert in scene.firing} == {"DetectorReadsNothing", "DetectorReadsBadInput"}
    assert all("values were no numbers" in alert.annotations["summary"] for alert in scene.firing)
