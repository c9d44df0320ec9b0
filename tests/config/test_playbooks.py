import pytest

from config.written import MAIN, loaded_from, problems_of
from quell.model.playbook import Deed, Retry

GOOD = """\
playbook: rollback
version: 2
summary: Roll back.
owner: payments
when:
  incident: [opened, suspects_changed]
  if: >-
    incident.severity in ["critical", "high"]
    && suspect.change.age < duration("45m")
  settled_for: 90s
mode: enforce
guards:
  each: [suspect.service]
  cooldown: 30m
  limit: {runs: 3, per: 24h}
  one_at_a_time: ["service:${suspect.service}"]
timeout: 40m
vars:
  app: ${suspect.service}
  title: Roll ${app} back
steps:
  - id: ask
    do: approve
    with: {who: ["role:sre", "owner:${app}"], need: 1, not_requester: true}
    timeout: 10m
    otherwise: escalate
  - id: ticket
    do: ticket.open
    with: {title: "${title}", key: "${incident.id}", priority: 3, labels: {app: "${app}"}, watch: 5m}
    if: steps.ask.state == "done"
    retry: {times: 2, wait: 20s, on: [unreachable, timeout]}
    check: ${result.id != ""}
    undo: {do: ticket.close, with: {}}
    on_failure: undo
  - id: tell
    do: console.page
    with: {text: "${steps.ticket.output.id}: ${incident.title}"}
on_failure:
  - {do: console.page, with: {text: "Rollback of ${app} did not help: ${run.error}"}}
"""


def test_a_playbook_is_read_whole():
    playbook = loaded_from({"playbooks/rollback.yaml": GOOD}).rulebook.playbooks[0]
    assert (playbook.name, playbook.version, playbook.owner, playbook.mode) == ("rollback", 2, "payments", "enforce")
    assert playbook.on == ("opened", "suspects_changed")
    assert playbook.if_ == 'incident.severity in ["critical", "high"] && suspect.change.age < duration("45m")'
    assert (playbook.settled_for_s, playbook.timeout_s) == (90.0, 2400.0)
    guards = playbook.guards
    assert (guards.each, guards.cooldown_s, guards.limit_runs, guards.limit_per_s) == (
        ("suspect.service",), 1800.0, 3, 86400.0,
    )  # fmt: skip
    ask, ticket, tell = playbook.steps
    assert (ask.effect, ask.repeat, ask.timeout_s, ask.otherwise) == ("tell", "state", 600.0, "escalate")
    assert (ticket.effect, ticket.repeat) == ("tell", "keyed")
    assert ticket.retry == Retry(times=2, wait_s=20.0)
    assert ticket.check == 'result.id != ""'
    assert ticket.undo == Deed(do="ticket.close", effect="change", repeat="state")
    assert (ticket.place.file, ticket.place.line) == ("playbooks/rollback.yaml", 27)
    assert tell.otherwise == "finish"
    assert playbook.on_failure[0].effect == "tell"


TEN_MISTAKES = """\
playbook: ten-mistakes
when:
  incident: [opend]
  if: suspct.kind == "deploy"
mode: enforced
guards: {cooldown: 30}
steps:
  - id: first
    do: ticket.opne
  - id: first
    do: ticket.open
    with: {title: "${incident.titel}", key: 7, bodi: x}
    wiht: {}
"""


def test_ten_mistakes_are_ten_problems_at_their_lines():
    assert problems_of({"playbooks/p.yaml": TEN_MISTAKES}) == [
        (
            'playbooks/p.yaml:3:14: "opend" is not one of opened, suspects_changed, escalated, resolved; '
            'did you mean "opened"?'
        ),
        'playbooks/p.yaml:4:7: unknown name "suspct"; did you mean "suspect"?',
        'playbooks/p.yaml:5:7: "enforced" is not one of off, shadow, propose, enforce; did you mean "enforce"?',
        'playbooks/p.yaml:6:20: "30" has no unit; write a duration such as 90s, 15m or 2h',
        'playbooks/p.yaml:9:9: unknown action "ticket.opne"; did you mean "ticket.open"?',
        'playbooks/p.yaml:10:9: the step id "first" stands here twice (first in line 8); give it another id',
        'playbooks/p.yaml:12:22: "incident" has no "titel"; did you mean "title"?',
        'playbooks/p.yaml:12:45: parameter "key": expected text, found 7; write "7" in quotes',
        'playbooks/p.yaml:12:48: unknown parameter "bodi" of action "ticket.open"; did you mean "body"?',
        'playbooks/p.yaml:13:5: unknown key "wiht"; did you mean "with"?',
    ]


