import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.errors import ExpressionError
from quell.expressions.cel_text import CALL_FUNCTION
from quell.expressions.conditions import Condition

CONTEXT = {
    "incident": {
        "severity": "critical",
        "labels": {"team": "db"},
        "count": 3,
        "opened_at": datetime(2026, 3, 1, tzinfo=UTC),
    },
    "suspect": {"kind": "deploy", "confidence": 0.7, "change": {"age": timedelta(minutes=10)}},
    "alerts": [{"labels": {"alertname": "Down"}}, {"labels": {"dataset": "orders"}}],
    "now": datetime(2026, 3, 1, 1, tzinfo=UTC),
}

HOLDS = [
    ('incident.severity in ["critical", "high"] && suspect.kind == "deploy" && suspect.confidence >= 0.7', True),
    ('suspect.change.age < duration("45m")', True),
    ('suspect.change.age < duration("45s")', False),
    ('now - incident.opened_at > duration("30m")', True),
    ('incident.labels.team == "db"', True),
    ('incident.labels.owner == ""', True),
    ('incident.labels["team"] == "db"', True),
    ('incident.labels["no-such"] == ""', True),
    ("has(incident.labels.team) && !has(incident.labels.owner)", True),
    ('"owner" in incident.labels', False),
    ('alerts.exists(a, a.labels.dataset != "")', True),
    ('alerts.exists(a, a.labels["data" + "set"] == "orders")', True),
    ('alerts.all(a, a.labels.alertname != "")', False),
    ("alerts.size() == 2 && size(alerts) < 2.5", True),
    ("incident.count == 3.0 && incident.count > 2.5", True),
    ('alerts.exists(a, ["orders", "users"].exists(b, a.labels.dataset == b))', True),
    ('alerts.exists(a, "x" in ["x"].map(b, b) && a.labels.dataset == "orders")', True),
    ("no_such_name || true", True),
    ("false && no_such_name", False),
    ("has(suspect.owner) ? false : true", True),
    ('incident.severity.startsWith("crit") && incident.severity.matches("c.*l")', True),
    ("-7 / 2 == -3 && -7 % 3 == -1", True),
]


@pytest.mark.parametrize(("text", "wanted"), HOLDS, ids=[text for text, _ in HOLDS])
def test_conditions(text, wanted):
    assert Condition(text).holds(CONTEXT) is wanted


BAD_TEXT = [
    ("", 1, "empty"),
    ("  \n", 1, "empty"),
    ("1 +", 4, "ends too early"),
    ("a b", 3, 'unexpected "b"'),
    ("a == 'x", 6, "cannot read"),
    ("a == 1 &&\nb ==", 15, "ends too early"),
    ("lower(a)", 1, 'unknown function "lower"'),
    ("a.startWith('b')", 3, 'did you mean "startsWith"'),
    ("__label(a, 'b')", 1, "unknown function"),
    ("(" * 41 + "1" + ")" * 41, 41, "nested deeper than 40"),
    ("!" * 50 + "a", 41, "nested deeper than 40"),
    ("true ? 1 : " * 50 + "1", None, "nested deeper than 40"),
    ("a.all(b, a.all(c, c == b))", 15, "may only go over a list written out"),
    ("a.all(b, b[0].all(c, c == b))", 18, "may only go over a list written out"),
    ("a.all(b, [1].all(c, [1].all(d, d)))", None, "list macros may be nested 2 deep"),
    ("a == '" + "x" * 5000 + "'", 0, "4096 characters"),
]


@pytest.mark.parametrize(("text", "column", "said"), BAD_TEXT, ids=[text[:20] for text, _, _ in BAD_TEXT])
def test_says_what_is_wrong_with_an_expression(text, column, said):
    with pytest.raises(ExpressionError) as caught:
        Condition(text)
    assert said in str(caught.value)
    assert column is None or caught.value.column == column


