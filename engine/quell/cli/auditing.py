"""The command ``audit``: who did what, and whether that is still as it was written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.exits import Failed
from quell.cli.looks import Column


@click.group("audit", invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@asks_daemon
def audit(asked: Asked, limit: int) -> None:
    """List who did what to what, the newest first; or verify that nobody changed the trail since."""
    context = click.get_current_context()
    context.obj = asked
    if context.invoked_subcommand is not None:
        return
    answer = asked.client.get("/audit", limit=limit)

    def show() -> None:
        columns = (
            Column("n", 80),
            Column("when"),
            Column("who"),
            Column("what"),
            Column("target"),
            Column("detail", 90, folds=True),
        )
        rows = []
        for entry in answer["audit"]:
            act = entry.get("audit", entry)
            row = [str(entry.get("n", "")), looks.ago(act["at"]), act["who"], act["what"], act["target"]]
            rows.append([*row, act.get("detail", "")])
        out = looks.console()
        if rows:
            looks.table(out, columns, rows)
        else:
            out.print("nobody did anything yet")

    asked.answer(answer, show)


@audit.command("verify")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--expect", default="", metavar="HASH", help="With FILE: a hash that was noted elsewhere, of it or of a row in it."
)
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, path_type=Path),
    help="Read the store that this quell.yaml names, without a daemon.",
)
@asks_daemon
def verify(asked: Asked, file: Path | None, config: Path | None, expect: str) -> None:
    """Check every row of the audit trail against the one before it; exit 1 names the first that is broken.

    With FILE, one that `quell export --about` wrote is checked instead, by nothing but itself.
    """
    if file is not None:
        _verify_file(asked, file, expect)
        return
    if expect:
        raise click.UsageError("--expect goes with a FILE")
    answer = asked.client.get("/audit/verify") if config is None else _offline(config)

    def show() -> None:
        if answer["whole"]:
            click.echo(f"the audit trail is whole: {answer['rows']} rows, the last one {answer['head'][:16] or 'none'}")

    asked.answer(answer, show)
    if not answer["whole"]:
        raise Failed(f"{answer['text']}; what stands from there on proves nothing")


def _verify_file(asked: Asked, file: Path, expect: str) -> None:
    from quell.export.proof import proven

    proof = proven(file, expect.strip().lower())
    told = {
        "whole": proof.whole,
        "about": proof.about,
        "digest": proof.digest,
        "rows": proof.rows,
        "head": proof.head,
        "masked_rows": proof.masked,
        "files": proof.files,
        "problems": proof.problems,
    }

    def show() -> None:
        if not proof.whole:
            return
        click.echo(f"{file} is as it was written: all about {proof.about}")
        click.echo(f"  {', '.join(f'{count} in {name}' for name, count in proof.files.items())}")
        click.echo(
            f"  audit trail: {proof.rows} rows, each continues the one before; the last one {proof.head or 'none'}"
        )
        if proof.masked:
            click.echo(f"  {proof.masked} rows held a secret, which is left out: their content is not proven")
        click.echo(f"  hash of it all: {proof.digest}")
        if not expect:
            click.echo(
                "  compare it with the one noted when the file was made: --expect HASH; see docs/how-to/auditor.md"
            )

    asked.answer(told, show)
    if not proof.whole:
        raise Failed("; ".join(proof.problems) + "; it proves nothing")


def _offline(config: Path) -> dict[str, Any]:
    from quell.cli.exporting import store_of
    from quell.cli.loading import loaded_from
    from quell.store.opening import open_for_reading

    settings = loaded_from(config, secrets_needed=False).settings
    with closing(open_for_reading(store_of(settings), settings.directory)) as reading:
        broken = reading.verify_audit()
        newest = reading.newest_audit()
    told: dict[str, Any] = {
        "whole": broken is None,
        "rows": newest.n if newest else 0,
        "head": newest.hash if newest else "",
    }
    return told if broken is None else {**told, "row": broken.n, "text": broken.text}


COMMANDS = {"audit": audit}
