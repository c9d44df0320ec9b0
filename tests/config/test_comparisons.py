"""The condition "compare" in rules files: what it becomes, and what could never fire, at its place."""

from __future__ import annotations

import pytest

from config.written import loaded_from, problems_of
from quell.model.detect import Compare

METRIC = """canary: ['track="canary"'], baseline: ['track="stable"']"""
VALUES = """canary: ['version="8"'], baseline: ['version="7"']"""


def rule(told: str, reads: str = "metric: latency") -> str:
    return f"detect:\n  - {{name: A, {reads}, when: {{compare: {{{told}}}}}}}\n"


def test_it_becomes_what_is_written() -> None:
    told = f"{METRIC}, same: [app], of: share, by: calls.count, over: 15m, margin: 0.005"
    (found,) = loaded_from({"rules/c.yaml": rule(told, "metric: calls.errors")}).rulebook.detect
    assert isinstance(found.when, Compare)
    assert (found.when.of, found.when.by, found.when.same, found.when.over_s) == ("share", "calls.count", ("app",), 900)
    assert (found.when.volume, found.when.margin, found.when.sure) == (100.0, 0.005, 0.95)
    (windows,) = loaded_from({"rules/c.yaml": rule(METRIC)}).rulebook.detect
    assert isinstance(windows.when, Compare)
    assert windows.when.volume == 5.0


@pytest.mark.parametrize(
    ("told", "reads", "words"),
    [
        (f"{METRIC}, over: 3m", "metric: latency", "these are 3 windows, and 5 are needed: it never fires"),
        (f"{METRIC}, over: 1h, volume: 100", "metric: latency", "these are 60 windows, and 100 are needed"),
        (f"{METRIC}, of: share, by: calls.count, margin: 2", "metric: calls.errors", "nothing is worse by as much"),
        ("canary: ['a=\"b\"'], baseline: ['a=\"b\"']", "metric: latency", "the baseline is the canary"),
        (METRIC, "distribution: score", 'counted values have no "track", so nothing is compared'),
        (f"{VALUES}, same: [app]", "distribution: score", "this goes with metrics"),
        (f"{METRIC}, of: p95", "metric: latency", "a quantile is of distributions"),
        (f"{METRIC}, of: share, above: 3", "metric: latency", "this goes with distributions"),
        (f"{METRIC}, of: share, by: c", "metric: 'a*'", '"by" needs one metric on both sides'),
        (f"{METRIC}, of: mean, by: c", "metric: a", 'go with "of: share"'),
        (f"{METRIC}, over: 10s", "metric: a", "this is not 1 to"),
    ],
)
def test_what_could_never_fire_is_told(told: str, reads: str, words: str) -> None:
    found = problems_of({"rules/c.yaml": rule(told, reads)})
    assert [problem for problem in found if words in problem], found
