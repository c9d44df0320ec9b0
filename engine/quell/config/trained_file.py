"""Trained weights as a rules file: every value with the one that ships, and what speaks for it, in comments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import unified_diff
from typing import Any

from quell.model.times import format_duration
from quell.model.weights import Passage

Told = tuple[tuple[str, ...], Any, Any, str]
"""Where a weight stands, its value, the one that ships (None: none does), and what speaks for it."""
_ORDER = ("travel", "prices", "noise", "timing", "ranking", "confidence")


def weights_file(told: Sequence[Told], on: Sequence[str], reported: Sequence[str], head: Sequence[str]) -> str:
    """The text of the file; ``head`` are sentences for its top."""
    lines = [f"# {line}".rstrip() for text in head for line in text.splitlines()]
    lines += ["weights:", "  trained:", f"    on: {_names(on)}", f"    reported: {_names(reported)}"]
    above: tuple[str, ...] = ()
    for place, value, ships, seen in sorted(told, key=lambda one: (_ORDER.index(one[0][0]), one[0])):
        inner = place[:-1]
        for depth, name in enumerate(inner):
            if above[: depth + 1] != inner[: depth + 1]:
                lines.append(f"{'  ' * (depth + 1)}{name}:")
        above = inner
        lines.append(f"{'  ' * (len(inner) + 1)}{place[-1]}: {_said(value)}  # ships: {_plain(ships)}; {seen}")
    return "\n".join(lines) + "\n"


def file_diff(name: str, before: str, after: str) -> str:
    """What would change in a file, as a unified diff; "" where nothing would."""
    lines = unified_diff(before.splitlines(True), after.splitlines(True), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _names(names: Sequence[str]) -> str:
    return "[" + ", ".join(json.dumps(name) for name in names) + "]"


def _said(value: Any) -> str:
    return f"{{{_plain(value)}}}" if isinstance(value, Passage) else _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Passage):
        return f"p: {value.p:g}, lag: {format_duration(value.lag_s)}"
    return f"{value:g}"
