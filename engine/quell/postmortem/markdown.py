"""Markdown that says what is meant, whatever stands in the names and texts of alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quell.model.times import format_duration, format_time

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")
_BEGINS = re.compile(r"^(\s*)([#+-]|\d+[.)])(\s)")


def plain(text: str) -> str:
    """A text on one line in which nothing is markup."""
    return _BEGINS.sub(r"\1\\\2\3", _SPECIAL.sub(r"\\\1", _line(text)))


def code(text: str) -> str:
    """A name in code style."""
    line = _line(text).replace("`", "'")
    return f"`{line}`" if line else ""


def _line(text: str) -> str:
    """One line, without signs that whoever shows it would obey."""
    return " ".join("".join(sign if sign.isprintable() or sign.isspace() else "?" for sign in text).split())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown already."""
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return lines + [f"| {' | '.join(cell or ' ' for cell in row)} |" for row in rows]


def bullets(items: Iterable[str]) -> list[str]:
    """A list."""
    return [f"- {item}" for item in items]


def moment(at: float | None) -> str:
    """A time to the second, in UTC; "" for none."""
    return format_time(float(int(at))).replace(".000Z", "Z") if at is not None else ""


def span(start: float | None, end: float | None) -> str:
    """How long it took, "" when an end is not known."""
    if start is None or end is None:
        return ""
    return format_duration(float(max(0, round(end - start))))
