"""`quell graph --lineage`: what a thing is made from and what needs it, as trees, as a picture, for Graphviz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
from rich.text import Text
from rich.tree import Tree

from quell.cli import looks
from quell.cli.asking import Asked

_CHANGES = 2


def show_lineage(asked: Asked, entity: str, version: str, files: Mapping[str, Path | None]) -> None:
    """Asks the daemon; draws to the files that are given, else answers on standard output."""
    wanted = {kind: path for kind, path in files.items() if path is not None}
    query = {"entity": entity, **({"version": version} if version else {})}
    for kind, path in wanted.items():
        drawn = asked.client.raw(f"/lineage.{kind}?{urlencode(query)}")
        try:
            path.write_bytes(drawn)
        except OSError as error:
            raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
        if not asked.as_json:
            click.echo(f"drawn to {path}")
    if not wanted or asked.as_json:
        answer = asked.client.get("/lineage", **query)
        asked.answer(answer, lambda: _show(answer))


def said_of(edge: Mapping[str, Any]) -> str:
    """The kind of a dependency, who says so, since when, and when last."""
    said = ", ".join(edge.get("sources", ())) or "a record without a source"
    told = f"{edge.get('type', 'depends_on')}, says {said}"
    first, last = edge.get("first_seen"), edge.get("last_seen")
    if first and last and first != last:
        return f"{told}, first {looks.ago(first)}, last {looks.ago(last)}"
    return f"{told}, {looks.ago(last)}" if last else told


def _show(answer: Mapping[str, Any]) -> None:
    out = looks.console()
    nodes = {node["entity"]: node for node in answer["nodes"]}
    entity = answer["entity"]
    out.print(_node(nodes.get(entity, {"entity": entity}), ""))
    made: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    needs: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for edge in answer["links"]:
        made.setdefault(edge["from"], []).append((edge["to"], edge))
        needs.setdefault(edge["to"], []).append((edge["from"], edge))
    for title, links, below in (("made from", made, True), ("needed by", needs, False)):
        inside = {name for name, node in nodes.items() if (node["step"] < 0) == below and node["step"] != 0}
        kept = {name: [one for one in found if one[0] in inside] for name, found in links.items()}
        tree = Tree(Text(title, style="bold") if kept.get(entity) else Text(f"{title}: nothing known", style="dim"))
        _grow(tree, kept, nodes, entity, {entity})
        out.print(tree)
    if answer.get("more"):
        out.print(f"… and {answer['more']} more entities", style="dim")
    if answer.get("text"):
        out.print()
        out.print(Text(answer["text"]))
    versions = answer.get("versions", ())
    if len(versions) > 1:
        out.print(Text(f"versions known: {', '.join(versions[-20:])}", style="dim"))


def _grow(
    tree: Tree,
    links: Mapping[str, list[tuple[str, Mapping[str, Any]]]],
    nodes: Mapping[str, Mapping[str, Any]],
    entity: str,
    passed: set[str],
) -> None:
    """Hangs what is next below ``tree``; what was met before is named, not followed again."""
    for other, edge in links.get(entity, ()):
        again = other in passed
        branch = tree.add(_node(nodes[other], said_of(edge) + (", see above" if again else ""), brief=again))
        if not again:
            passed.add(other)
            _grow(branch, links, nodes, other, passed)


def _node(node: Mapping[str, Any], note: str, *, brief: bool = False) -> Text:
    text = Text.assemble((node["entity"], "bold"))
    if not brief:
        if node.get("owner"):
            text.append(f"  owner {node['owner']}")
        aliases = node.get("aliases", {})
        if aliases:
            text.append("  " + ", ".join(f"{alias} → {version}" for alias, version in sorted(aliases.items())), "green")
        elif node.get("version"):
            text.append(f"  version {node['version']}")
        for change in node.get("changes", ())[:_CHANGES]:
            text.append(f"  ◆ {change['type']} {looks.ago(change['at'])}", "magenta")
    if note:
        text.append(f"  {note}", "dim")
    return text
