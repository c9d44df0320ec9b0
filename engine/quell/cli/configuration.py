"""Commands about the configuration: init, check, schema, explain, version."""

from __future__ import annotations

from pathlib import Path

import click

from quell import __version__
from quell.cli.as_json import as_json, print_json
from quell.cli.exits import Failed
from quell.errors import Misconfigured

_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command("check")
@click.argument("directory", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--without-secrets", is_flag=True, help="Secrets and tokens need not be here, as where changes are built."
)
@as_json
def check(directory: Path, *, without_secrets: bool, as_json: bool) -> None:
    """Check the configuration in DIRECTORY (or a quell.yaml); show every problem at once."""
    from quell.cli.loading import checked_from

    try:
        found = checked_from(directory, secrets_needed=not without_secrets)
    except Misconfigured as error:
        if as_json:
            print_json({"fine": False, "problems": error.problems, "warnings": []})
        raise
    book = found.rulebook
    counts = {
        "sources": len(found.settings.sources),
        "rules": sum(map(len, (book.map, book.mute, book.inhibit, book.windows, book.triage.rules))),
        "detectors": sum(rule.on for rule in book.detect),
        "entities": len(book.entities),
        "playbooks": len(book.playbooks),
        "routes": len(book.routes),
    }
    if as_json:
        print_json({"fine": True, "problems": [], "warnings": found.warnings, "version": book.version, **counts})
        return
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    routes = counts.pop("routes")
    one = {"entities": "entity"}
    parts = [
        f"{count} {what if count != 1 else one.get(what, what[:-1])}"
        for what, count in counts.items()
        if count or what != "detectors"
    ]
    parts.append(f"{routes} route{'s' * (routes != 1)} for pages")
    click.echo(f"{directory}: fine ({', '.join(parts)}; version {book.version})")


@click.group("explain")
def explain() -> None:
    """List what is installed."""


@explain.command("actions")
@click.argument("name", required=False)
@as_json
def explain_actions(name: str | None, *, as_json: bool) -> None:
    """List the actions that playbooks and pages can use, with their parameters; or only those that NAME begins."""
    from quell.cli.explaining import print_actions

    print_actions(name or "", as_json=as_json)


@explain.command("connectors")
@click.argument("name", required=False)
@as_json
def explain_connectors(name: str | None, *, as_json: bool) -> None:
    """List the connectors, with their options; or only NAME."""
    from quell.cli.explaining import print_connectors

    print_connectors(name or "", as_json=as_json)


@click.command("version")
@as_json
def version(*, as_json: bool) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
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
