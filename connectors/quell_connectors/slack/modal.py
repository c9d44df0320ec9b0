"""Dialogs: what is about to happen, with arguments, commit and reach, before the button that makes it happen."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.chat import Field, Modal, Said
from quell_connectors.slack.blocks import MOST_VALUE, Block, line_blocks
from quell_connectors.slack.text import plain

CALLBACK = "quell"
CHOICE = "="
"""Before the value of a choice, which may be empty, and to Slack may not."""
MOST_BLOCKS = 100
MOST_METADATA = 3000
_MOST_TITLE = 24
_MOST_CHOICES = 100


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a dialog keeps until it is sent: the click that it stands for, and where it was opened."""

    verb: str
    value: str = ""
    channel: str = ""
    thread: str = ""
    message: str = ""
    response_url: str = ""
    private: str = ""


def view(modal: Modal, said: Said) -> dict[str, Any]:
    """The dialog for ``views.open``. Raises `Refused` when what it must keep is too long for Slack."""
    submit = modal.submit
    kept = Kept(
        submit.verb,
        submit.value,
        said.channel,
        said.thread,
        said.message,
        said.reply_to.get("response_url", ""),
        said.reply_to.get("private", ""),
    )
    metadata = msgspec.json.encode(kept).decode()
    if len(metadata) > MOST_METADATA:
        raise Refused(f"a dialog keeps {MOST_METADATA} characters, and this one has {len(metadata)} to keep")
    fields = [_input(field) for field in modal.fields]
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": metadata,
        "title": _text(modal.title, _MOST_TITLE, "quell"),
        "submit": _text(submit.label, _MOST_TITLE, "Send"),
        "close": _text("Cancel", _MOST_TITLE, "Cancel"),
        "blocks": [*_lines(modal), *fields][:MOST_BLOCKS],
    }


def _lines(modal: Modal) -> list[Block]:
    """The whole title stands first when the bar above is too short for it."""
    made = line_blocks(modal.lines)[: MOST_BLOCKS - len(modal.fields) - 1]
    if len(modal.title) <= _MOST_TITLE:
        return made or [
            {"type": "context", "elements": [{"type": "plain_text", "text": modal.submit.label or "quell"}]}
        ]
    return [{"type": "header", "text": _text(modal.title, 150, "quell")}, *made]


def _input(field: Field) -> Block:
    element: Block = {"action_id": "value"}
    if field.choices:
        options = [_option(value, label) for value, label in field.choices[:_MOST_CHOICES] if len(value) < 150]
        element |= {"type": "static_select", "options": options}
        chosen = next((one for one in options if one["value"] == CHOICE + field.value), None)
        if chosen is not None:
            element["initial_option"] = chosen
    else:
        element |= {"type": "plain_text_input", "max_length": MOST_VALUE}
        if field.value:
            element["initial_value"] = field.value[:MOST_VALUE]
    return {
        "type": "input",
        "block_id": field.name[:255],
        "label": _text(field.label, 2000, field.name),
        "element": element,
        "optional": field.optional,
    }


def _option(value: str, label: str) -> Block:
    return {"text": _text(label, 75, value or "-"), "value": CHOICE + value}


def _text(text: str, most: int, otherwise: str) -> Block:
    return {"type": "plain_text", "text": plain(text, most) or otherwise, "emoji": False}
