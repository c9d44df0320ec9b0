"""The demo's report: what went in, which incidents came out and why, what was held back, what playbooks did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from quell.cli import looks
from quell.cli.looks import Column
from quell.model.run import MARK
from quell.model.shares import percent

_EVIDENCE_SHOWN = 5
_RUNNERS_UP_SHOWN = 3
_REASONS_SHOWN = 10
_TICKETS_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """What the daemon says after the storm. ``incidents`` are answers of ``/incidents/{id}``, oldest first."""

    events: int
    alerts: Sequence[Mapping[str, Any]]
    incidents: Sequence[Mapping[str, Any]]
    runs: Sequence[Mapping[str, Any]]
    tickets: Sequence[Mapping[str, Any]]


def print_report(out: Console, found: Found, command: str, *, kept: bool = True) -> None:
    """Prints the report; ``command`` begins what is to be typed, ``QUELL_URL=… quell``; ``kept``: it works still."""
    shown = [answer for answer in found.incidents if answer["incident"]["status"] not in {"merged", "withdrawn"}]
    out.print()
    out.print("what became of the storm", style="bold underline")
    counts = (found.events, "event"), (len(found.alerts), "alert"), (len(shown), "incident")
    parts = [_counted(count, noun) for count, noun in counts]
    out.print(Text(" → ".join(parts), style="bold"))
    for answer in shown:
        _print_incident(out, answer)
    _print_held_back(out, found.alerts)
    _print_playbooks(out, found, command, kept)


def _print_incident(out: Console, answer: Mapping[str, Any]) -> None:
    incident = answer["incident"]
    out.print()
    out.print(Text.assemble((incident["id"], "bold"), "  ", (incident["title"], "bold")))
    paged = incident.get("paged_at")
    told = f"paged at {looks.clock(paged)}" if paged else "nobody was paged"
    count = _counted(len(incident.get("alerts", ())), "alert")
    out.print(_line(f"{count} since {looks.clock(incident['opened_at'])} UTC, {told}, {incident['status']}"))
    suspects = incident.get("suspects") or []
    if not suspects:
        out.print(_line("no suspect yet"))
        return
    first, others = suspects[0], suspects[1 : 1 + _RUNNERS_UP_SHOWN]
    sure = first.get("confidence", 0.0)
    if not sure:
        why = next((entry["text"] for entry in incident.get("timeline", ()) if entry["what"] == "opened"), "")
        out.print(_line(f"no clear cause; trouble is seen at {first['entity']} only{f': {why}' if why else ''}"))
        return
    lead = "no clear cause; best candidate" if incident.get("no_clear_cause") else "first cause"
    out.print(_line(Text.assemble(f"{lead}: ", (looks.suspect(first), "bold"), f"  {percent(sure)}")))
    if len(first.get("path", ())) > 1:
        out.print(_line(f"path: {looks.path(first['path'])}", 4))
    for evidence in first.get("evidence", ())[:_EVIDENCE_SHOWN]:
        out.print(_line(f"{'+' if evidence['weight'] >= 0 else '−'} {evidence['text']}", 4))
    _print_changes(out, answer.get("changes") or [], first)
    for other in others:
        lost = f": {other['lost_because']}" if other.get("lost_because") else ""
        out.print(_line(f"runner-up: {looks.suspect(other)}  {percent(other.get('confidence', 0.0))}{lost}"))


def _print_changes(out: Console, changes: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> None:
    """The change that is blamed, else those that were near and were not, else that there is none."""
    if not changes:
        out.print(_line("no change is near enough to blame"))
    blamed = [change for change in changes if change["id"] == first.get("change")]
    for change in blamed or changes:
        said = change.get("summary") or f"{change['type']} of {change.get('entity') or 'an unknown entity'}"
        verdict = "blamed" if blamed else "nearby, not blamed"
        out.print(_line(f"change {change['id']} at {looks.clock(change['at'])} UTC ({verdict}): {said}"))


def _print_held_back(out: Console, alerts: Sequence[Mapping[str, Any]]) -> None:
    held = [alert for alert in alerts if alert.get("handling", "hold") != "page"]
    out.print()
    out.print(Text(f"{len(held)} of {len(alerts)} alerts did not page by themselves:", style="bold"))
    counts: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for alert in held:
        reason = alert.get("reason") or {}
        key = (alert.get("handling", "hold"), reason.get("code", ""))
        counts[key] += 1
        example.setdefault(key, reason.get("text", ""))
    columns = (Column("", justify="right"), Column("verdict"), Column("reason"), Column("for example", 70, folds=True))
    rows: list[list[str | Text]] = [
        [str(count), looks.state(key[0]), key[1].replace("_", " "), example[key]]
        for key, count in counts.most_common(_REASONS_SHOWN)
    ]
    if rows:
        looks.table(out, columns, rows)


def _print_playbooks(out: Console, found: Found, command: str, kept: bool) -> None:
    out.print(Text("playbooks:", style="bold"))
    if not found.runs:
        out.print(_line("none ran"))
    asking = [run for run in found.runs if run["state"] in {"waiting", "proposed"}]
    counts = Counter((run["playbook"], run["state"]) for run in found.runs if run not in asking)
    for (playbook, state), count in counts.items():
        out.print(_line(Text.assemble(f"{playbook}: {_counted(count, 'run')} ", looks.state(state))))
    for ticket in found.tickets[:_TICKETS_SHOWN]:
        out.print(_line(f'the ticket receiver holds {ticket["id"]}: "{ticket.get("title", "")}"', 4))
    if len(found.tickets) > _TICKETS_SHOWN:
        out.print(_line(f"… and {len(found.tickets) - _TICKETS_SHOWN} more", 4))
    for run in asking:
        out.print(
            _line(Text.assemble(f"{run['playbook']} for {run['incident']}: ", ("waits for a yes", "bold yellow")))
        )
        out.print(_line(run["why"], 4))
        out.print(_line("approve it with:" if kept else "approve it, in a demo kept with KEEP=1, with:", 4))
        # One line whatever the width, so that it can be copied.
        mark = (run.get("approval") or {}).get("bound_to", "")[:MARK]
        out.print(f"{command} approve {run['id']} {mark}".rstrip(), style="bold", soft_wrap=True)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _line(text: str | Text, indent: int = 2) -> Padding:
    """Text that keeps its indent where it wraps."""
    return Padding(text if isinstance(text, Text) else Text(text), (0, 0, 0, indent), expand=False)
