"""Commands about playbooks and their runs: runs, approve, reject, stop, release, run, playbooks, pause, unpause."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import click
import msgspec
from rich.text import Text

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.client import segment
from quell.cli.exits import Failed
from quell.cli.following import follow
from quell.cli.looks import Column
from quell.cli.when import span
from quell.model.run import MARK
from quell.model.times import format_duration

_MARK = re.compile("[0-9a-f]{4,16}")


@click.command("runs")
@click.argument("run", required=False)
@click.option("--incident", default="", help="Only runs for this incident.")
@click.option("--playbook", default="", help="Only runs of this playbook.")
@asks_daemon
def runs(asked: Asked, run: str | None, incident: str, playbook: str) -> None:
    """List runs of playbooks, or show one RUN with its steps."""
    if run:
        answer = asked.client.get(f"/runs/{segment(run)}")
        asked.answer(answer, lambda: _print_run(answer.get("run", answer)))
        return
    answer = asked.client.get("/runs", incident=incident, playbook=playbook)

    def show() -> None:
        out = looks.console()
        if not answer["runs"]:
            out.print("no playbook has run")
            return
        columns = (
            Column("run"),
            Column("playbook", folds=True),
            Column("incident"),
            Column("state"),
            Column("mode", 80),
            Column("started", 70),
            Column("why", 100, folds=True),
        )
        looks.table(out, columns, [_row(item) for item in answer["runs"]])

    asked.answer(answer, show)


@click.command("run")
@click.argument("playbook")
@click.argument("incident", required=False, default="")
@click.option("--dry", is_flag=True, help="Say what each step would do, from real reads; change nothing.")
@click.option(
    "--wait", "wait_s", default="60s", callback=span, show_default=True, metavar="SPAN", help="For a dry run's end."
)
@asks_daemon
def run_playbook(asked: Asked, playbook: str, incident: str, *, dry: bool, wait_s: float) -> None:
    """Run PLAYBOOK, for INCIDENT unless it needs none.

    A dry run is waited for, and each step is told as soon as it has ended; exit 1 when it failed.
    """
    answer = asked.client.post(f"/playbooks/{segment(playbook)}/run", {"incident": incident, "dry": dry})
    begun = answer.get("runs") or []
    if not begun and not answer.get("accepted"):
        raise Failed(f"{playbook}: {answer.get('text') or 'no run began'}")
    if dry and begun:
        follow(asked, begun, time.monotonic() + wait_s)
        return

    def show() -> None:
        for item in begun:
            click.echo(f"{item['id']}: {playbook} is {item['state']}{' (dry)' if dry else ''}: {item['why']}")
        about = (
            begun[0]["id"] if len(begun) == 1 else f"--incident {incident}" if incident else f"--playbook {playbook}"
        )
        click.echo(f"follow it with: quell runs {about}")

    asked.answer(answer, show)


@click.command("playbooks")
@asks_daemon
def playbooks(asked: Asked) -> None:
    """List the playbooks that are loaded, with their modes."""
    answer = asked.client.get("/playbooks")

    def show() -> None:
        out = looks.console()
        if not answer["playbooks"]:
            out.print("no playbooks are loaded")
            return
        columns = (Column("playbook"), Column("mode"), Column("begins", 60, folds=True), Column("summary", folds=True))
        rows = [
            [item["name"], item.get("mode", "propose"), _begins(item), item.get("summary", "")]
            for item in answer["playbooks"]
        ]
        looks.table(out, columns, rows)

    asked.answer(answer, show)


def _begins(playbook: Mapping[str, Any]) -> str:
    """What begins a playbook, in a few words."""
    if playbook.get("by_hand"):
        return "by hand"
    if playbook.get("alert") is not None:
        operators = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
        asked = [
            f'{one["name"]}{operators[one.get("isRegex", False), one.get("isEqual", True)]}"{one["value"]}"'
            for one in playbook["alert"]
        ]
        return f"alert {', '.join(asked) or 'of any kind'}"
    schedule = playbook.get("schedule")
    if schedule is not None:
        every = schedule.get("every_s")
        return f"every {format_duration(every)}" if every else f"{schedule['cron']} ({schedule.get('zone', 'UTC')})"
    return f"incident {', '.join(playbook.get('on', ('opened',)))}"


_LOOKED = {
    "approve": ("--took-effect", "You looked: the act that is in doubt took effect, and the run goes on."),
    "reject": (
        "--no-effect",
        "You looked: the act that is in doubt did not take effect, and the step counts as failed.",
    ),
}


def _looked(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option by which a person says what became of an act, where there is one."""
    if name not in _LOOKED:
        return lambda command: command
    option, text = _LOOKED[name]
    return click.option(option, "looked", is_flag=True, help=text)


