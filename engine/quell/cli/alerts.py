"""Commands about alerts: alerts, why-not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.text import Text

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.client import Client, segment
from quell.cli.exits import Failed
from quell.cli.looks import Column

_HEX = frozenset("0123456789abcdef")
_FINGERPRINT_LENGTH = 16
_MATCHES_SHOWN = 10


@click.command("alerts")
@click.option("--status", type=click.Choice(["firing", "all"]), default="firing", show_default=True)
@click.option("--handling", type=click.Choice(["page", "hold", "digest", "muted"]), help="Only alerts handled so.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@asks_daemon
def alerts(asked: Asked, status: str, handling: str | None, limit: int) -> None:
    """List alerts with what became of them and why."""
    answer = asked.client.get("/alerts", status=status, handling=handling, limit=limit)

    def show() -> None:
        out, found = looks.console(), answer["alerts"]
        if not found:
            out.print("no alerts fire" if status == "firing" else "no alerts")
            return
        columns = (
            Column("fingerprint", 90),
            Column("since"),
            Column("severity", 80),
            Column("alert", folds=True),
            Column("entity", 60, folds=True),
            Column("verdict"),
            Column("incident"),
            Column("reason", 110, folds=True),
        )
        looks.table(out, columns, [_row(alert) for alert in found])
        if len(found) == limit:
            out.print(f"the first {limit}; --limit shows more", style="dim")

    asked.answer(answer, show)


@click.command("why-not")
@click.argument("alert")
@asks_daemon
def why_not(asked: Asked, alert: str) -> None:
    """Say why an alert did not page. ALERT is a fingerprint, or how an alert's name begins."""
    answer = asked.client.get(f"/alerts/{segment(_fingerprint(asked.client, alert))}/why-not")
    asked.answer(answer, lambda: looks.console().print(Text(answer["text"].rstrip())))


def _fingerprint(client: Client, given: str) -> str:
    """The fingerprint that ``given`` is, or that of the only alert that it names."""
    if len(given) == _FINGERPRINT_LENGTH and set(given) <= _HEX:
        return given
    known = client.get("/alerts", status="all", limit=100_000)["alerts"]
    wanted = given.lower()
    found = [
        alert
        for alert in known
        if alert["labels"].get("alertname", "").lower().startswith(wanted) or alert["fingerprint"].startswith(wanted)
    ]
    if len(found) == 1:
        return str(found[0]["fingerprint"])
    if not found:
        raise Failed(f'no alert is named "{given}"; quell alerts --status all lists them')
    lines = [f"  {alert['fingerprint']}  {_described(alert)}" for alert in found[:_MATCHES_SHOWN]]
    if len(found) > _MATCHES_SHOWN:
        lines.append(f"  … and {len(found) - _MATCHES_SHOWN} more")
    raise Failed(f'"{given}" names {len(found)} alerts; choose one by its fingerprint:\n' + "\n".join(lines))


def _described(alert: Mapping[str, Any]) -> str:
    return f"{alert['labels'].get('alertname', '')}  {alert.get('entity') or looks.labels(alert['labels'])}"


def _row(alert: Mapping[str, Any]) -> list[str | Text]:
    return [
        alert["fingerprint"],
        looks.ago(alert["starts_at"]),
        looks.severity(alert.get("severity", "")),
        alert["labels"].get("alertname", "-"),
        alert.get("entity") or "-",
        looks.state(alert.get("handling", "hold")),
        alert.get("incident") or "-",
        (alert.get("reason") or {}).get("text", ""),
    ]


COMMANDS = {"alerts": alerts, "why-not": why_not}
