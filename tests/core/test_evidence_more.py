"""Evidence where monitoring differs: running totals, what is gone, rises without effect, places nobody measures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.test_evidence import MINUTE, NOTHING_FELT, T0, chain, metrics, signals, step
from quell.core.evidence.absence import gone, lost
from quell.core.evidence.bearing import bearing
from quell.core.evidence.impact import Impact, impact
from quell.core.evidence.resources import resources, scales
from quell.core.evidence.running import as_rates, means
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import table
from quell.core.evidence.weigh import weigh
from quell.core.evidence.words import meaning
from quell.model.records import LogRecord

NAN = float("nan")


@given(st.lists(st.floats(1.0, 4.0), min_size=14, max_size=40), st.integers(0, 40))
def test_a_running_total_tells_as_much_as_its_rate(rates: list[float], restart: int):
    times = T0 + 15.0 * np.arange(len(rates))
    total = np.cumsum(np.array(rates) * 15.0)
    if 10 <= restart < len(rates):
        total[restart:] -= total[restart - 1]
    found = as_rates(["requests_total"], times, total[None, :])[0]
    told = ~np.isnan(found)
    assert told.sum() >= len(rates) - 2
    assert found[told] == pytest.approx(np.array(rates)[told])


@pytest.mark.parametrize("metric", ["requests_total", "container-cpu-usage-seconds-total", "memory", "latency"])
def test_what_rises_and_falls_is_no_running_total(metric: str):
    values = np.random.default_rng(1).uniform(1.0, 2.0, (1, 50))
    assert as_rates([metric], T0 + np.arange(50.0), values) is values


def test_a_leak_is_no_running_total():
    values = np.linspace(1e8, 9e8, 50)[None, :]
    assert as_rates(["memory_bytes"], T0 + np.arange(50.0), values) is values


def test_holes_in_a_running_total_are_no_rates():
    total = np.arange(20.0)[None, :] * 30.0
    total[0, 7] = NAN
    found = as_rates(["errors_total"], T0 + 15.0 * np.arange(20.0), total)[0]
    assert np.isnan(found[[0, 7]]).all()
    assert np.delete(found, [0, 7]) == pytest.approx(2.0)


def test_a_sum_beside_its_count_becomes_a_mean():
    assert means([(0, "request_seconds_sum"), (0, "request_seconds_count"), (1, "request_time_sum")]) == {}
    names = [(0, "latency_seconds_sum"), (0, "latency_seconds_count"), (1, "latency_seconds_sum")]
    assert means(names) == {0: (1, "latency_seconds_mean")}
    told = metrics("a", latency_seconds_sum=step(2.0, 40.0), latency_seconds_count=step(20.0, 20.0))
    found = impact(table(signals(("a",), told), T0), chain("a"), "wait")
    assert "latency_seconds_mean went from 0.1 to 2" in found.nats[0][1]


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("container_memory_failures_total", "resource"), ("network_transmit_errors_total", "resource"),
        ("http_requests_2xx", "load"), ("http_requests_5xx", "failure"), ("latency_seconds_bucket", "other"),
        ("http_request_duration_seconds_count", "load"), ("mrt", "wait"), ("sr", "success"), ("reqs", "load"),
        ("node_load15", "resource"), ("load", "load"), ("open_connections", "resource"), ("queue_time_ms", "wait"),
    ],
)  # fmt: skip
def test_names_of_many_systems(metric: str, kind: str):
    assert meaning(metric).kind == kind


def test_units_and_quantiles_are_read_from_names():
    assert [meaning(name).seconds for name in ("latency_ms", "ResponseTimeUs", "delay_nanos", "latency")] == [
        1e-3, 1e-6, 1e-9, 1.0,
    ]  # fmt: skip
    assert [meaning(name).quantile for name in ("latency-90", "p999_latency", "latency_p99.9", "latency_mean")] == [
        90, 99, 99, 0,
    ]  # fmt: skip


def test_units_of_different_nodes_are_comparable():
    slow = metrics("b", latency_ms=step(10.0, 500.0), load=step(9.0, 9.0))
    told = signals(("a", "b"), metrics("a", latency_s=step(0.02, 0.51), load=step(9.0, 9.0)), slow)
    found = impact(table(told, T0), chain("a", "b"), "wait").nats
    assert found[1][0] > 3.0
    assert found.get(0, (0.0, ""))[0] < 0.2 * found[1][0]


def star(*, calls: int = 2) -> Surroundings:
    """The first calls all others."""
    callees = tuple(range(1, calls + 1))
    return Surroundings(tuple("abcdef"[: calls + 1]), (callees, *([()] * calls)), ((), *([(0,)] * calls)), (0,))


def test_requests_that_are_due_and_do_not_come_are_failures_of_who_does_not_answer():
    told = signals(
        ("a", "b", "c"), metrics("a", load=step(50.0, 50.0), errors=step(0.0, 20.0)),
        metrics("b", load=step(30.0, 30.0)), metrics("c", load=step(20.0, 0.0)),
    )  # fmt: skip
    assert list(lost(table(told, T0), star(), {})) == [2]
    found = impact(table(told, T0), star(), "failure").nats
    assert found[2][0] > found.get(0, (0.0, ""))[0]


def test_a_caller_that_gives_up_is_not_excused_by_those_it_does_not_call():
    told = signals(
        ("a", "b", "c"), metrics("a", load=step(50.0, 50.0), errors=step(0.0, 50.0)),
        metrics("b", load=step(30.0, 0.0)), metrics("c", load=step(20.0, 0.0)),
    )  # fmt: skip
    assert lost(table(told, T0), star(), {0: 1.0}) == {}


def test_fewer_requests_for_everybody_are_nobodys_fault():
    names = ("a", "b", "c")
    told = signals(names, *(metrics(name, load=step(50.0, 0.01)) for name in names))
    assert lost(table(told, T0), star(), {}) == {}


def test_of_one_that_is_gone_nothing_is_left_and_one_without_work_keeps_its_memory():
    told = signals(
        ("a", "b", "c"),
        metrics("a", cpu=step(5.0, 5.0), memory=step(1e8, 1e8)),
        metrics("b", cpu=step(5.0, 0.1), memory=step(1e8, 1e6)),
        metrics("c", cpu=step(5.0, 0.1), memory=step(1e8, 1e8)),
    )  # fmt: skip
    assert [one.node for one in gone(table(told, T0), chain("a", "b", "c"))] == [1]


def test_metrics_that_end_tell_the_same():
    told = signals(("a", "b"), metrics("a", memory=step(1e8, 1e8)), metrics("b", memory=step(1e8, NAN)))
    (found,) = gone(table(told, T0), chain("a", "b"))
    assert found.node == 1
    assert "to nothing" in found.text


def test_where_nothing_is_told_any_more_nobody_is_gone():
    told = signals(("a", "b"), *(metrics(name, memory=step(1e8, NAN)) for name in ("a", "b")))
    assert list(gone(table(told, T0), chain("a", "b"))) == []


def test_a_limit_is_not_held_by_a_process():
    told = metrics("a", memory_limit=[5e8] * 35, memory_rss=step(1e8, 1e6), memory_cache=step(1e8, 1e6))
    assert [one.node for one in gone(table(signals(("a",), told), T0), chain("a"))] == [0]


def test_a_busy_processor_that_nobody_feels_is_worth_less():
    told = table(signals(("a",), metrics("a", cpu=step(5.0, 50.0))), T0)
    felt = bearing(Impact(worse={0: 0.1, 1: 4.0}), Impact())
    unmeasured = bearing(Impact(worse={1: 4.0}), Impact())
    weights = [next(resources(told, bears)).weight for bears in (felt, unmeasured)]
    assert weights[0] == pytest.approx(0.5 * weights[1])


def test_sockets_rise_with_waiting_and_processors_do_not():
    told = table(signals(("a",), metrics("a", sockets=step(50.0, 100.0), cpu=step(5.0, 10.0))), T0)
    slow = bearing(Impact(worse={0: 5.0}, grown={0: 2.5}), Impact())
    assert "cpu" in next(resources(told, slow)).text
    leak = table(signals(("a",), metrics("a", sockets=step(50.0, 100.0))), T0)
    assert list(resources(leak, slow)) == []
    assert next(resources(leak, bearing(Impact(worse={0: 5.0}, grown={0: 1.1}), Impact()))).weight > 2.0


def test_a_first_step_from_nothing_is_no_infinity():
    told = signals(("a", "b"), metrics("a", swap=step(0.0, 1.0)), metrics("b", swap=step(0.0, 1000.0)))
    found = {one.node: one.weight for one in resources(table(told, T0), NOTHING_FELT)}
    assert found[0] < 0.1
    assert found[1] > 4.0


def test_what_never_moved_has_the_scale_of_its_peers():
    told = signals(("a", "b"), metrics("a", swap=step(50.0, 60.0)), metrics("b", swap=step(0.0, 10.0)))
    found = scales(table(told, T0))
    assert found[1] == found[0] > 1.0


def test_a_metric_on_which_an_alert_fires_is_what_users_feel():
    told = signals(("a", "b"), metrics("a", m3=step(2.0, 12.0)), metrics("b", m3=step(1.0, 11.0), m4=step(1.0, 99.0)))
    around = Surroundings(("a", "b"), ((1,), ()), ((), (0,)), (0,))
    assert {one.code for one in weigh(around, told, T0, ["m3"])["b"].evidence} == {"waiting", "metric_shift"}
    assert {one.code for one in weigh(around, told, T0, ["M"])["b"].evidence} == {"metric_shift"}


def test_errors_of_callers_are_explained_by_one_that_is_gone():
    logs = [
        LogRecord(at=T0 + MINUTE * at, entity="a", severity="error", template="it failed", count=90 if at >= 0 else 1)
        for at in range(-20, 4)
    ]
    told = signals(("a", "b"), metrics("a", memory=step(1e8, 1e8)), metrics("b", memory=step(1e8, 1e6)), *logs)
    found = weigh(chain("a", "b"), told, T0, ["Errors"])
    assert "errors" not in {one.code for one in found["a"].evidence if one.weight > 2.0}
    assert max(found, key=lambda name: found[name].nats) == "b"


def test_a_count_of_threads_is_no_running_total():
    values = np.array([[29.0] * 15 + [30.0] * 15])
    assert as_rates(["threads_count"], T0 + np.arange(30.0), values) is values


def test_time_that_no_measured_callee_explains_may_be_spent_in_an_unmeasured_one_that_is_odd():
    told = signals(
        ("a", "b", "c"), metrics("a", latency=step(0.1, 0.5), load=step(50.0, 50.0)),
        metrics("b", disk_io=step(100.0, 4000.0)), metrics("c", disk_io=step(100.0, 101.0)),
    )  # fmt: skip
    found = weigh(star(), told, T0, ["latency"])
    assert max(found, key=lambda name: found[name].nats) == "b"
    assert "waited_for" in {one.code for one in found["b"].evidence}


def test_where_no_dependency_is_known_nothing_is_apart():
    alone = Surroundings(("a", "b"), ((), ()), ((), ()), (0,))
    told = signals(("a", "b"), metrics("a", latency=step(0.2, 0.4)), metrics("b", latency=step(0.01, 0.21)))
    found = weigh(alone, told, T0, ["latency"])
    assert {one.code for verdict in found.values() for one in verdict.evidence} == {"waiting"}
    assert found["b"].nats > found["a"].nats


def test_a_single_failure_where_there_were_none_is_no_infinity():
    told = signals(("a", "b"), metrics("a", load=step(500.0, 500.0), errors=[*[0.0] * 33, 0.02, 0.0]), metrics("b"))
    assert impact(table(told, T0), chain("a", "b"), "failure").nats.get(0, (0.0, ""))[0] < 0.1


def test_what_came_shortly_before_the_alert_is_not_taken_for_usual():
    values = [*[1.0 + 0.02 * (at % 3) for at in range(28)], *[9.0] * 7]
    made = table(signals(("a",), metrics("a", cpu=values)), T0)
    assert made.top[0] < 1.1
