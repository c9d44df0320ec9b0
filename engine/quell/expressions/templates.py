"""``${…}`` references in texts, lists and mappings: compiled once, rendered often."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from quell.errors import ExpressionError
from quell.expressions.cel_text import Call
from quell.expressions.conditions import Condition
from quell.model.times import format_duration, format_time

MAX_TEXT = 262_144
"""Longest text a template may give, in characters."""

_REFERENCE = re.compile(r"""([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*|\[(?:"[^"\\]*"|'[^'\\]*')\])*)""")
_STEP = re.compile(r"""\.(\w+)|\["([^"]*)"\]|\['([^']*)'\]""")
_LITERALS = frozenset({"true", "false", "null"})


class Template:
    """A text, list or mapping with ``${expression}`` in its texts; ``$${`` is a plain ``${``.

    A text that is exactly one ``${…}`` keeps the type of its value; inside text the value becomes text. ``names``
    are the root names needed, ``paths`` the dotted references, ``members`` as of a condition. A plain reference
    (``${suspect.entity}``, ``${labels.topic}``) to something missing, be it a label, raises `ExpressionError` that
    names it: half a text is worse than none. Inside a real expression a missing label is "", as in conditions.
    """

    __slots__ = ("_part", "calls", "members", "names", "paths")

    def __init__(self, value: Any) -> None:
        self._part = _part(value)
        self.calls: tuple[Call, ...] = tuple(
            call for found in _expressions(self._part) if isinstance(found, Condition) for call in found.calls
        )
        self.members = frozenset(
            read for found in _expressions(self._part) if isinstance(found, Condition) for read in found.members
        )
        self.paths: frozenset[tuple[str, ...]] = frozenset(_paths(self._part))
        self.names = frozenset(path[0] for path in self.paths)

    @property
    def constant(self) -> bool:
        """Whether it holds no reference at all."""
        return not self.paths and not _expressions(self._part)

    def render(self, context: Mapping[str, Any], as_text: Callable[[Any], str] | None = None) -> Any:
        """The value with every reference replaced; ``as_text`` makes text of what stands within text.

        Raises ExpressionError, and so may ``as_text``.
        """
        return _rendered(self._part, context, as_text or text_of)


@lru_cache(maxsize=4096)
def template_of(text: str) -> Template:
    """The template of a text, compiled once: rules and runs have the same few again and again."""
    return Template(text)


def filled(value: Any, context: Mapping[str, Any], as_text: Callable[[Any], str] | None = None) -> Any:
    """As `Template.render`, for a value that nothing else is asked of: its texts are compiled once as well."""
    return _rendered(_part(value), context, as_text or text_of)


class _Reference:
    """A plain dotted path, followed without the expression engine."""

    __slots__ = ("path", "text")

    def __init__(self, text: str, path: tuple[str, ...]) -> None:
        self.text = text
        self.path = path

    @property
    def paths(self) -> frozenset[tuple[str, ...]]:
        return frozenset({self.path})

    def value(self, context: Mapping[str, Any]) -> Any:
        here: Any = context
        for name in self.path:
            if not isinstance(here, Mapping) or name not in here:
                kind = "label" if "labels" in self.path and name != "labels" else "name"
                raise ExpressionError(f'no {kind} "{name}" for ${{{self.text}}}')
            here = here[name]
        return here


class _Text:
    """Text with expressions in between."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: list[str | _Reference | Condition]) -> None:
        self.pieces = pieces


def _part(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {name: _part(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_part(item) for item in value]
    return value


@lru_cache(maxsize=4096)
def _text(text: str) -> Any:
    """Remembered: runs render the same few texts again and again."""
    if "${" not in text:
        return text
    pieces: list[str | _Reference | Condition] = []
    position = 0
    plain = ""
    while (at := text.find("${", position)) >= 0:
        if at > position and text[at - 1] == "$":
            plain += text[position : at - 1] + "${"
            position = at + 2
            continue
        plain += text[position:at]
        end = _end(text, at + 2)
        if plain:
            pieces.append(plain)
            plain = ""
        pieces.append(_expression(text[at + 2 : end], at + 2))
        position = end + 1
    plain += text[position:]
    if plain:
        pieces.append(plain)
    if len(pieces) == 1:
        return pieces[0]
    return _Text(pieces)


def _end(text: str, position: int) -> int:
    """Where the brace that closes an expression stands; braces in it may be nested or quoted."""
    start, depth, quote = position, 0, ""
    while position < len(text):
        sign = text[position]
        if quote:
            position += sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "{":
            depth += 1
        elif sign == "}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    raise ExpressionError('"${" is not closed by "}"', start - 1)


def _expression(text: str, offset: int) -> _Reference | Condition:
    source = text.strip()
    plain = _REFERENCE.fullmatch(source)
    if plain and plain[1] not in _LITERALS:
        steps = tuple(found[1] or found[2] or found[3] or "" for found in _STEP.finditer(plain[2]))
        return _Reference(source, (plain[1], *steps))
    try:
        return Condition(text)
    except ExpressionError as error:
        raise ExpressionError(str(error), error.column + offset if error.column else 0) from None


def _expressions(part: Any) -> list[_Reference | Condition]:
    if isinstance(part, (_Reference, Condition)):
        return [part]
    if isinstance(part, _Text):
        return [piece for piece in part.pieces if not isinstance(piece, str)]
    if isinstance(part, dict):
        return [found for item in part.values() for found in _expressions(item)]
    if isinstance(part, list):
        return [found for item in part for found in _expressions(item)]
    return []


def _paths(part: Any) -> set[tuple[str, ...]]:
    return {path for found in _expressions(part) for path in found.paths}


def _rendered(part: Any, context: Mapping[str, Any], as_text: Callable[[Any], str]) -> Any:
    if isinstance(part, (_Reference, Condition)):
        return part.value(context)
    if isinstance(part, _Text):
        text = "".join(piece if isinstance(piece, str) else as_text(piece.value(context)) for piece in part.pieces)
        if len(text) > MAX_TEXT:
            raise ExpressionError(f"a text of {len(text)} characters came out, {MAX_TEXT} are allowed")
        return text
    if isinstance(part, dict):
        return {name: _rendered(item, context, as_text) for name, item in part.items()}
    if isinstance(part, list):
        return [_rendered(item, context, as_text) for item in part]
    return part


def text_of(value: Any) -> str:
    """A value as it stands within text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    if isinstance(value, datetime):
        return format_time(value.timestamp())
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    return str(value)
