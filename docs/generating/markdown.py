"""Tables, anchors and values in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from quell.model.times import format_duration


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"


def slug(heading: str) -> str:
    """The anchor that a Markdown heading gets on GitHub."""
    kept = "".join(sign for sign in heading.lower() if sign.isalnum() or sign in " -_")
    return kept.replace(" ", "-")


def literal(value: Any, *, is_duration: bool = False) -> str:
    """A default as it would be written in a file or on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return format_duration(value) if is_duration else f"{value:g}" if isinstance(value, float) else str(value)
    return str(value)
