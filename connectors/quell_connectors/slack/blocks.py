"""Cards as Block Kit, within Slack's limits; what does not fit is counted, and is behind the link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from quell.sdk.chat import Button, Card, Line
from quell_connectors.slack.text import cut, mrkdwn, plain, preformatted

Block = dict[str, Any]

MOST_BLOCKS = 50
MOST_TEXT = 3000
MOST_HEADER = 150
MOST_FIELDS = 10
MOST_FIELD = 2000
MOST_LABEL = 75
MOST_VALUE = 2000
MOST_CHOICE = 150
"""Characters of a choice's value in a menu."""
MOST_IN_ALL = 12_000
"""Characters of all texts of a message; Slack tells of no limit, but refuses messages beyond some 13,000."""
BUTTONS = 5
"""Side by side; a phone shows no more without scrolling. The others stand in a menu."""
_SHORT_FACT = 48
_SIGNS = {
    "critical": "🔴", "fatal": "🔴", "emergency": "🔴", "page": "🔴", "p1": "🔴", "sev1": "🔴",
    "high": "🟠", "error": "🟠", "major": "🟠", "p2": "🟠", "sev2": "🟠",
    "warning": "🟡", "warn": "🟡", "medium": "🟡", "minor": "🟡", "p3": "🟡", "sev3": "🟡",
    "low": "🔵", "info": "🔵", "informational": "🔵", "none": "🔵", "debug": "🔵",
}  # fmt: skip
_OVER = {
    "resolved": "✅", "done": "✅", "succeeded": "✅", "merged": "🔗", "withdrawn": "⚪", "rejected": "⛔",
    "expired": "⌛", "failed": "❌", "stuck": "❌",
}  # fmt: skip


def blocks(card: Card, picture: Block | None = None) -> list[Block]:
    """The card from top to bottom: what and how bad, the lines, the buttons, the picture.

    The picture comes last: on a phone it would push the buttons out of sight.
    """
    made = [_header(card), *_standing(card)]
    tail = [*_actions(card.buttons), *([picture] if picture else [])]
    return made + _fitted(card, MOST_BLOCKS - len(made) - len(tail)) + tail


def summary(card: Card) -> str:
    """What a phone shows on its lock screen, and what a screen reader says."""
    marks = " · ".join(one for one in (card.severity.upper(), card.status) if one)
    told = [line.text for line in card.lines if line.kind in {"lead", "cause"}][:2]
    head = f"{_sign(card)} {plain(card.title, 200)}".strip()
    text = " — ".join([head, *(plain(one, 200) for one in told)])
    return _escaped_entities(f"{text} [{marks}]" if marks else text)


def line_blocks(lines: Iterable[Line]) -> list[Block]:
    """Lines alone, as in dialogs."""
    made: list[Block] = []
    said = [line for line in lines if plain(line.text, 10)]
    for kind, group in groupby(said, key=lambda line: line.kind):
        made += _LOOKS[kind]([line.text for line in group])
    return made


def text_blocks(text: str) -> list[Block]:
    """Text alone, in as many sections as it needs."""
    keep = MOST_IN_ALL
    while sum(map(_size, made := _sections(cut(text, keep).split("\n")))) > MOST_IN_ALL:
        keep = keep * 3 // 4
    return made


def picture_block(alt: str, *, url: str = "", file_id: str = "") -> Block:
    """A picture by its address or by the file that was uploaded."""
    source: Block = {"slack_file": {"id": file_id}} if file_id else {"image_url": url}
    return {"type": "image", "alt_text": plain(alt, 2000) or "picture", **source}


def actions(buttons: Sequence[Button]) -> list[Block]:
    """Buttons of a message."""
    return _actions(buttons)


def _header(card: Card) -> Block:
    title = f"{_sign(card)} {plain(card.title, MOST_HEADER - 3) or card.key}".strip()
    return {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}


def _sign(card: Card) -> str:
    return _OVER.get(card.status) or _SIGNS.get(card.severity.lower(), "")


def _standing(card: Card) -> list[Block]:
    """How bad, and how it stands: words, because a colour is not seen by everybody."""
    parts = [f"**{card.severity}**"] if card.severity else []
    parts += [card.status] if card.status else []
    text = mrkdwn(" · ".join(parts), 500)
    if card.link:
        shown = f"<{card.link.replace('&', '&amp;')}|open in quell>"
        text = f"{text} · {shown}" if text else shown
    return [_context(text)] if text else []


def _fitted(card: Card, room: int) -> list[Block]:
    """As many of the lines as fit; the last ones are left out first, and counted."""
    made = _first(card, len(card.lines))
    if _fits(made, room):
        return made
    low, high = 0, len(card.lines)
    while high - low > 1:  # the first ``low`` lines fit, the first ``high`` do not
        middle = (low + high) // 2
        low, high = (middle, high) if _fits(_first(card, middle), room) else (low, middle)
    return _first(card, low)[:room]


