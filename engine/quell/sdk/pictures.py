"""Pictures that quell adds to what people are told: the parameter ``pictures`` of an action that declares it.

A list of mappings with ``name``, ``alt`` (what it shows, for who cannot see it), ``text`` (the same in words) and
``png`` (base64). What it holds is filled in when the action is performed, and is in no ledger.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PARAMETER: Final = "pictures"
MOST: Final = 5
MOST_BYTES: Final = 2_000_000
"""Of one picture."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Png:
    """One picture; an empty ``png`` where none could be drawn, and the words have to do."""

    name: str
    alt: str
    text: str
    png: bytes

    def told(self) -> dict[str, str]:
        """As a parameter holds it."""
        return {"name": self.name, "alt": self.alt, "text": self.text, "png": b64encode(self.png).decode()}


def pngs_of(given: Any) -> list[Png]:
    """The pictures of a parameter; without those that are no PNG or too large, and the first few only."""
    found = []
    for one in given if isinstance(given, (list, tuple)) else ():
        if not isinstance(one, Mapping) or not isinstance(one.get("png"), str):
            continue
        try:
            png = b64decode(one["png"], validate=True)
        except ValueError:
            continue
        if (not png and one.get("text")) or (png.startswith(_PNG) and len(png) <= MOST_BYTES):
            name = "".join(sign if sign.isalnum() else "-" for sign in str(one.get("name") or "picture"))[:80]
            found.append(Png(f"{name}.png", str(one.get("alt") or name)[:1000], str(one.get("text") or ""), png))
    return found[:MOST]
