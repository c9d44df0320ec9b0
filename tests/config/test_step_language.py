"""The steps of playbooks: what waits, measures, lists and groups become, and where each mistake is told."""

import pathlib
import tempfile

import pytest

from config.written import SPECS, write
from quell.config import Loaded, check, load
from quell.model.playbook import Deed, Each, Playbook, Retry, Wait
from quell.sdk.spec import ActionSpec, Option, Spec

_DAG = Option(name="dag", type="text", summary="Which.", required=True)
_READS = {"effect": "read", "repeat": "state"}
FLOW = Spec(
    name="flow",
    summary="Pauses DAGs.",
    actions=(
        ActionSpec(
            name="pause",
            summary="Pauses one.",
            params=(_DAG, Option(name="stop", type="boolean", summary="Runs too.", default=False)),
            repeat="state",
            undo="unpause",
            before="is_paused",
        ),
        ActionSpec(
            name="unpause",
            summary="Goes on.",
            params=(_DAG, Option(name="runs", type="list", summary="These.")),
            repeat="state",
        ),
        ActionSpec(name="is_paused", summary="Whether.", params=(_DAG,), effect="read", repeat="state"),
        ActionSpec(
            name="query",
            summary="A value.",
            params=(Option(name="q", type="text", summary="What.", required=True, language="FlowQL"),),
            effect="read",
            repeat="state",
        ),
    ),
)
MAIN = "sources:\n  flow: {use: flow}\n  ticket: {use: ticket, url: 'https://t.example'}\n"
MEASURES = """\
measures:
  metrics.rate:
    params: [service]
    do: flow.query
    with: {q: 'rate{service="${service}"}'}
"""
HEAD = "playbook: p\nsteps:\n"


def files(steps: str, rules: str = MEASURES, after: str = "") -> dict[str, str | bytes]:
    return {"quell.yaml": MAIN, "rules/m.yaml": rules, "playbooks/p.yaml": HEAD + steps + after}


def loaded(steps: str, **given: str) -> Playbook:
    with tempfile.TemporaryDirectory() as place:
        found: Loaded = load(write(pathlib.Path(place), files(steps, **given)), {**SPECS, "flow": FLOW}, {})
    return found.rulebook.playbooks[0]


def problems(steps: str, **given: str) -> list[str]:
    with tempfile.TemporaryDirectory() as place:
        found = check(write(pathlib.Path(place), files(steps, **given)), {**SPECS, "flow": FLOW}, {})
    return [str(problem).split("\n")[0] for problem in found]


def test_an_action_with_a_state_before_and_an_undo_of_its_own():
    (step,) = loaded("  - {id: a, do: flow.pause, with: {dag: d}, undo: true, on_failure: undo}\n").steps
    assert (step.before, step.before_takes) == ("flow.is_paused", ("dag",))
    assert step.undo == Deed(do="flow.unpause", effect="change", repeat="state", takes=("dag", "runs"))


def test_an_undo_that_is_written_sees_the_state_before():
    (step,) = loaded(
        "  - id: a\n    do: flow.pause\n    with: {dag: d}\n"
        '    undo: {do: flow.unpause, with: {dag: d, runs: "${before.runs}"}}\n'
    ).steps
    assert step.undo is not None
    assert step.undo.with_ == {"dag": "d", "runs": "${before.runs}"}


def test_a_wait_and_the_time_of_its_run():
    playbook = loaded(
        "  - id: a\n    do: wait\n"
        '    with: {until: "${metrics.rate(suspect.service) < 0.1}", hold: 24h, within: 14d}\n'
        "  - {id: b, do: approve, with: {who: ['role:x']}, timeout: 1h}\n"
    )
    wait = playbook.steps[0].wait
    assert wait == Wait(
        until="metrics.rate(suspect.service) < 0.1", hold_s=86_400.0, within_s=1_209_600.0, every_s=840.0
    )
    assert playbook.timeout_s == 3600.0 + 1_209_600.0 + 3600.0
    assert [measure.name for measure in playbook.measures] == ["metrics.rate"]
    assert playbook.measures[0].place.line == 3


def test_a_wait_with_a_query():
    query = ", every: 10s, query: {do: flow.query, with: {q: up}}"
    (step,) = loaded(WAIT % ("result.x > 1", query)).steps
    assert step.wait == Wait(
        until="result.x > 1", within_s=300.0, every_s=10.0,
        query=Deed(do="flow.query", with_={"q": "up"}, effect="read", repeat="state", queries=("q",)),
    )  # fmt: skip


