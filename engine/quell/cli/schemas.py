"""What ``quell schema`` prints and writes."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
import msgspec

from quell.cli.exits import Failed
from quell.config.schema import schemas
from quell.sdk.registry import specs


def print_schema(name: str) -> None:
    """One schema by name. Raises `Failed` for a name that there is not."""
    found = schemas(specs())
    if name not in found:
        close = get_close_matches(name, found, 1)
        hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(found)}"
        raise Failed(f'no schema "{name}"; {hint}')
    click.echo(_text(found[name]), nl=False)


def write_schemas(directory: Path) -> None:
    """Every schema as ``DIRECTORY/<name>.schema.json``."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas(specs()).items():
        path = directory / f"{name}.schema.json"
        path.write_text(_text(schema), encoding="utf-8")
        click.echo(str(path))


def _text(schema: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