def _read(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """By what a yes is one to what was read, and to nothing else."""
    if name != "approve":
        return lambda command: command
    text = "The version of the incident that you have read; the yes is refused if it has another by now."
    version = click.option("--version", type=click.IntRange(min=1), metavar="N", help=text)
    mark = click.argument("mark", default="")
    return lambda command: mark(version(command))


def _decide(name: str, summary: str, done: str) -> click.Command:
    @click.command(name, help=summary)
    @click.argument("run")
    @_read(name)
    @click.option("--note", default="", help="A sentence for the record.")
    @_looked(name)
    @asks_daemon
    def decide(
        asked: Asked, run: str, note: str, *, looked: bool = False, mark: str = "", version: int | None = None
    ) -> None:
        if mark and not _MARK.fullmatch(mark.lower()):
            text = f'"{mark}" is none; it is four letters or more of what quell runs {run} shows, such as 603b'
            raise click.BadParameter(text, param_hint="MARK")
        given = {"looked": looked or None, "mark": mark.lower() or None, "version": version}
        more = {key: value for key, value in given.items() if value is not None}
        answer = asked.client.post(f"/runs/{segment(run)}/{name}", {"note": note, **more})
        state = (answer.get("run") or {}).get("state", "")
        said = answer.get("text") or (f"{done}, now {state.replace('_', ' ')}" if state else done)
        asked.answer(answer, lambda: click.echo(f"{run}: {said}; follow it with: quell runs {run}"))

    return decide


def _switch(name: str, summary: str, done: str) -> click.Command:
    @click.command(name, help=summary)
    @click.option("--note", default="", help="Why, for the record.")
    @asks_daemon
    def switch(asked: Asked, note: str) -> None:
        answer = asked.client.post(f"/{name}", {"note": note})
        asked.answer(answer, lambda: click.echo(answer.get("text") or done))

    return switch


def _about(run: Mapping[str, Any]) -> str:
    """What a run is for, where it is for anything but the clock or a person."""
    return f" for {run['incident']}" if run["incident"] else f" for alert {run['alert']}" if run.get("alert") else ""


def _row(run: Mapping[str, Any]) -> list[str | Text]:
    return [
        run["id"],
        run["playbook"],
        run["incident"] or run.get("alert", ""),
        looks.state(run["state"]),
        run["mode"] + (" (dry)" if run.get("dry") else ""),
        looks.ago(run["started_at"]),
        run["why"],
    ]


def _print_run(run: Mapping[str, Any]) -> None:
    out = looks.console()
    dry = " (dry run: nothing was done)" if run.get("dry") else ""
    out.print(Text.assemble((run["id"], "bold"), f"  {run['playbook']}{_about(run)}  ", looks.state(run["state"]), dry))
    out.print(Text(f"started {looks.ago(run['started_at'])} by {run.get('by', 'quell')}: {run['why']}"))
    if run.get("place"):
        out.print(Text(f"written in {_place(run['place'])}"))
    for word, key in (("touches", "targets"), ("locks", "locks")):
        if run.get(key):
            out.print(Text(f"{word} {', '.join(run[key])}"))
    if run.get("error"):
        out.print(Text(run["error"], style="red"))
    if run["state"] == "stuck":
        released = f"released by {run['released_by']}" if run.get("released_by") else ""
        out.print(Text(released or f"keeps its locks until somebody has looked: quell release {run['id']}"))
    acts = [*run.get("steps", ()), *run.get("deeds", ())]
    rows = [
        [
            step["id"],
            step["do"],
            looks.state(step.get("state", "planned")),
            looks.said(step) or _planned(step),
        ]
        for act in acts
        for step in (act, *act.get("items", ()))
    ]
    looks.table(out, (Column("step"), Column("does", 60), Column("state"), Column("what is true", folds=True)), rows)
    approval = run.get("approval")
    if approval and run["state"] in {"waiting", "proposed"} and not _answered(approval):
        looks.lines(out, approval.get("text", ""))
        if approval.get("who"):
            need = approval.get("need", 1)
            out.print(Text(f"{need} of {', '.join(approval['who'])} must say yes"))
        version = approval.get("incident_version")
        of = f" (version {version} of the incident)" if version else ""
        until = f"waits for a yes until {looks.clock(approval['expires_at'])} UTC{of}"
        text = f"{until}: quell approve {run['id']} {approval.get('bound_to', '')[:MARK]}"
        out.print(Text(text, style="bold yellow"))


def _answered(approval: Mapping[str, Any]) -> bool:
    """Whether it waits for nobody any more, but for something else such as the end of a freeze."""
    return bool(approval.get("rejected_by")) or len(approval.get("approved_by", ())) >= approval.get("need", 1)


def _place(place: Mapping[str, Any]) -> str:
    """File and line, and in whose commit."""
    where = f"{place['file']}:{place['line']}"
    commit, signer = place.get("commit", ""), place.get("signer", "")
    return where + (f", commit {commit[:12]}" if commit else "") + (f", signed by {signer}" if signer else "")


def _planned(step: Mapping[str, Any]) -> str:
    """With what a step would act, for whoever is to say yes to it."""
    params = step.get("params") if step.get("state", "planned") == "planned" else None
    return f"would act with {msgspec.json.encode(params).decode()}" if params else ""


COMMANDS = {
    "runs": runs,
    "run": run_playbook,
    "playbooks": playbooks,
    "approve": _decide(
        "approve",
        "Say yes to a run that waits for approval, as it stands beside MARK in quell runs RUN.",
        "approved",
    ),
    "reject": _decide("reject", "Say no to a run that waits for approval.", "rejected"),
    "stop": _decide("stop", "Stop a run before its next step.", "asked to stop"),
    "release": _decide("release", "Release the locks of a stuck run: somebody has looked.", "its locks are released"),
    "pause": _switch("pause", "Keep every playbook from acting until unpause.", "playbooks are paused"),
    "unpause": _switch("unpause", "Let playbooks act again.", "playbooks act again"),
}
