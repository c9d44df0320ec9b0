"""Commands about incidents: incidents, show, why, ack, resolve, reopen."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from quell.cli import looks
from quell.cli.as_json import print_json
from quell.cli.asking import Asked, asks_daemon
from quell.cli.client import DEFAULT_URL, Client, segment
from quell.cli.exits import Failed
from quell.cli.looks import Column
from quell.model.shares import percent

_RUNNERS_UP = 4
_ALERTS_SHOWN = 30


@click.command("incidents")
@click.option("--status", type=click.Choice(["open", "all"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@asks_daemon
def incidents(asked: Asked, status: str, limit: int) -> None:
    """List incidents, the newest first."""
    answer = asked.client.get("/incidents", status=status, limit=limit)

    def show() -> None:
        out, found = looks.console(), answer["incidents"]
        if not found:
            out.print("no open incidents" if status == "open" else "no incidents")
            return
        columns = (
            Column("incident"),
            Column("severity", 100),
            Column("status"),
            Column("opened"),
            Column("alerts", 70, justify="right"),
            Column("first cause", folds=True),
            Column("title", 110, folds=True),
        )
        looks.table(out, columns, [_row(incident) for incident in found])

    asked.answer(answer, show)


@click.command("show")
@click.argument("incident")
@click.option("--format", "form", type=click.Choice(["text", "svg", "png"]), default="text", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file for it; - is standard output.")
@asks_daemon
def show_incident(asked: Asked, incident: str, form: str, out: Path | None) -> None:
    """Show one incident: suspects, alerts, runs, changes and timeline; or as a picture what data drifted in it."""
    if form != "text":
        if form == "png" and out is None:
            raise click.UsageError(f"a PNG is no text; say where it goes, such as --out {incident}.png")
        _put(asked.client.raw(f"/incidents/{segment(incident)}/drift.{form}"), out)
        return
    if out is not None:
        raise click.UsageError("--out is for pictures: add --format svg or png")
    answer = asked.client.get(f"/incidents/{segment(incident)}")

    def show() -> None:
        out = looks.console()
        _print_head(out, answer["incident"])
        _print_suspects(out, answer["incident"])
        _print_alerts(out, answer.get("alerts") or [])
        for report in answer.get("drift") or []:
            out.print()
            looks.lines(out, report["text"])
        _print_changes(out, answer.get("changes") or [])
        print_runs(out, answer.get("runs") or [])
        _print_similar(out, answer.get("similar") or {})
        _print_timeline(out, answer["incident"])
        name = answer["incident"]["id"]
        if kept := answer.get("postmortem"):
            looks.lines(out, f"\npost-mortem: a draft is kept in {kept['file']} (quell postmortem {name} --kept)")
        over = answer["incident"].get("status") == "resolved" and answer["incident"].get("paged_at")
        out.print(f"\nmore: quell why {name}{f'; quell postmortem {name}' if over else ''}", style="dim")

    asked.answer(answer, show)


@click.command("why")
@click.argument("incident")
@click.option("--format", "form", type=click.Choice(["text", "json", "svg", "png"]), default="text", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file for it; - is standard output.")
@asks_daemon
def why(asked: Asked, incident: str, form: str, out: Path | None) -> None:
    """Explain an incident: path, evidence for and against, and why the others lost; as text, data or a picture."""
    place = f"/incidents/{segment(incident)}/why"
    if form in {"svg", "png"}:
        if form == "png" and out is None:
            raise click.UsageError(f"a PNG is no text; say where it goes, such as --out {incident}.png")
        _put(asked.client.raw(f"{place}.{form}"), out)
        return
    data = form == "json" or asked.as_json
    answer = replace(asked.client, for_people=not data).get(place)
    if out is not None:
        _put(msgspec.json.format(msgspec.json.encode(answer), indent=2) if data else answer["text"].encode(), out)
    elif data:
        print_json(answer)
    else:
        looks.lines(looks.console(), answer["text"])


def _put(told: bytes, out: Path | None) -> None:
    """Writes to a file, which is said, or to standard output."""
    if out is None or str(out) == "-":
        sys.stdout.buffer.write(told)
        return
    try:
        out.write_bytes(told)
    except OSError as error:
        raise Failed(f'--out: "{out}" cannot be written ({error.strerror}); name another file') from error
    click.echo(f"written to {out}", err=True)


def _act(name: str, summary: str, done: str) -> click.Command:
    @click.command(name, help=summary)
    @click.argument("incident")
    @click.option("--note", default="", help="A sentence for the timeline.")
    @asks_daemon
    def act(asked: Asked, incident: str, note: str) -> None:
        answer = asked.client.post(f"/incidents/{segment(incident)}/{name}", {"note": note})
        asked.answer(answer, lambda: click.echo(f"{incident}: {answer.get('text') or done}"))

    return act


def _row(incident: Mapping[str, Any]) -> list[str | Text]:
    return [
        incident["id"],
        looks.severity(incident.get("severity", "")),
        looks.state(incident["status"]),
        looks.ago(incident["opened_at"]),
        str(len(incident.get("alerts", ()))),
        looks.cause(incident),
        incident["title"],
    ]


def _print_head(out: Console, incident: Mapping[str, Any]) -> None:
    out.print(Text.assemble((incident["id"], "bold"), "  ", (incident["title"], "bold")))
    parts = [looks.state(incident["status"]), looks.severity(incident.get("severity", ""))]
    parts.append(Text(f"version {incident.get('material_version', 1)}"))
    parts.append(Text(f"opened {looks.ago(incident['opened_at'])} ({looks.clock(incident['opened_at'])} UTC)"))
    paged = incident.get("paged_at")
    parts.append(Text(f"paged {looks.ago(paged)}" if paged else "nobody was paged"))
    if incident.get("acknowledged_by"):
        parts.append(Text(f"acknowledged by {incident['acknowledged_by']}"))
    elif incident.get("acknowledged_before"):
        parts.append(Text(f"acknowledged by {incident['acknowledged_before']} before it became worse"))
    if incident.get("merged_into"):
        parts.append(Text(f"merged into {incident['merged_into']}"))
    out.print(Text("  ").join(parts))
    if incident.get("harm"):
        out.print(Text(f"impact {incident['harm']}"))
    if incident.get("impact"):
        out.print(Text(f"reaches {', '.join(incident['impact'])}"))


def _print_suspects(out: Console, incident: Mapping[str, Any]) -> None:
    suspects = incident.get("suspects") or []
    if not suspects:
        crowd = "\nno cause: its alerts came at one time, and nothing else is known that they have in common"
        out.print(crowd if incident.get("crowd") else "\nno suspects yet")
        return
    out.print("\nno clear cause; candidates:" if incident.get("no_clear_cause") else "\nfirst cause:", style="bold")
    _print_suspect(out, suspects[0])
    if suspects[1:]:
        out.print("runners-up:", style="bold")
    for suspect in suspects[1 : 1 + _RUNNERS_UP]:
        lost = f": {suspect['lost_because']}" if suspect.get("lost_because") else ""
        looks.lines(out, f"  {percent(suspect.get('confidence', 0.0)):>4}  {looks.suspect(suspect)}{lost}")


def _print_suspect(out: Console, suspect: Mapping[str, Any]) -> None:
    out.print(Text(f"  {percent(suspect.get('confidence', 0.0)):>4}  {looks.suspect(suspect)}", style="bold"))
    if len(suspect.get("path", ())) > 1:
        looks.lines(out, f"        {looks.path(suspect['path'])}")
    for evidence in suspect.get("evidence", ()):
        sign = "+" if evidence["weight"] >= 0 else "−"
        looks.lines(out, f"      {sign} {evidence['text']}", "" if evidence["weight"] >= 0 else "dim")


def _print_alerts(out: Console, alerts: list[dict[str, Any]]) -> None:
    if not alerts:
        return
    out.print(f"\n{len(alerts)} alerts:", style="bold")
    columns = (
        Column("since"),
        Column("status", 70),
        Column("severity", 90),
        Column("alert", folds=True),
        Column("entity", folds=True),
        Column("verdict", 60),
    )
    rows = [
        [
            looks.ago(alert["starts_at"]),
            looks.state(alert["status"]),
            looks.severity(alert.get("severity", "")),
            alert["labels"].get("alertname", alert["fingerprint"]),
            alert.get("entity") or "-",
            looks.state(alert.get("handling", "hold")),
        ]
        for alert in alerts[:_ALERTS_SHOWN]
    ]
    looks.table(out, columns, rows)
    for alert in alerts[:_ALERTS_SHOWN]:
        if alert.get("source") == "detect":
            found = (alert.get("annotations") or {}).get("description", "")
            looks.lines(out, f"  {alert['labels'].get('alertname', '')} at {alert.get('entity') or '-'}: {found}")
    if len(alerts) > _ALERTS_SHOWN:
        out.print(f"… and {len(alerts) - _ALERTS_SHOWN} more; --json shows all", style="dim")


def _print_changes(out: Console, changes: list[dict[str, Any]]) -> None:
    if changes:
        out.print("\nchanges nearby:", style="bold")
    for change in changes:
        summary = f": {change['summary']}" if change.get("summary") else ""
        what = f"{change['type']} {change['id']} of {change.get('entity') or 'an unknown entity'}"
        looks.lines(out, f"  {looks.ago(change['at'])}  {what}{summary}")


def print_runs(out: Console, runs: list[dict[str, Any]]) -> None:
    """The runs of playbooks for an incident, with the command that a waiting one needs."""
    if runs:
        out.print("\nplaybooks:", style="bold")
    for run in runs:
        dry = " (dry run: nothing was done)" if run.get("dry") else ""
        out.print(Text.assemble(f"  {run['id']}  {run['playbook']}  ", looks.state(run["state"]), dry))
        looks.lines(out, f"      {run['why']}", "dim")
        for step in (*run.get("steps", ()), *run.get("deeds", ())):
            if looks.said(step):
                looks.lines(out, f"      {step['id']}: {looks.said(step)}")
        if run["state"] in {"waiting", "proposed"} and run.get("approval"):
            looks.lines(out, f"      {run['approval'].get('text', '')}")
            out.print(Text(f"      waits for a yes; look at it: quell runs {run['id']}", style="bold yellow"))


def _print_similar(out: Console, similar: Mapping[str, Any]) -> None:
    for what, likes in (("alike and open", similar.get("open")), ("similar before", similar.get("past"))):
        if likes:
            out.print(f"\n{what}:", style="bold")
        for like in likes or ():
            looks.lines(out, f"  {percent(like['likeness']):>4}  {like['incident']}  {like['title']}")
            looks.lines(out, f"        {looks.ago(like['opened_at'])}: {like['text']}", "dim")


def _print_timeline(out: Console, incident: Mapping[str, Any]) -> None:
    if incident.get("timeline"):
        out.print("\ntimeline (UTC):", style="bold")
    for entry in incident.get("timeline", ()):
        by = entry.get("by", "quell")
        what = entry["what"].replace("_", " ")
        said = f": {entry['text']}" if entry.get("text") else ""
        looks.lines(out, f"  {looks.clock(entry['at'])}  {what}{'' if by == 'quell' else f' by {by}'}{said}")


@click.command("postmortem")
@click.argument("incident")
@click.option("--kept", is_flag=True, help="The draft that quell kept by itself, as people have edited it since.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there.")
@click.option("--url", envvar="QUELL_URL", default=DEFAULT_URL, show_default=True, help="Where the daemon is.")
@click.option("--token", envvar="QUELL_TOKEN", default="", help="The token; QUELL_TOKEN keeps it out of ps.")
def postmortem(incident: str, *, kept: bool, output: Path | None, url: str, token: str) -> None:
    """Draft a post-mortem of INCIDENT as Markdown: timeline, cause, evidence, actions, impact, open questions."""
    place = f"/incidents/{segment(incident)}/postmortem{'/kept' if kept else ''}"
    text = Client(url, token).raw(place).decode(errors="replace")
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {output}")


COMMANDS = {
    "incidents": incidents,
    "show": show_incident,
    "why": why,
    "postmortem": postmortem,
    "ack": _act("ack", "Acknowledge an incident: somebody is on it.", "acknowledged"),
    "resolve": _act("resolve", "Resolve an incident.", "resolved"),
    "reopen": _act("reopen", "Open a resolved incident again.", "open again"),
}
