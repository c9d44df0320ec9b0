"""Cards and answers as text, for terminals and for whoever shows nothing else."""

from __future__ import annotations

from quell.sdk.chat import Answer, Card, Line

_BEFORE = {"item": "- ", "quote": "    "}


def plain_card(card: Card) -> str:
    """A card in lines."""
    about = ", ".join(part for part in (card.severity, card.status) if part)
    head = f"{card.title} [{about}]" if about else card.title
    lines = [head, *(f"  {_line(line)}" for line in card.lines)]
    return "\n".join([*lines, f"  {card.link}"] if card.link else lines)


def plain_answer(answer: Answer) -> str:
    """All of an answer that can be read."""
    parts = [unmarked(answer.text)] if answer.text else []
    if answer.card is not None:
        parts.append(plain_card(answer.card))
    if answer.modal is not None:
        parts.append("\n".join([answer.modal.title, *(f"  {_line(line)}" for line in answer.modal.lines)]))
    return "\n".join(parts)


def unmarked(text: str) -> str:
    """Text without the two marks that may stand in it."""
    return text.replace("**", "").replace("`", "")


def _line(line: Line) -> str:
    return _BEFORE.get(line.kind, "") + unmarked(line.text)
