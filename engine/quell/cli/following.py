"""A dry run as it goes: each step is told as soon as it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from quell.cli.asking import Asked
from quell.cli.client import segment
from quell.cli.exits import Failed
from quell.model.run import RUN_OVER

_ENDED = frozenset({"done", "failed", "skipped", "undone"})
_LOOK_S = 0.1


def follow(asked: Asked, begun: Sequence[Mapping[str, Any]], until: float) -> None:
    """Tells the steps of dry runs as they end. Raises Failed when one failed or is not over by then."""
    ended = [_told_as_it_goes(asked, run, until) for run in begun]
    if asked.as_json:
        asked.answer({"runs": ended}, lambda: None)
    left = [run for run in ended if run["state"] not in RUN_OVER]
    if left:
        raise Failed(f"{left[0]['id']} is not over yet; look again with: quell runs {left[0]['id']}")
    failed = [run for run in ended if run["state"] != "done"]
    if failed:
        raise Failed(f"{failed[0]['id']} {failed[0]['state']}: {failed[0].get('error', '')}")


def _told_as_it_goes(asked: Asked, run: Mapping[str, Any], until: float) -> Mapping[str, Any]:
    if not asked.as_json:
        click.echo(f"{run['id']}: {run['playbook']} (dry): {run['why']}")
    told: set[str] = set()
    while True:
        run = asked.client.get(f"/runs/{segment(run['id'])}")["run"]
        for step in run.get("steps", ()):
            if step["id"] not in told and step.get("state", "planned") in _ENDED:
                told.add(step["id"])
                if not asked.as_json:
                    click.echo(f"  {step['id']}: {_said(step)}")
        if run["state"] in RUN_OVER or time.monotonic() >= until:
            if run["state"] == "done" and not asked.as_json:
                click.echo("nothing was changed: that is what would be true afterwards")
            return run
        time.sleep(_LOOK_S)


def _said(step: Mapping[str, Any]) -> str:
    said = step.get("sentence") or step.get("error") or ""
    if step.get("state") == "failed":
        return f"failed: {step.get('error') or said}"
    return said or str(step.get("state"))
