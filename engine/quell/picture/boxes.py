"""What stands in a box: kind, name, when its first alert began, its alerts, what was changed there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from quell.core.story import Actor
from quell.model.shares import percent
from quell.picture.canvas import Canvas
from quell.picture.cast import Box
from quell.picture.layout import BOX_WIDTH, Placed
from quell.picture.words import clean, fit, offset, width, wrap

PAD = 10.0
ROOM = BOX_WIDTH - 2 * PAD
NAME_SIZE, SMALL = 12.5, 10.5
NAME_LINE, SMALL_LINE = 16.0, 14.5
_MOST_ALERTS = 2


@dataclass(frozen=True, slots=True)
class Look:
    """``began``: when the story did. ``clear``: the first suspect is called the cause. ``scoped``: namespaces differ.

    ``on_path``: the path goes through this box.
    """

    began: float | None
    clear: bool = True
    scoped: bool = True
    on_path: bool = False


def height(box: Box, look: Look) -> float:
    """How tall a box is."""
    name, lines = _words(box, look)
    return 13.0 + SMALL_LINE + len(name) * NAME_LINE + len(lines) * SMALL_LINE


def draw(canvas: Canvas, placed: Placed, look: Look) -> None:
    """Draws a box. What the path goes through is rimmed like the cause; rivals are faint, silent ones dashed."""
    box, actor, began, on_path = placed.box, placed.box.actor, look.began, look.on_path
    role = actor.role if actor is not None else "crowd"
    fill = {"cause": "cause", "rival": "page", "silent": "page"}.get(role, "path" if on_path else "box")
    line = "fault" if role == "cause" or on_path else "faint" if role == "rival" else "rim"
    silent = actor is not None and not actor.alerts
    canvas.begin(_title(box))
    if role == "crowd":
        canvas.rect((placed.x + 4, placed.y + 4, BOX_WIDTH, placed.height), "box", "rim", width=0.8)
    canvas.rect(
        (placed.x, placed.y, BOX_WIDTH, placed.height), fill, line,
        width=2.2 if role == "cause" else 1.6 if on_path else 1.1, dash="5 4" if silent else "",
    )  # fmt: skip
    ink, soft = ("faint", "faint") if role == "rival" else ("ink", "soft")
    name, lines = _words(box, look)
    x, y = placed.x + PAD, placed.y + 16.5
    when = offset(actor.onset - began) if actor is not None and actor.onset is not None and began is not None else ""
    taken = width(when, SMALL, bold=True) + 6 if when else 0.0
    canvas.text((x, y), _kind(box, look), SMALL, soft, room=ROOM - taken)
    if when:
        told = "fault" if role == "cause" else soft
        canvas.text((placed.x + BOX_WIDTH - PAD, y), when, SMALL, told, bold=True, anchor="end")
    for part in name:
        y += NAME_LINE
        canvas.text((x, y), part, NAME_SIZE, ink, bold=True)
    for text, colour in lines:
        y += SMALL_LINE
        canvas.text((x, y), text, SMALL, colour if role != "rival" else "faint", room=ROOM)
    canvas.end()


def _words(box: Box, look: Look) -> tuple[list[str], list[tuple[str, str]]]:
    """The lines of the name, and those below it with their colours."""
    began = look.began
    if box.actor is None:
        return _crowd_words(box, began)
    actor = box.actor
    lines = _alert_lines(actor)
    for change in actor.changes:
        when = offset(change.at - began).replace("start", "at the start") if began is not None else ""
        lines.append((f"◆ {change.what} {when}".rstrip(), "change"))
    if actor.suspect == 1:
        sure = percent(actor.confidence) if actor.confidence > 0 else "alone"
        lines.append((f"{'first cause' if look.clear else 'best candidate, not clear'}: {sure}", "fault"))
    elif actor.suspect:
        lines.append((f"candidate {actor.suspect}, lost: {percent(actor.confidence)}", "soft"))
    return wrap(clean(actor.name), ROOM, NAME_SIZE, 2, bold=True), lines


def _alert_lines(actor: Actor) -> list[tuple[str, str]]:
    if not actor.alerts:
        return [("no alert of its own", "soft")]
    names = list(dict.fromkeys(one.name for one in actor.alerts))
    lines = [(name, "soft") for name in names[:_MOST_ALERTS]]
    if len(names) > _MOST_ALERTS:
        more = f", +{len(names) - _MOST_ALERTS} more"
        last = fit(clean(names[_MOST_ALERTS - 1]), ROOM - width(more, SMALL), SMALL)
        lines[-1] = (last + more, "soft")
    return lines


def _crowd_words(box: Box, began: float | None) -> tuple[list[str], list[tuple[str, str]]]:
    kinds = Counter(actor.kind for actor in box.crowd)
    alerts = sum(len(actor.alerts) for actor in box.crowd)
    lines = [(_kinds(kinds), "soft")]
    onsets = [actor.onset for actor in box.crowd if actor.onset is not None]
    when = f", from {offset(min(onsets) - began)}" if onsets and began is not None else ""
    lines.append((f"{alerts} alert{'s' * (alerts != 1)}{when}", "soft"))
    return [f"{len(box.crowd)} more entities"], lines


def _kinds(kinds: Counter[str]) -> str:
    """As many kinds as fit, the commonest first."""
    ordered = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    for most in range(len(ordered), 0, -1):
        left = sum(count for _, count in ordered[most:])
        text = ", ".join(f"{count} {clean(kind)}" for kind, count in ordered[:most])
        text += f", {left} other" if left else ""
        if width(text, SMALL) <= ROOM:
            return text
    return f"of {len(ordered)} kinds"


def _kind(box: Box, look: Look) -> str:
    if box.actor is None:
        return "and"
    return " · ".join(filter(None, (box.actor.kind, box.actor.scope if look.scoped else "")))


def _title(box: Box) -> str:
    if box.actor is None:
        return ", ".join(actor.entity for actor in box.crowd[:60])
    alerts = ", ".join(dict.fromkeys(one.name for one in box.actor.alerts))
    return f"{box.actor.entity}: {alerts or 'no alert of its own'}"
