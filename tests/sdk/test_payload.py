"""Reading bodies: every kind of bad input becomes a `BadPayload` that names the place."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.errors import BadPayload
from quell.sdk import payload


class Item(msgspec.Struct):
    labels: dict[str, str]
    starts_at: str = msgspec.field(name="startsAt", default="")


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"", "", "not readable as JSON: Input data was truncated"),
        (b"{", "", "expected a list, got an object"),
        (b"[1, 2", "[0]", "[0]: expected an object, got a number"),
        (b"{}", "", "expected a list, got an object"),
        (b'[{"labels":{"a":1}}]', "[0].labels.a", "[0].labels.a: expected text, got a number"),
        (b'[{"labels":{}},{"startsAt":""}]', "[1]", "[1]: Object missing required field `labels`"),
        (b'[{"labels":{"a":"\xff"}}]', "", "not UTF-8: byte 17 cannot be read"),
        (b'[{"labels":{"a":"\\ud800"}}]', "", "not readable as JSON"),
        (b"[" * 100_000, "", "nested deeper than 64 levels"),
        (b"[" * 65 + b"]" * 65, "", "nested deeper than 64 levels"),
        (b'[{"x":' * 100 + b"1" + b"}]" * 100, "", "nested deeper than 64 levels"),
        (b" " * (8 * 1024 * 1024 + 1), "", "8388609 bytes; at most 8388608 are taken"),
    ],
)
def test_bad_bodies_are_told_by_place(body: bytes, field: str, message: str) -> None:
    with pytest.raises(BadPayload) as caught:
        payload.decode(body, list[Item])
    assert message in str(caught.value)
    assert caught.value.field == field
    assert body.startswith(caught.value.payload)


def test_good_bodies_are_typed() -> None:
    assert payload.decode(b'[{"labels":{"a":"b","c":"{[{["},"more":[[]]}]', list[Item]) == [
        Item({"a": "b", "c": "{[{["})
    ]
    assert payload.convert({"labels": {}}, Item) == Item({})
    with pytest.raises(BadPayload, match="labels: expected an object, got a number"):
        payload.convert({"labels": 7}, Item)


@pytest.mark.parametrize(
    ("value", "shape", "place"),
    [
        ({"a": {"x": "y", "foo": 1}}, dict[str, dict[str, str]], "a.foo"),
        ({"a": ["x"], "b": ["x", 1.5]}, dict[str, list[str]], "b[1]"),
        ([{"labels": {"x": "1"}}, {"labels": {"x": "1", "y.z": True}}], list[Item], "[1].labels.y.z"),
        ({"a": None}, dict[str, str], "a"),
    ],
)
def test_the_key_that_is_wrong_is_named(value: Any, shape: Any, place: str) -> None:
    with pytest.raises(BadPayload) as caught:
        payload.convert(value, shape)
    assert caught.value.field == place
    with pytest.raises(BadPayload) as caught:
        payload.decode(msgspec.json.encode(value), shape)
    assert caught.value.field == place


def test_a_key_that_cannot_be_found_stays_unnamed() -> None:
    body = b'{"a": "x", "b": 1e999}'
    with pytest.raises(BadPayload) as caught:
        payload.decode(body, dict[str, float])
    assert str(caught.value).startswith("[...]: expected a number, got text")


JSON = st.recursive(
    st.none() | st.booleans() | st.text('[]{}"\\ax'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\a'), inner, max_size=3),
    max_leaves=20,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.integers(0, 12), st.booleans())
def test_depth_is_counted_exactly(value: Any, levels: int, indented: bool) -> None:
    body = json.dumps(value, indent=1 if indented else None, ensure_ascii=indented).encode()
    assert payload.deeper_than(body, levels) == (depth(value) > levels)


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({f"l{n}": "" for n in range(10_000)}, "10000 labels; at most 64 are taken"),
        ({"a": "x" * 4097}, 'label "a" is longer than 4096 bytes'),
        ({"a": "é" * 2049}, 'label "a" is longer than 4096 bytes'),
        ({"n" * 2000: ""}, f'the name of label "{"n" * 40}…" has 2000 characters; at most 1024 are taken'),
        ({"a": "é" * 2048}, ""),
        ({f"l{n}": "v" for n in range(64)}, ""),
    ],
)
def test_label_limits(labels: dict[str, str], problem: str) -> None:
    assert payload.label_problem(labels) == problem


def test_annotations_may_be_longer() -> None:
    assert payload.annotation_problem({"description": "x" * 5000}) == ""
    assert (
        payload.annotation_problem({"description": "x" * 70_000})
        == 'annotation "description" is longer than 65536 bytes'
    )
    assert payload.annotation_problem(dict.fromkeys(map(str, range(65)), "")) == "65 annotations; at most 64 are taken"
