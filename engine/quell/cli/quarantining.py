"""The commands about what could not be read: ``quarantine`` and what is below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.exits import Failed
from quell.cli.looks import Column

_AT_ONCE = 100
"""Entries per request."""
_MOST = 100_000
_STATES = click.Choice(["waiting", "replayed", "dropped", "all"])


@click.group("quarantine", invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--state", type=_STATES, default="waiting", show_default=True, help="What became of it.")
@click.option("--source", default="", help="Only of this source.")
@asks_daemon
def quarantine(asked: Asked, limit: int, state: str, source: str) -> None:
    """List what could not be read, the newest first; or show an entry, try entries again, put them away."""
    if click.get_current_context().invoked_subcommand:
        return
    answer = asked.client.get("/quarantine", limit=limit, state=state, source=source)

    def show() -> None:
        out = looks.console()
        entries = answer["quarantine"]
        if not entries:
            out.print("the quarantine is empty" if state == "waiting" else "there is no such entry")
            return
        columns = (
            Column("id", justify="right"), Column("when"), Column("source"), Column("state", 100),
            Column("reason", folds=True), Column("payload", 90, folds=True),
        )  # fmt: skip
        looks.table(out, columns, [_row(item) for item in entries])
        more = answer.get("waiting", 0) - len(entries)
        if state == "waiting" and not source and more > 0:
            out.print(f"{more} more; --limit shows them")

    asked.answer(answer, show)


@quarantine.command("show")
@click.argument("entry", metavar="ID", type=int)
@asks_daemon
def show_entry(asked: Asked, entry: int) -> None:
    """Show one entry with its whole payload."""
    answer = asked.client.get(f"/quarantine/{entry}")
    asked.answer(answer, lambda: _print_entry(answer["entry"]))


@quarantine.command("replay")
@click.argument("entries", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every entry that waits, the oldest first.")
@click.option("--source", default="", help="With --all: only of this source.")
@asks_daemon
def replay(asked: Asked, entries: Sequence[int], source: str, *, everything: bool) -> None:
    """Try entries again: what can be read now is taken as it arrived then, and marked."""
    _each(asked, "replay", _chosen(asked, entries, source, everything=everything))


@quarantine.command("drop")
@click.argument("entries", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every entry that waits.")
@click.option("--source", default="", help="With --all: only of this source.")
@asks_daemon
def drop(asked: Asked, entries: Sequence[int], source: str, *, everything: bool) -> None:
    """Put entries away that nobody needs; they are still listed with --state dropped."""
    _each(asked, "drop", _chosen(asked, entries, source, everything=everything))


def _chosen(asked: Asked, entries: Sequence[int], source: str, *, everything: bool) -> list[int]:
    if everything == bool(entries):
        raise Failed("give the ids of entries, or --all; quell quarantine lists them")
    if source and not everything:
        raise Failed("--source goes with --all")
    if not everything:
        return list(entries)
    answer = asked.client.get("/quarantine", limit=_MOST, state="waiting", source=source, payload=0)
    return sorted(item["id"] for item in answer["quarantine"])


def _each(asked: Asked, verb: str, ids: Sequence[int]) -> None:
    """Asks for all of them, some at a time. Fails when one could not be replayed."""
    results: list[dict[str, Any]] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = list(ids[start : start + _AT_ONCE])
        results += asked.client.post(f"/quarantine/{verb}", {"ids": some})["results"]

    def show() -> None:
        for each in results:
            text = f"{each['id']}: {each['outcome']}"
            if each["outcome"] == "replayed":
                text += f", {each['records']} record{'s' * (each['records'] != 1)}"
            click.echo(text + (f": {each['text']}" if each.get("text") else ""))
        counts = Counter(each["outcome"] for each in results)
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        click.echo(said or "nothing waits")

    asked.answer({"results": results}, show)
    failed = [each["id"] for each in results if each["outcome"] == "failed"]
    if failed:
        raise Failed(f"{len(failed)} could not be replayed and wait with the new reason")


def _row(item: dict[str, Any]) -> list[str | Text]:
    return [
        str(item.get("id", "")),
        looks.ago(item["at"]),
        item.get("source", ""),
        looks.state(item.get("state", "waiting")),
        item["reason"],
        str(item.get("payload", ""))[:120],
    ]


def _print_entry(entry: dict[str, Any]) -> None:
    out = looks.console()
    head = f"{entry['id']}  {entry.get('source', '')} {entry.get('path', '')}  "
    out.print(Text.assemble((head, "bold"), looks.state(entry.get("state", "waiting"))))
    out.print(Text(f"arrived {looks.ago(entry['at'])}; {entry['reason']}"))
    if entry.get("tried_at"):
        times = f"{entry['tries']} time{'s' * (entry['tries'] != 1)}"
        out.print(Text(f"tried again {times}, last {looks.ago(entry['tried_at'])} by {entry['tried_by']}"))
    if entry.get("state", "waiting") == "waiting" and not entry.get("replayable"):
        out.print(Text("it cannot be tried again", style="yellow"))
    for name, value in ((entry.get("request") or {}).get("headers") or {}).items():
        out.print(Text(f"{name}: {value}", style="dim"))
    out.print()
    click.echo(entry.get("payload", ""))


COMMANDS = {"quarantine": quarantine}
