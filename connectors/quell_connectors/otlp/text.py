"""OTLP as JSON: ids are hexadecimal, whole numbers of 64 bits and what is no number are text, enumerations numbers."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import Annotated, Any

import msgspec
from msgspec.structs import fields as fields_in

from quell.errors import BadPayload
from quell.model.mismatch import not_utf8, place_and_reason
from quell.sdk.payload import check_size
from quell_connectors.otlp.schema import MESSAGES, ROOTS, fields_of
from quell_connectors.otlp.wire import HistogramPoint, NumberPoint, Pair, Scalar, nothing_deep

MAX_BYTES = 32 * 1024 * 1024
"""What the daemon inflates a body to at most."""
_FAILED = frozenset({2, "2", "STATUS_CODE_ERROR"})


_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class AnyValue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A value of any type; it may hold others."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Whole | None = None
    double_value: float | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: str | None = None


class KeyValue(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute."""

    key: str = ""
    value: AnyValue | None = None


class ArrayValue(msgspec.Struct, frozen=True, kw_only=True):
    """A list of values."""

    values: list[AnyValue] = []


class KeyValueList(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping."""

    values: list[KeyValue] = []


_SCALARS: dict[str, Any] = {
    "bytes": str | None,
    "string": str,
    "bool": bool,
    "double": float,
    "enum": _Whole | str,
    **dict.fromkeys(("int64", "sint32", "uint32", "uint64", "fixed64", "sfixed64"), _Whole),
}
_UNSET: dict[str, Any] = {"bytes": "", "string": "", "bool": False, "double": 0.0}


def _classes() -> dict[str, Any]:
    made: dict[str, Any] = {each.__name__: each for each in (AnyValue, KeyValue, ArrayValue, KeyValueList)}
    for name in MESSAGES:
        if name in made:
            continue
        fields: list[tuple[str, Any, Any]] = []
        for told in fields_of(name):
            kind: Any = _SCALARS.get(told.type) or made[told.type]
            if told.unread:
                fields.append((told.name, msgspec.Raw, msgspec.Raw(b"[]")))
            elif told.each:
                fields.append((told.name, list[kind], msgspec.field(default_factory=list)))
            elif told.choice or told.maybe or told.type in made:
                fields.append((told.name, kind | None, None))
            else:
                fields.append((told.name, kind, _UNSET.get(told.type, 0)))
        made[name] = msgspec.defstruct(name, fields, frozen=True, kw_only=True, rename="camel", module=__name__)
    return made


_CLASSES = _classes()
_CHOICES = {made: tuple(each.name for each in fields_in(made) if each.default is None) for made in _CLASSES.values()}
"""The fields that exclude each other; to ask a class for them takes as long as to read a metric."""
# Not strict: what is text for being too large or no number is a number.
_ROOTS = {name: msgspec.json.Decoder(_CLASSES[root], strict=False) for name, root in ROOTS.items()}
_ATTRIBUTES = msgspec.json.Decoder(list[KeyValue], strict=False)


class Text:
    """Reads JSON. An attribute is handed on as name and value."""

    name = "application/json"

    def decoded(self, signal: str, body: bytes) -> Any:
        """The request. Raises `BadPayload` naming the field."""
        check_size(body, max_bytes=MAX_BYTES)
        return _decoded(_ROOTS[signal], body)

    def number(self, told: Any) -> NumberPoint:
        """A point of a gauge or sum."""
        value = told.as_int if told.as_double is None else told.as_double
        return bytes(told.attributes), told.start_time_unix_nano, told.time_unix_nano, value, told.flags

    def histogram(self, told: Any) -> HistogramPoint:
        """A point of a histogram with explicit bounds."""
        return (
            bytes(told.attributes), told.start_time_unix_nano, told.time_unix_nano, told.count, told.sum,
            told.bucket_counts, tuple(told.explicit_bounds), told.min, told.max, told.flags,
        )  # fmt: skip

    def unread(self, attributes: msgspec.Raw) -> bytes:
        """All of the attributes, as they are written."""
        return bytes(attributes)

    def read(self, unread: Hashable) -> list[Pair]:
        """What they say. Raises `BadPayload`."""
        return list(_listed(_decoded(_ATTRIBUTES, unread))) if isinstance(unread, bytes) else []

    def picked(self, attributes: Iterable[KeyValue], wanted: Collection[bytes]) -> tuple[Pair, ...]:
        """Those of the attributes whose names are wanted, in their order."""
        return tuple([(told.key, _scalar(told.value)) for told in attributes if _key(told.key) in wanted])

    def pairs(self, attributes: Iterable[Hashable]) -> list[Pair]:
        """What attributes say."""
        return [told for told in attributes if isinstance(told, tuple)]

    def resource(self, told: Any) -> tuple[Pair, ...]:
        """The attributes of a resource."""
        return () if told is None else _listed(told.attributes)

    def failed(self, status: Any) -> bool:
        """Whether a span's status is "error"."""
        return status is not None and status.code in _FAILED

    def event(self, told: Any) -> tuple[str, tuple[Pair, ...]]:
        """Name and attributes of a span's event."""
        return told.name, _listed(told.attributes)

    def value(self, told: AnyValue | None) -> Any:
        """An AnyValue as text, number, list or mapping; None when it says nothing."""
        return _value(told)

    def choice(self, message: Any) -> str:
        """Which of the fields that exclude each other was told; "" when none was."""
        return next((name for name in _CHOICES[type(message)] if getattr(message, name) is not None), "")

    def maybe(self, message: Any, field: str) -> Any:
        """A field that may be left out; None when it was."""
        return getattr(message, field)


def _decoded(decoder: msgspec.json.Decoder[Any], text: bytes) -> Any:
    try:
        return decoder.decode(text)
    except UnicodeDecodeError as error:
        raise BadPayload(not_utf8(text, error), text) from error
    except RecursionError as error:
        raise BadPayload("nested too deep", text) from error
    except msgspec.ValidationError as error:
        field, reason = place_and_reason(error)
        raise BadPayload(f"{field}: {reason}" if field else reason, text, field) from error
    except msgspec.DecodeError as error:
        raise BadPayload(f"not readable as JSON: {error}", text) from error


def _listed(attributes: Iterable[KeyValue]) -> tuple[Pair, ...]:
    """All of the attributes, in their order."""
    return tuple([(told.key, _scalar(told.value)) for told in attributes])


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _scalar(told: AnyValue | None) -> Scalar:
    value = _value(told)
    return value if isinstance(value, (str, int, float)) else nothing_deep(value)


def _value(told: AnyValue | None) -> Any:
    if told is None:
        return None
    if told.array_value is not None:
        return [_value(each) for each in told.array_value.values]
    if told.kvlist_value is not None:
        return {each.key: _value(each.value) for each in told.kvlist_value.values}
    for value in (told.string_value, told.int_value, told.double_value, told.bool_value, told.bytes_value):
        if value is not None:
            return value
    return None
