"""A card of plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDTH = 78


def card(kind: str, key: str, params: Mapping[str, Any]) -> str:
    """Head line, title, text. What a sender wrote cannot move the cursor or colour the terminal."""
    marks = " · ".join(text for name in ("severity", "incident") if (text := _plain(params.get(name))))
    head = " ".join(part for part in (f"── {kind.upper()}", marks, f"[{_plain(key)}] ") if part)
    lines = [head + "─" * max(0, WIDTH - len(head))]
    title, text = _plain(params.get("title")), _plain(params.get("text"))
    if title and title not in text:
        lines.append(title)
    lines += text.splitlines()
    return "\n".join([*lines, "─" * WIDTH, ""])


def _plain(value: object) -> str:
    text = "" if value is None else str(value)
    return "".join(sign for sign in text.replace("\t", "    ") if sign == "\n" or sign.isprintable()).strip()