def test_a_step_knows_which_of_its_parameters_are_in_a_query_language():
    look, pause = loaded(
        "  - {id: a, do: flow.query, with: {q: up}, undo: {do: flow.query, with: {q: down}}}\n"
        "  - {id: b, do: flow.pause, with: {dag: d}}\n"
    ).steps
    assert (look.queries, pause.queries) == (("q",), ())
    assert look.undo is not None
    assert look.undo.queries == ("q",)


def test_an_act_after_an_approval_becomes_two_steps():
    ask, act = loaded(
        "  - id: back\n    do: approve_then\n    if: incident.severity == 'high'\n    timeout: 2h\n"
        "    with: {do: flow.unpause, args: {dag: d}, who: ['role:ml'], need: 2}\n    retry: {times: 2}\n"
    ).steps
    assert (ask.id, ask.do, ask.with_, ask.timeout_s) == (
        "back.approval",
        "approve",
        {"who": ["role:ml"], "need": 2},
        7200,
    )
    assert (ask.if_, act.if_, act.needs) == ("incident.severity == 'high'", "", "back.approval")
    assert (act.id, act.do, act.with_, act.effect) == ("back", "flow.unpause", {"dag": "d"}, "change")
    assert (ask.retry, act.retry) == (None, Retry(times=2))


def test_items_groups_and_backoff():
    playbook = loaded(
        "  - parallel:\n    - {id: one, do: flow.query, with: {q: a}}\n    - {id: two, do: flow.query, with: {q: b}}\n"
        "  - id: all\n    do: flow.pause\n    for_each: {in: steps.one.output.dags, max: 5}\n"
        '    with: {dag: "${item}"}\n    retry: {times: 3, wait: 5s, backoff: 2, most: 1m}\n'
        "  - {id: fixed, do: flow.pause, for_each: {in: [x, y], max: 2}, with: {dag: '${item}'}}\n"
    )
    one, two, every, fixed = playbook.steps
    assert (one.group, two.group, every.group) == ("parallel-0", "parallel-0", "")
    assert every.for_each == Each(of="${steps.one.output.dags}", most=5)
    assert fixed.for_each == Each(of=["x", "y"], most=2)
    assert every.retry == Retry(times=3, wait_s=5.0, backoff=2.0, most_s=60.0)


def test_drift_is_checked_without_saying_so():
    (step,) = loaded("  - {id: v, do: quell.validate_drift, with: {need: {columns: 2}}, otherwise: stop}\n").steps
    assert (step.check, step.effect, step.otherwise) == ("result.valid", "read", "stop")


def test_notes_and_escalations_may_follow_a_failure():
    after = "on_failure:\n  - {do: incident.note, with: {text: oh}}\n  - {do: escalate}\n"
    playbook = loaded("  - {id: a, do: incident.note, with: {text: hello}}\n", after=after)
    assert [(deed.do, deed.effect) for deed in playbook.on_failure] == [("incident.note", "tell"), ("escalate", "tell")]


