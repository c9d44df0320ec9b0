import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.errors import ExpressionError
from quell.expressions.templates import Template

CONTEXT = {
    "suspect": {
        "entity": "service/checkout",
        "confidence": 0.5,
        "path": ["a", "b"],
        "change": {"age": timedelta(minutes=90)},
    },
    "labels": {"topic": "orders", "x-y": "z"},
    "n": 3,
    "yes": True,
    "nothing": None,
    "at": datetime(2026, 3, 1, 10, tzinfo=UTC),
    "steps": {"a": {"output": {"id": 7}}},
}

RENDERS = [
    ("plain", "plain"),
    ("queue/${labels.topic}", "queue/orders"),
    ("${n}", 3),
    ("${ n }", 3),
    ("${suspect}", CONTEXT["suspect"]),
    ("${suspect.path}", ["a", "b"]),
    ("n is ${n}, ${yes}, ${nothing}.", "n is 3, true, ."),
    ("${suspect.path} ${suspect.change.age} ${at}", '["a", "b"] 1h30m 2026-03-01T10:00:00.000Z'),
    ("${n + 1}", 4),
    ("${n > 2 ? 'many' : 'few'} of {them}", "many of {them}"),
    ('${labels["x-y"]}', "z"),
    ('${labels["none"] == ""}', True),
    ("${ {'a': n}['a'] }", 3),
    ("${'}'}", "}"),
    ("$${n} costs $5", "${n} costs $5"),
    ("${n}${n}", "33"),
    ({"a": ["${n}", {"b": "x${n}"}], "c": 1, "d": None}, {"a": [3, {"b": "x3"}], "c": 1, "d": None}),
    ("${steps.a.output.id}", 7),
    ("", ""),
]


@pytest.mark.parametrize(("value", "wanted"), RENDERS, ids=[str(value)[:30] for value, _ in RENDERS])
def test_renders(value, wanted):
    rendered = Template(value).render(CONTEXT)
    assert rendered == wanted
    assert type(rendered) is type(wanted)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${nope}", 'no name "nope" for ${nope}'),
        ("${suspect.nope.deeper}", 'no name "nope"'),
        ("x ${labels.owner}", 'no label "owner"'),
        ("${n.x}", 'no name "x"'),
        ("${n + nope}", 'unknown name "nope"'),
        ({"a": ["${nope}"]}, 'no name "nope"'),
    ],
)
def test_names_what_is_missing(value, said):
    with pytest.raises(ExpressionError) as caught:
        Template(value).render(CONTEXT)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "column", "said"),
    [
        ("x ${n", 3, 'not closed by "}"'),
        ("x ${}", 5, "empty"),
        ("x ${1 +}", 8, "too early"),
        ("${lower(n)}", 3, "unknown function"),
    ],
)
def test_says_where_a_template_is_wrong(value, column, said):
    with pytest.raises(ExpressionError) as caught:
        Template(value)
    assert said in str(caught.value)
    assert caught.value.column == column


def test_tells_the_names_it_needs():
    template = Template({"a": "${suspect.entity} ${n + m}", "b": ["${steps.x.output}"]})
    assert template.names == {"suspect", "n", "m", "steps"}
    assert ("steps", "x", "output") in template.paths
    assert not template.constant
    assert Template({"a": ["plain", 1]}).constant


def test_a_text_that_grows_too_long_is_refused():
    with pytest.raises(ExpressionError, match="262144 are allowed"):
        Template("${a}${a}").render({"a": "x" * 200_000})


@given(st.text(max_size=40))
def test_text_without_references_stays_as_it_is(text):
    if "${" not in text:
        assert Template(text).render({}) == text


@given(st.text("${}ab.'\" +", max_size=20))
def test_nothing_else_is_raised(text):
    with contextlib.suppress(ExpressionError):
        Template(text).render({"a": 1, "b": {"a": "x"}})
