"""The command ``record``: what fires now, asked for again and again, in a file for each day."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from quell.cli.asked_source import Asked, asks_source, labelled, labels_of, source_of
from quell.cli.days import Days
from quell.cli.exits import Failed
from quell.cli.growing import Growing
from quell.cli.when import span
from quell.errors import ConnectorError, Unreachable
from quell.model.times import format_duration, format_time
from quell.sdk.connector import Pulls

NOTE = ".quell-record"
_LONGEST_WAIT_S = 300.0


def _while(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    found = span(context, option, text)
    if found is not None and found <= 0:
        raise click.BadParameter(f'"{text}" is no time at all')
    return found


@click.command("record")
@click.argument("source")
@asks_source
@click.option("--every", "every_s", default="15s", show_default=True, callback=_while, help="How often it is asked.")
@click.option("--for", "for_s", callback=_while, metavar="TIME", help="End after so long; without it when interrupted.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A directory of days.")
@click.option("--keep", "keep_s", default="30d", show_default=True, callback=_while, help="Take older days away.")
@click.option("--most-mb", type=click.IntRange(1), default=2000, show_default=True, help="Take days away beyond that.")
def record(
    source: str,
    url: str,
    token: str | None,
    *,
    more: Sequence[str],
    labels: Sequence[str],
    every_s: float,
    for_s: float | None,
    out: Path,
    keep_s: float,
    most_mb: int,
) -> None:
    """Write what fires at SOURCE, such as alertmanager or prometheus, to a file for each day, for replay and backtest.

    Nothing is changed there. Each alert is written when it begins and when it is over, of an Alertmanager also each
    silence. Interrupted by Ctrl-C or SIGTERM it ends in order; given again it goes on.
    """
    asked = source_of(source, "pull", url, token, more)
    days = Days(out, keep_s, most_mb * 1_000_000)
    recorder = Recorder(asked, days, {"source": asked.name, "url": url}, labels_of(labels))
    asyncio.run(recorder.run(every_s, for_s))
    click.echo(f"{out}: {recorder.lines} line{'s' * (recorder.lines != 1)} added")


@dataclass(slots=True)
class Recorder:
    """Asks on, whatever the other side answers; what it could not say is asked for again."""

    asked: Asked
    days: Days
    wanted: Mapping[str, str]
    labels: Mapping[str, str]
    lines: int = 0
    growing: Growing = field(init=False)
    _told: str = ""

    def __post_init__(self) -> None:
        self.growing = Growing(self.days.folder / NOTE)
        note = self.growing.note
        if note is not None and dict(note.asked) != dict(self.wanted):
            raise Failed(f"{self.days.folder} is a record of {note.asked.get('url')}; name another directory")

    async def run(self, every_s: float, for_s: float | None) -> None:
        """Until it is interrupted, or for so many seconds."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        if for_s is not None:
            loop.call_later(for_s, ended.set)
        failures = 0
        try:
            while not ended.is_set():
                wait_s, failures = await self._once(every_s, failures)
                try:
                    async with asyncio.timeout(wait_s):
                        await ended.wait()
                except TimeoutError:
                    continue
        finally:
            await self.asked.http.close()

    async def _once(self, every_s: float, failures: int) -> tuple[float, int]:
        """Asks once; gives how long to wait, and how often in a row it was in vain."""
        assert isinstance(self.asked.connector, Pulls)
        note = self.growing.note
        try:
            now = time.time()
            pulled = await self.asked.connector.pull(None if note is None else note.cursor, now)
        except ConnectorError as error:
            wait_s = min(every_s * 2**failures, max(_LONGEST_WAIT_S, every_s))
            if isinstance(error, Unreachable) and error.retry_after_s is not None:
                wait_s = max(every_s, min(error.retry_after_s, _LONGEST_WAIT_S))
            self._say(f"{error}; asking again in {format_duration(wait_s)}")
            return wait_s, min(failures + 1, 20)
        file = self.days.file(now)
        before = note.file if note is not None else ""
        self.lines += self.growing.add(file, labelled(pulled.records, self.labels), pulled.cursor, self.wanted)
        if before != file.name:
            for name in self.days.tidy(now):
                self._say(f"{name} was taken away: older or more than is kept")
        if self._told:
            self._say("answered again")
            self._told = ""
        return every_s, 0

    def _say(self, text: str) -> None:
        """Once, until something else is to be said."""
        if text != self._told:
            click.echo(f"{format_time(time.time())[:19]}Z {text}", err=True)
        self._told = text


COMMANDS = {"record": record}
