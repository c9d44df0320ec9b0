"""Text as the Atlassian Document Format, and back: Jira Cloud takes and gives nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_DEEPEST = 64


def document(text: str) -> dict[str, Any]:
    """A paragraph for each block of lines; addresses become links."""
    blocks = [block.strip("\n") for block in re.split(r"\n{2,}", text)]
    return {"version": 1, "type": "doc", "content": [_paragraph(block) for block in blocks if block.strip()]}


def _paragraph(block: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, line in enumerate(block.split("\n")):
        if number:
            content.append({"type": "hardBreak"})
        content += _inline(line)
    return {"type": "paragraph", "content": content}


def _inline(line: str) -> Iterator[dict[str, Any]]:
    at = 0
    for found in _LINK.finditer(line):
        if found.start() > at:
            yield {"type": "text", "text": line[at : found.start()]}
        yield {"type": "text", "text": found[0], "marks": [{"type": "link", "attrs": {"href": found[0]}}]}
        at = found.end()
    if at < len(line):
        yield {"type": "text", "text": line[at:]}


def text_of(written: Any, depth: int = 0) -> str:
    """What a document says, without its form; a text is itself."""
    if isinstance(written, str):
        return written
    if isinstance(written, list) and depth < _DEEPEST:
        return "".join(text_of(one, depth + 1) for one in written)
    if not isinstance(written, dict) or depth >= _DEEPEST:
        return ""
    if written.get("type") == "hardBreak":
        return "\n"
    said = str(written.get("text") or "") + text_of(written.get("content"), depth + 1)
    return f"{said}\n" if written.get("type") in {"paragraph", "heading", "codeBlock"} else said
