"""What somebody typed, as words: quotes hold several together, and what phones make of quotes and dashes is undone."""

from __future__ import annotations

from dataclasses import dataclass

MOST_TEXT = 4000
"""Characters of one command; nobody types more."""
_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u200b": " "})


@dataclass(frozen=True, slots=True)
class Word:
    """``text`` is without quotes, ``raw`` as it was typed from ``start`` to ``end``."""

    text: str
    raw: str
    start: int
    end: int


class Unclosed(Exception):
    """A quote that does not end."""


def plain(text: str) -> str:
    """The same with plain quotes and blanks; of the same length."""
    return text.translate(_PLAIN)


def words(text: str) -> tuple[list[Word], int]:
    """The words before a ``because``, and where the reason behind it begins (-1: none). Raises `Unclosed`."""
    found: list[Word] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        word = _word(text, at)
        at = word.end
        if word.raw.lower() == "because" and found:
            return found, at
        found.append(word)
    return found, -1


def _word(text: str, start: int) -> Word:
    made: list[str] = []
    at, quoted = start, False
    while at < len(text) and (quoted or not text[at].isspace()):
        if text[at] == "\\" and quoted and at + 1 < len(text):
            made.append(text[at + 1])
            at += 2
            continue
        if text[at] == '"':
            quoted = not quoted
        else:
            made.append(text[at])
        at += 1
    if quoted:
        raise Unclosed
    return Word("".join(made), text[start:at], start, at)


def quoted(text: str) -> str:
    """A text as one word."""
    if text and not any(letter.isspace() or letter in '"\\' for letter in text) and text.lower() != "because":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
