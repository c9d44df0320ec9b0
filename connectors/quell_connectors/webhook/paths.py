"""Reads values out of decoded JSON by dotted paths: ``item.tags[0]``, ``body.alerts[*].name``, ``${item.host}:80``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quell.sdk.vocabulary import scalar_text

ROOTS = ("body", "item", "headers", "query")
_STEP = re.compile(r"""\.([^.\[\]"']+)|\[(\d+|\*)\]|\[(?:"([^"]*)"|'([^']*)')\]""")
_REFERENCE = re.compile(r"\$\{\s*([^}]*?)\s*\}")
_EACH = "*"


@dataclass(frozen=True, slots=True)
class Path:
    """A root and steps into it: a name, a position, or ``*`` for each member of a list."""

    root: str
    steps: tuple[str | int, ...]

    def read(self, roots: Mapping[str, Any]) -> Any:
        """What stands there; None when nothing does. With ``*`` a list of all that is there."""
        found, many = [roots.get(self.root)], False
        for step in self.steps:
            if step == _EACH:
                many = True
                found = [member for value in found if isinstance(value, list) for member in value]
            else:
                found = [value for value in (_into(value, step) for value in found) if value is not None]
        if many:
            return found
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Text:
    """A value of the mapping: constant texts and paths, in order. A lone path gives what it reads, of any type."""

    parts: tuple[str | Path, ...]

    def value(self, roots: Mapping[str, Any]) -> Any:
        """The value, not yet made text if it is a lone path."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Path):
            return self.parts[0].read(roots)
        return "".join(part if isinstance(part, str) else _as_text(part.read(roots)) for part in self.parts)

    def text(self, roots: Mapping[str, Any]) -> str:
        """The value as text; lists are joined by commas, objects and null give ""."""
        return _as_text(self.value(roots)).strip()


def read_path(text: str) -> Path:
    """Raises ValueError that says what is wrong with the path."""
    root = next((name for name in ROOTS if re.match(rf"{name}(?![^.\[])", text)), None)
    if root is None:
        raise ValueError(f'"{text}" does not start with {", ".join(ROOTS[:-1])} or {ROOTS[-1]}; quote a constant')
    steps: list[str | int] = []
    position = len(root)
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(
                f'"{text}" cannot be read from "{text[position:]}" on; write body.a.b, body.list[0] or [*]'
            )
        name, index, double, single = match.groups()
        if index is not None and index != _EACH:
            steps.append(int(index))
        else:
            steps.append(next(part for part in (name, index, double, single) if part is not None))
        position = match.end()
    return Path(root, tuple(steps))


def read_text(value: object) -> Text:
    """A value as written in the mapping. Raises ValueError."""
    if not isinstance(value, str):
        constant = scalar_text(value)
        if not constant:
            raise ValueError(f"{type(value).__name__} is not a path or a constant")
        return Text((constant,))
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return Text((value[1:-1],))
    if "${" not in value:
        return Text((read_path(value),))
    parts: list[str | Path] = []
    for position, piece in enumerate(_REFERENCE.split(value)):
        if position % 2:
            parts.append(read_path(piece))
        elif piece:
            parts.append(piece)
    return Text(tuple(parts))


def _into(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(step))
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(text for member in value if (text := scalar_text(member)))
    return scalar_text(value)
