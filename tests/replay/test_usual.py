"""The quick way of reading a line and the thorough one tell the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.model.records import AlertRecord, DeliveryRecord
from quell.replay.reader import decode_record
from quell.replay.usual import usual_line

TIMES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2_000_000_000),
    st.floats(-1.0, 3e11),
    st.sampled_from((
        "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.123456789Z", "2026-03-01T10:00:00.5+02:00", "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000Z", "2026-03-01T10:00:00", "10:00", "", "1960-01-01T00:00:00Z",
    )),
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=5), st.none(), st.integers(0, 3))
PAIRS = st.one_of(st.none(), st.dictionaries(st.text(max_size=3), TEXTS, max_size=3))
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=2))
ALERTS = st.fixed_dictionaries(
    {"kind": st.just("alert"), "at": TIMES, "status": st.sampled_from(("firing", "resolved", "odd")), "labels": PAIRS},
    optional={
        "seen": TIMES, "starts_at": TIMES, "ends_at": TIMES, "source": TEXTS, "id": TEXTS, "annotations": PAIRS,
        "timeout": st.booleans(), "key": TEXTS, "value": NUMBERS, "threshold": NUMBERS, "entity": TEXTS, "url": TEXTS,
        "more": TEXTS,
    },
)  # fmt: skip
BODIES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=5,
)
DELIVERIES = st.fixed_dictionaries(
    {"kind": st.just("delivery"), "at": TIMES, "path": TEXTS},
    optional={"body": BODIES, "seen": TIMES, "id": TEXTS, "source": TEXTS, "headers": PAIRS, "method": TEXTS},
)


def _thorough(text: bytes) -> object:
    try:
        return decode_record(text)
    except ValueError as error:
        return error


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.one_of(ALERTS, DELIVERIES))
def test_what_is_read_quickly_is_what_is_read_thoroughly(line: dict[str, object]) -> None:
    text = msgspec.json.encode(line)
    quick = usual_line(text)
    if isinstance(quick, DeliveryRecord) and isinstance(quick.body, msgspec.Raw):
        quick = msgspec.structs.replace(quick, body=msgspec.json.decode(bytes(quick.body)))
    assert quick is None or quick == _thorough(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"kind":"alert","at":"2026-03-01T10:00:00Z","status":"firing","labels":{"a":"b"}}', AlertRecord),
        (b'{"at":5,"path":"/in/x","kind":"delivery","body":[1]}', DeliveryRecord),
        (b'{"kind":"tick","at":5}', type(None)),
        (b'{"kind":"alert"', type(None)),
        (b"\xff", type(None)),
    ],
)
def test_the_usual_lines_are_read_quickly_and_others_left(text: bytes, kind: type) -> None:
    assert type(usual_line(text)) is kind
