"""Commands about the configuration: init, check, schema, explain, version."""

from __future__ import annotations

from pathlib import Path

import click

from quell import __version__
from quell.cli.exits import Failed

_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command("check")
@click.argument("directory", type=click.Path(exists=True, path_type=Path))
def check(directory: Path) -> None:
    """Check the configuration in DIRECTORY (or a quell.yaml); show every problem at once."""
    from quell.cli.loading import checked_from

    found = checked_from(directory)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    book = found.rulebook
    rules = sum(map(len, (book.map, book.mute, book.inhibit, book.windows, book.triage.rules)))
    parts = (
        f"{len(found.settings.sources)} sources",
        f"{rules} rules",
        f"{len(book.entities)} entities",
        f"{len(book.playbooks)} playbooks",
        f"{len(book.routes)} route{'s' * (len(book.routes) != 1)} for pages",
    )
    click.echo(f"{directory}: fine ({', '.join(parts)}; version {book.version})")


@click.group("explain")
def explain() -> None:
    """List what is installed."""


@explain.command("actions")
@click.argument("name", required=False)
def explain_actions(name: str | None) -> None:
    """List the actions that playbooks and pages can use, with their parameters; or only those that NAME begins."""
    from quell.cli.explaining import print_actions

    print_actions(name or "")


@explain.command("connectors")
@click.argument("name", required=False)
def explain_connectors(name: str | None) -> None:
    """List the connectors, with their options; or only NAME."""
    from quell.cli.explaining import print_connectors

    print_connectors(name or "")


@click.command("version")
def version() -> None:
    """Print the version."""
    click.echo(f"quell {__version__}")


@click.command("init")
@click.argument("directory", type=_DIRECTORY)
def init(directory: Path) -> None:
    """Write a configuration to start from into DIRECTORY, with an admin token that is shown once."""
    from quell.cli.starting import begin

    begin(directory)


@click.command("schema")
@click.argument("name", required=False)
@click.option("--all", "everything", type=_DIRECTORY, metavar="DIR", help="Write all schemas into DIR.")
def schema(name: str | None, everything: Path | None) -> None:
    """Print the JSON Schema of a kind of file, so that an editor completes and checks it."""
    from quell.cli.schemas import print_schema, write_schemas

    if bool(name) == bool(everything):
        raise Failed("give the NAME of one schema, or --all DIR")
    if everything:
        write_schemas(everything)
    else:
        print_schema(name or "")


COMMANDS = {"init": init, "check": check, "schema": schema, "explain": explain, "version": version}
