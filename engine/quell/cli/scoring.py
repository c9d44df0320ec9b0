"""The command ``stats``: what a while came to, and how playbooks did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.looks import Column
from quell.model.times import format_duration


@click.group("stats", invoke_without_command=True)
@click.option("--since", default="7d", show_default=True, metavar="SPAN", help="What began within that time.")
@click.option("--diff", is_flag=True, help="Print only the suggested change of the rules, for git apply.")
@asks_daemon
@click.pass_context
def stats(context: click.Context, asked: Asked, *, since: str, diff: bool) -> None:
    """Say what came in and what became of it: pages, what was held, times, first causes, minutes saved, noise.

    What the figures mean is in docs/how-to/read-the-numbers.md.
    """
    if context.invoked_subcommand is not None:
        return
    answer = asked.client.get("/stats", since=since)

    def show() -> None:
        if diff:
            click.echo(answer["diff"], nl=False)
        else:
            click.echo(f"{answer['title']}\n\n{answer['text']}")

    asked.answer(answer, show)


@stats.command("playbooks")
@click.option("--since", default="30d", show_default=True, metavar="SPAN", help="Runs that began within that time.")
@asks_daemon
def playbooks(asked: Asked, since: str) -> None:
    """Say for each playbook what its runs came to, what held them, and how right it was in shadow."""
    answer = asked.client.get("/stats/playbooks", since=since)

    def show() -> None:
        out = looks.console()
        if not answer["playbooks"]:
            out.print("no playbook is loaded, and none has run")
            return
        columns = (
            Column("playbook", folds=True),
            Column("runs"),
            Column("came to", folds=True),
            Column("held by", 80, folds=True),
            Column("approvals", 100, folds=True),
            Column("to end", 90),
            Column("shadow: agreed", 70, folds=True),
        )
        looks.table(out, columns, [_row(each) for each in answer["playbooks"]])
        out.print("shadow: of its runs, how many did what was then done; the others: something else was, or unknown")

    asked.answer(answer, show)


def _row(score: Mapping[str, Any]) -> list[str]:
    extra = [f"{score[name]} {name.replace('_', ' ')}" for name in ("in_doubt", "undone") if score.get(name)]
    outcomes = [f"{count} {state.replace('_', ' ')}" for state, count in score.get("outcomes", {}).items()]
    if "undone" in score.get("outcomes", {}):
        extra = [
            text if not text.endswith("undone") else f"{score['undone']} step{'s' * (score['undone'] != 1)} taken back"
            for text in extra
        ]
    held = [f"{count} {guard}" for guard, count in score.get("held", {}).items()]
    return [
        score["playbook"],
        str(score.get("runs", 0)),
        ", ".join([*outcomes, *extra]) or "-",
        ", ".join(held) or "-",
        _approvals(score.get("approvals") or {}),
        _span(score.get("to_end") or {}),
        _shadow(score.get("shadow") or {}),
    ]


def _approvals(told: Mapping[str, Any]) -> str:
    if not told.get("asked"):
        return "-"
    parts = [f"{told[name]} {word}" for name, word in _ANSWERS.items() if told.get(name)]
    yes = _span(told.get("to_yes") or {})
    return f"{told['asked']} asked: {', '.join(parts) or 'none answered'}" + (
        f"; yes after {yes}" if yes != "-" else ""
    )


_ANSWERS = {"given": "yes", "rejected": "no", "expired": "nobody", "waiting": "waiting"}


def _span(times: Mapping[str, Any]) -> str:
    middle = times.get("median_s")
    return "-" if middle is None else format_duration(middle)


def _shadow(told: Mapping[str, Any]) -> str:
    if not told.get("runs"):
        return "-"
    known = told.get("agreed", 0) + told.get("disagreed", 0)
    unknown = f", {told['unknown']} unknown" if told.get("unknown") else ""
    return f"{told.get('agreed', 0)} of {known}{unknown}"


@click.command("releases")
@click.option("--since", default="30d", show_default=True, metavar="SPAN", help="Those within that time.")
@click.option("--window", default="1h", show_default=True, metavar="SPAN", help="So long before against after.")
@asks_daemon
def releases(asked: Asked, since: str, window: str) -> None:
    """Say of each deploy and each release of a model or prompt what it broke, and what users felt of it.

    What the figures mean is in docs/how-to/releases.md.
    """
    answer = asked.client.get("/releases", since=since, window=window)
    asked.answer(answer, lambda: click.echo(answer["text"]))


COMMANDS = {"stats": stats, "releases": releases}
