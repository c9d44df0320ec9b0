"""What others wrote, for a terminal: it cannot move the cursor, colour anything or turn the direction of text."""

from __future__ import annotations

import re
from typing import Any

_MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_IN_JSON = re.compile(
    rb"\\u00|\\u20[26]|\\[bfr]|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
)


def harmless(text: str) -> str:
    """Signs of control are shown and not obeyed; ends of lines and tabs stay."""
    return _MOVES.sub(_shown, text)


def may_harm(body: bytes) -> bool:
    """Whether there may be such signs in the JSON text ``body``: nearly never, and looked for in one pass."""
    return _IN_JSON.search(body) is not None


def harmless_in(value: Any) -> Any:
    """The same for every text of a decoded value, names included."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [harmless_in(item) for item in value]
    if isinstance(value, dict):
        return {harmless(name): harmless_in(item) for name, item in value.items()}
    return value


def _shown(sign: re.Match[str]) -> str:
    code = ord(sign[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
