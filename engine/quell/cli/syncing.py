"""The command ``sync``: rules that come from git."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.exits import Failed


@click.command("sync")
@asks_daemon
def sync(asked: Asked) -> None:
    """Look at the git branch of rules now, and take its newest commit up if it may be."""
    answer = asked.client.post("/git/sync")
    asked.answer(answer, lambda: _show(answer["git"]))
    if answer["problem"]:
        raise Failed(f"the newest rules are not in use: {answer['problem']}")


def _show(git: dict[str, Any]) -> None:
    out = looks.console()
    if not git["commit"]:
        out.print(Text("no commit is in use: there are no rules and no playbooks", style="yellow"))
        return
    signed = f", signed by {git['signer']}" if git["signer"] else ""
    out.print(Text(f"in use: {git['commit'][:12]} {git['subject']}{signed}; taken up {looks.ago(git['taken_at'])}"))


COMMANDS = {"sync": sync}