WAIT = "  - id: a\n    do: wait\n    with: {until: %s, within: 5m%s}\n"
PAUSE = "  - {id: a, do: flow.pause, with: {dag: d}%s}\n"
MISTAKES = [
    (
        "an unknown measure",
        WAIT % ("metrics.rat(1) < 1", ""),
        'p.yaml:5:19: unknown measure "metrics.rat"; did you mean "metrics.rate"?',
    ),
    (
        "too many arguments",
        WAIT % ("'metrics.rate(1, 2) < 1'", ""),
        'p.yaml:5:20: "metrics.rate" takes 1 argument, found 2',
    ),
    (
        "a function misspelt",
        WAIT % ("incident.title.contans('x')", ""),
        'unknown function "contans"; did you mean "contains"?',
    ),
    (
        "a measure in a parameter",
        "  - {id: a, do: flow.query, with: {q: '${metrics.rate(1)}'}}\n",
        'the measure "metrics.rate" cannot be read here; read it in check',
    ),
    (
        "a measure in a trigger",
        PAUSE % "" + "when: {if: metrics.rate('a') > 1}\n",
        'p.yaml:4:12: the measure "metrics.rate" cannot be read here',
    ),
    (
        "until is missing",
        "  - {id: a, do: wait, with: {within: 5m}}\n",
        'p.yaml:3:17: action "wait" needs parameter "until"',
    ),
    ("within is missing", "  - {id: a, do: wait, with: {until: 'true'}}\n", 'needs parameter "within"'),
    ("until is a number", WAIT % ("3", ""), "p.yaml:5:19: expected a condition; write one such as"),
    (
        "an unknown key of a wait",
        WAIT % ("'true'", ", untl: x"),
        'unknown parameter "untl" of action "wait"; did you mean "until"?',
    ),
    ("a hold that is too long", WAIT % ("'true'", ", hold: 10m"), 'it cannot hold for longer than "within", 5m'),
    ("a span from a variable", WAIT % ("'true'", ", hold: '${vars.x}'"), '"hold" must be written out'),
    ("too many looks", WAIT % ("'true'", ", every: 1s") + "timeout: 30d\n", ""),
    (
        "far too many looks",
        "  - {id: a, do: wait, with: {until: 'true', within: 10d, every: 2s}}\n",
        "it would look 432,000 times, 10,000 are allowed",
    ),
    ("looks without end", WAIT % ("'true'", ", every: 1ms"), "it may look once a second at most"),
    (
        "longer than its run",
        WAIT % ("'true'", "") + "timeout: 1m\n",
        "p.yaml:5:35: it may take longer than the run itself",
    ),
    (
        "a wait with a timeout",
        "  - {id: a, do: wait, timeout: 3m, with: {until: 'true', within: 5m}}\n",
        'a wait ends after "within"',
    ),
    ("result without a query", WAIT % ("result.x > 1", ""), '"result" is not known here'),
    (
        "a query that changes",
        WAIT % ("'true'", ", query: {do: flow.pause, with: {dag: d}}"),
        '"flow.pause" cannot be looked at: its effect is change',
    ),
    ("a query without its action", WAIT % ("'true'", ", query: {with: {q: x}}"), '"query" needs "do"'),
    (
        "a query with more",
        WAIT % ("'true'", ", query: {do: flow.query, with: {q: x}, check: y}"),
        'unknown key "check"; known here: do, with',
    ),
    ("max is missing", PAUSE % ", for_each: {in: [x]}", 'p.yaml:3:45: "for_each" needs "max"'),
    ("max is too large", PAUSE % ", for_each: {in: [x], max: 1000}", '"1000" is out of range'),
    ("for_each with more", PAUSE % ", for_each: {in: [x], max: 1, as: y}", 'unknown key "as"; '),
    (
        "for_each over nothing known",
        PAUSE % ", for_each: {in: vasr.x, max: 1}",
        'unknown name "vasr"; did you mean "vars"?',
    ),
    (
        "an item without a list",
        "  - {id: a, do: flow.pause, with: {dag: '${item}'}}\n",
        '"item" is not known here; only a step with for_each has items',
    ),
    (
        "an approval for each",
        "  - {id: a, do: approve, with: {who: ['role:x']}, for_each: {in: [x], max: 1}}\n",
        '"approve" cannot be done for each item',
    ),
    (
        "a change at once with others",
        "  - parallel: [{id: a, do: flow.pause, with: {dag: d}}]\n",
        'p.yaml:3:28: "flow.pause" cannot be done at once with others: its effect is change',
    ),
    (
        "an approval at once with others",
        "  - parallel: [{id: a, do: approve_then, with: {do: flow.query, args: {q: x}, who: ['role:x']}}]\n",
        '"approve_then" cannot be done at once with others: it waits',
    ),
    ("a wait with a check", WAIT % ("'true'", "") + "    check: result.x\n", '"wait" has no "check"'),
    ("a note again", "  - {id: a, do: incident.note, with: {text: x}, retry: {times: 1}}\n", 'has no "retry"'),
    (
        "a wait at once with others",
        "  - parallel: [{id: a, do: wait, with: {until: 'true', within: 1m}}]\n",
        '"wait" cannot be done at once with others: it waits',
    ),
    (
        "an undo at once",
        "  - parallel: [{id: a, do: flow.query, with: {q: x}, undo: true}]\n",
        'a read at once with others has no "undo"',
    ),
    (
        "more beside parallel",
        "  - {parallel: [{id: a, do: flow.query, with: {q: x}}], id: b}\n",
        'p.yaml:3:57: unknown key "id"',
    ),
    ("an empty group", "  - {parallel: []}\n", "at least 1 is needed here"),
    (
        "the result of a neighbour",
        (
            "  - parallel: [{id: a, do: flow.query, with: {q: x}},\n"
            "      {id: b, do: flow.query, with: {q: '${steps.a.output.x}'}}]\n"
        ),
        'step "a" has no result yet at this place',
    ),
    (
        "an id twice in a group",
        "  - parallel: [{id: a, do: flow.query, with: {q: x}}, {id: a, do: flow.query, with: {q: x}}]\n",
        'the step id "a" stands here twice',
    ),
    (
        "no undo of its own",
        "  - {id: a, do: flow.unpause, with: {dag: d}, undo: true}\n",
        'p.yaml:3:53: action "flow.unpause" declares nothing that takes it back',
    ),
    (
        "before without a state before",
        "  - {id: a, do: flow.unpause, with: {dag: d}, undo: {do: flow.pause, with: {dag: '${before.d}'}}}\n",
        '"before" is not known here',
    ),
    (
        "an action after an approval that is unknown",
        "  - {id: a, do: approve_then, with: {do: flow.unpaus, args: {dag: d}, who: ['role:x']}}\n",
        'unknown action "flow.unpaus"; did you mean "flow.unpause"?',
    ),
    (
        "its parameters",
        "  - {id: a, do: approve_then, with: {do: flow.unpause, args: {dag: d, dg: d}, who: ['role:x']}}\n",
        'p.yaml:3:71: unknown parameter "dg" of action "flow.unpause"',
    ),
    (
        "nobody to approve it",
        "  - {id: a, do: approve_then, with: {do: flow.unpause, args: {dag: d}, who: []}}\n",
        "nobody may approve this",
    ),
    ("a backoff below one", PAUSE % ", retry: {times: 1, backoff: 0.5}", '"0.5" is out of range'),
    (
        "an unknown key of a retry",
        PAUSE % ", retry: {times: 1, wait_: 5s}",
        'unknown key "wait_"; did you mean "wait"?',
    ),
    (
        "the catalog with two names",
        '  - {id: a, do: flow.query, with: {q: \'${catalog.model("a", "b").dag}\'}}\n',
        '"catalog.model" takes 1 argument, found 2',
    ),
    (
        "a wait as a deed",
        PAUSE % "" + "on_failure: [{do: wait, with: {until: 'true', within: 1m}}]\n",
        'unknown action "wait" here',
    ),
    ("an unknown key of a step", PAUSE % ", chek: x", 'unknown key "chek"; did you mean "check"?'),
    (
        "drift without that field",
        "  - {id: a, do: flow.query, with: {q: '${drift.modl}'}}\n",
        '"drift" has no "modl"; did you mean "model"?',
    ),
]


