"""What all commands that ask the daemon share: where it is, the token, and ``--json``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from quell.cli.as_json import print_json
from quell.cli.client import DEFAULT_URL, Client


@dataclass(frozen=True)
class Asked:
    """A daemon to ask, and how to answer: tables for people or JSON for programs."""

    client: Client
    as_json: bool

    def answer(self, value: Any, show: Callable[[], None]) -> None:
        """Prints ``value`` as JSON, or calls ``show`` to print it for people."""
        if self.as_json:
            print_json(value)
        else:
            show()


def asks_daemon(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the shared options; the command gets an `Asked` as its first argument."""

    @click.option("--url", envvar="QUELL_URL", default=DEFAULT_URL, show_default=True, help="Where the daemon is.")
    @click.option("--token", envvar="QUELL_TOKEN", default="", help="The token; QUELL_TOKEN keeps it out of ps.")
    @click.option("--json", "as_json", is_flag=True, help="Print what the API answered.")
    @wraps(command)
    def asking(*args: Any, url: str, token: str, as_json: bool, **options: Any) -> None:
        command(Asked(Client(url, token, for_people=not as_json), as_json), *args, **options)

    return asking
