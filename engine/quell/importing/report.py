"""What became of each part of a file that is taken over, so that nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from quell.config.nodes import Document

Fate = Literal["carried", "changed", "left out"]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One part: where it stood, what it is here, or why it is not. "changed": it is here and means something else."""

    line: int
    part: str
    fate: Fate
    text: str


class Report:
    """Collects items of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.items: list[Item] = []

    def carried(self, path: Sequence[str | int], part: str, text: str) -> None:
        """It is here as it was."""
        self._add(path, part, "carried", text)

    def changed(self, path: Sequence[str | int], part: str, text: str) -> None:
        """It is here, and differs in what the text says."""
        self._add(path, part, "changed", text)

    def left_out(self, path: Sequence[str | int], part: str, text: str) -> None:
        """It is not here, and the text says why."""
        self._add(path, part, "left out", text)

    def _add(self, path: Sequence[str | int], part: str, fate: Fate, text: str) -> None:
        spot = self._document.spot(path, key=tuple(path) in self._document.keys)
        self.items.append(Item(line=spot.line, part=part, fate=fate, text=text))

    def sorted(self) -> tuple[Item, ...]:
        """In the order of the file."""
        return tuple(sorted(self.items, key=lambda item: item.line))

    def count(self, fate: Fate) -> int:
        """How many parts had that fate."""
        return sum(item.fate == fate for item in self.items)
