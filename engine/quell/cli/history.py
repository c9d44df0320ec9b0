"""The command ``import-history``: alerts of the past in a file, for replay and backtest."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from quell.cli.asked_source import Asked, asks_source, labelled, labels_of, source_of
from quell.cli.exits import Failed
from quell.cli.growing import Growing
from quell.cli.when import moment, span
from quell.errors import Unreachable
from quell.export.files import opened_lines
from quell.model.times import format_duration, format_time
from quell.sdk.connector import Recalled, Recalls

_TRIES = 5
_WAIT_S, _LONGEST_WAIT_S = 1.0, 300.0
_ALL = ""
"""The cursor behind the last part."""


@click.command("import-history")
@click.argument("source")
@asks_source
@click.option("--from", "from_", required=True, callback=moment, metavar="WHEN", help="7d (that long ago) or a time.")
@click.option("--to", callback=moment, metavar="WHEN", help="Until then; without it until now.")
@click.option("--step", "step_s", default="1m", show_default=True, callback=span, help="How finely it looks.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file; .gz packs.")
def import_history(
    source: str,
    url: str,
    token: str | None,
    *,
    more: Sequence[str],
    labels: Sequence[str],
    from_: float,
    to: float | None,
    step_s: float,
    out: Path,
) -> None:
    """Write the alerts that SOURCE, such as prometheus, knows of the past as lines for replay and backtest.

    Prometheus keeps samples and no events: an alert begins up to one step too early and ends up to one too late, and
    has no annotations. It is asked in parts; what is interrupted goes on when the same command is given again.
    """
    if step_s <= 0 or (to is not None and to <= from_):
        raise click.UsageError("--to lies behind --from, and --step is longer than nothing")
    if out.exists():
        raise Failed(f"{out} is there already; nothing was written")
    asked = source_of(source, "recall", url, token, more)
    growing = Growing(out.with_name(out.name + ".note"))
    # What is relative to now is another time when the command is given again: what was begun goes on as it was.
    wanted = {"source": asked.name, "url": url, "step": f"{step_s:g}", "labels": ",".join(sorted(labels))}
    note = growing.note
    if note is not None:
        if {name: note.asked.get(name) for name in wanted} != wanted:
            raise Failed(f"{out}.note is of another import; take it and {note.file} away to begin anew")
        from_, to = float(note.asked["from"]), float(note.asked["to"])
        click.echo(f"going on at {note.bytes} bytes, from {_day(from_)} to {_day(to)}", err=True)
    to = time.time() if to is None else to
    wanted |= {"from": repr(from_), "to": repr(to)}
    part = out.with_name(out.name + ".part")
    _make_room(out.parent)
    if note is None:
        part.unlink(missing_ok=True)
    course = _Course(asked.connector, growing, part, wanted, labels_of(labels))
    count = asyncio.run(course.run(asked, from_, to, step_s))
    _finish(part, out)
    growing.forget()
    click.echo(
        f"{out}: {count} line{'s' * (count != 1)} added, {_day(from_)} to {_day(to)}, true to {format_duration(step_s)}"
    )


def _make_room(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(f"{folder}: cannot be made: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class _Course:
    """One import: what is asked, and where its answers go."""

    connector: object
    growing: Growing
    part: Path
    wanted: Mapping[str, str]
    labels: Mapping[str, str]

    async def run(self, asked: Asked, from_: float, to: float, step_s: float) -> int:
        """Asks for part after part; gives how many lines there are more. Raises `Failed`."""
        count, cursor = 0, self.growing.note.cursor if self.growing.note is not None else None
        try:
            while cursor != _ALL:
                told = await self._patiently(from_, to, step_s, cursor)
                cursor = told.cursor or _ALL
                count += self.growing.add(self.part, labelled(told.records, self.labels), cursor, self.wanted)
                click.echo(f"{_day(told.until)} {(told.until - from_) / (to - from_):4.0%} {count} lines", err=True)
        finally:
            await asked.http.close()
        return count

    async def _patiently(self, from_: float, to: float, step_s: float, cursor: str | None) -> Recalled:
        assert isinstance(self.connector, Recalls)
        for attempt in range(1, _TRIES + 1):
            try:
                return await self.connector.recall(from_, to, step_s, cursor)
            except Unreachable as error:
                if attempt == _TRIES:
                    raise Failed(f"{error}; given again, the same command goes on from here") from error
                wait_s = error.retry_after_s if error.retry_after_s is not None else _WAIT_S * 2 ** (attempt - 1)
                click.echo(f"{error}; asking again in {format_duration(min(wait_s, _LONGEST_WAIT_S))}", err=True)
                await asyncio.sleep(min(wait_s, _LONGEST_WAIT_S))
        raise AssertionError("the last attempt answers or raises")


def _finish(part: Path, out: Path) -> None:
    """Puts what has grown in its place, packed if that is its name."""
    if out.suffix != ".gz":
        part.replace(out)
        return
    with part.open("rb") as lines, opened_lines(out) as packed:
        shutil.copyfileobj(lines, packed)
    part.unlink()


def _day(at: float) -> str:
    return format_time(at)[:16] + "Z"


COMMANDS = {"import-history": import_history}
