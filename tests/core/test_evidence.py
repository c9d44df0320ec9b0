"""Evidence from telemetry, part by part: scales that do not explode, impact, ways, what vanishes, statements, words."""

from __future__ import annotations

from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.evidence.bearing import bearing
from quell.core.evidence.calls import missing, traffic, waiting
from quell.core.evidence.impact import Impact, impact
from quell.core.evidence.resources import resources, versions
from quell.core.evidence.scales import fewer, least, more, quantiles, spread, worse_half
from quell.core.evidence.statements import statements
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import table
from quell.core.evidence.visits import Counted, Visits, reached, vanished
from quell.core.evidence.weigh import weigh
from quell.core.evidence.words import meaning
from quell.core.telemetry import take_call, take_log, take_samples
from quell.model.records import CallRecord, LogRecord, SamplesRecord
from quell.model.state import Signals, State
from quell.model.statements import statement

T0 = 1_700_000_040.0
MINUTE = 60.0
NOTHING_FELT = bearing(Impact(), Impact())
ROWS = st.lists(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=5, max_size=5), min_size=1)


def chain(*names: str, symptoms: tuple[int, ...] = (0,)) -> Surroundings:
    """Each calls the next."""
    last = len(names) - 1
    out = tuple((at + 1,) if at < last else () for at in range(len(names)))
    inn = tuple((at - 1,) if at else () for at in range(len(names)))
    return Surroundings(names, out, inn, symptoms)


def signals(names: tuple[str, ...], *records: SamplesRecord | CallRecord | LogRecord) -> list[Signals | None]:
    state = State()
    for record in records:
        match record:
            case SamplesRecord():
                take_samples(state, record, record.at)
            case CallRecord():
                take_call(state, record, record.at)
            case LogRecord():
                take_log(state, record, record.at)
    return [state.signals.get(name) for name in names]


def step(before: float, after: float, *, wobble: float = 0.02) -> list[float]:
    """Thirty quiet minutes and five others."""
    quiet = [before * (1.0 + wobble * ((at * 7) % 5 - 2)) for at in range(30)]
    return [*quiet, *([after] * 5)]


def metrics(entity: str, **values: list[float]) -> SamplesRecord:
    times = [T0 + MINUTE * at for at in range(-30, 5)]
    return SamplesRecord(at=T0, entity=entity, times=times, values={**values})


@given(ROWS)
def test_quantiles_skip_what_was_not_told(rows: list[list[float]]):
    found = quantiles(np.array(rows), (0.1, 0.5, 0.9))
    for at, row in enumerate(rows):
        told = [value for value in row if value == value]  # noqa: PLR0124 - NaN only
        for quantile, share in zip(found, (0.1, 0.5, 0.9), strict=True):
            want = np.quantile(told, share) if told else np.nan
            assert quantile[at] == pytest.approx(want, abs=1e-6, nan_ok=True)


def test_a_series_that_never_moved_still_has_a_spread():
    zero, five = np.zeros(1), np.full(1, 5.0)
    assert spread(zero, zero, zero)[0] > 0.0
    assert spread(five, five, five)[0] == pytest.approx(0.1)


def test_the_smallest_needs_two_and_the_worse_half_is_of_all():
    rows = np.array([[np.nan, 3.0, np.nan], [4.0, 2.0, np.nan]])
    assert least(rows) == pytest.approx([np.nan, 2.0], nan_ok=True)
    assert worse_half(rows) == pytest.approx([1.5, 3.0])
    assert worse_half(np.zeros((2, 0))).tolist() == [0.0, 0.0]
    assert np.isnan(quantiles(np.zeros((2, 0)), (0.5,))[0]).all()
    assert np.isnan(least(np.zeros((1, 0)))).all()


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_surprise_is_never_negative_and_bounded(seen: float, due: float, counted: float):
    assert 0.0 <= fewer(seen, due, counted) < 1e10
    assert more(seen, due + 1.0) >= 0.0


