"""A delivery that is known as a whole says what reading it would say; whatever else comes is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.model.retold import Retold
from quell.model.times import format_time
from quell.sdk.testkit import NOW
from quell_connectors.alertmanager import quick, retelling, translate
from quell_connectors.alertmanager.known import Known

SOURCE, TIMEOUT_S = "am", 300.0
LEAST = retelling.LEAST


def alerts(count: int = 20, **said: Any) -> list[dict[str, Any]]:
    return [
        {
            "labels": {"alertname": "a", "n": str(n)},
            "annotations": {"summary": f"the {n}th"},
            "startsAt": format_time(NOW - n),
            "generatorURL": f"http://prometheus/graph?g0.expr=up&n={n}",
            **said,
        }
        for n in range(count)
    ]


def body_of(told: list[dict[str, Any]], end: str) -> bytes:
    body = json.dumps([{**each, "endsAt": end} for each in told], separators=(",", ":"))
    return body.replace("&", "\\u0026").encode()  # as Go writes it


def ends(seconds: float) -> str:
    return format_time(NOW + seconds)


def posted(body: bytes, known: Known, now: float = NOW) -> Any:
    """What the quick way says, which is what the careful way says."""
    try:
        made = quick.posted(body, SOURCE, now, TIMEOUT_S, known)
    finally:
        try:
            careful = translate.posted(body, SOURCE, now, TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - then both must fail, and in the same way
            with pytest.raises(type(error)):
                quick.posted(body, SOURCE, now, TIMEOUT_S, known)
            careful = None
    assert made == careful
    return made.records


def learnt(told: list[dict[str, Any]], known: Known | None = None) -> Known:
    known = Known() if known is None else known
    for n in range(4):
        posted(body_of(told, ends(100 + n)), known)
    return known


def test_what_was_there_before_is_known_as_a_whole() -> None:
    known = learnt(alerts())
    made = posted(body_of(alerts(), ends(500)), known, NOW + 3.5)
    assert type(made) is Retold
    assert {each.ends_at for each in made} == {NOW + 500}
    assert {each.seen for each in made} == {made.seen} == {NOW + 3.5}
    again = posted(body_of(alerts(), ends(600.25)), known)
    assert again.words is made.words
    assert again[3].labels is made[3].labels


@pytest.mark.parametrize(
    "said",
    [
        lambda end: body_of(alerts(LEAST - 1), end),
        lambda end: body_of(alerts(annotations={"said": f"until {end}"}), end),
        lambda end: body_of(alerts(annotations={"endsAt": end}), end),
        lambda end: body_of(alerts(startsAt=end), end),
        lambda end: body_of(alerts(startsAt=""), end),
        lambda end: body_of(alerts(), end).replace(b'"endsAt"', b'"endsAt" ', 1),
        lambda end: body_of([*alerts(), {"labels": {"alertname": "ends late"}}], end).replace(
            end.encode() + b'"}]', ends(900).encode() + b'"}]'
        ),
        lambda end: body_of(alerts(), end).replace(end.encode(), b"", 1),
    ],
)
def test_what_is_not_as_plain_as_that_is_read(said: Callable[[str], bytes]) -> None:
    known = Known()
    for n in range(6):
        assert type(posted(said(ends(100 + n)), known)) is list
    assert not len(known.retelling)


def test_only_the_ends_of_the_alerts_may_differ() -> None:
    known = learnt(alerts())
    for changed in (
        body_of(alerts(21), ends(500)),
        body_of(alerts(19), ends(500)),
        body_of(list(reversed(alerts())), ends(500)),
        body_of(alerts(), ends(500)).replace(b"the 7th", b"the 7th!"),
        body_of(alerts(), ends(500)).replace(ends(500).encode(), ends(501).encode(), 1),
        b" " + body_of(alerts(), ends(500)),
    ):
        assert type(posted(changed, known)) is list
    assert type(posted(body_of(alerts(), ends(500)), known)) is Retold


@pytest.mark.parametrize(
    "end", ["", "soon", "2020-01-01T00:00:00Z", ends(0), ends(-3), "2026-13-01T00:00:00Z", "+", "0" * 50]
)
def test_an_end_that_is_over_or_none_is_read(end: str) -> None:
    known = learnt(alerts())
    body = body_of(alerts(), end)
    careful = translate.posted(body, SOURCE, NOW, TIMEOUT_S)
    quickly = quick.posted(body, SOURCE, NOW, TIMEOUT_S, known)
    assert quickly == careful
    assert type(quickly.records) is list


def test_what_begins_later_than_now_is_read() -> None:
    known = learnt(alerts())
    assert type(posted(body_of(alerts(), ends(500)), known, NOW - 5)) is list
    assert type(posted(body_of(alerts(), ends(500)), known, NOW)) is Retold


def test_a_name_that_looks_like_the_end_deceives_nobody() -> None:
    """The label's name is `"endsAt`, and what is to be the end is spelled in another way."""
    one = '{"labels":{"alertname":"a%d","\\"endsAt":"%s"},"startsAt":"' + ends(-1) + '","endsAt": "%s"}'

    def body(end: str) -> bytes:
        return ("[" + ",".join(one % (n, end, end.replace("T", "\\u0054")) for n in range(20)) + "]").encode()

    known = Known()
    for n in range(6):
        assert type(posted(body(ends(100 + n)), known)) is list
    assert not len(known.retelling)


def test_memory_is_bounded_by_bytes_and_by_time() -> None:
    known = Known()
    known.retelling = retelling.Retelling(most_bytes=3 * len(body_of(alerts(), ends(100))) - 1)
    others = [alerts(labels={"alertname": "b", "of": str(n)}) for n in range(4)]
    for each in others:
        for n, alert in enumerate(each):
            alert["labels"] = {**alert["labels"], "n": str(n)}
        learnt(each, known)
    assert len(known.retelling) == 2
    later = NOW + retelling.KEPT_S + 1
    for n in range(3):
        posted(body_of(others[3], ends(2000 + n)), known, later + n)
    assert len(known.retelling) == 1  # the others were not seen for long, and made room


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([100.0, 200.5, -3.0, 0.0]), st.floats(-5, 5)), max_size=30)
)
def test_whatever_comes_is_read_as_it_is(deliveries: list[tuple[int, float, float]]) -> None:
    known = Known()
    for kind, end, now in deliveries:
        told = alerts(LEAST + kind % 2, **({"annotations": {"kind": "other"}} if kind > 1 else {}))
        posted(body_of(told, ends(end)), known, NOW + now)
