"""The command ``send``: posts records from a file to the daemon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO

import click

from quell.cli.asking import Asked, asks_daemon
from quell.cli.exits import Failed

_BATCH_LINES = 1000
_BATCH_BYTES = 4 * 1024 * 1024
_SHOWN = 20
_LINE = re.compile(r"(?P<before>^|; )line (?P<nth>\d{1,9}): ")


@click.command("send")
@click.argument("file", type=click.File("rb"))
@asks_daemon
def send(asked: Asked, file: IO[bytes]) -> None:
    """Post the records of FILE (JSON lines; - is standard input) to the daemon, in order.

    Lines that it cannot read are named; they are in its quarantine.
    """
    sent = 0
    total: dict[str, int] = {}
    problems: list[str] = []
    for batch, numbers in _batches(file):
        try:
            answer = asked.client.post_lines("/records", batch)
        except Failed as error:
            raise Failed(_placed(str(error), file.name, numbers)) from error
        sent += len(numbers)
        problems += (_placed(problem, file.name, numbers) for problem in answer.get("problems") or ())
        for name, value in answer.items():
            if isinstance(value, int) and not isinstance(value, bool):
                total[name] = total.get(name, 0) + value
    told = {"sent": sent, **total}

    def show() -> None:
        for problem in problems[:_SHOWN]:
            click.echo(problem, err=True)
        if problems and (more := total.get("rejected", 0) - len(problems[:_SHOWN])) > 0:
            click.echo(f"… and {more} more; quell quarantine lists them", err=True)
        click.echo(", ".join(f"{count} {name}" for name, count in told.items()))

    asked.answer({**told, "problems": problems} if problems else told, show)


def _placed(said: str, file: str, numbers: Sequence[int]) -> str:
    """What the daemon says of lines of a batch, with the places of these lines in the file."""

    def place(found: re.Match[str]) -> str:
        nth = int(found["nth"])
        return f"{found['before']}{file}:{numbers[nth - 1]}: " if 0 < nth <= len(numbers) else found[0]

    return _LINE.sub(place, said)


def _batches(file: IO[bytes]) -> Iterator[tuple[bytes, list[int]]]:
    """Lines gathered into bodies that the daemon takes at once, and the numbers that they have in the file."""
    lines: list[bytes] = []
    numbers: list[int] = []
    size = 0
    for number, line in enumerate(file, 1):
        text = line.strip()
        if not text:
            continue
        lines.append(text)
        numbers.append(number)
        size += len(text)
        if len(lines) >= _BATCH_LINES or size >= _BATCH_BYTES:
            yield b"\n".join(lines) + b"\n", numbers
            lines, numbers, size = [], [], 0
    if lines:
        yield b"\n".join(lines) + b"\n", numbers


COMMANDS = {"send": send}
