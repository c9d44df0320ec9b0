"""Detectors in rules files: what they become, and what is wrong with them, at its place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.written import loaded_from, problems_of
from quell.config.test_series import values_of
from quell.model.detect import Absence, Anomaly, Forecast, New, Shift, Threshold

ALL = """\
detect:
  - name: Slow
    metric: http.*
    where: ['kind="service"', 'tier=~"1|2"']
    when: {threshold: {above: 0.5, aggregate: p95, until: 0.4, volume: 20}}
    for: 3 of 5
    every: 30s
    delay: 10s
    blind: 1h
    severity: critical
    impact: business
    labels: {team: shop}
    summary: "${entity} is slow: ${value}"
    runbook: https://runbooks.example/slow
  - {name: Full, metric: disk, when: {forecast: {above: 90, within: 4h, over: 6h}}, every: 10m}
  - {name: Silent, metric: up, when: {absence: {after: 10m, expect: [service/a]}}}
  - {name: Odd, metric: rps, when: {anomaly: {direction: down, zone: Europe/Berlin}}, mode: off}
  - {name: New, log: "*", when: {new: {unseen: 3d}}}
  - {name: More, log: "*", errors: true, per: entity, when: {shift: {factor: 4}}, every: 10m}
"""


def test_every_condition_is_read():
    slow, full, silent, odd, new, more = loaded_from({"rules/d.yaml": ALL}).rulebook.detect
    assert slow.when == Threshold(above=0.5, aggregate="p95", until=0.4, volume=20.0)
    assert (slow.need, slow.of, slow.every_s, slow.delay_s, slow.blind_s) == (3, 5, 30.0, 10.0, 3600.0)
    assert (slow.severity, slow.impact, slow.labels, slow.place.line) == ("critical", "business", {"team": "shop"}, 2)
    assert full.when == Forecast(above=90.0, within_s=14_400.0, over_s=21_600.0)
    assert (silent.when, silent.pooled) == (Absence(after_s=600.0, expected=("service/a",)), True)
    assert (odd.when, odd.on) == (Anomaly(direction="down", zone="Europe/Berlin"), False)
    assert (new.when, new.errors, new.pooled) == (New(unseen_s=259_200.0), True, True)
    assert (more.when, more.errors, more.pooled) == (Shift(factor=4.0), True, True)


@pytest.mark.parametrize(
    ("rule", "column", "words"),
    [
        ("{name: A, metric: m, when: {threshold: {over: 1}}}", 45, 'unknown key "over"'),
        (
            "{name: A, metric: m, when: {treshold: {above: 1}}}",
            33,
            'unknown key "treshold"; did you mean "threshold"?',
        ),
        ("{name: A, metric: m, when: {}}", 32, "one condition is needed here, found 0"),
        ("{name: A, metric: m, when: {threshold: {above: 1}, absence: {after: 5m}}}", 32, "found 2"),
        ("{name: A, metric: m, when: {threshold: {}}}", 44, 'either "above" or "below"'),
        ("{name: A, metric: m, when: {threshold: {above: 1, until: 2}}}", 44, '"until" lies above "above"'),
        ("{name: A, metric: m, log: l, when: {threshold: {above: 1}}}", 5, 'one of "metric", "log" and "distribution"'),
        ("{name: A, metric: m, when: {threshold: {above: .nan}}}", 52, "finite"),
        ("{name: A, metric: m, when: {threshold: {above: 1}}, for: 5 of 3}", 62, '"5 of 3" is not possible'),
        (
            "{name: A, metric: m, when: {threshold: {above: 1}}, for: often}",
            62,
            '"often" is not so many of so many windows',
        ),
        ("{name: A, metric: m, when: {threshold: {above: 1}}, every: 8d}", 64, "a window lasts from 1s to 7d"),
        ("{name: A, metric: m, when: {threshold: {above: 1}}, where: [tier]}", 69, "tier"),
        ('{name: A, metric: m, when: {threshold: {above: 1}}, summary: "${x}"}', 69, '"x"'),
        ("{name: A, metric: m.*, when: {threshold: {above: 1, by: n}}}", 61, '"by" needs one metric on both sides'),
        ("{name: A, metric: m, when: {new: {}}}", 23, '"new" reads no metric'),
        ("{name: A, log: m, when: {forecast: {above: 1, within: 1h, over: 1h}}}", 20, '"forecast" reads no log'),
        ("{name: A, metric: m, when: {forecast: {above: 1, within: 1h, over: 90d}}}", 72, "windows, and 1500 are"),
        ("{name: A, metric: m, when: {forecast: {above: 1, within: 1h, over: 5m}}}", 72, "too few to tell"),
        ("{name: A, metric: m, when: {absence: {after: 10s}}}", 50, '"after" is shorter than a window'),
        ("{name: A, metric: m, when: {absence: {after: 10m, expect: [a]}}}", 64, '"a" is not an entity'),
        ("{name: A, metric: m, when: {anomaly: {zone: Nowhere/City}}}", 49, "not a time zone"),
        ("{name: A, metric: m, when: {anomaly: {holidays: [02-30]}}}", 54, '"02-30" is no day'),
        ("{name: A, metric: m, when: {anomaly: {leave_out: [2026-01-01..2026-06-01]}}}", 55, "1 to 62 days in a row"),
        ("{name: A, metric: m, errors: true, when: {threshold: {above: 1}}}", 34, '"errors" goes with "log"'),
        ("{name: A, metric: m, per: series, when: {absence: {after: 10m}}}", 31, '"absence" looks at entities'),
        ("{name: A, metric: m, when: {threshold: {above: 1}}, delay: 1h}", 5, '"delay" is more than ten windows'),
        ("{name: A, metric: m, when: {threshold: {above: 1}}, blind: 10s}", 64, '"blind" is shorter than a window'),
        ("{name: A b, metric: m, when: {threshold: {above: 1}}}", 12, '"A b" is not a name'),
    ],
)
def test_what_is_wrong_is_told_at_its_place(rule, column, words):
    (problem,) = problems_of({"rules/d.yaml": f"detect:\n  - {rule}\n"})
    assert problem.startswith(f"rules/d.yaml:2:{column}: ")
    assert words in problem


def test_all_problems_are_told_at_once_and_names_are_unique():
    text = "detect:\n" + "".join(f"  - {{name: A, metric: m{n}, when: {{threshold: {{over: 1}}}}}}\n" for n in (1, 2))
    problems = problems_of({"rules/d.yaml": text})
    assert [problem.split(":")[1] for problem in problems] == ["2", "3", "3"]
    assert any('detect rule "A" stands here twice' in problem for problem in problems)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2.5 -3", [1, 2.5, -3]),
        ("0+10x3", [0, 10, 20, 30]),
        ("5-1x2", [5, 4, 3]),
        ("7x2", [7, 7, 7]),
        ("_ 1 _x2 stale", [None, 1, None, None, None]),
        ("1e3 -.5+.25x2", [1000, -0.5, -0.25, 0]),
    ],
)
def test_series_are_written_as_for_promtool(text, values):
    assert values_of(text) == values


@pytest.mark.parametrize("text", ["", "a", "1+2", "x3", "1x2x3", "1x60000", "_x60000", "1,2"])
def test_what_is_no_series_is_refused(text):
    with pytest.raises(ValueError, match=r"series"):
        values_of(text)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader_of_series(text):
    with suppress(ValueError):
        assert len(values_of(text)) >= 1
