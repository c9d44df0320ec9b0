"""What list macros read of suspects, evidence, changes and alerts is checked like any other name."""

from __future__ import annotations

import pytest

from config.written import problems_of
from quell.expressions.conditions import Condition

STEPS = "steps: [{id: a, do: console.page, with: {text: hello}}]\n"


def problems(condition: str) -> list[str]:
    text = f"playbook: p\nwhen:\n  if: '{condition}'\n{STEPS}"
    files: dict[str, str | bytes] = {"playbooks/p.yaml": text}
    return [one.split("\n")[0] for one in problems_of(files)]


@pytest.mark.parametrize(
    "condition",
    [
        'incident.suspects.exists(s, s.kind == "model" && s.confidence > 0.3)',
        'incident.suspects.exists(s, has(s.change) && s.change.author == "bo")',
        'incident.changes.exists(c, c.type == "deploy" && c.age_s < 3600 && c.suspicion == 0.0)',
        "incident.evidence.filter(e, e.rank == 1 && e.weight < 0.0).size() > 1",
        'suspect.evidence.exists(e, e.kind == "change_late") || size(suspect.points_for) > 2',
        'alerts.exists(a, a.labels.anything == "x" && a.entity == suspect.entity)',
        '["a", "b"].exists(x, incident.suspects.size() > 2 && x == incident.title)',
        'incident.version > 1 && suspect.entity_kind == "model" && change.before_s > 0.0',
    ],
)
def test_what_is_there_may_be_read(condition: str) -> None:
    assert problems(condition) == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("incident.suspects.exists(s, s.confidense > 0.3)", 'a member of "incident.suspects" has no "confidense"'),
        ("incident.changes.exists(c, c.ages < 5)", 'a member of "incident.changes" has no "ages"; did you mean "age'),
        ("incident.suspects.all(s, s.change.previus > 1)", 'of a member of "incident.suspects" has no "previus"'),
        ('incident.evidence.exists(e, e.code == "x")', 'a member of "incident.evidence" has no "code"'),
        ("suspect.evidence.exists(e, e.rank == 1)", 'a member of "suspect.evidence" has no "rank"'),
        ('alerts.exists(a, a.sev == "x")', 'a member of "alerts" has no "sev"'),
        ("incident.alerts.exists(a, a.value > 1.0)", 'a member of "incident.alerts" has no "value"'),
        ('incident.suspectz.exists(s, s.kind == "x")', '"incident" has no "suspectz"; did you mean "suspects"?'),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_at_its_place(condition: str, said: str) -> None:
    (found,) = problems(condition)
    assert said in found
    place, column = found.split(" ")[0].split(":")[1:3]
    word = said.split('has no "')[1].partition('"')[0]
    assert place == "3"
    assert f"  if: '{condition}'"[int(column) - 1 :].startswith(word) or word == "suspectz"


def test_members_are_those_of_the_list_and_within_it() -> None:
    within = 'incident.changes.exists(c, c.type == "x" && c.labels.a == "b")'
    text = within + ' && ["a"].exists(c, c.size() > 1) && size(vars.c.x) > 0'
    assert Condition(text).members == {(("incident", "changes"), ("type",)), (("incident", "changes"), ("labels", "a"))}
    nested = 'alerts.exists(a, ["x"].exists(b, b == a.name))'
    assert Condition(nested).members == {(("alerts",), ("name",))}
    assert Condition('catalog.service("x").list.exists(a, a.x == 1)').members == frozenset()
