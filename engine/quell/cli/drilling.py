"""The command ``drill``: whether detectors, correlation, routes and playbooks still work end to end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec

from quell.cli.as_json import as_json, print_json
from quell.cli.exits import FAILED, FINE, Failed
from quell.cli.loading import loaded_from
from quell.config.complaints import did_you_mean
from quell.config.loading import Loaded
from quell.daemon.saved import opened
from quell.errors import StoreError
from quell.model.state import State
from quell.sdk.registry import installed
from quell.store.opening import open_for_reading
from quell.trial.actions import declared
from quell.trial.drill import drilled, said


@click.command("drill")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-c", "--config", type=click.Path(exists=True, path_type=Path), default=Path(), show_default="here",
    help="The quell.yaml, or its directory.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Say what happened, also where all came as expected.")
@as_json
def drill(names: Sequence[str], *, config: Path, verbose: bool, as_json: bool) -> int:
    """Hold fire drills: made-up signals go through a copy of quell with your rules; nothing outside is asked.

    Says which detectors, causes, pages and playbooks do not come as the drill expects; exit code 1 if any. All drills
    of the rules are held, or those called NAME. How to write one: docs/how-to/drill.md.
    """
    connectors = installed()
    loaded = loaded_from(config, secrets_needed=False, connectors=connectors)
    drills = loaded.rulebook.drills
    known = [one.name for one in drills]
    for name in names:
        if name not in known:
            raise Failed(
                f'there is no drill "{name}"; {did_you_mean(name, known) or "rules/ describe them under drills:"}'
            )
    if not drills:
        raise Failed("there is no drill; rules/ may describe some under drills:")
    state = _last_state(loaded)
    acts = declared(loaded.settings.sources, connectors.specs)
    reports = [
        drilled(
            one, loaded.rulebook, acts, time.time(),
            entities=state.entities.values(), dependencies=state.dependencies.values(),
        )
        for one in drills if not names or one.name in names
    ]  # fmt: skip
    if as_json:
        print_json([{**msgspec.to_builtins(one), "ok": one.ok} for one in reports])
    else:
        for report in reports:
            for line in said(report):
                click.echo(line)
            if verbose or not report.ok:
                click.echo("".join(f"          | {' '.join(line.split())}\n" for line in report.log), nl=False)
    return FINE if all(one.ok for one in reports) else FAILED


def _last_state(loaded: Loaded) -> State:
    """What the daemon knew of the graph when it saved its state last; nothing if there is no store to read."""
    from quell.cli.exporting import store_of

    try:
        with closing(open_for_reading(store_of(loaded.settings), loaded.settings.directory)) as reading:
            data = reading.state()
        return State() if data is None else msgspec.msgpack.decode(opened(data).state, type=State)
    except (StoreError, msgspec.DecodeError):
        return State()


COMMANDS = {"drill": drill}
