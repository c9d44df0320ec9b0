"""The benchmark's `rank` on failures made up from a seed: it finds the cause, whatever things are called or missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from rca.cases import MINUTE, START, Case, Estate, renamed

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "rca.py"
FAULTS = ("slow", "busy", "leak", "failing")


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_rca", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


rank: Callable[[Case], list[str]] = _loaded().rank


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(6))
def test_the_cause_comes_first(fault: str, seed: int):
    case = Estate(seed).case(fault, 1 + seed % 9)
    assert rank(case)[0] == case.cause


@pytest.mark.parametrize("fault", FAULTS)
def test_names_and_the_order_of_telling_do_not_matter(fault: str):
    case = Estate(3).case(fault, 4, size=0.3)
    other = renamed(case, 5)
    to = dict(zip(rank(case)[:2], rank(other)[:2], strict=True))
    assert to[case.cause] == other.cause
    twice = renamed(other, 6)
    assert rank(twice)[0] == twice.cause


def test_holes_and_missing_metrics_cost_little():
    case = Estate(8).case("slow", 5)
    random = np.random.default_rng(1)
    holes = case.metrics.mask(random.random(case.metrics.shape) < 0.2)
    silent = next(node for node in case.nodes if node not in {case.cause, case.alert["node"]})
    keep = [column for column in case.metrics.columns if column[0] != silent]
    odd = replace(case, metrics=holes[keep], normal=case.normal[keep[:-3]])
    assert rank(odd)[0] == case.cause


@pytest.mark.parametrize("told", ["nothing", "window", "reference", "no edges"])
def test_little_is_told(told: str):
    case = Estate(2).case("busy", 3)
    if told == "nothing":
        bare = replace(case, metrics=case.metrics.iloc[:, :0], normal=case.normal.iloc[:, :0])
        assert rank(bare)[0] == case.alert["node"]
        return
    if told == "window":
        case = replace(case, normal=case.normal.iloc[:0])
    elif told == "reference":
        case = replace(case, metrics=case.metrics[case.metrics.index >= case.start_time])
    else:
        case = replace(case, edges=[])
    assert rank(case)[0] == case.cause


def test_a_change_at_the_cause_is_named_and_innocent_ones_are_not():
    case = Estate(7).case("slow", 6, size=0.3)
    innocent = [node for node in case.nodes if node != case.cause][:4]
    events = pd.DataFrame({
        "time": [START - 300.0] * 5, "node": [*innocent, case.cause], "kind": "deployment", "detail": "v2",
    })  # fmt: skip
    assert rank(replace(case, events=events))[0] == case.cause


def test_changes_come_first_where_telemetry_says_little():
    case = Estate(7).case("none", 6)
    events = pd.DataFrame({"time": [START - 200.0], "node": [case.cause], "kind": "config", "detail": "pool=1"})
    assert rank(replace(case, events=events))[0] == case.cause


def test_new_code_that_does_worse_than_old_in_the_same_minutes_is_found():
    case = Estate(9).case("none", 4)
    random = np.random.default_rng(2)
    metrics = case.metrics.copy()
    for node in case.nodes:
        worse = 3.0 if node == case.cause else 1.0
        metrics[node, "latency_old"] = random.lognormal(-4.0, 0.1, len(metrics))
        metrics[node, "latency_new"] = worse * random.lognormal(-4.0, 0.1, len(metrics))
        metrics.loc[metrics.index < START, [(node, "latency_new")]] = np.nan
    assert rank(replace(case, metrics=metrics))[0] == case.cause


def _logs(case: Case) -> pd.DataFrame:
    """Two statements per service and minute; the second one of the cause is not reached any more."""
    rows = []
    for at in range(-3, 3):
        for node in case.nodes:
            for template in ("start", "done"):
                if template == "done" and node == case.cause and at >= 0:
                    continue
                phase = "normal" if at < 0 else "abnormal"
                rows.append((START + MINUTE * at, node, "INFO", template, 30, phase))
    return pd.DataFrame(rows, columns=["time", "node", "level", "template", "count", "phase"])


def _traces(case: Case, *, delayed: bool) -> pd.DataFrame:
    """Thirty calls a minute over every edge; the ways to and from the cause take longer, or it does not call on."""
    rows = []
    for at in range(-3, 3):
        phase, hit = ("normal" if at < 0 else "abnormal"), at >= 0
        rows.append((START + MINUTE * at, "", case.alert["node"], "in", 30, 50.0, np.nan, phase))
        for caller, callee in case.edges:
            slow = 200.0 if delayed and hit and case.cause in {caller, callee} else 1.0
            count = 0 if not delayed and hit and caller == case.cause else 30
            if count:
                rows.append((START + MINUTE * at, caller, callee, "get", count, 10.0, slow, phase))
    columns = ["time", "caller", "callee", "operation", "count", "mean_ms", "net_p90_ms", "phase"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("seed", range(4))
def test_a_statement_that_vanishes_gives_the_cause_away(seed: int):
    case = Estate(seed).case("none", 1 + seed)
    assert rank(replace(case, logs=_logs(case)))[0] == case.cause


@pytest.mark.parametrize("seed", range(4))
def test_slow_ways_meet_at_the_cause(seed: int):
    estate = Estate(seed)
    inner = next(node for node in range(1, 9) if sum(node in pair for pair in estate.pairs) > 2)
    case = estate.case("none", inner)
    assert rank(replace(case, traces=_traces(case, delayed=True)))[0] == case.cause


def test_calls_that_are_not_made_any_more_are_held_against_the_caller():
    estate = Estate(1)
    inner = next(node for node in range(1, 9) if any(above == node for above, _ in estate.pairs))
    case = estate.case("none", inner)
    assert rank(replace(case, traces=_traces(case, delayed=False)))[0] == case.cause