BAD_VALUES = [
    ("nope", 'unknown name "nope"'),
    ("incident.nope == 1", '"nope" is not there'),
    ("incident.count", "not true or false"),
    ("incident.labels", "not true or false"),
    ("incident.severity > 3", "cannot be evaluated"),
    ("suspect.confidence + 1 > 1", "cannot be evaluated"),
    ("1 / 0 == 1", "cannot be evaluated"),
    ("alerts[7].labels.a == ''", "cannot be evaluated"),
    ('duration("1x") > duration("1s")', "cannot be evaluated"),
    ('incident.severity.matches("(")', "cannot be evaluated"),
    ("incident.labels.team.labels.x == ''", "cannot be evaluated"),
]


@pytest.mark.parametrize(("text", "said"), BAD_VALUES, ids=[text for text, _ in BAD_VALUES])
def test_an_error_is_never_true(text, said):
    with pytest.raises(ExpressionError, match=None) as caught:
        Condition(text).holds(CONTEXT)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tells_the_names_it_needs():
    found = Condition('alerts.exists(a, a.labels.x == team) && steps.probe.output.value > 1 && m["k"] == 1')
    assert found.names == {"alerts", "team", "steps", "m"}
    assert found.paths == {("alerts",), ("team",), ("steps", "probe", "output", "value"), ("m",)}


def test_reads_only_what_it_names_but_all_of_a_whole():
    assert Condition("incident.count == 3 && has(incident.severity) && !has(incident.no)").holds(CONTEXT)
    assert Condition("incident == incident && incident.count == 3").holds(CONTEXT)
    assert Condition('incident["count"] == incident.count').holds(CONTEXT)
    assert Condition("[1].all(incident, incident == 1) && incident.count == 3").holds(CONTEXT)


def test_a_big_incident_costs_little_where_its_alerts_are_not_asked_for():
    alerts = [{"labels": {str(n): "x" for n in range(20)}} for _ in range(1000)]
    context = {"incident": {"severity": "critical", "alerts": alerts}, "alerts": alerts}
    condition = Condition('incident.severity == "critical"')
    began = time.process_time()
    assert all(condition.holds(context) for _ in range(1000))
    assert time.process_time() - began < 1.0


def test_gives_values_of_any_type():
    assert Condition("incident.count + 1").value(CONTEXT) == 4
    assert Condition("alerts.map(a, a.labels.alertname)").value(CONTEXT) == ["Down", ""]


WORDS = st.sampled_from(
    [
        "incident",
        "labels",
        "a",
        "b",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        "?",
        ":",
        "&&",
        "||",
        "!",
        "==",
        "<",
        "+",
        "-",
        "1",
        "2.5",
        "'x'",
        '"y"',
        "true",
        "in",
        "has",
        "exists",
        "size",
        "duration",
    ]
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_nothing_else_is_raised_whatever_the_text(text):
    column = 0
    try:
        Condition(text).holds({"a": {"labels": {}}, "b": [1, 2], "incident": "x", "labels": {"a": "b"}})
    except ExpressionError as error:
        column = error.column
    assert 0 <= column <= len(text) + 1


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_nothing_else_is_raised_for_any_text(text):
    with contextlib.suppress(ExpressionError):
        Condition(text).value({})


def test_calls_with_a_dotted_name_are_answered_by_the_context():
    asked = []

    def answer(name, arguments):
        asked.append((name, arguments))
        return {"dag": "d", "value": 2.0}

    condition = Condition(
        'catalog.model(m).dag == "d" && alerts.exists(a, metrics.rate(a.labels.app, [1, 2]).value > 1.0)'
    )
    assert [(call.name, call.arguments) for call in condition.calls] == [("catalog.model", 1), ("metrics.rate", 2)]
    assert condition.names == {"m", "alerts"}
    assert condition.paths == {("m",), ("alerts",)}
    context = {"m": "churn", "alerts": [{"labels": {}}], CALL_FUNCTION: answer}
    assert condition.holds(context)
    assert asked == [("catalog.model", ["churn"]), ("metrics.rate", ["", [1, 2]])]


def test_calls_may_stand_in_one_another_and_take_nothing():
    condition = Condition("a.b(c.d(), 'x(,)', {'k': [1, 2]}) == 1")
    assert [(call.name, call.arguments) for call in condition.calls] == [("a.b", 3), ("c.d", 0)]
    assert condition.holds({CALL_FUNCTION: lambda name, _: 1 if name == "a.b" else 0})


def test_a_call_that_nobody_answers_is_an_error_with_its_column():
    with pytest.raises(ExpressionError) as caught:
        Condition("1 < metrics.rate(2)").value({})
    assert (str(caught.value), caught.value.column) == ('unknown function "metrics.rate"', 5)


@pytest.mark.parametrize("text", ["a.contains('b')", "labels.x.size()"])
def test_functions_of_values_are_no_calls_of_their_own(text):
    assert Condition(text).calls == ()


@pytest.mark.parametrize("text", ["a.b.c.d(1)", "a.exists(b, b.rate(1))"])
def test_only_two_words_with_a_dot_name_a_call(text):
    with pytest.raises(ExpressionError, match="unknown function"):
        Condition(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, 0.0, 1.0, -0.0, "", "1", "true", "x" * 500])
    | st.sampled_from([timedelta(0), timedelta(seconds=1), datetime(2026, 1, 1, tzinfo=UTC)]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "labels"]), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
