"""The quick way says what the careful way says, whatever is sent, and whatever was sent before."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quell.errors import BadPayload
from quell.model.times import format_time
from quell.sdk.testkit import NOW
from quell_connectors.alertmanager import quick, translate
from quell_connectors.alertmanager.known import KEPT_S, Known
from quell_connectors.alertmanager.translate import Translated

SOURCE, TIMEOUT_S = "am", 300.0
Way = Callable[[bytes], Translated]
KNOWN = Known()
"""Kept over all tests, as a daemon keeps it over all deliveries."""
MANY = 300


def told(way: Callable[[], Translated]) -> Any:
    """Everything that a way says of a body."""
    try:
        made = way()
    except BadPayload as error:
        return "refused", str(error), error.field, error.payload
    # Labels in their order, which is the order in which they are stored; and numbers by their text, as 1 == 1.0.
    return made, repr(made), [list(record.labels) for record in made.records]


def posted_alike(body: bytes, known: Known = KNOWN, now: float = NOW) -> Any:
    careful = told(lambda: translate.posted(body, SOURCE, now, TIMEOUT_S))
    for tried in (known, Known(), Known(most=1)):
        for _ in range(3):
            assert told(lambda tried=tried: quick.posted(body, SOURCE, now, TIMEOUT_S, tried)) == careful
    return careful


def delivered_alike(body: bytes, known: Known = KNOWN, now: float = NOW) -> Any:
    careful = told(lambda: translate.delivered(body, SOURCE, now))
    for tried in (known, Known(), Known(most=1)):
        for _ in range(3):
            assert told(lambda tried=tried: quick.delivered(body, SOURCE, now, tried)) == careful
    return careful


# JSON is written here by hand, so that names may come twice, spelled in any way, with any space between.


def spelled(text: str, how: int) -> str:
    """JSON of a text: as usual, in ASCII, or with its first letter escaped."""
    if how == 2 and text:
        return (
            f'"\\u{ord(text[0]):04{"xX"[len(text) % 2]}}{json.dumps(text[1:])[1:]}' if ord(text[0]) < 0xD800 else '""'
        )
    return json.dumps(text, ensure_ascii=how == 1)


TEXTS = st.sampled_from(
    ["", "a", "b", "job", "api", "alertname", "labels", '"labels":', "ü", "\U0001f600", "a b", "x" * 1025]
)
PLAIN = st.sampled_from(["a", "b", "job", "alertname", "Down", "api", "ü"])
SPELLED = st.builds(spelled, TEXTS | st.text(max_size=4), st.integers(0, 2)) | st.builds(
    spelled, PLAIN, st.integers(0, 2)
)
SPACE = st.sampled_from(["", "", "", " ", "\n\t"])
ODD = st.sampled_from([
    "null", "1", "-0", "1e999", "NaN", "true", "[]", "{}", '"\\ud800"', '"\\x"', '""', "[" * 70 + "]" * 70, "{",
    '{"a":' * 70 + "1" + "}" * 70, '"' + "y" * 5000 + '"', '"\x01"',
])  # fmt: skip
TIMES = st.sampled_from([
    "", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z", "2026-03-01T10:00:00", "2026-03-01", "no time",
    "9999-12-31T23:59:59-14:00",
    format_time(NOW), format_time(NOW - 60), format_time(NOW + 60), "2026-03-01T10:00:00.123456789+02:00",
    "2026-03-01T10:00:00." + "1" * 40 + "Z",
]).map(json.dumps)  # fmt: skip
URLS = st.sampled_from(
    [
        "",
        "/graph",
        "http://p/g?a=1&b=2",
        "HTTPS://p",
        "no",
        "http://a b",
        "http://p/\u2003",
        "http://p/ü",
        "http://p/\x85",
    ]
)
URL = st.builds(spelled, URLS, st.integers(0, 2)) | st.just('"http://p/g?a\\u003d1\\u0026b"')


@st.composite
def objects(draw: st.DrawFn, members: st.SearchStrategy[tuple[str, str]], most: int = 6) -> str:
    space = draw(SPACE)
    inside = (f"{space}{name}{space}:{value}" for name, value in draw(st.lists(members, max_size=most)))
    return "{" + ",".join(inside) + space + "}"


LABELS = objects(st.tuples(SPELLED, SPELLED)) | objects(st.tuples(PLAIN.map(json.dumps), PLAIN.map(json.dumps)))
PAIRS = LABELS | objects(st.tuples(SPELLED, SPELLED | ODD))


def member(
    name: str, value: st.SearchStrategy[str], *odd: st.SearchStrategy[str]
) -> st.SearchStrategy[tuple[str, str]]:
    how = st.sampled_from([0, 0, 0, 0, 1, 2])
    return st.tuples(st.builds(spelled, st.just(name), how), st.one_of(value, value, value, *odd))


MEMBERS = [
    member("labels", LABELS, PAIRS, ODD),
    member("annotations", LABELS, PAIRS, ODD),
    member("startsAt", TIMES, ODD),
    member("endsAt", TIMES, ODD),
    member("generatorURL", URL, ODD),
]
MORE = [
    member("status", st.sampled_from(['"firing"', '"resolved"']), SPELLED, ODD),
    member("values", objects(st.tuples(SPELLED, st.sampled_from(["1", "0.5", "null"]))), ODD),
    member("panelURL", URL, ODD),
    member("fingerprint", SPELLED, ODD),
]
STRANGE = st.tuples(SPELLED, ODD)


@st.composite
def alerts(draw: st.DrawFn, members: list[st.SearchStrategy[tuple[str, str]]]) -> str:
    """Mostly every field once, in any order; at times some are missing, come twice or are unknown."""
    told = [draw(each) for each in draw(st.permutations(members)) if draw(st.integers(0, 9))]
    if not draw(st.integers(0, 4)):
        told.append(draw(st.one_of(STRANGE, *members)))
    space = draw(SPACE)
    return "{" + f",{space}".join(f"{name}:{space}{value}" for name, value in told) + "}"


AROUND = st.sampled_from(["version", "receiver", "groupLabels", "truncatedAlerts", "alerts", "new", "orgId"]).map(
    json.dumps
)


@st.composite
def bodies(draw: st.DrawFn, *, webhook: bool) -> bytes:
    each = alerts([*MEMBERS, *MORE] if webhook else MEMBERS)
    rare = st.integers(0, 9).flatmap(lambda number: each if number else ODD)
    text = "[" + ",".join(draw(st.lists(rare, max_size=3))) + "]" + draw(SPACE)
    if webhook:
        around = draw(objects(st.tuples(
            AROUND,
            SPELLED | PAIRS | st.sampled_from(["0", "1", "[]", '[{"labels":5}]', "[[[]]]"]) | ODD,
        ), 2))  # fmt: skip
        inside = around.strip("{} \n\t")
        text = '{"alerts":' + text + ("," + inside if inside else "") + "}"
    body = text.encode("utf-8", "surrogatepass")
    if not draw(st.integers(0, 9)):
        where = draw(st.integers(0, len(body)))
        body = (
            body[:where]
            + draw(st.sampled_from([b"\xff", b"\xc3", b"\x00", b" ", b",", b'"', b"}", b""]))
            + body[where + draw(st.integers(0, 2)) :]
        )
    return body


@settings(max_examples=MANY, deadline=None)
@given(bodies(webhook=False))
@example(b'[{"labels":5,"labels":{"a":"b"}}]')
@example(b'[{"l\\u0061bels":5,"labels":{"a":"b"}}]')
@example(b'[{"labels":{"a":"b"},"annotations":{"a":1},"annotations":{}}]')
@example(b'[{"labels":{"a":"b"},"generatorURL":1,"generatorURL":"http://p"}]')
@example(b'[{"labels":{"a":"b"},"generator\\u0055RL":1,"generatorURL":"http://p"}]')
@example(b'[{"labels":{"a":"b","a":""}}]')
@example(b'[{"labels":{"a":"","a":"b"}}]')
@example(b'[{"labels":{"a":"b"},"new":' + b"[" * 70 + b"]" * 70 + b"}]")
def test_posted_alerts(body: bytes) -> None:
    posted_alike(body)


@settings(max_examples=MANY, deadline=None)
@given(bodies(webhook=True))
@example(b'{"alerts":5,"alerts":[{"labels":{"a":"b"},"status":"firing"}]}')
@example(b'{"alerts":[{"labels":5,"status":"firing"}],"alerts":[{"labels":{"a":"b"},"status":"firing"}]}')
@example(b'{"alerts":[{"labels":{"a":"b"},"status":"firing"}],"alerts":[]}')
@example(b'{"alerts":[{"labels":{"a":"b"},"status":"firing"}],"truncatedAlerts":1}')
def test_delivered_alerts(body: bytes) -> None:
    delivered_alike(body)


def alert(number: int = 0, **more: Any) -> dict[str, Any]:
    labels = {"alertname": "Down", "job": "api", "instance": f"10.0.0.{number}:9100"}
    fixed = {"annotations": {"summary": "it is"}, "startsAt": format_time(NOW - 60), "endsAt": format_time(NOW + 240)}
    return {**fixed, "generatorURL": "http://p/graph?g0.expr=up&g0.tab=1", "labels": labels, **more}


def go(*alerts: dict[str, Any]) -> bytes:
    """As Go writes JSON: without a space, and the ampersand escaped."""
    return json.dumps(alerts, separators=(",", ":")).replace("&", "\\u0026").encode()


@pytest.fixture
def careful(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that went the careful way."""
    went: list[bytes] = []
    real = translate.posted

    def noticed(body: bytes, *more: Any) -> Translated:
        went.append(body)
        return real(body, *more)

    monkeypatch.setattr(translate, "posted", noticed)
    return went


