"""Service levels in rules files: what they become, and what is wrong with them, at its place."""

from __future__ import annotations

import pytest

from config.written import loaded_from, problems_of
from quell.model.detect import Burn

DAY = 86_400.0
ALL = """\
slos:
  - {name: availability, objective: 99.5%, bad: calls.errors, total: calls.count, where: ['tier="1"'], impact: business}
  - {name: latency, objective: 0.99, over: 7d, metric: latency, at_most: 0.3, aggregate: p99, volume: 20}
  - {name: accuracy, objective: 90%, over: 28d, metric: accuracy, at_least: 0.92, each: point}
  - {name: approvals, objective: 99%, distribution: approved, gap: 0.05, among: ["true"], volume: 100, mode: off}
  - {name: fresh, objective: 99%, metric: rows, age: 2h, every: 5m}
  - {name: cost, metric: llm.cost, spend: 40, per: 1d}
  - name: paid
    objective: 99.9%
    good: paid_total
    total: tried_total
    counter: true
    burn: [{rate: 3, over: 1d, confirm: 2h, severity: warning, page: false}, {rate: 10, over: 2h, confirm: 10m}]
    labels: {team: shop}
"""


def test_every_kind_of_service_level_is_read() -> None:
    found = {rule.name: rule for rule in loaded_from({"rules/s.yaml": ALL}).rulebook.detect}
    when: dict[str, Burn] = {name: rule.when for name, rule in found.items() if isinstance(rule.when, Burn)}
    assert {name: one.measured for name, one in when.items()} == {
        "availability": "events", "latency": "windows", "accuracy": "points", "approvals": "gaps", "fresh": "ages",
        "cost": "amounts", "paid": "events",
    }  # fmt: skip
    availability = when["availability"]
    assert [(one.rate, one.over_s, one.confirm_s, one.pages) for one in availability.rates] == [
        (14.4, 3600.0, 300.0, True), (6.0, 21_600.0, 1800.0, True), (1.0, 3 * DAY, 21_600.0, False),
    ]  # fmt: skip
    assert (found["availability"].impact, found["availability"].labels) == ("business", {"slo": "availability"})
    # The spans shrink with the period, in whole windows; a rate that could not be reached is lowered.
    assert [(one.over_s, one.confirm_s) for one in when["latency"].rates] == [
        (840.0, 60.0), (5040.0, 420.0), (60_480.0, 5040.0),
    ]  # fmt: skip
    assert [round(one.rate, 6) for one in when["accuracy"].rates] == [8.0, 6.0, 1.0]
    assert (when["approvals"].at_most, found["approvals"].on) == (0.05, False)
    assert (when["fresh"].at_most, when["cost"].at_most) == (7200.0, 40 / DAY)
    paid = found["paid"]
    assert (when["paid"].reads_good, when["paid"].counter, paid.labels) == (True, True, {"slo": "paid", "team": "shop"})
    assert [one.rate for one in when["paid"].rates] == [10.0, 3.0]
    assert paid.place.line == 8


