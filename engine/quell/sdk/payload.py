"""Reads the body of a delivery: limits first, then JSON into a typed shape; what cannot be read is a `BadPayload`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from quell.errors import BadPayload
from quell.model.mismatch import not_utf8, place_and_reason

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
MAX_ALERTS = 10_000
"""Alerts in one POST."""
MAX_LABELS = 64
MAX_NAME_BYTES = 1024
MAX_VALUE_BYTES = 4096
MAX_ANNOTATION_BYTES = 64 * 1024

_SHORT = 4096
_STRING = re.compile(rb'"[^"]*"')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHER = bytes(code for code in range(256) if code not in b'[]{}"')

T = TypeVar("T")


def decode(body: bytes, shape: type[T], *, max_bytes: int = MAX_BODY_BYTES, max_depth: int = MAX_DEPTH) -> T:
    """The JSON text ``body`` as ``shape`` (anything msgspec can decode to). Raises `BadPayload` naming the field."""
    check_size(body, max_bytes=max_bytes, max_depth=max_depth)
    try:
        return msgspec.json.decode(body, type=shape)
    except UnicodeDecodeError as error:
        raise BadPayload(not_utf8(body, error), body) from error
    except RecursionError as error:
        raise BadPayload(f"nested deeper than {max_depth} levels", body) from error
    except msgspec.DecodeError as error:
        raise _unreadable(error, body) from error


def convert(value: Any, shape: type[T], payload: bytes = b"") -> T:
    """The same for a value that is already decoded. Raises `BadPayload` naming the field."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _unreadable(error, payload, value) from error


def check_size(body: bytes, *, max_bytes: int = MAX_BODY_BYTES, max_depth: int = MAX_DEPTH) -> None:
    """Raises `BadPayload` for a body too big or nested too deep to be looked at; the payload is then cut off."""
    if len(body) > max_bytes:
        raise BadPayload(f"{len(body)} bytes; at most {max_bytes} are taken", body[:4096])
    if deeper_than(body, max_depth):
        raise BadPayload(f"nested deeper than {max_depth} levels", body[:4096])


def deeper_than(body: bytes, levels: int) -> bool:
    """Whether JSON text is nested deeper. Works in whole-buffer steps, for it runs on every delivery.

    Strings are taken out, all brackets made alike, and pairs removed from the inside out: one pass, one level.
    """
    if len(body) <= _SHORT and body.count(b"[") + body.count(b"{") <= levels:
        return False  # as nearly always in a delivery of one alert
    if b'\\"' in body:  # only then is there a quote that ends no string
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    rest = _STRING.sub(b"", body.translate(_BRACKETS, _OTHER).replace(b'""', b""))
    if rest.count(b"[") <= levels:
        return False
    for left in range(levels, 0, -1):
        if b"[" * (left + 1) in rest:
            return True
        shorter = rest.replace(b"[]", b"")
        if len(shorter) == len(rest):
            return False
        rest = shorter
    return b"[]" in rest


def label_problem(labels: Mapping[str, str]) -> str:
    """What is wrong with a set of labels: too many, a name or value too long; "" when nothing is."""
    if len(labels) > MAX_LABELS:
        return f"{len(labels)} labels; at most {MAX_LABELS} are taken"
    return _too_long(labels, "label", MAX_VALUE_BYTES)


def annotation_problem(annotations: Mapping[str, str]) -> str:
    """The same for annotations, which describe and may be longer."""
    if len(annotations) > MAX_LABELS:
        return f"{len(annotations)} annotations; at most {MAX_LABELS} are taken"
    return _too_long(annotations, "annotation", MAX_ANNOTATION_BYTES)


def _too_long(pairs: Mapping[str, str], what: str, most: int) -> str:
    if len("".join(pairs)) <= MAX_NAME_BYTES and len("".join(pairs.values())) * 4 <= most:
        return ""  # so it nearly always is: all together are not too long
    for name, value in pairs.items():
        if len(name) > MAX_NAME_BYTES:
            return f'the name of {what} "{name[:40]}…" has {len(name)} characters; at most {MAX_NAME_BYTES} are taken'
        # Characters first: encoding is only worth it where they could be too many bytes.
        if len(value) * 4 > most and len(value.encode("utf-8", "surrogatepass")) > most:
            return f'{what} "{name}" is longer than {most} bytes'
    return ""


def _unreadable(error: msgspec.DecodeError, body: bytes, value: Any = None) -> BadPayload:
    if not isinstance(error, msgspec.ValidationError):
        return BadPayload(f"not readable as JSON: {error}", body)
    if value is None and "[...]" in str(error):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):  # what comes behind the place may be worse
            value = msgspec.json.decode(body)
    field, reason = place_and_reason(error, value)
    return BadPayload(f"{field}: {reason}" if field else reason, body, field)
