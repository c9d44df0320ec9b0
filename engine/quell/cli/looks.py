"""How things look on a terminal: tables that fit, relative times, colours by severity and state."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from quell.model.shares import percent
from quell.model.times import parse_time

_SEVERITY = {
    "critical": "bold red", "page": "bold red", "emergency": "bold red", "fatal": "bold red", "high": "red",
    "error": "red", "warning": "yellow", "warn": "yellow", "medium": "yellow", "info": "cyan", "low": "cyan",
}  # fmt: skip
_STATE = {
    "open": "bold red", "firing": "red", "acknowledged": "yellow", "resolved": "green", "merged": "dim",
    "withdrawn": "dim", "expired": "dim", "page": "bold red", "hold": "yellow", "digest": "cyan", "muted": "dim",
    "waiting": "bold yellow", "proposed": "bold yellow", "running": "cyan", "done": "green", "failed": "bold red",
    "stuck": "bold red", "in_doubt": "bold magenta", "stopped": "dim", "skipped": "dim", "undone": "magenta",
    "acting": "cyan", "reading": "cyan", "verifying": "cyan",
}  # fmt: skip
_PIPE_WIDTH = 1000
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


@dataclass(frozen=True)
class Column:
    """A column of a table; it is left out on terminals narrower than ``from_width``. ``folds`` lets text wrap."""

    title: str
    from_width: int = 0
    folds: bool = False
    justify: Literal["left", "right"] = "left"


def console() -> Console:
    """Standard output as rich sees it: colours and folding on a terminal, one line a row in a pipe."""
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = _PIPE_WIDTH
    return out


def table(out: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
    """Prints rows under the columns that fit the terminal."""
    shown = [index for index, column in enumerate(columns) if out.width >= column.from_width]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index in shown:
        column = columns[index]
        grid.add_column(
            column.title,
            justify=column.justify,
            no_wrap=not column.folds,
            overflow="fold" if column.folds else "ellipsis",
        )
    for row in rows:
        grid.add_row(*(row[index] if isinstance(row[index], Text) else Text(str(row[index])) for index in shown))
    out.print(grid)


def severity(text: str) -> Text:
    """A severity in its colour."""
    return Text(text or "-", style=_SEVERITY.get(text.lower(), ""))


def state(text: str) -> Text:
    """A status, verdict or run state in its colour."""
    return Text(text.replace("_", " "), style=_STATE.get(text, ""))


def ago(at: str | float | None, now: float | None = None) -> str:
    """A time as ``3m ago`` or ``in 20s``; "-" for none."""
    moment = parse_time(at) if isinstance(at, str) else at
    if moment is None:
        return "-"
    past = (time.time() if now is None else now) - moment
    if abs(past) < 1:
        return "now"
    return f"{span(past)} ago" if past > 0 else f"in {span(-past)}"


def span(seconds: float) -> str:
    """A length of time in its two largest units, such as ``2h5m``."""
    left, text, units = abs(seconds), "", 0
    for unit_s, name in _UNITS:
        count = int(left // unit_s)
        left -= count * unit_s
        if count or units:
            units += 1
            text += f"{count}{name}" if count else ""
        if units == 2:
            break
    return text or "0s"


def clock(at: str | float | None) -> str:
    """The time of day in UTC, such as ``10:04:31``; "-" for none."""
    moment = parse_time(at) if isinstance(at, str) else at
    return "-" if moment is None else time.strftime("%H:%M:%S", time.gmtime(moment))


def said(step: Mapping[str, Any]) -> str:
    """What is known of a step: what is true of it, and why its last try failed while another is waited for."""
    sentence, error = step.get("sentence") or "", step.get("error") or ""
    if sentence and error and step.get("state") == "waiting":
        return f"{sentence}: {error}"
    return sentence or error


def lines(out: Console, text: str, style: str = "") -> None:
    """Prints lines whose indent is kept, and is two wider, where they wrap."""
    for line in text.rstrip().splitlines():
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        folded = fill(
            bare,
            max(out.width, 20),
            initial_indent=indent,
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        out.print(Text(folded), style=style)


def path(names: Sequence[str]) -> str:
    """Entities from the cause to the symptom."""
    return " → ".join(names)


def labels(pairs: Mapping[str, str], *, without: Sequence[str] = ("alertname", "severity")) -> str:
    """Labels on one line, the ones that say where first in their own order."""
    return " ".join(f"{name}={value}" for name, value in pairs.items() if name not in without)


def suspect(found: Mapping[str, Any]) -> str:
    """A suspect by name: the change with its entity, or the entity."""
    if found.get("change"):
        return f"{found.get('kind', 'change')} {found['change']} of {found['entity']}"
    return str(found["entity"])


def cause(incident: Mapping[str, Any]) -> str:
    """The first suspect in few words."""
    suspects = incident.get("suspects") or []
    if not suspects:
        return "not known yet"
    text = f"{suspect(suspects[0])} {percent(suspects[0].get('confidence', 0.0))}"
    return f"no clear cause ({text})" if incident.get("no_clear_cause") else text
