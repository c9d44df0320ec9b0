"""What Slack takes of Block Kit: kinds, lengths, numbers. What it does not take is named as Slack names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MOST_IN_ALL = 13_200
_ELEMENTS = frozenset({"button", "static_select", "overflow", "users_select", "plain_text_input"})
_LENGTHS = {"header": 150, "section": 3000, "context": 2000}


def problems(blocks: Any, most: int, files: Mapping[str, bool]) -> list[str]:
    """Everything that is wrong with blocks; ``files`` says of each file whether Slack is done with it."""
    if not isinstance(blocks, list):
        return ["blocks must be an array [json-pointer:/blocks]"]
    found = [f"no more than {most} items allowed [json-pointer:/blocks]"] if len(blocks) > most else []
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(ids)) < len(ids):
        found.append("block_id must be unique [json-pointer:/blocks]")
    for index, block in enumerate(blocks):
        found += [f"{text} [json-pointer:/blocks/{index}]" for text in _block(block, files)]
    return found


def characters(blocks: Any) -> int:
    """All texts of a message together."""
    if isinstance(blocks, dict):
        own = len(blocks["text"]) if isinstance(blocks.get("text"), str) else 0
        return own + sum(characters(value) for value in blocks.values())
    return sum(characters(one) for one in blocks) if isinstance(blocks, list) else 0


def _block(block: Any, files: Mapping[str, bool]) -> Iterator[str]:
    kind = block.get("type") if isinstance(block, dict) else None
    match kind:
        case "divider":
            pass
        case "header":
            yield from _text(block.get("text"), _LENGTHS["header"], ("plain_text",))
        case "section":
            yield from _section(block)
        case "context":
            yield from _many(block.get("elements"), 10)
            for element in block.get("elements") or ():
                yield from _text(element, _LENGTHS["context"])
        case "image":
            yield from _image(block, files)
        case "actions":
            yield from _many(block.get("elements"), 25)
            elements = block.get("elements") or []
            ids = [element.get("action_id") for element in elements]
            if len(set(ids)) < len(ids):
                yield "action_id must be unique"
            for element in elements:
                yield from _element(element)
        case "input":
            yield from _text(block.get("label"), 2000, ("plain_text",))
            yield from _element(block.get("element"))
        case _:
            yield f"unsupported type: {kind}"


def _section(block: Mapping[str, Any]) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield "missing required field: text or fields"
    if "text" in block:
        yield from _text(block["text"], _LENGTHS["section"])
    if "fields" in block:
        yield from _many(block["fields"], 10)
        for one in block["fields"]:
            yield from _text(one, 2000)


def _image(block: Mapping[str, Any], files: Mapping[str, bool]) -> Iterator[str]:
    if not 0 < len(str(block.get("alt_text") or "")) <= 2000:
        yield "missing required field: alt_text"
    own = block.get("slack_file")
    if own is not None and not files.get(str(own.get("id"))):
        yield "invalid slack file [json-pointer:/slack_file]"
    if own is None and not str(block.get("image_url") or "").startswith("https://"):
        yield "missing required field: image_url"


def _element(element: Any) -> Iterator[str]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in _ELEMENTS:
        yield f"unsupported type: {kind}"
        return
    if len(str(element.get("action_id") or "")) > 255:
        yield "must be no more than 255 characters: action_id"
    if kind == "button":
        yield from _text(element.get("text"), 75, ("plain_text",))
        if len(str(element.get("value") or "")) > 2000:
            yield "must be no more than 2000 characters: value"
        if element.get("style") not in (None, "primary", "danger"):
            yield "must be primary or danger: style"
        confirm = element.get("confirm")
        if confirm:
            for name, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
                yield from _text(confirm.get(name), most)
    if kind in {"static_select", "overflow"}:
        yield from _many(element.get("options"), 100 if kind == "static_select" else 5)
        for option in element.get("options") or ():
            yield from _text(option.get("text"), 75, ("plain_text",))
            if not 0 < len(str(option.get("value") or "")) <= 150:
                yield "must be between 1 and 150 characters: value"
        if kind == "static_select" and "placeholder" in element:
            yield from _text(element["placeholder"], 150, ("plain_text",))


def _many(items: Any, most: int) -> Iterator[str]:
    if not isinstance(items, list) or not items:
        yield "must contain at least 1 item"
    elif len(items) > most:
        yield f"no more than {most} items allowed"


def _text(text: Any, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield "missing required field: text"
    elif not text.get("text"):
        yield "must be more than 0 characters: text"
    elif len(text["text"]) > most:
        yield f"must be no more than {most} characters: text"
    elif text["type"] == "plain_text" and "verbatim" in text:
        yield "invalid additional property: verbatim"