STEP = """\
playbook: p
vars: {app: "${suspect.service}"}
steps:
  - {id: a, do: console.page, with: {text: hello}}
  - id: b
    do: console.page
    with: {text: hello}
"""

LAST = "do: console.page\n    with: {text: hello}"
OPEN = "do: ticket.open\n    with: {title: a, key: b}"
MISTAKES = [
    ("a bad name", STEP.replace("playbook: p", "playbook: a b"), '1:11: "a b" is not a name'),
    ("no name", STEP.replace("playbook: p\n", ""), 'p.yaml:1:1: this needs "playbook"'),
    ("no steps", "playbook: p\nsteps: []\n", "p.yaml:2:8: at least 1 is needed here, found 0"),
    ("steps left out", "playbook: p\n", 'p.yaml:1:1: this needs "steps"'),
    ("not a mapping", "- playbook: p\n", "p.yaml:1:1: expected a mapping, found a list"),
    ("a step is text", "playbook: p\nsteps: [x]\n", 'p.yaml:2:9: expected a mapping, found "x"'),
    ("no action", "playbook: p\nsteps: [{id: a}]\n", 'p.yaml:2:9: this needs "do"'),
    ("a bad id", STEP.replace("id: b", "id: B-1"), '5:9: "B-1" is not a step id'),
    ("an unknown source", STEP.replace("do: console.page\n", "do: kubernetes.scale\n"), 'no source "kubernetes"'),
    ("an action without a dot", STEP.replace("do: console.page\n", "do: page\n"), 'unknown action "page"'),
    ("wait", STEP.replace("do: console.page\n", "do: wait\n"), '6:9: action "wait" needs parameter "until"'),
    (
        "a missing parameter",
        STEP.replace("    with: {text: hello}\n", ""),
        'action "console.page" needs parameter "text"',
    ),
    ("an approval by nobody", STEP.replace(LAST, "do: approve"), 'needs parameter "who"'),
    (
        "an approval by no one in a list",
        STEP.replace(LAST, "do: approve\n    with: {who: []}"),
        "nobody may approve this",
    ),
    (
        "an approval by a bare name",
        STEP.replace(LAST, "do: approve\n    with: {who: [sre]}"),
        '7:18: "sre" names nobody',
    ),
    ("need of nobody", STEP.replace(LAST, 'do: approve\n    with: {who: ["role:x"], need: 0}'), '"0" people'),
    ("for_each", STEP + "    for_each: {in: x}\n", '8:5: "for_each" needs "max"'),
    ("a later step", STEP.replace("text: hello}}", 'text: "${steps.b.output}"}}'), 'step "b" has no result yet'),
    ("the step itself", STEP.replace("text: hello}\n", 'text: "${steps.b.output}"}\n'), 'step "b" has no result yet'),
    ("no such step", STEP.replace("text: hello}\n", 'text: "${steps.c.output}"}\n'), 'unknown step "c"'),
    ("no output", STEP.replace("text: hello}\n", 'text: "${steps.a.id}"}\n'), "write steps.a.output.id"),
    ("result outside a check", STEP.replace("text: hello}\n", 'text: "${result.x}"}\n'), "only the check of a step"),
    ("result in an if", STEP + "    if: result.x > 1\n", '8:9: "result" is not known here'),
    ("a variable before the run", STEP + "when: {if: app == 'x'}\n", '8:12: "app" is not known here'),
    (
        "a variable before it is set",
        STEP.replace("vars: {", 'vars: {one: "${app}", '),
        "a variable may use earlier ones only",
    ),
    ("a variable that hides", STEP.replace("{app:", "{incident:"), 'the variable "incident" would hide'),
    ("a variable with a bad name", STEP.replace("{app:", "{a-b: 1, app:"), '"a-b" is not a name for a variable'),
    ("a step that is text among others", STEP + "  - x\n", 'expected a mapping, found "x"'),
    ("a variable in each", STEP + "guards: {each: [app]}\n", "runs are told apart before variables"),
    (
        "a broken condition",
        STEP + "    if: incident.id ==\n",
        "8:23: the condition cannot be read: the expression ends too",
    ),
    ("a broken reference", STEP.replace("text: hello}\n", 'text: "x ${1 +} y"}\n'), "7:26: the ${…} cannot be read"),
    (
        "an open reference",
        STEP.replace("text: hello}\n", 'text: "x ${app"}\n'),
        '7:21: the ${…} cannot be read: "${" is not',
    ),
    ("an unquoted reference", STEP.replace("text: hello}\n", "text: ${app}}\n"), '"${app}" stands unquoted inside'),
    ("an unknown function", STEP + "    if: lower(incident.id) == ''\n", 'unknown function "lower"'),
    ("no such field of the suspect", STEP + "    if: suspect.confidense > 1\n", 'did you mean "confidence"'),
    ("no such field of a change", STEP + "    if: suspect.change.previus == ''\n", 'did you mean "previous"'),
    ("a number for text", "playbook: p\nversion: 1.10\nsteps: []\n", 'expected a whole number, found "1.10"'),
    ("no unit", STEP + "    timeout: 5\n", '8:14: "5" has no unit'),
    ("an endless time", STEP + "    timeout: 99999d\n", "longer than ten years"),
    ("no time at all", STEP + "    timeout: 0s\n", "8:14: it must be longer than nothing"),
    ("a retry without times", STEP + "    retry: {wait: 1s}\n", '"retry" needs "times"'),
    ("a retry on nonsense", STEP + "    retry: {times: 1, on: [rain]}\n", '"rain" is not one of unreachable, timeout'),
    ("an undo of nonsense", STEP + "    undo: {do: ticket.nope}\n", '8:16: unknown action "ticket.nope"'),
    ("an approval as undo", STEP + "    undo: {do: approve}\n", 'unknown action "approve"'),
    ("failure with nonsense", STEP + "on_failure: [{do: console.pge}]\n", '8:19: unknown action "console.pge"'),
    (
        "a text for a number",
        STEP.replace(LAST, OPEN.replace("}", ", priority: high}")),
        'parameter "priority": expected a whole number, found "high"',
    ),
    (
        "a duration without unit",
        STEP.replace(LAST, OPEN.replace("}", ", watch: 9}")),
        'parameter "watch": "9" has no unit',
    ),
    ("with is a list", STEP.replace("with: {text: hello}\n", "with: [a]\n"), "7:11: expected a mapping, found a list"),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_each_mistake_is_told(text, said):
    found = problems_of({"playbooks/p.yaml": text})
    assert any(said in problem for problem in found), found


def test_one_name_is_one_playbook():
    found = problems_of({"playbooks/a.yaml": STEP, "playbooks/deep/b.yaml": STEP})
    assert found == [
        'playbooks/deep/b.yaml:1:11: the playbook name "p" is taken (first in playbooks/a.yaml:1); give it another name'
    ]


def test_a_typed_reference_is_not_judged_before_it_has_a_value():
    step = STEP.replace(
        "do: console.page\n    with: {text: hello}",
        'do: ticket.open\n    with: {title: a, key: b, priority: "${suspect.score}", watch: "${vars.app}"}',
    )
    assert problems_of({"playbooks/p.yaml": step}) == []


def test_a_change_by_itself_without_a_guard_is_a_problem_and_else_worth_a_warning():
    text = "playbook: p\nmode: enforce\nsteps: [{id: a, do: ticket.close}]\n"
    (said,) = problems_of({"playbooks/p.yaml": text})
    assert said.startswith(
        "playbooks/p.yaml:2:7: this playbook changes something by itself, without a guard or an appr"
    )
    asked = text.replace("steps: [", 'steps: [{id: q, do: approve, with: {who: ["role:sre"]}}, ')
    proposed = text.replace("mode: enforce\n", "")
    for fine in (asked, proposed):
        (warning,) = loaded_from({"playbooks/p.yaml": fine}).warnings
        assert "no guard keeps it from doing so often" in str(warning)
    assert not loaded_from({"playbooks/p.yaml": text.replace("enforce", "shadow")}).warnings
    (warning,) = loaded_from({"playbooks/p.yaml": text + "guards: {cooldown: 1h}\n"}).warnings
    assert str(warning).startswith("playbooks/p.yaml:4:1: nothing limits how much this playbook may touch")
    whole = text + "guards: {cooldown: 1h, blast_radius: {services: 1}}\n"
    assert not loaded_from({"playbooks/p.yaml": whole}).warnings


def test_tests_and_hidden_files_beside_playbooks_are_left_alone():
    files = {
        "playbooks/p.test.yaml": "test: [",
        "playbooks/.p.yaml": "x: [",
        "playbooks/notes.md": "# x",
        "playbooks/empty.yaml": "# later",
    }
    loaded = loaded_from(files)
    assert loaded.rulebook.playbooks == ()
    assert [str(warning) for warning in loaded.warnings] == ["playbooks/empty.yaml: the file holds no playbook"]


def test_an_unreadable_main_file_blames_no_playbook():
    found = problems_of({"quell.yaml": MAIN + "x: [", "playbooks/rollback.yaml": GOOD})
    assert len(found) == 1
    assert found[0].startswith("quell.yaml:")


def test_an_unknown_connector_is_told_once():
    found = problems_of({"quell.yaml": MAIN.replace("use: console}", "use: consle}"), "playbooks/p.yaml": STEP})
    assert found == ['quell.yaml:2:18: unknown connector "consle"; did you mean "console"?']
