"""Reads the parts of decoded JSON: each of them says where it stands and what was expected, and is never made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

import msgspec

from quell.errors import BadPayload
from quell.sdk.moments import read_moment
from quell.sdk.payload import MAX_ALERTS, check_size, decode

MOST_SKEW_S = 300.0
"""A time farther ahead than this is a clock that runs ahead, and is not taken over."""
MOST_AHEAD_S = 366 * 86_400.0
"""A time farther ahead than this is none."""
_NOT_JSON = (b"NaN", b"Infinity")


def report_of(body: bytes) -> Any:
    """The JSON of a report. NaN and the infinities, which Python's writers put into JSON, are null.

    Raises `BadPayload`.
    """
    if not any(word in body for word in _NOT_JSON):
        return decode(body, object)
    check_size(body)
    try:
        read = json.loads(body, parse_constant=lambda _: None)
        msgspec.msgpack.encode(read)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadPayload(f"not readable as JSON: {error}", body) from error
    return read


def number_of(value: Any, place: str) -> float:
    """A finite number. Raises `BadPayload`, naming the place: what is no number is never zero."""
    if value is None:
        expected(place, "a number, not null or NaN")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        expected(place, f"a number, not {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        expected(place, "a number that fits into 64 bits")
    if not isfinite(number):
        expected(place, "a finite number")
    return number


def optional_number(value: Any) -> float | None:
    """The same, None for what is no finite number."""
    try:
        return number_of(value, "")
    except BadPayload:
        return None


def text_of(value: Any, place: str) -> str:
    """A text that says something. Raises `BadPayload`, naming the place."""
    if not isinstance(value, str) or not value.strip():
        expected(place, f"text, not {_kind(value)}")
    return value.strip()


def mapping_of(value: Any, place: str) -> Mapping[str, Any]:
    """A JSON object. Raises `BadPayload`, naming the place."""
    if not isinstance(value, dict):
        expected(place, f"an object, not {_kind(value)}")
    return value


def list_of(value: Any, place: str) -> list[Any]:
    """A JSON list of a bearable length. Raises `BadPayload`, naming the place."""
    if not isinstance(value, list):
        expected(place, f"a list, not {_kind(value)}")
    if len(value) > MAX_ALERTS:
        expected(place, f"at most {MAX_ALERTS} entries, not {len(value)}")
    return value


def expected(place: str, what: str) -> NoReturn:
    """Raises the `BadPayload` that says so."""
    raise BadPayload(f"{place}: expected {what}", field=place)


def moment_of(value: Any, now: float) -> float | None:
    """A time with a zone, or a number of seconds; None for one that is missing or zoneless, or no time at all.

    One that is ahead of ``now`` is given as it is: whoever takes it for now says that a clock is wrong.
    """
    if isinstance(value, str) and not _zoned(value):
        return None
    try:
        at = read_moment(value)
    except ValueError:
        return None
    return at if at is not None and at <= now + MOST_AHEAD_S else None


def _zoned(text: str) -> bool:
    """Whether a text tells its zone, or is a number."""
    clock = text.strip()[10:]
    return text.strip()[4:5] != "-" or clock.endswith(("Z", "z")) or "+" in clock or "-" in clock


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(
        type(value), "a number"
    )
