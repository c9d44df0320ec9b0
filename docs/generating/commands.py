"""The commands, from click's own declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import cleandoc

import click

from generating.markdown import literal, slug, table
from quell.cli.main import cli

COMMON = ("url", "token", "as_json")
"""Parameters of every command that asks the daemon; described once."""
ASKING = "Options of commands that ask the daemon"
NAMES = {"integer range": "integer", "float range": "number", "float": "number", "filename": "path"}
"""How types of parameters are called here, where click calls them otherwise."""


def commands_page() -> Iterator[str]:
    """One section a command."""
    context = click.Context(cli, info_name="quell")
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    yield from ("# Commands", "", "Exit codes: 0 fine; 1 a check failed or the daemon said no; 2 wrong usage or")
    yield from ("configuration; 3 a bug, with a report to paste; 130 interrupted.", "")
    asking = next(command for command in commands.values() if command is not None and _asks(command))
    yield from (f"## {ASKING}", "")
    yield from _parameters([param for param in asking.params if param.name in COMMON])
    for name, command in commands.items():
        if command is not None:
            yield from _command(("quell", name), command)


def _command(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(path))
    yield from ("", f"## {' '.join(path)}", "")
    yield from ("```console", f"$ {' '.join((*path, *command.collect_usage_pieces(context)))}", "```", "")
    yield from (line.rstrip() for line in cleandoc(command.help or "").splitlines())
    own = [param for param in command.params if not (_asks(command) and param.name in COMMON)]
    own = [param for param in own if not getattr(param, "hidden", False)]
    if own:
        yield from ("", *_parameters(own))
    if _asks(command):
        yield from ("", f"It also takes the [{ASKING[0].lower()}{ASKING[1:]}](#{slug(ASKING)}).")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command((*path, name), inner)


def _asks(command: click.Command) -> bool:
    return set(COMMON) <= {param.name for param in command.params}


def _parameters(params: Iterable[click.Parameter]) -> Iterator[str]:
    rows = []
    for param in params:
        if isinstance(param, click.Option):
            name = ", ".join(f"`{text}`" for text in (*param.opts, *param.secondary_opts))
            meaning = param.help or ""
        else:
            name, meaning = f"`{param.make_metavar(click.Context(cli))}`", ""
        if param.envvar:
            meaning = f"{meaning} Environment: `{param.envvar}`.".strip()
        rows.append((name, _kind(param), _shown_default(param), meaning))
    yield from table(("Name", "Type", "Default", "Meaning"), rows)


def _kind(param: click.Parameter) -> str:
    kind = param.type
    if isinstance(kind, click.Choice):
        return " or ".join(f"`{choice}`" for choice in kind.choices)
    if isinstance(param, click.Option) and param.is_flag:
        return "flag"
    name = NAMES.get(kind.name, kind.name)
    return f"{name}, several" if param.multiple or param.nargs < 0 else name


def _shown_default(param: click.Parameter) -> str:
    if param.required:
        return "*required*"
    default = param.default
    plain = isinstance(default, (str, int, float)) and not isinstance(default, bool)
    return f"`{literal(default)}`" if plain and default != "" else ""