@pytest.mark.parametrize(
    ("rule", "at", "words"),
    [
        ("{name: A, objective: 120%, metric: m, at_most: 1}", "120%", '"120%" is not a share between 0 and 1'),
        ("{name: A, objective: 99, metric: m, at_most: 1}", "99", '"99" is not a share'),
        ("{name: A, objective: 99%, at_most: 1}", "{", 'reads one of "bad", "good", "metric" and "distribution"'),
        ("{name: A, objective: 99%, metric: m}", "{", "it is not said what is good"),
        ("{name: A, metric: m, at_most: 1}", "{", 'needs "objective"'),
        ("{name: A, objective: 99%, bad: a}", "{", '"bad" and "good" need "total"'),
        ("{name: A, objective: 99%, metric: m, at_most: 1, total: b}", "b}", '"total" goes with'),
        ("{name: A, objective: 99%, bad: c*, total: b}", "c*", "by its name"),
        ("{name: A, objective: 99%, metric: m, spend: 3}", "99%", '"spend" says itself'),
        ("{name: A, objective: 99%, metric: m, age: 1h, at_most: 3}", "3}", '"at_most" does not go with'),
        ("{name: A, objective: 99%, distribution: m, gap: 0.1}", "0.1", "of what the shares are compared"),
        ("{name: A, objective: 99%, distribution: m}", "{", "it is not said what is good"),
        ("{name: A, objective: 99%, metric: m, at_most: 1, at_least: 2}", "2}", "nothing would be good"),
        (
            "{name: A, objective: 90%, metric: m, at_most: 1, burn: [{rate: 20, over: 1h, confirm: 5m}]}",
            "20", "nothing burns so fast: if all is bad, the rate is 10",
        ),
        (
            "{name: A, objective: 90%, metric: m, at_most: 1, burn: [{rate: 2, over: 1h, confirm: 3h}]}",
            "3h", '"confirm" is no shorter than "over"',
        ),
        ("{name: A, objective: 99%, bad: calls.count, total: calls.count}", "calls.count}", "counts all"),
        ("{name: A, objective: 99%, metric: m, age: 1h, volume: 5}", "5}", '"volume" does not go with'),
        ("{name: A, objective: 99%, metric: m, at_most: 1, across: region}", "region", '"across" does not go with'),
        ("{name: A, objective: 99%, metric: m, at_most: 1, blind: 5s}", "5s", "shorter than a window"),
        ("{name: A, objective: 99%, metric: m, at_most: 1, summary: '${lables.x}'}", "lables", 'unknown name "lables"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_place(rule: str, at: str, words: str) -> None:
    (problem,) = problems_of({"rules/s.yaml": f"slos:\n  - {rule}\n"})
    assert problem.startswith(f"rules/s.yaml:2:{rule.index(at) + 5}: "), problem
    assert words in problem, problem


def test_the_highest_rate_there_can_be_may_be_written_and_alerts_hold_for_as_long_as_is_confirmed() -> None:
    text = "slos:\n  - {name: A, objective: 99%, metric: m, at_most: 1, blind: 1h, burn: [BURN]}\n"
    text += "  - {name: B, objective: 99%, metric: m, at_most: 1}\n"
    text += "  - {name: C, objective: 99%, distribution: m, gap: 0.1, among: [a], across: region, burn: []}\n"
    text = text.replace("BURN", "{rate: 100, over: 1h, confirm: 3m}")
    a, b, c = loaded_from({"rules/s.yaml": text}).rulebook.detect
    assert [(one.need, one.of, one.blind_s) for one in (a, b, c)] == [(1, 3, 3600.0), (1, 5, 0.0), (1, 1, 0.0)]
    assert isinstance(c.when, Burn)
    assert c.when.across == "region"


def test_service_levels_and_detectors_share_their_names() -> None:
    text = "detect:\n  - {name: A, metric: m, when: {threshold: {above: 1}}}\n"
    text += "slos:\n  - {name: A, objective: 99%, metric: m, at_most: 1}\n"
    (problem,) = problems_of({"rules/s.yaml": text})
    assert 'share their names, and "A" is taken' in problem


PLAYBOOK = """\
playbook: slower
version: 1
when: {incident: [opened], if: 'slo.budget("availability").burnt'}
mode: propose
guards: {unless: ['slo.budget("availability", "service/shop").left > 0.5']}
steps:
  - id: note
    if: SLO
    do: incident.note
    with: {text: "${slo.budget('availability').left}"}
"""


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('slo.budget("availability").burn > 6.0', ""),
        ("slo.budget()", '"slo.budget" takes the name of a service level'),
        ('slo.buget("availability").burnt', 'unknown function "slo.buget"; did you mean slo.budget?'),
    ],
)
def test_conditions_of_playbooks_ask_for_budgets(condition: str, words: str) -> None:
    problems = problems_of({"rules/s.yaml": ALL, "playbooks/p.yaml": PLAYBOOK.replace("SLO", condition)})
    assert bool(problems) == bool(words), problems
    assert all(words in problem for problem in problems)