def records(body: bytes, known: Known, now: float = NOW) -> list[Any]:
    return quick.posted(body, SOURCE, now, TIMEOUT_S, known).records


def test_an_alert_sent_again_shares_what_it_says(careful: list[bytes]) -> None:
    known = Known()
    (once,) = records(go(alert()), known)
    assert len(known) == 0
    (first,) = records(go(alert()), known)
    assert first == once
    (again,) = records(go(alert(endsAt=format_time(NOW + 300))), known, NOW + 60)
    assert again.labels is first.labels
    assert again.annotations is first.annotations
    assert again.url is first.url
    assert (again.seen, again.ends_at) == (NOW + 60, NOW + 300)
    (changed,) = records(go(alert(annotations={"summary": "worse"})), known)
    assert changed.labels is first.labels
    assert changed.annotations == {"summary": "worse"}
    assert first.annotations == {"summary": "it is"}
    (moved,) = records(go(alert(generatorURL="http://q")), known)
    assert (moved.url, moved.labels is first.labels) == ("http://q", True)
    one, other = [records(go(alert(1), alert(2)), known) for _ in range(2)][-1]
    assert one.labels["job"] is other.labels["job"]
    assert careful == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(go(alert(1), alert(2)), id="as Prometheus writes"),
        pytest.param(json.dumps([alert(1), alert(2)], indent=1).encode(), id="spaced"),
        pytest.param(go(*({"labels": {"a": "b"}}, {"labels": {"c": "d"}})), id="labels only"),
        pytest.param(go(alert(labels={"a": "", "b": "c"})), id="an empty label"),
        pytest.param(go(alert(annotations={"text": "x" * 3000, "none": None})), id="long annotations"),
        pytest.param(go(alert(startsAt="", endsAt="0001-01-01T00:00:00Z", generatorURL="")), id="no times"),
        pytest.param(b"[]", id="none"),
    ],
)
def test_what_is_usual_goes_the_quick_way(body: bytes, careful: list[bytes]) -> None:
    known = Known()
    quickly = records(body, known)
    assert careful == []
    assert quickly == translate.posted(body, SOURCE, NOW, TIMEOUT_S).records


