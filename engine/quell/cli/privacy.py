"""The command ``privacy``: what becomes of a value or a text by the rules of what is personal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from quell.cli.exits import Failed
from quell.cli.loading import loaded_from
from quell.privacy.texts import Texts


@click.command("privacy")
@click.argument("texts", nargs=-1)
@click.option(
    "-c",
    "--config",
    default=".",
    show_default=True,
    type=click.Path(exists=True, path_type=Path),
    help="The quell.yaml, or its directory: it has the rules and says where the secret is.",
)
@click.option("--field", metavar="NAME", help="They are values of that field.")
@click.option("--token", is_flag=True, help="Print their tokens alone, whatever the rules say.")
def privacy(texts: Sequence[str], config: Path, *, field: str | None, token: bool) -> None:
    """Say what is kept of each of TEXTS, or of each line of the input.

    A text is shown as it would be kept, JSON by the names in it. With --token it is the token of the value, by which a
    person's alerts are found among those that are kept. Nothing is kept, and no daemon is asked.
    """
    rules = loaded_from(config).settings.privacy
    if not rules.rules:
        raise Failed("there are no rules of what is personal; write privacy: rules: in quell.yaml")
    at_work = Texts(rules)
    said: Iterable[str] = texts or map(_line, sys.stdin)
    for text in said:
        click.echo(at_work.token(text) if token else _shown(at_work, text, field))


def _line(line: str) -> str:
    return line.rstrip("\n")


def _shown(at_work: Texts, text: str, field: str | None) -> str:
    if field is not None:
        kept = at_work.value(field, text)
        return "(dropped)" if kept is None else str(kept)
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return at_work.text(text)
    return msgspec.json.encode(at_work.anything(document)).decode()


COMMANDS: dict[str, Callable[..., Any]] = {"privacy": privacy}
