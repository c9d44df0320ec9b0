"""Types of fields that our files share: durations, sizes, matchers, names; and the base of every shape."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from quell.errors import ExpressionError
from quell.expressions.matchers import parse_matchers
from quell.model.mute import Matcher
from quell.model.times import parse_duration

LONGEST_S = 3650 * 86400.0
"""Longest duration, in seconds: ten years."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)")
_SIZE_UNIT = {
    "B": 1, "kB": 1000, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "KiB": 1024, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


class Shape(BaseModel):
    """What a mapping in a file may hold: nothing unknown, nothing converted behind the author's back.

    Texts under the fields describe them in the JSON Schema. Building is put off until a shape is used: the shapes
    inside others are then built once, and a command starts sooner.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


def duration(value: object) -> float:
    """Seconds for a duration text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("expected a duration such as 90s, 15m or 2h")  # noqa: TRY004 - pydantic reports ValueError
    seconds = parse_duration(str(value))
    if seconds > LONGEST_S:
        raise ValueError(f'"{value}" is longer than ten years')
    return seconds


def size(value: object) -> int:
    """Bytes for a size such as ``8MB``. Raises ValueError."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'"{value}" is not a size; write one such as 512kB or 8MB')
    return int(float(found[1]) * _SIZE_UNIT[found[2]])


def clock_minute(value: object) -> int:
    """Minutes since midnight for ``22:00``. Raises ValueError."""
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'"{value}" is not a time of day; write one such as "22:00"')
    return int(found[1]) * 60 + int(found[2])


def _matchers(value: object) -> tuple[Matcher, ...]:
    if not isinstance(value, str):
        raise ValueError('expected a matcher such as severity="critical"')  # noqa: TRY004 - pydantic reports ValueError
    try:
        return parse_matchers(value)
    except ExpressionError as error:
        raise PydanticCustomError("expression", "{said}", {"said": str(error), "offset": error.column}) from None


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > 200:
        raise ValueError(f'"{value}" is not a name; use letters, digits, "-", "_" and "."')
    return value


@cache
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _zone(value: str) -> str:
    if not _is_zone("UTC"):
        raise ValueError("this machine has no time zone data; install the Python package tzdata")
    if not _is_zone(value):
        raise ValueError(f'"{value}" is not a time zone; write an IANA name such as Europe/Berlin or UTC')
    return value


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("it must be longer than nothing")
    return value


_DURATION_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$",
        "examples": ["90s", "15m", "2h"],
    }
)
Duration = Annotated[float, BeforeValidator(duration), _DURATION_SCHEMA]
"""Seconds, written ``90s`` or ``1h30m``."""
Span = Annotated[float, BeforeValidator(duration), AfterValidator(_positive), _DURATION_SCHEMA]
"""A duration of more than nothing."""
Size = Annotated[
    int, BeforeValidator(size), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|[kKMG]B|[KMG]iB)$"})
]
Clock = Annotated[
    int, BeforeValidator(clock_minute), WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"})
]
MatcherText = Annotated[
    tuple[Matcher, ...],
    PlainValidator(_matchers),
    WithJsonSchema({"type": "string", "examples": ['severity="critical"', 'team=~"db|web"']}),
]
Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str, AfterValidator(_zone)]
"""IANA name of a time zone."""


def joined(texts: list[tuple[Matcher, ...]]) -> tuple[Matcher, ...]:
    """The matchers of a list of matcher texts, all of which must hold."""
    return tuple(matcher for text in texts for matcher in text)


def plain(value: Any) -> str:
    """A value as it would be quoted in a message, cut short."""
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