@pytest.mark.parametrize(
    "name", ["labels", "annotations", "generatorURL", "startsAt", "l\\u0061bels", "gener\\u0061torURL"]
)
@pytest.mark.parametrize("without", ["", "annotations", "startsAt", "endsAt", "generatorURL"])
@pytest.mark.parametrize("spaced", [False, True])
def test_a_field_that_comes_twice_is_looked_at_twice(name: str, without: str, *, spaced: bool) -> None:
    known = Known()
    some = [{key: value for key, value in alert(number).items() if key != without} for number in range(3)]
    body = json.dumps(some).encode() if spaced else go(*some)
    assert not posted_alike(body, known)[0].wrong
    for where in (0, -1):
        begins = [match.end() for match in re.finditer(rb'\{(?=")', body)][where * 3]
        twice = body[:begins] + f'"{name}":5,'.encode() + body[begins:]
        assert posted_alike(twice, known)[0].wrong


def test_what_was_refused_is_not_remembered() -> None:
    known = Known()
    for odd in ({"": "b"}, {}, {"a": 1}, {"a": "x" * 5000}, [], "a", None):
        posted_alike(go(alert(labels=odd)), known)
    posted_alike(go(alert(generatorURL="no")), known)
    posted_alike(go(alert(annotations={"": "x"})), known)
    assert len(known) == 0


def twice(known: Known, *alerts: dict[str, Any], now: float = NOW) -> None:
    """What comes once is not remembered."""
    for _ in range(2):
        records(go(*alerts), known, now)


def test_memory_is_bounded_by_count_by_bytes_and_by_time() -> None:
    known = Known(most=10)
    for number in range(30):
        twice(known, alert(number))
    assert len(known) == 10
    known = Known(most_bytes=1000)
    for number in range(30):
        twice(known, alert(number))
    assert 1 <= len(known) < 10
    twice(known, alert(labels={"a": "x" * 2000}))
    assert len(known) == 0
    known = Known()
    twice(known, *(alert(number) for number in range(20)))
    assert len(known) == 20
    records(go(alert(3)), known, NOW + KEPT_S)
    records(go(alert(4)), known, NOW + KEPT_S + 1)
    assert len(known) == 2
    records(b"[]", known, NOW + 3 * KEPT_S)
    assert len(known) == 0


def test_a_change_keeps_to_the_bound_too() -> None:
    known = Known(most_bytes=2000)
    twice(known, alert(1))
    twice(known, alert(2))
    assert len(known) == 2
    records(go(alert(2, annotations={"text": "x" * 1700})), known)
    assert len(known) == 1
    records(go(alert(2, annotations={"text": "x" * 2000})), known)
    assert len(known) == 0


def test_limits_are_those_of_the_careful_way() -> None:
    many = b"[" + b",".join([b'{"labels":{"a":"b"}}'] * 10_001) + b"]"
    assert "at most 10000" in posted_alike(many)[1]
    assert re.search(r"at most \d+ are taken", posted_alike(b'[{"labels":{"a":"b"}}]' + b" " * 8 * 1024 * 1024)[1])
    hook = b'{"alerts":' + many.replace(b'{"l', b'{"status":"firing","l') + b"}"
    assert "at most 10000" in delivered_alike(hook)[1]
    assert re.search(r"at most \d+ are taken", delivered_alike(hook[:-1] + b" " * 8 * 1024 * 1024 + b"}")[1])