@pytest.mark.parametrize(("steps", "said"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_each_mistake_is_told_at_its_place(steps, said):
    found = problems(steps)
    assert any(said in problem for problem in found) or (not said and not found), found
    assert len(found) <= 1, found


RULES = [
    (
        "a name without a dot",
        MEASURES.replace("metrics.rate", "rate"),
        'm.yaml:2:3: "rate" is not a name for a measure',
    ),
    (
        "a name of the language",
        MEASURES.replace("metrics.rate", "catalog.rate"),
        'would hide "catalog" of the language',
    ),
    ("a function's name", MEASURES.replace("metrics.rate", "metrics.size"), 'would hide "size" of the language'),
    (
        "a change",
        MEASURES.replace("flow.query", "flow.pause").replace("q:", "dag:"),
        '"flow.pause" cannot be a measure',
    ),
    (
        "an unknown action",
        MEASURES.replace("flow.query", "flow.qury"),
        'unknown action "flow.qury"; did you mean "flow.query"?',
    ),
    ("a missing parameter", MEASURES.replace("{q:", "{x:"), 'm.yaml:4:9: action "flow.query" needs parameter "q"'),
    ("an unknown name", MEASURES.replace("${service}", "${servce}"), 'unknown name "servce"; did you mean "service"?'),
    ("a value that cannot be read", MEASURES + "    value: result.\n", "the condition cannot be read"),
    ("a value of something else", MEASURES + "    value: steps.a\n", 'm.yaml:6:12: unknown name "steps"'),
    ("an unknown key", MEASURES + "    unit: ms\n", 'm.yaml:6:5: unknown key "unit"'),
    ("a parameter twice", MEASURES.replace("[service]", "[service, service]"), 'm.yaml:3:23: "service" is not a name'),
]


@pytest.mark.parametrize(("rules", "said"), [case[1:] for case in RULES], ids=[case[0] for case in RULES])
def test_each_mistake_in_a_measure_is_told_once(rules, said):
    found = problems(WAIT % ("'true'", ""), rules=rules)
    assert [problem for problem in found if said in problem], found
    called = problems(WAIT % ("metrics.rate(suspect.service) < 1", ""), rules=MEASURES + "    unit: ms\n")
    assert len(called) == 1, "who calls a measure that cannot be read made no mistake"


def test_a_measure_without_a_source_is_told_to_those_who_call_it():
    main = "sources:\n  ticket: {use: ticket, url: 'https://t.example'}\n"
    one = WAIT % ("metrics.rate(suspect.service) < 1", "")
    for text, told in ((one, ['measure "metrics.rate" asks "flow.query"']), (one + 'mode: "off"\n', [])):
        with tempfile.TemporaryDirectory() as place:
            given = {**files(text), "quell.yaml": main}
            found = check(write(pathlib.Path(place), given), {**SPECS, "flow": FLOW}, {})
        assert [problem.message for problem in found] == told


def test_that_nothing_takes_a_step_back_can_be_said():
    assert loaded(PAUSE % ", undo: false").steps[0].undo is None
