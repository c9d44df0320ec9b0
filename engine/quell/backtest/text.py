"""A difference as text for a terminal or a log, and as Markdown for a pull request: the summary first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quell.backtest import wording
from quell.backtest.difference import Difference
from quell.backtest.wording import Row

MARK = "<!-- quell backtest -->"
"""Begins the Markdown, so that a comment can be found again and replaced."""
MOST_LETTERS = 60_000
"""GitHub takes comments of 65,536 letters at most."""
_MOST_CELL = 200
_TABLES: tuple[tuple[str, Row], ...] = (
    ("Pages", ("", "Alert", "When", "Incident", "Why")),
    ("Incidents", ("", "Incident", "Title", "Alerts", "Page")),
    ("Verdicts on alerts", ("Alert", "Times", "Verdict", "Why")),
    ("First causes", ("Incident", "Title", "Was", "Is")),
    ("Runs of playbooks", ("", "Playbook", "Incident", "Mode and state", "Steps")),
)


def lines(found: Difference, most: int) -> Iterator[str]:
    """Plain text; at most so many rows of each table."""
    yield wording.headline(found)
    yield f"from {found.was.name} to {found.now.name}; {wording.span(found)}"
    yield ""
    yield from _aligned([("", "from", "to", ""), *wording.figures(found)])
    for (title, _), rows in zip(_TABLES, _rows(found), strict=True):
        if rows:
            yield from ("", f"{title} ({len(rows)})")
            yield from _aligned(rows[:most])
            if len(rows) > most:
                yield f"  … and {len(rows) - most} more"
    for note in found.notes:
        yield from ("", f"note: {note}")


def markdown(found: Difference, most: int) -> str:
    """For a comment: never longer than `MOST_LETTERS`, whatever there is to say."""
    while True:
        text = "\n".join(_markdown(found, most)) + "\n"
        if len(text) <= MOST_LETTERS:
            return text
        if most == 0:
            return text[: MOST_LETTERS - 4] + "\n…\n"
        most //= 2


def _markdown(found: Difference, most: int) -> Iterator[str]:
    sign = "❌" if found.failed else "✅"
    yield from (MARK, f"### {sign} quell backtest", "")
    for sentence in found.failed or (wording.headline(found),):
        yield f"**{_escaped(sentence, 1000)}**" if found.failed else _escaped(sentence, 1000)
        yield ""
    yield f"From {_escaped(found.was.name)} to {_escaped(found.now.name)}, over {wording.span(found)}."
    yield ""
    yield from _table(("", "From", "To", ""), list(wording.figures(found)))
    for (title, head), rows in zip(_TABLES, _rows(found), strict=True):
        if not rows:
            continue
        pages = title == "Pages" and any(page.what == "lost" for page in found.pages)
        yield from ("", f"<details{' open' * pages}><summary>{title}: {len(rows)}</summary>", "")
        yield from _table(head, rows[:most])
        if len(rows) > most:
            yield from ("", f"… and {len(rows) - most} more; `quell backtest --json` lists all.")
        yield from ("", "</details>")
    for note in found.notes:
        yield from ("", f"Note: {_escaped(note)}.")


def _rows(found: Difference) -> list[list[Row]]:
    return [
        wording.pages(found),
        wording.incidents(found),
        wording.verdicts(found),
        wording.causes(found),
        wording.runs(found),
    ]


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    cells = [[_one_line(cell, _MOST_CELL) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))] if cells else []
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_escaped, row))} |"


def _one_line(text: str, most: int) -> str:
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _escaped(text: str, most: int = _MOST_CELL) -> str:
    """Text of alerts is anybody's: it must neither form markup nor mention people."""
    out = _one_line(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for letter in "\\`*_{}[]()#!|~":
        out = out.replace(letter, f"\\{letter}")
    return out.replace("@", "@\u200b").replace("://", ":\u200b//")
