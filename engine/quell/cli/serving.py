"""The command ``serve``: runs the daemon."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("serve")
@click.option(
    "-c",
    "--config",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="The quell.yaml, or its directory.",
)
@click.option("--listen", default="", metavar="HOST:PORT", help="Listen there instead of where quell.yaml says.")
@click.option("--standby", is_flag=True, help="While another daemon has the store: wait for its end, then take over.")
@click.option("--clock-speed", type=click.FloatRange(min=0.001), default=1.0, hidden=True)
@click.option("--clock-start", type=float, default=None, hidden=True)
def serve(config: Path, listen: str, standby: bool, clock_speed: float, clock_start: float | None) -> int:
    """Run the daemon until it is told to end (SIGTERM or Ctrl-C)."""
    from quell.daemon.serve import run

    path = config / "quell.yaml" if config.is_dir() else config
    return run(path, listen or None, standby=standby, clock_speed=clock_speed, clock_start=clock_start)


COMMANDS = {"serve": serve}
