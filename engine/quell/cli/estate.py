"""Commands about the daemon and what it knows: status, graph, ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text
from rich.tree import Tree

from quell.cli import looks
from quell.cli.asking import Asked, asks_daemon
from quell.cli.lineage import said_of, show_lineage
from quell.cli.looks import Column
from quell.model.shares import percent

_EDGES_SHOWN = 200


@click.command("status")
@asks_daemon
def status(asked: Asked) -> None:
    """Say how the daemon is: what it holds, what it could not do."""
    answer = asked.client.get("/status")

    def show() -> None:
        sources, detectors = answer.get("sources") or {}, answer.get("detectors") or {}
        pairs = _flat({name: value for name, value in answer.items() if name not in {"sources", "detectors"}})
        out = looks.console()
        looks.table(out, (Column("daemon"), Column("", folds=True)), [[name, str(value)] for name, value in pairs])
        columns = (Column("source"), Column("connector", 60), Column("state"), Column("error", 50, folds=True))
        rows = [
            [name, source.get("connector", ""), source.get("state", ""), source.get("error", "")]
            for name, source in sources.items()
        ]
        looks.table(out, columns, rows)
        if detectors:
            columns = (Column("detector"), Column("series"), Column("firing"), Column("warning", 50, folds=True))
            rows = [
                [name, str(one.get("series", 0)), str(one.get("firing", 0)), one.get("warning", "")]
                for name, one in detectors.items()
            ]
            looks.table(out, columns, rows)

    asked.answer(answer, show)


@click.command("graph")
@click.argument("entity", required=False)
@click.option("--hops", type=click.IntRange(1, 10), default=2, show_default=True, help="How far from ENTITY.")
@click.option("--lineage", "made", metavar="ENTITY", help="What ENTITY is made from, and all that needs it.")
@click.option("--version", "version", default="", help="With --lineage: where this version (or alias) came from.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="With --lineage: draw it to this file.")
@click.option("--dot", type=click.Path(dir_okay=False, path_type=Path), help="With --lineage: write it for Graphviz.")
@asks_daemon
def graph(
    asked: Asked, *, entity: str | None, hops: int, made: str | None, version: str, svg: Path | None, dot: Path | None
) -> None:
    """Show what ENTITY (kind/name) depends on and what needs it, and who said so; without it, the whole in numbers.

    With --lineage model/NAME: data, features, pipelines and models all the way, and which data and code a version was
    made of, who promoted it, when.
    """
    if made is not None:
        if entity is not None:
            raise click.UsageError(f'"{entity}" is one entity too many beside --lineage {made}')
        show_lineage(asked, made, version, {"svg": svg, "dot": dot})
        return
    if version or svg or dot:
        raise click.UsageError("--version, --svg and --dot go with --lineage ENTITY")
    answer = asked.client.get("/graph", entity=entity, hops=hops if entity else None)
    asked.answer(answer, lambda: _show_neighbours(answer, entity, hops) if entity else _show_numbers(answer))


@click.command("ledger")
@click.option("--run", "run", default="", help="Only the acts of this run.")
@asks_daemon
def ledger(asked: Asked, run: str) -> None:
    """List acts on the outside world: what was intended, what became of it."""
    answer = asked.client.get("/ledger", run=run)

    def show() -> None:
        columns = (
            Column("key", folds=True),
            Column("action"),
            Column("state"),
            Column("tries", 80),
            Column("result", 60, folds=True),
        )
        rows = []
        for entry in answer["ledger"]:
            result = entry.get("result") or {}
            said = result.get("sentence") or result.get("error") or ""
            act = entry["perform"]
            state = looks.state(entry["state"])
            if act.get("dry_run"):
                state.append(" (dry)")
            rows.append([act["key"], act["action"], state, str(entry.get("tries", 0)), said])
        _list_or(columns, rows, "nothing was done yet")

    asked.answer(answer, show)


def _list_or(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], empty: str) -> None:
    out = looks.console()
    if rows:
        looks.table(out, columns, rows)
    else:
        out.print(empty)


def _said(item: object) -> object:
    """A value as people write it: no None, no True, no 1.0."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return f"{item:.12g}"
    return "-" if item is None or item == "" else item


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as dotted names; lists as texts separated by commas."""
    pairs: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, Mapping):
            pairs.extend(_flat(item, f"{prefix}{name}."))
        elif isinstance(item, list):
            pairs.append((prefix + name, ", ".join(str(part) for part in item) or "-"))
        elif name.endswith("_at") and isinstance(item, str):
            pairs.append((prefix + name, f"{item} ({looks.ago(item)})"))
        else:
            pairs.append((prefix + name, _said(item)))
    return pairs


def _ends(dependency: Mapping[str, Any]) -> tuple[str, str]:
    return dependency.get("from") or dependency["from_"], dependency["to"]


def _show_numbers(answer: Mapping[str, Any]) -> None:
    out = looks.console()
    kinds = Counter(entity["entity"].partition("/")[0] for entity in answer["entities"])
    types = Counter(edge.get("type", "depends_on") for edge in answer["dependencies"])
    if not kinds and not types:
        out.print(
            "nothing is known of what depends on what; add a topology file, or send entity and dependency records"
        )
        return
    for title, counts in (("entities", kinds), ("dependencies", types)):
        told = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        out.print(f"{counts.total()} {title}: {told}" if told else f"no {title} described of their own")
    columns = (
        Column("entity", folds=True),
        Column("depends on", folds=True),
        Column("type", 60),
        Column("says", 90),
        Column("last", 120),
    )
    rows = [
        [
            *_ends(edge),
            edge.get("type", "depends_on"),
            ", ".join(edge.get("sources", ())),
            looks.ago(edge.get("last_seen")),
        ]
        for edge in sorted(answer["dependencies"], key=_ends)[:_EDGES_SHOWN]
    ]
    looks.table(out, columns, rows)
    if types.total() > _EDGES_SHOWN:
        out.print(f"… and {types.total() - _EDGES_SHOWN} more; quell graph ENTITY shows one's neighbours", style="dim")


def _show_neighbours(answer: Mapping[str, Any], entity: str, hops: int) -> None:
    out = looks.console()
    known: Mapping[str, Any] = next((item for item in answer["entities"] if item["entity"] == entity), {})
    owner = f"  owner {known['owner']}" if known.get("owner") else ""
    out.print(Text.assemble((entity, "bold"), owner, f"  {looks.labels(known.get('labels', {}))}"))
    edges = [(*_ends(edge), edge) for edge in sorted(answer["dependencies"], key=_ends)]
    depends: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    needed: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for from_, to, edge in edges:
        depends.setdefault(from_, []).append((to, edge))
        needed.setdefault(to, []).append((from_, edge))
    for title, links in (("depends on", depends), ("is needed by", needed)):
        tree = Tree(Text(title, style="bold") if entity in links else Text(f"{title}: nothing known", style="dim"))
        _grow(tree, links, entity, hops, {entity})
        out.print(tree)


def _grow(
    tree: Tree, links: Mapping[str, list[tuple[str, Mapping[str, Any]]]], entity: str, hops: int, passed: set[str]
) -> None:
    """Hangs the neighbours of ``entity`` below ``tree``; one met before is named but not followed again."""
    for other, edge in links.get(entity, ()) if hops else ():
        sure = edge.get("confidence", 1.0)
        note = f"  {said_of(edge)}" + (f", {percent(sure)} sure" if sure < 1 else "")
        branch = tree.add(Text.assemble(other, (note, "dim")))
        if other not in passed:
            passed.add(other)
            _grow(branch, links, other, hops - 1, passed)


COMMANDS = {"status": status, "graph": graph, "ledger": ledger}
