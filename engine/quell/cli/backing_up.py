"""The commands ``backup`` and ``restore``: all that must survive, in one file and back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from quell import __version__
from quell.cli.as_json import as_json, print_json
from quell.cli.exits import Failed
from quell.cli.loading import loaded_from
from quell.config.options import Unfit
from quell.config.secrets import Secrets
from quell.model.rulebook import Rulebook
from quell.model.times import format_time
from quell.store.backup.making import Backup, back_up
from quell.store.backup.restoring import checked
from quell.store.backup.restoring import restore as put_back

_FILE = click.Path(dir_okay=False, path_type=Path)
_NICE = 5
"""How far a backup steps back behind everything else on the machine."""


def _which_store(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say which store is meant."""
    command = click.option(
        "--store", default="", metavar="URL", help="The store, or env:NAME, instead of what quell.yaml says."
    )(command)
    return click.option(
        "-c",
        "--config",
        default=".",
        show_default=True,
        type=click.Path(path_type=Path),
        help="The quell.yaml, or its directory.",
    )(command)


@click.command("backup")
@click.argument("file", type=_FILE)
@_which_store
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@as_json
def backup(file: Path, config: Path, store: str, *, force: bool, as_json: bool) -> None:
    """Write everything the store holds into FILE, while the daemon runs or not, and try it out.

    FILE holds the store as of one moment. Before it gets its name a recovery is done from it, and its journal,
    snapshots and audit trail are read to the end.
    """
    url, directory = _store_of(config, store)
    os.nice(_NICE)
    made = back_up(url, directory, file, now=time.time(), version=__version__, decodes=_decoded, force=force)
    if as_json:
        print_json(made)
    else:
        _show(made)


@click.command("restore")
@click.argument("file", type=_FILE)
@_which_store
@click.option("--check", is_flag=True, help="Only try FILE out; change nothing.")
@as_json
def restore(file: Path, config: Path, store: str, *, check: bool, as_json: bool) -> None:
    """Put a backup in the place of the store, which no daemon may be using; the old database is kept beside it.

    FILE is tried out first: nothing is replaced by a backup that no daemon could go on from.
    """
    from quell.daemon.claim import claimed

    if check:
        found = checked(file, _decoded)
        if as_json:
            print_json(found)
        else:
            _show(found)
        return
    url, directory = _store_of(config, store)
    if url.startswith("sqlite:///"):
        (directory / url.removeprefix("sqlite:///")).absolute().parent.mkdir(parents=True, exist_ok=True)
    with claimed(url):
        done = put_back(file, url, directory, now=time.time(), version=__version__, decodes=_decoded)
    if as_json:
        print_json(done)
        return
    _show(done.backup)
    click.echo(f"{done.store}: restored" + (f"; what was there is kept as {done.kept}" if done.kept else ""))


def _store_of(config: Path, store: str) -> tuple[str, Path]:
    """The store's URL with what a relative file lies in."""
    directory = Path.cwd()
    if not store:
        settings = loaded_from(config, secrets_needed=False).settings
        store, directory = settings.store, settings.directory
    elif not config.is_file():
        directory = config
    if store.startswith(("env:", "file:")):
        try:
            store = Secrets(directory, os.environ).read(store).reveal()
        except Unfit as error:
            raise Failed(f"the store: {error}; {error.suggestion}") from error
    if "://" not in store:
        raise Failed('the store is not a URL; write one such as "sqlite:///quell.db"')
    return store, directory.absolute()


def _decoded(data: bytes) -> None:
    """Reads a snapshot as a start would."""
    from quell.daemon.saved import opened
    from quell.daemon.serve import restored

    saved = opened(data)
    restored(saved.rulebook or Rulebook(), saved.state)


def _show(made: Backup) -> None:
    held = made.contents
    at = f" at {format_time(held.at)}" if held.at is not None else ""
    click.echo(f"{made.file}: whole, {_megabytes(made.size)}")
    click.echo(f"  up to      group {held.seq}{at}")
    if held.first is not None:
        click.echo(
            f"  journal    {_count(held.groups, 'group')} from {held.first} on, {_count(held.records, 'record')}"
        )
    click.echo("  snapshot   " + ("none yet" if held.snapshot is None else f"up to group {held.snapshot}"))
    rows = dict(held.rows)
    for name in ("journal", "snapshots", "meta", "audit"):
        rows.pop(name, None)
    click.echo(
        f"  audit      {_count(held.rows.get('audit', 0), 'row')}, {'BROKEN' if held.audit_break else 'verified'}"
    )
    click.echo("  rows       " + ", ".join(f"{count} {name}" for name, count in rows.items()))
    if held.left_out:
        click.echo(f"  left out   {_count(len(held.left_out), 'damaged snapshot')}; nothing is lost by it")
    if held.audit_break:
        click.echo(f"warning: {held.audit_break}; the rest is good", err=True)
    if made.manifest is None:
        click.echo("  not made by quell backup: that it reads well is all that can be said of it")
    else:
        click.echo(f"  made       {format_time(made.manifest.made_at)} by quell {made.manifest.quell}")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


COMMANDS = {"backup": backup, "restore": restore}
