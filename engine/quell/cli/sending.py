"""The command ``send``: posts records from a file to the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import click

from quell.cli.asking import Asked, asks_daemon

_BATCH_LINES = 1000
_BATCH_BYTES = 4 * 1024 * 1024


@click.command("send")
@click.argument("file", type=click.File("rb"))
@asks_daemon
def send(asked: Asked, file: IO[bytes]) -> None:
    """Post the records of FILE (JSON lines; - is standard input) to the daemon, in order."""
    sent = 0
    total: dict[str, int] = {}
    for batch, count in _batches(file):
        answer = asked.client.post_lines("/records", batch)
        sent += count
        for name, value in answer.items():
            if isinstance(value, int) and not isinstance(value, bool):
                total[name] = total.get(name, 0) + value
    told = {"sent": sent, **total}
    asked.answer(told, lambda: click.echo(", ".join(f"{count} {name}" for name, count in told.items())))


def _batches(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Lines gathered into bodies that the daemon takes at once."""
    lines: list[bytes] = []
    size = 0
    for line in file:
        text = line.strip()
        if not text:
            continue
        lines.append(text)
        size += len(text)
        if len(lines) >= _BATCH_LINES or size >= _BATCH_BYTES:
            yield b"\n".join(lines) + b"\n", len(lines)
            lines, size = [], 0
    if lines:
        yield b"\n".join(lines) + b"\n", len(lines)


COMMANDS = {"send": send}
