"""The command ``say``: what is said in chats, said from a terminal."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import click

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.exits import Failed


@click.command("say")
@click.argument("words", nargs=-1, required=True)
@click.option("--about", default="", help="The incident or run that it is about, if the words name none.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture there.")
@asks_daemon
def say(asked: Asked, words: tuple[str, ...], about: str, output: Path | None) -> None:
    """Say a command in words: quell say "why INC-3f9a1c"; quell say help lists them."""
    answer = asked.client.post("/say", {"text": " ".join(words), "about": about})
    if output is not None and answer.get("png"):
        output.write_bytes(b64decode(answer["png"]))
    if not answer.get("ok", True):
        raise Failed(str(answer["text"]))
    asked.answer(answer, lambda: looks.lines(looks.console(), str(answer["text"])))


COMMANDS = {"say": say}