ASKED_AGAIN = ["x", "string(x)", "x == 1", "x.a", "has(x.a)", "x.labels.a", "[x, x]", '"1" in x', "x > y"]


def _exact(value: Any) -> str:
    """A value with its types; the evaluator gives mappings in any order."""
    if isinstance(value, dict):
        return str(sorted((name, _exact(item)) for name, item in value.items()))
    return str([_exact(item) for item in value]) if isinstance(value, list) else repr(value)


@pytest.mark.parametrize("text", ASKED_AGAIN)
@given(asked=st.lists(st.tuples(_VALUES, _VALUES), max_size=8))
def test_what_was_asked_before_changes_no_answer(text: str, asked: list[tuple[Any, Any]]) -> None:
    def answer(condition: Condition, x: Any, y: Any) -> str:
        try:
            return _exact(condition.value({"x": x, "y": y}))
        except ExpressionError as error:
            return str(error)

    known = Condition(text)
    for x, y in [*asked, *asked]:
        assert answer(known, x, y) == answer(Condition(text), x, y)


@pytest.mark.parametrize(
    "text",
    [
        "labels",
        '[{"at": labels}]',
        'alerts.map(a, {"is": labels, "a": a.labels, "n": 1})',
        "labels.map(name, name + labels[name])",
        'deep.labels.filter(name, name > "b")',
        "(true ? labels : {}).map(name, name)",
        'deep["labels"].map(name, name).filter(name, name != "a")',
        '{"b": 1, "a": 2, "c": 3, "d": 4}.map(name, name)',
    ],
)
def test_maps_come_out_in_one_order(text: str) -> None:
    """What was decided is decided again after a failure: the same words must come of it."""
    labels = dict.fromkeys("hgfedcba", "x")
    context = {**CONTEXT, "labels": labels, "deep": {"labels": labels}}
    assert len({str(Condition(text).value(context)) for _ in range(20)}) == 1


def test_what_a_macro_goes_over_is_a_list_or_the_names_of_a_map() -> None:
    context = {**CONTEXT, "known": {"b": 1, "a": 2}, "times": [CONTEXT["now"]], "none": None}
    assert Condition("known.map(name, known[name])").value(context) == [2, 1]
    assert Condition("times.map(at, at + duration('1h'))").value(context) == [datetime(2026, 3, 1, 2, tzinfo=UTC)]
    assert Condition("alerts.map(a, a.labels.alertname)").value(context) == ["Down", ""]
    for wrong in ("none.map(x, x)", "nobody.map(x, x)", "incident.count.filter(x, true)"):
        with pytest.raises(ExpressionError):
            Condition(wrong).value(context)
