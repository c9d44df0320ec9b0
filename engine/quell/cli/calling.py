"""The command ``oncall``: who is called, by the rotas of a configuration."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import click
from rich.text import Text

from quell.cli import looks
from quell.cli.as_json import as_json, print_json
from quell.cli.exits import Failed
from quell.config.complaints import did_you_mean
from quell.model.times import format_time, parse_time


@click.command("oncall")
@click.argument("rota", required=False)
@click.option("--at", "when", metavar="TIME", default="", help="At this time, such as 2026-03-01T10:00:00Z, not now.")
@click.option(
    "--config",
    type=click.Path(exists=True, path_type=Path),
    default=Path(),
    show_default="here",
    help="The directory with quell.yaml.",
)
@as_json
def oncall(rota: str | None, *, when: str, config: Path, as_json: bool) -> None:
    """Say who is on call by every rota, or by ROTA, and until when."""
    from quell.cli.loading import loaded_from
    from quell.core.rota import on_call, until

    at = _moment(when)
    book = loaded_from(config, secrets_needed=False).rulebook
    rotas = [one for one in book.rotas if rota in {None, one.name}]
    if not rotas:
        names = [one.name for one in book.rotas]
        hint = did_you_mean(rota or "", names, "rules/ describe none under rotas:" if not names else "")
        raise Failed(f'there is no rota "{rota}"; {hint}' if rota else "there is no rota; rules/ may describe them")
    found = [(one.name, on_call(one, at), until(one, at)) for one in rotas]
    if as_json:
        print_json([
            {
                "rota": name,
                "who": who,
                "until": format_time(end) if isfinite(end) else None,
                "contact": book.contacts.get(who, {}),
            }
            for name, who, end in found
        ])  # fmt: skip
        return
    out = looks.console()
    for name, who, end in found:
        shown = book.contacts.get(who, {}).get("name") or who
        ends = f" until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC" if isfinite(end) else ""
        out.print(Text(f"{name}: {shown}{ends}"))


def _moment(text: str) -> float:
    try:
        at = parse_time(text) if text else time.time()
    except ValueError:
        at = None
    if at is None:
        raise Failed(f'"{text}" is not a time; write one such as 2026-03-01T10:00:00Z')
    return at


COMMANDS = {"oncall": oncall}
