"""``--json``: the same answer for programs, on stdout."""

from __future__ import annotations

from typing import Any

import click
import msgspec

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """Prints what msgspec can encode."""
    click.echo(json_text(value), nl=False)


def json_text(value: Any) -> str:
    """Indented, for people to read too; ends with a line's end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
