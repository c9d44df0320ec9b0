"""What ``quell explain`` prints: connectors with their options and actions, from their own declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import to_builtins
from rich.console import Console
from rich.text import Text

from quell.cli import looks
from quell.cli.as_json import print_json
from quell.cli.exits import Failed
from quell.cli.looks import Column
from quell.config.built_in import BUILT_IN
from quell.sdk.registry import load_connectors, offers
from quell.sdk.spec import ActionSpec, Option


def print_connectors(name: str, *, as_json: bool) -> None:
    """Every connector in a line; one by name with its options and actions."""
    connectors = load_connectors()
    if name and name not in connectors:
        raise Failed(f'no connector "{name}" is installed; there are: {", ".join(connectors)}')
    if as_json:
        told = [{**to_builtins(connector.spec), "can": sorted(offers(connector))} for connector in connectors.values()]
        print_json([each for each in told if name in {"", each["name"]}])
        return
    out = looks.console()
    if not name:
        rows = [
            [spec.name, ", ".join(sorted(offers(connector))), spec.summary]
            for spec, connector in ((connector.spec, connector) for connector in connectors.values())
        ]
        looks.table(out, (Column("connector"), Column("can", 60), Column("what it is", folds=True)), rows)
        out.print("options and actions of one: quell explain connectors NAME", style="dim")
        return
    connector = connectors[name]
    spec = connector.spec
    out.print(Text.assemble((spec.name, "bold"), f"  {spec.summary}"))
    out.print(
        f"can {', '.join(sorted(offers(connector)))}" + (f"; takes {', '.join(spec.paths)}" if spec.paths else "")
    )
    if spec.options:
        out.print("\noptions:", style="bold")
        _print_options(out, spec.options)
    _print_actions(out, {f"{spec.name}.{action.name}": action for action in spec.actions})


def print_actions(beginning: str, *, as_json: bool) -> None:
    """Actions with their parameters. Their first half is the id of a source, shown here as the connector's name."""
    actions: dict[str, ActionSpec] = dict(BUILT_IN)
    for name, connector in load_connectors().items():
        actions.update({f"{name}.{action.name}": action for action in connector.spec.actions})
    found = {name: action for name, action in sorted(actions.items()) if name.startswith(beginning)}
    if not found:
        raise Failed(f'no action begins with "{beginning}"; there are: {", ".join(sorted(actions))}')
    if as_json:
        print_json([{**to_builtins(action), "name": name} for name, action in found.items()])
    else:
        _print_actions(looks.console(), found)


def _print_actions(out: Console, actions: Mapping[str, ActionSpec]) -> None:
    for name, action in actions.items():
        out.print()
        out.print(Text.assemble((name, "bold"), f"  {action.summary}"))
        undo = f"; taken back by {action.undo}" if action.undo else ""
        out.print(f"effect {action.effect}, repeat {action.repeat}{undo}", style="dim")
        if action.params:
            _print_options(out, action.params)


def _print_options(out: Console, options: Sequence[Option]) -> None:
    rows = [
        [
            option.name,
            option.type,
            "needed" if option.required else _default(option.default),
            option.summary + (f" One of {', '.join(option.choices)}." if option.choices else ""),
        ]
        for option in options
    ]
    columns = (Column("name"), Column("type", 60), Column("default", 50), Column("what it is", folds=True))
    looks.table(out, columns, rows)


def _default(value: object) -> str:
    return "-" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)