def _first(card: Card, count: int) -> list[Block]:
    made = line_blocks(card.lines[:count])
    if missing := len(card.lines) - count:
        where = "open in quell" if card.link else f"say: show {card.key}"
        made.append(_context(mrkdwn(f"{missing} more line{'s' * (missing > 1)} left out here; {where}", 300)))
    return made


def _fits(made: list[Block], room: int) -> bool:
    return len(made) <= room and sum(map(_size, made)) <= MOST_IN_ALL


def _size(block: Block) -> int:
    texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    return sum(len(str(text.get("text") or "")) for text in texts if isinstance(text, dict))


def _leads(texts: list[str]) -> list[Block]:
    return [_section("\n".join(f"**{text}**" if "**" not in text else text for text in texts))]


def _causes(texts: list[str]) -> list[Block]:
    return [_section("\n".join(texts))]


def _facts(texts: list[str]) -> list[Block]:
    """Short ones in two columns, long ones below each other."""
    labelled = [_labelled(text) for text in texts]
    if len(texts) > 1 and all(len(text) <= _SHORT_FACT for text in texts):
        fields = [{"type": "mrkdwn", "text": mrkdwn(text, MOST_FIELD), "verbatim": True} for text in labelled]
        return [
            {"type": "section", "fields": fields[at : at + MOST_FIELDS]} for at in range(0, len(fields), MOST_FIELDS)
        ]
    return _sections(labelled)


def _labelled(text: str) -> str:
    label, colon, rest = text.partition(": ")
    return f"**{label}:** {rest}" if colon and len(label) <= 24 and "*" not in label and "`" not in label else text


def _items(texts: list[str]) -> list[Block]:
    return _sections([f"• {text}" for text in texts])


def _quotes(texts: list[str]) -> list[Block]:
    text = preformatted("\n".join(texts), MOST_TEXT)
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}]


def _notes(texts: list[str]) -> list[Block]:
    return [_context(mrkdwn(text, 2000)) for text in texts if text]


_LOOKS = {"lead": _leads, "cause": _causes, "fact": _facts, "item": _items, "quote": _quotes, "note": _notes}


def _sections(texts: Sequence[str]) -> list[Block]:
    """Lines below each other, in as few sections as hold them."""
    parts: list[list[str]] = [[]]
    for text in texts:
        # Escaping makes text longer: five times is the most that a sign becomes.
        if parts[-1] and sum(map(_written_size, parts[-1])) + _written_size(text) > MOST_TEXT:
            parts.append([])
        parts[-1].append(text)
    return [_section("\n".join(part)) for part in parts if part]


def _written_size(text: str) -> int:
    return len(mrkdwn(text, MOST_TEXT)) + 1


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn(text, MOST_TEXT) or " ", "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _actions(buttons: Sequence[Button]) -> list[Block]:
    if not buttons:
        return []
    few = len(buttons) <= BUTTONS + 1
    # A menu asks no question before an act, and its values are short: such buttons stay buttons.
    menu = [] if few else [one for one in buttons[BUTTONS:] if not one.confirm and len(_choice(one)) <= MOST_CHOICE]
    if len(menu) < 2:
        menu = []
    shown = [one for one in buttons if one not in menu][:24]
    elements = [_button(one, index) for index, one in enumerate(shown)]
    if menu:
        elements.append(_menu(menu))
    return [{"type": "actions", "elements": elements}]


def _button(button: Button, index: int) -> Block:
    made: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": plain(button.label, MOST_LABEL) or button.verb, "emoji": False},
        "action_id": f"{button.verb}#{index}"[:255],
        "value": button.value[:MOST_VALUE],
    }
    if button.style:
        made["style"] = button.style
    if button.confirm:
        made["confirm"] = {
            "title": {"type": "plain_text", "text": plain(button.label, 100) or "Sure?"},
            "text": {"type": "plain_text", "text": plain(button.confirm, 300)},
            "confirm": {"type": "plain_text", "text": "Yes"},
            "deny": {"type": "plain_text", "text": "No"},
            **({"style": "danger"} if button.style == "danger" else {}),
        }
    return made


def _menu(buttons: Sequence[Button]) -> Block:
    choices = [
        {"text": {"type": "plain_text", "text": plain(one.label, MOST_LABEL) or one.verb}, "value": _choice(one)}
        for one in buttons[:100]
    ]
    return {
        "type": "static_select",
        "action_id": "more#menu",
        "placeholder": {"type": "plain_text", "text": "More…"},
        "options": choices,
    }


def _choice(button: Button) -> str:
    return f"{button.verb} {button.value}"


def _escaped_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