def test_a_few_missing_of_many_are_less_than_all_of_a_few():
    assert fewer(900.0, 1000.0, 1000.0) < 0.5 < fewer(0.0, 12.0, 12.0)
    assert fewer(5.0, 5.0, 5.0) == 0.0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("latency_p90", "wait"), ("http_request_duration_seconds", "wait"), ("ResponseTime", "wait"),
        ("availability_Average", "success"), ("errorRate", "failure"), ("http_5xx_total", "failure"),
        ("requests_Sum", "load"), ("workload", "load"), ("container_cpu_usage_seconds_total", "resource"),
        ("mem", "resource"), ("diskio", "resource"), ("net_rx", "traffic"), ("queue_depth", "resource"),
            ("humidity", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_words_say_what_a_metric_measures(name: str, kind: str):
    assert meaning(name).kind == kind


def test_words_tell_versions_quantiles_and_directions_apart():
    new, old, numbered = meaning("latency_p90_canary"), meaning("latency_p90_stable"), meaning("latency.v2.p90")
    assert (new.quantile, new.pair) == (90, old.pair)
    assert old.version is not None
    assert new.version is not None
    assert new.version > old.version
    assert numbered.version == 2
    assert meaning("client_latency_mean").outgoing
    assert meaning("latency_average_p50").quantile == 0


def test_statements_keep_what_the_program_says():
    assert statement('order 12 of "ann" placed in 3.5ms') == statement('order 7 of "bob" placed in 81ms')
    assert statement("GET /api/v1/orders/17 failed: timeout") == "GET <*> failed : timeout"
    assert statement("id 550e8400-e29b-41d4-a716-446655440000 gone") == "id <*> gone"
    assert statement("read failed") != statement("write failed")
    assert len(statement("word " * 5000)) < 1000


@given(st.text(max_size=200))
def test_a_statement_is_stable_whatever_the_line(line: str):
    assert statement(line) == statement(line)
    assert statement("") == ""


def test_impact_is_found_where_callees_do_not_explain_it():
    names = ("front", "middle", "deep")
    told = signals(
        names,
        metrics("front", latency=step(0.3, 0.8), requests=step(100, 100)),
        metrics("middle", latency=step(0.2, 0.7), requests=step(100, 100)),
        metrics("deep", latency=step(0.1, 0.1), requests=step(100, 100)),
    )
    found = impact(table(told, T0), chain(*names), "wait").nats
    assert max(found, key=lambda node: found[node][0]) == 1
    assert found[1][0] > 3.0 * found.get(0, (0.0, ""))[0]
    assert found[1][1].startswith("latency went from 0.2 to 0.7")


def test_three_slow_requests_are_less_than_a_thousand():
    names = ("front", "idle", "busy")
    around = Surroundings(names, ((1, 2), (), ()), ((), (0,), (0,)), (0,))
    told = signals(
        names,
        metrics("front", latency=step(0.3, 0.4), requests=step(1000, 1000)),
        metrics("idle", latency=step(0.1, 3.0), requests=step(3, 3)),
        metrics("busy", latency=step(0.1, 0.2), requests=step(1000, 1000)),
    )
    found = impact(table(told, T0), around, "wait").nats
    assert found[2][0] > found[1][0]


def test_what_lasted_before_trouble_began_is_not_part_of_it():
    names = ("front",)
    slow_for_long = [*step(0.1, 0.5)[:20], *([0.5] * 15)]
    told = signals(names, metrics("front", latency=slow_for_long, requests=step(100, 100)))
    later = impact(table(told, T0 + 1.0), chain(*names), "wait").nats
    fresh = impact(table(told, T0 - 600.0), chain(*names), "wait").nats
    assert later.get(0, (0.0, ""))[0] < fresh[0][0]


@pytest.mark.parametrize(
    ("values", "worst"),
    [
        ({"availability_percent": step(100, 60, wobble=0.0)}, True),
        ({"success_rate": step(1.0, 0.5, wobble=0.0)}, True),
        ({"error_rate": step(0.001, 0.4)}, True),
        ({"errors_percent": step(0.1, 40)}, True),
        ({"errors": step(1, 400)}, True),
        ({"errors": step(1, 1)}, False),
    ],
)
def test_failures_are_read_as_counts_shares_or_percents(values: dict[str, list[float]], worst: bool):
    names = ("front",)
    told = signals(names, metrics("front", requests=step(1000, 1000), **values))
    assert (impact(table(told, T0), chain(*names), "failure").nats.get(0, (0.0, ""))[0] > 2.0) == worst


def test_callers_that_wait_point_at_the_callee_they_share():
    names = ("front", "other", "shared", "single")
    around = Surroundings(names, ((1, 2, 3), (2,), (), ()), ((), (0,), (0, 1), (0,)), (0,))
    quiet = {"server_latency_mean": step(0.01, 0.01), "workload": step(100, 100)}
    told = signals(
        names,
        metrics(
            "front", server_latency_mean=step(0.1, 0.65), client_latency_mean=step(0.05, 0.6), workload=step(100, 100)
        ),
        metrics(
            "other", server_latency_mean=step(0.1, 0.65), client_latency_mean=step(0.05, 0.6), workload=step(100, 100)
        ),
        metrics("shared", **quiet),
        metrics("single", **quiet),
    )
    found = impact(table(told, T0), around, "wait").nats
    assert max(found, key=lambda node: found[node][0]) == 2


def test_a_resource_far_above_its_band_is_evidence_and_small_rises_beside_it_are_not():
    names = ("a", "b")
    told = signals(names, metrics("a", cpu=step(5, 95)), metrics("b", cpu=step(5, 6)))
    found = {one.node: one.weight for one in resources(table(told, T0), NOTHING_FELT)}
    assert found[0] > 7.0
    assert found[1] < 0.5


def test_a_resource_that_was_hardly_told_of_before_has_no_band_to_leave():
    times = [T0 + MINUTE * at for at in range(-30, 5)]
    late: list[float | None] = [*([None] * 28), 5.0, 5.1, *([6.0] * 5)]
    told = SamplesRecord(at=T0, entity="a", times=times, values={"cpu": late})
    assert list(resources(table(signals(("a",), told), T0), NOTHING_FELT)) == []


def test_new_code_is_compared_with_old_in_the_same_minutes():
    names = ("a", "b")
    worse = metrics(
        "a", latency_new=step(0.1, 0.9), latency_old=step(0.1, 0.1), load_new=step(1, 9), load_old=step(1, 1)
    )
    both = metrics("b", latency_v1=step(0.1, 0.9), latency_v2=step(0.1, 0.9), cpu_v2=step(1, 9))
    found = {one.node: one for one in versions(table(signals(names, worse, both), T0))}
    assert list(found) == [0]
    assert found[0].text == "latency_new is 0.9 for the new version and 0.1 for the old at the same time"


def call(caller: str, callee: str, minute: int, **given: float) -> CallRecord:
    return CallRecord(at=T0 + MINUTE * minute, entity=callee, caller=caller, operation="get", **{"count": 40, **given})


def test_slow_ways_meet_at_the_node_whose_every_call_is_slow():
    names = ("front", "hub", "left", "right")
    around = Surroundings(names, ((1, 2), (3,), (), ()), ((), (0,), (0,), (1,)), (0,))
    rows = []
    for minute in range(-3, 3):
        way = 0.5 if minute >= 0 else 0.001
        rows += [
            call("", "front", minute, mean_s=0.05 + way),
            call("front", "hub", minute, mean_s=0.01, net_s=way),
            call("hub", "right", minute, mean_s=0.01, net_s=way),
            call("front", "left", minute, mean_s=0.01, net_s=0.001),
        ]
    told = traffic(signals(names, *rows), around, T0)
    found = waiting(told, around)
    assert max(found, key=lambda node: found[node][0]) == 1
    assert "on the way" in found[1][1]


def test_calls_no_longer_made_are_told_of_the_caller():
    names = ("front", "middle", "deep")
    rows = [call("", "front", minute) for minute in range(-3, 3)]
    rows += [call("front", "middle", minute) for minute in range(-3, 3)]
    rows += [call("middle", "deep", minute) for minute in range(-3, 0)]
    told = traffic(signals(names, *rows), chain(*names), T0)
    assert list(missing(told)) == [1]
    ((callee, nats, text),) = missing(told)[1]
    assert (callee, text) == (2, '"get" was called 0 times in a minute in which 40 were due')
    assert nats > 5.0
    assert reached(2, told.arrivals, told.minutes) == 0.0


def test_fewer_visits_make_fewer_statements_due():
    visits = Visits([Counted(100.0, {0.0: 10.0})])
    assert visits.expected(Counted(50.0), 0.0) == pytest.approx(5.0)
    assert Visits([]).expected(Counted(50.0), 0.0) == 0.0
    assert vanished(Counted(2.0), visits, [0.0]) == (0.0, 0.0, 0.0)


def test_what_may_belong_to_visits_that_are_gone_is_not_due():
    rare, often = Counted(50.0, {}), Counted(50.0, {0.0: 50.0})
    assert Visits([rare, often]).expected(Counted(40.0), 0.0) == pytest.approx(0.0)
    assert Visits([rare, often]).expected(Counted(90.0), 0.0) > 15.0


def test_what_is_over_again_counts_less():
    visits = Visits([Counted(30.0, dict.fromkeys((0.0, 60.0), 30.0))])
    early = vanished(Counted(30.0, {60.0: 30.0}), visits, [0.0, 60.0])
    late = vanished(Counted(30.0, {0.0: 30.0}), visits, [0.0, 60.0])
    assert late[0] == pytest.approx(2.0 * early[0])


def line(template: str, minute: int, count: int, severity: str = "info") -> LogRecord:
    return LogRecord(at=T0 + MINUTE * minute, entity="front", template=template, count=count, severity=severity)


def test_vanished_statements_and_new_errors():
    rows = [line("start", minute, 30) for minute in range(-3, 3)] + [
        line("done", minute, 30) for minute in range(-3, 0)
    ]
    rows += [line("no route", minute, 20, "ERROR") for minute in range(3)]
    told = signals(("front",), *rows)
    around = chain("front")
    found = statements(told, traffic(told, around, T0), T0)[0]
    assert found.missing[0] > 2.0
    assert found.missing[1].startswith('"done" was logged 0 times in a minute in which ')
    assert found.errors[0] > 5.0
    assert found.errors[1] == 'error "no route" 20 times in a minute'


def test_paths_and_distances_follow_dependencies():
    around = Surroundings(("a", "b", "c", "d"), ((1,), (2,), (0,), ()), ((2,), (0,), (1,), ()), (0,))
    assert around.distances() == {0: 0, 1: 1, 2: 2}
    assert around.path("c") == ("c", "b", "a")
    assert around.path("a") == ("a",)
    assert around.path("d") == ("d",)


VALUES = st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), min_size=12, max_size=12)
NAMES = st.sampled_from(
    ("latency", "client_latency_p90", "requests", "errors", "availability", "cpu", "x", "latency_new", "latency_old")
)
AMOUNTS = st.one_of(st.none(), st.floats())
RECORDS = st.one_of(
    st.builds(
        SamplesRecord, at=st.just(T0), entity=st.sampled_from("abc"), values=st.dictionaries(NAMES, VALUES, max_size=4),
        times=st.just([T0 + MINUTE * at for at in range(-8, 4)]),
    ),
    st.builds(
        CallRecord, at=st.integers(-5, 4).map(lambda at: T0 + MINUTE * at), entity=st.sampled_from("abc"),
        caller=st.sampled_from(("", "a", "b", "c", "?")), count=st.integers(-1, 10**14), errors=st.integers(-1, 10**14),
        mean_s=AMOUNTS, net_s=AMOUNTS, operation=st.sampled_from(("get", "error")),
    ),
    st.builds(
        LogRecord, at=st.integers(-5, 4).map(lambda at: T0 + MINUTE * at), entity=st.sampled_from("abc"),
        severity=st.sampled_from(("error", "info")), template=st.sampled_from(("x", "y")), count=st.integers(0, 10**9),
    ),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(RECORDS, max_size=25), st.sampled_from((T0, T0 - 120.0, T0 + 1e6)))
def test_whatever_is_told_every_verdict_is_a_finite_number(
    records: list[SamplesRecord | CallRecord | LogRecord], began: float
):
    names = ("a", "b", "c")
    around = Surroundings(names, ((1, 2), (2,), (0,)), ((2,), (0,), (0, 1)), (0,))
    for verdict in weigh(around, signals(names, *records), began, ["Latency"]).values():
        assert isfinite(verdict.nats)
        assert all(isfinite(one.weight) and one.text for one in verdict.evidence), verdict
        assert len(verdict.sentences()) <= 4
