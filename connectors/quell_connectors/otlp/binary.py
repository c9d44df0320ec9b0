"""OTLP as protobuf. What is ``raw`` in the schema is declared as bytes, which is the same on the wire.

So what repeats is told apart by its bytes and read once: that is four times as fast as the published classes, which
make an object of each part of each attribute (`benchmarks/otlp.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from quell.errors import BadPayload
from quell_connectors.otlp import layout
from quell_connectors.otlp.schema import MESSAGES, ROOTS, fields_of
from quell_connectors.otlp.wire import MOST_REMEMBERED, HistogramPoint, NumberPoint, Pair, Scalar, nothing_deep

_PACKAGE = "quell.otlp"
_SCALARS = {
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "enum": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "sint32": FieldDescriptorProto.TYPE_SINT32,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "sfixed64": FieldDescriptorProto.TYPE_SFIXED64,
}
_CHOICE = "told"
_NAME = 0x0A
"""How an attribute begins whose name stands first, as it does in what every exporter sends."""
_SHORT = 0x7F
"""The longest name whose length takes one byte."""
_NUMBER_ATTRIBUTE, _HISTOGRAM_ATTRIBUTE = 0x3A, 0x4A
"""How the attributes of points begin."""
_MOST_KEPT = 50_000
_FAILED = b"\x18\x02"
"""A status of nothing but the code "error"."""


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="quell/otlp.proto", package=_PACKAGE, syntax="proto3")
    for name in MESSAGES:
        message = file.message_type.add(name=name)
        maybe: list[Any] = []
        for told in fields_of(name):
            field = message.field.add(name=told.name, number=told.number)
            field.label = field.LABEL_REPEATED if told.each else field.LABEL_OPTIONAL
            if told.raw or told.type in _SCALARS:
                field.type = _SCALARS["bytes" if told.raw else told.type]
            else:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{told.type}"
            if told.choice:
                if not message.oneof_decl:
                    message.oneof_decl.add(name=_CHOICE)
                field.oneof_index = 0
            elif told.maybe:
                maybe.append(field)
        for field in maybe:
            field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in MESSAGES}


_CLASSES = _classes()
_ROOTS: Mapping[str, Callable[[bytes], Any]] = {name: _CLASSES[root].FromString for name, root in ROOTS.items()}
_pair = _CLASSES["KeyValue"].FromString
_status = _CLASSES["Status"].FromString
_event = _CLASSES["Event"].FromString
_resource = _CLASSES["Resource"].FromString
_number = _CLASSES["NumberDataPoint"].FromString
_histogram = _CLASSES["HistogramDataPoint"].FromString


class Binary:
    """Reads protobuf. An attribute is handed on as its bytes."""

    name = "application/x-protobuf"

    def __init__(self) -> None:
        self._plain: set[bytes] = set()
        """Bytes that are known to be attributes of a point and nothing else."""

    def decoded(self, signal: str, body: bytes) -> Any:
        """The request. Raises `BadPayload`."""
        return _told(_ROOTS[signal], body, f"not readable as protobuf of OTLP {signal}")

    def number(self, told: bytes) -> NumberPoint:
        """A point of a gauge or sum. Raises `BadPayload`."""
        found = layout.number(told)
        if found is not None and (found[0] in self._plain or self._is_plain(found[0], _NUMBER_ATTRIBUTE)):
            return found
        point = _told(_number, told, "a data point that cannot be read")
        choice = self.choice(point)
        value = getattr(point, choice) if choice else None
        return self.unread(point.attributes), point.start_time_unix_nano, point.time_unix_nano, value, point.flags

    def histogram(self, told: bytes) -> HistogramPoint:
        """A point of a histogram with explicit bounds. Raises `BadPayload`."""
        found = layout.histogram(told)
        if found is not None and (found[0] in self._plain or self._is_plain(found[0], _HISTOGRAM_ATTRIBUTE)):
            return found
        point, maybe = _told(_histogram, told, "a data point that cannot be read"), self.maybe
        return (
            self.unread(point.attributes), point.start_time_unix_nano, point.time_unix_nano, point.count,
            maybe(point, "sum"), tuple(point.bucket_counts), tuple(point.explicit_bounds), maybe(point, "min"),
            maybe(point, "max"), point.flags,
        )  # fmt: skip

    def unread(self, attributes: Iterable[bytes]) -> tuple[bytes, ...]:
        """All of the attributes, in their order."""
        return tuple(attributes)

    def read(self, unread: Hashable) -> list[Pair]:
        """What they say. Raises `BadPayload`."""
        if isinstance(unread, bytes):
            kind = _number if unread[:1] == bytes((_NUMBER_ATTRIBUTE,)) else _histogram
            return self.pairs(_told(kind, unread, "attributes that cannot be read").attributes)
        return self.pairs(unread) if isinstance(unread, tuple) else []

    def picked(self, attributes: Iterable[bytes], wanted: Collection[bytes]) -> tuple[bytes, ...]:
        """Those of the attributes whose names are wanted, in their order; also one that only `pairs` can tell."""
        # The name stands first: 0x0a, its length, its letters. So one need not read what nobody asks for.
        try:
            return tuple(
                [raw for raw in attributes if raw[2 : 2 + raw[1]] in wanted or raw[0] != _NAME or raw[1] > _SHORT]
            )
        except IndexError:
            return tuple([raw for raw in attributes if len(raw) > 1])  # one has neither name nor value

    def pairs(self, attributes: Iterable[Hashable]) -> list[Pair]:
        """What attributes say. Raises `BadPayload`."""
        return [_read(raw) for raw in attributes if isinstance(raw, bytes)]

    def resource(self, told: bytes) -> tuple[bytes, ...]:
        """The attributes of a resource. Raises `BadPayload`."""
        return tuple(_told(_resource, told, "a resource that cannot be read").attributes)

    def failed(self, status: bytes) -> bool:
        """Whether a span's status is "error". Raises `BadPayload`."""
        return bool(status) and (status == _FAILED or _told(_status, status, "a status that cannot be read").code == 2)

    def event(self, told: bytes) -> tuple[str, tuple[bytes, ...]]:
        """Name and attributes of a span's event. Raises `BadPayload`."""
        event = _told(_event, told, "an event that cannot be read")
        return event.name, tuple(event.attributes)

    def value(self, told: Any) -> Any:
        """An AnyValue as text, number, list or mapping; None when it says nothing."""
        return _value(told)

    def choice(self, message: Any) -> str:
        """Which of the fields that exclude each other was told; "" when none was."""
        return str(message.WhichOneof(_CHOICE) or "")

    def maybe(self, message: Any, field: str) -> Any:
        """A field that may be left out; None when it was."""
        return getattr(message, field) if message.HasField(field) else None

    def _is_plain(self, rest: Hashable, attribute: int) -> bool:
        """Whether what was left of a point is attributes only; remembers that it is."""
        if not isinstance(rest, bytes) or len(rest) > MOST_REMEMBERED or (rest and rest[0] != attribute):
            return False
        try:
            point = (_number if attribute == _NUMBER_ATTRIBUTE else _histogram)(rest)
        except DecodeError:
            return False
        if any(field.name != "attributes" for field, _ in point.ListFields()):
            return False
        if len(self._plain) >= _MOST_KEPT:
            self._plain.clear()
        self._plain.add(rest)
        return True


def _told(read: Callable[[bytes], Any], raw: bytes, otherwise: str) -> Any:
    try:
        return read(raw)
    except DecodeError as error:
        raise BadPayload(f"{otherwise}: {error}", raw) from error


def _read(raw: bytes) -> Pair:
    pair = _told(_pair, raw, "an attribute that cannot be read")
    return pair.key, _scalar(pair.value)


def _scalar(told: Any) -> Scalar:
    value = _value(told)
    return value if isinstance(value, (str, int, float)) else nothing_deep(value)


def _value(told: Any) -> Any:
    field = told.WhichOneof(_CHOICE)
    if field is None:
        return None
    value = getattr(told, field)
    if field == "array_value":
        return [_value(each) for each in value.values]
    if field == "kvlist_value":
        return {each.key: _value(each.value) for each in value.values}
    return value
