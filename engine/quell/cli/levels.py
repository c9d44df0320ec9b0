"""The command ``slo``: how service levels stand, and whether a release may go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.text import Text

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.client import segment
from quell.cli.looks import Column
from quell.core.detect.words import lasting, number, rest

_COLOURS = {"met": "green", "burning": "yellow", "burnt": "red"}
SHUT = 1


@click.command("slo")
@click.argument("name", default="")
@click.option("--entity", default="", metavar="ENTITY", help="Only the budget of that entity.")
@click.option("--gate", "gated", is_flag=True, help="Say whether a release may go on; exit with 1 if not.")
@click.option(
    "--least",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=0.0,
    metavar="SHARE",
    help="With --gate: more than this share of the budget must be left.",
)
@click.option(
    "--unknown",
    type=click.Choice(["shut", "open"]),
    default="shut",
    help="With --gate: whether a release may go on where nothing is known.",
)
@asks_daemon
@click.pass_context
def slo(
    context: click.Context, asked: Asked, *, name: str, entity: str, gated: bool, least: float, unknown: str
) -> None:
    """List service levels with what is left of their budgets, or one of them by NAME.

    How they are written is in docs/how-to/service-levels.md.
    """
    if gated:
        if not name:
            raise click.UsageError("--gate needs the NAME of a service level")
        answer = asked.client.get_either(f"/gates/{segment(name)}", 409, entity=entity, least=least, unknown=unknown)
        asked.answer(answer, lambda: click.echo(f"{'open' if answer['open'] else 'shut'}: {answer['reason']}"))
        context.exit(0 if answer["open"] else SHUT)
    answer = asked.client.get("/slos", name=name, entity=entity)
    if name and not answer["slos"]:
        raise click.ClickException(f'no service level that is on is called "{name}"')
    asked.answer(answer, lambda: _show(answer["slos"], whole=bool(name)))


def _show(views: list[Mapping[str, Any]], *, whole: bool) -> None:
    out = looks.console()
    if not views:
        out.print("there are no service levels; write them under slos: in rules/")
        return
    columns = (
        Column("service level", folds=True),
        Column("entity", folds=True),
        Column("goal", 70),
        Column("good", 80),
        Column("budget left"),
        Column("burns", 60),
        Column("stands"),
    )
    looks.table(out, columns, [_row(view) for view in views])
    for view in views if whole else []:
        out.print(Text(f"\n{view['entity'] or view['slo']}: {view['text']}"))
        for burn in view.get("burns", ()):
            spans = f"{lasting(burn['over_s'])} and {lasting(burn['confirm_s'])}"
            out.print(
                Text(
                    f"  over {spans}: {_times(burn.get('burn'))} and {_times(burn.get('confirm_burn'))}; "
                    f"{burn['severity']} from {number(burn['rate'])}× on"
                )
            )


def _row(view: Mapping[str, Any]) -> list[str | Text]:
    burns = view.get("burns") or ()
    good, left = view.get("good"), view.get("left")
    return [
        view["slo"],
        view["entity"] or "-",
        view["goal"],
        "-" if good is None else f"{good * 100:.5g}%",
        "-" if left is None else rest(left) if left >= 0.0 else f"none ({-left:.0%} over)",
        _times(burns[0].get("burn")) if burns else "-",
        Text(view["standing"], style=_COLOURS.get(view["standing"], "dim")),
    ]


def _times(burn: float | None) -> str:
    return "-" if burn is None else f"{number(burn)}×"


COMMANDS = {"slo": slo}
