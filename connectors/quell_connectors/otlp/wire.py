"""What both encodings of OTLP are read as, and which attributes quell asks for."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from math import isfinite
from typing import Any, Literal, Protocol

import msgspec

Signal = Literal["traces", "metrics", "logs"]
Scalar = str | int | float
Pair = tuple[str, Scalar]
Bounds = tuple[float, ...]
NumberPoint = tuple[Hashable, int, int, float | int | None, int]
"""Attributes as they stand, since and at in nanoseconds, the value (None: none was told), flags."""
HistogramPoint = tuple[Hashable, int, int, int, float | None, Sequence[int], Bounds, float | None, float | None, int]
"""Attributes as they stand, since and at, count, sum, counts of buckets and their bounds, least and most, flags."""

NANO = 1_000_000_000
MOST_VALUE_CHARACTERS = 256
"""Of the text of an attribute; what is longer is cut."""
MOST_REMEMBERED = 4096
"""Bytes of attributes that are remembered together with what they come to."""


class Encoding(Protocol):
    """How requests are written. Messages have the names of the published schema; attributes are opaque until read.

    ``unread`` is all attributes of a point as one thing that tells them apart from others, ``read`` what it says.
    """

    name: str

    def decoded(self, signal: str, body: bytes) -> Any: ...
    def picked(self, attributes: Iterable[Any], wanted: Collection[bytes]) -> tuple[Hashable, ...]: ...
    def pairs(self, attributes: Iterable[Hashable]) -> list[Pair]: ...
    def number(self, told: Any) -> NumberPoint: ...
    def histogram(self, told: Any) -> HistogramPoint: ...
    def unread(self, attributes: Any) -> Hashable: ...
    def read(self, unread: Hashable) -> list[Pair]: ...
    def resource(self, told: Any) -> tuple[Hashable, ...]: ...
    def failed(self, status: Any) -> bool: ...
    def event(self, told: Any) -> tuple[str, tuple[Hashable, ...]]: ...
    def value(self, told: Any) -> Any: ...
    def choice(self, message: Any) -> str: ...
    def maybe(self, message: Any, field: str) -> Any: ...


def short(attributes: Hashable) -> bool:
    """Whether attributes are worth remembering: what is long comes once, and a sender may make as many as they like."""
    if isinstance(attributes, (bytes, str)):
        return len(attributes) <= MOST_REMEMBERED
    if isinstance(attributes, tuple):
        size = 0
        for told in attributes:
            size += len(told) if isinstance(told, (bytes, str)) else len(str(told))
        return size <= MOST_REMEMBERED
    return False


def nothing_deep(value: Any) -> Scalar:
    """An attribute's value that is no scalar, as text: lists and mappings name nothing, but they differ."""
    if value is None:
        return ""
    return msgspec.json.encode(value, order="sorted").decode("utf-8", "replace")[:MOST_VALUE_CHARACTERS]


def text_of(value: Scalar) -> str:
    """An attribute's value as text, as it stands in names."""
    if isinstance(value, str):
        return value[:MOST_VALUE_CHARACTERS]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def number_of(value: Scalar) -> float | None:
    """An attribute's value as a number that counts; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if isfinite(value) else None
