"""The command ``export``: what the store holds, for others to read."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal

import click
import msgspec

from quell.cli.exits import Failed
from quell.cli.loading import loaded_from
from quell.cli.when import moment
from quell.config.options import Unfit
from quell.config.secrets import Secrets
from quell.config.settings import Settings
from quell.daemon.decider import slices
from quell.daemon.logs import Masker
from quell.daemon.saved import opened
from quell.daemon.secrets_of import secrets_of
from quell.export.columns import COLUMNS, Column, taken
from quell.export.files import opened_lines, write_lines, written
from quell.export.lines import record_lines, value_line
from quell.export.parquet import write_parquet
from quell.model.alert import Alert
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.store.opening import open_for_reading
from quell.store.reading import Reading

Form = Literal["jsonl", "parquet"]
_REFERENCE = ("env:", "file:")


@click.command("export")
@click.argument("what", type=click.Choice(list(COLUMNS)), required=False)
@click.option(
    "-c",
    "--config",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="The quell.yaml, or its directory: it names the store.",
)
@click.option("--since", callback=moment, metavar="WHEN", help="From then on: 7d (that long ago) or a time.")
@click.option("--until", callback=moment, metavar="WHEN", help="Until before then.")
@click.option("--format", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write there, .gz packs; else to stdout."
)
@click.option("--about", metavar="ENTITY", help="Everything about it, such as model/fraud, as a ZIP for an auditor.")
def export(
    what: str | None,
    config: Path,
    *,
    since: float | None,
    until: float | None,
    form: Form,
    out: Path | None,
    about: str | None,
) -> None:
    """Write what the store holds, as JSON lines or as a Parquet table.

    That is records as they came in, alerts that fired, incidents, runs, the ledger of acts, the audit trail, or what
    is in quarantine. Records are lines that `quell replay` reads: by the same rules they give the same incidents. The
    daemon may run meanwhile. A file is there whole or not at all. Values of configured secrets are left out.

    With --about it is all that is known of one model, dataset or other entity: versions, incidents, decisions, runs
    with approvals, acts, and the audit trail. `quell audit verify FILE` checks it without a daemon.
    """
    if about is not None:
        if what is not None or out is None or since is not None or until is not None or form != "jsonl":
            raise click.UsageError("--about goes with -o FILE.zip and -c alone: it is everything about one entity")
        _about(about, config, out)
        return
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--until must be later than --since")
    what = what or "records"
    if form == "parquet" and out is None:
        raise click.UsageError("--format parquet is not for a terminal; say where it goes with --out FILE")
    settings = loaded_from(config, secrets_needed=False).settings
    since, until = since or 0.0, float("inf") if until is None else until
    reading = open_for_reading(store_of(settings), settings.directory)
    try:
        source = _Source(reading, what, since, until)
        hiding = Hiding(settings, everything=what == "quarantine")
        count = _written(source, COLUMNS[what], form, out, hiding)
    finally:
        reading.close()
    written_to = f", written to {out}" if out else ""
    click.echo(f"{what}: {count} {'row' if form == 'parquet' else 'line'}{'s' * (count != 1)}{written_to}", err=True)


def _about(about: str, config: Path, out: Path) -> None:
    from quell.export.dossier import Known, write_dossier
    from quell.export.proof import digest_of

    settings = loaded_from(config, secrets_needed=False).settings
    with closing(open_for_reading(store_of(settings), settings.directory)) as reading:
        source = _Source(reading, "alerts", 0.0, float("inf"))
        state, rulebook = source.saved()
        known = Known(state, rulebook, list(state.alerts.values()) if state is not None else ())
        hiding = Hiding(settings, everything=False)
        made = write_dossier(reading, about, known, out, made_at=time.time(), hidden=hiding.line)
    counts = ", ".join(f"{one.lines} in {one.name}" for one in made.files)
    click.echo(f"{about}: {counts}; written to {out}", err=True)
    click.echo(f"hash of it all: {digest_of(made)}; note it elsewhere: by it any other file is found out", err=True)


class _Source:
    """What is exported, as lines or as rows."""

    def __init__(self, reading: Reading, what: str, since: float, until: float) -> None:
        self._reading = reading
        self._what = what
        self._span = since, until

    def lines(self) -> Iterator[bytes]:
        """In JSON."""
        if self._what == "records":
            return record_lines(self._reading.groups(*self._span), slices)
        return map(value_line, self._values())

    def rows(self) -> Iterator[Any]:
        """For columns."""
        if self._what == "records":
            return chain.from_iterable(map(taken, self._reading.groups(*self._span)))
        return self._values()

    def _values(self) -> Iterator[Any]:
        if self._what == "alerts":
            return self._reading.alerts(*self._span, known=self._of_now())
        values: Iterator[Any] = getattr(self._reading, self._what)(*self._span)
        return values

    def _of_now(self) -> Sequence[Alert]:
        """Those that fired still, or were over for less than a day, when the state was saved last."""
        state, _ = self.saved()
        return () if state is None else list(state.alerts.values())

    def saved(self) -> tuple[State | None, Rulebook | None]:
        """The state that was saved last, and its rules; None each where they cannot be read."""
        data = self._reading.state()
        if data is None:
            return None, None
        saved = opened(data)
        try:
            return msgspec.msgpack.decode(saved.state, type=State), saved.rulebook
        except msgspec.DecodeError:
            click.echo("the saved state was written by another version: alerts that still fire are missing", err=True)
            return None, saved.rulebook


class Hiding:
    """Takes the values of configured secrets out of what is written; of ``everything`` also what looks like one."""

    def __init__(self, settings: Settings, *, everything: bool) -> None:
        self._masker = Masker()
        self._everything = everything
        secrets = Secrets(settings.directory, os.environ)
        known = []
        for reference in secrets_of(settings):
            with suppress(Unfit):
                known.append(secrets.read(reference).reveal())
        self._masker.know(known)
        self._known = tuple(secret.encode() for secret in self._masker.secrets)

    def line(self, line: bytes) -> bytes:
        """Without them."""
        if self._everything or any(secret in line for secret in self._known):
            return self._masked(line.decode()).encode()
        return line

    def text(self, text: str) -> str:
        """Without them."""
        return self._masked(text) if self._everything or self._known else text

    def _masked(self, text: str) -> str:
        return self._masker.text(text) if self._everything else self._masker.known(text)


def _written(source: _Source, columns: Sequence[Column], form: Form, out: Path | None, hiding: Hiding) -> int:
    if out is None:
        return write_lines(source.lines(), _stdout(), hidden=hiding.line)
    if form == "parquet":
        with written(out) as part:
            return write_parquet(source.rows(), columns, part, hidden=hiding.text)
    with opened_lines(out) as stream:
        return write_lines(source.lines(), stream, hidden=hiding.line)


def _stdout() -> IO[bytes]:
    return sys.stdout.buffer


def store_of(settings: Settings) -> str:
    """The store's URL, also where it is a secret."""
    if not settings.store.startswith(_REFERENCE):
        return settings.store
    try:
        return Secrets(settings.directory, os.environ).read(settings.store).reveal()
    except Unfit as error:
        raise Failed(f"store: {error}; {error.suggestion or 'nothing was exported'}") from error


COMMANDS: dict[str, Callable[..., Any]] = {"export": export}
