"""What is allowed and most likely not meant is said with its line and column."""

from __future__ import annotations

import pytest

from config.written import SPECS, loaded_from
from quell.sdk.spec import ActionSpec, Spec

HEAD = "playbook: p\nguards: {cooldown: 1h, blast_radius: {services: 1}}\n"
A, B = "steps:\n  - {id: a, do: console.page, with: {text: x}", "  - {id: b, do: console.page, with: {text: x}"
APPROVE = "steps:\n  - {id: a, do: approve, with: {who: ['role:sre']}}\n"
GROUP = "steps:\n  - parallel:\n      - {id: a, do: valve.look, if: 'false'}\n"
CASES = [
    (A + ", if: 'false'}\n" + B + "}\n", '4:52: step "a" is never reached: its condition is always false'),
    (A + ", check: '1 > 2'}\n" + B + "}\n", '5:5: nothing after step "a" is ever reached: its check is always false'),
    (A + "}\n" + B + ", if: 'steps.a.state == \"failed\"'}\n", '5:70: step "a" is never "failed" here, it is done'),
    (
        A + ", if: now > now}\n" + B + ", if: '\"rejected\" == steps.a.state'}\n",
        'step "a" is never "rejected" here, it is done or skipped; a run goes on past no other state',
    ),
    (A + ", on_failure: undo}\n", '4:60: step "a" asks for an undo, and there is nothing to take back by then'),
    ("timeout: 10m\n" + APPROVE, '5:5: step "a" may take 30m, the whole run 10m'),
    ("timeout: 10m\n" + A + ", timeout: 11m}\n", '5:57: step "a" may take 11m, the whole run 10m'),
    ("vars: {one: 1, two: '${one}'}\n" + A + "}\n", '3:16: the variable "two" is used nowhere; take it out'),
    (
        "steps:\n  - {id: a, do: valve.open}\n",
        '4:17: step "a" changes something that close takes back, and has no undo; write undo: true',
    ),
    (GROUP, 'step "a" is never reached'),
]
FINE = [
    A + ", on_failure: continue}\n" + B + ", if: 'steps.a.state == \"failed\"'}\n",
    "vars: {one: 1, two: '${vars.one}'}\n" + A.replace("text: x", 'text: "is ${two}"') + "}\n",
    "steps:\n  - {id: a, do: valve.open, undo: false}\n",
    "steps:\n  - {id: a, do: valve.open, undo: true}\n  - {id: b, do: valve.open, undo: false, on_failure: undo}\n",
    "timeout: 31m\n" + APPROVE,
    A + ", check: 'false'}\n",
]


@pytest.fixture(autouse=True)
def _valve(monkeypatch: pytest.MonkeyPatch) -> None:
    read = ActionSpec(name="look", summary="Looks.", effect="read", repeat="state")
    actions = (
        read,
        ActionSpec(name="open", summary="Opens.", effect="change", repeat="state", undo="close"),
        ActionSpec(name="close", summary="Closes.", effect="change", repeat="state"),
    )
    monkeypatch.setitem(SPECS, "valve", Spec(name="valve", summary="A valve.", actions=actions))


def warned(text: str) -> list[str]:
    main = "sources:\n  console: {use: console}\n  valve: {use: valve}\n"
    loaded = loaded_from({"quell.yaml": main, "playbooks/p.yaml": HEAD + text})
    return [str(warning).split("\n")[0].removeprefix("playbooks/p.yaml:") for warning in loaded.warnings]


@pytest.mark.parametrize(("text", "said"), CASES, ids=[said for _, said in CASES])
def test_what_is_not_meant_is_worth_a_warning_at_its_place(text: str, said: str) -> None:
    found = warned(text)
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize("text", FINE)
def test_what_may_be_meant_is_not(text: str) -> None:
    assert warned(text) == []
