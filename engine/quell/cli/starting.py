"""What ``quell init`` does: the starter files, and a token that is shown once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import click

from quell.config.starter import write_starter


def new_token(token_id: str) -> tuple[str, str]:
    """A token ``qll_<id>_<secret>`` with 256 bits of secret, and the SHA-256 by which it is known."""
    token = f"qll_{token_id}_{token_hex(32)}"
    return token, sha256(token.encode()).hexdigest()


def begin(directory: Path) -> None:
    """Writes the starter into ``directory``, says what to do next. Raises `Misconfigured` when files are in the way."""
    token, digest = new_token("admin")
    written = write_starter(directory, digest, "admin")
    click.echo(f"{directory}: wrote {len(written)} files: quell.yaml, tokens.yaml, rules, playbooks")
    click.echo("\nthe admin token, shown this once; tokens.yaml has only its hash:\n")
    click.echo(f"  export QUELL_TOKEN={token}\n")
    click.echo("next:")
    click.echo(f"  quell check {directory}")
    click.echo(f"  quell test {directory}")
    click.echo(f"  quell serve -c {directory / 'quell.yaml'}")
    click.echo("and in another terminal, with the token:")
    click.echo("  quell incidents")
    click.echo(
        "\nalerts are taken on this machine without a token: name http://127.0.0.1:9099 as Prometheus' Alertmanager"
    )
