"""A connector that is asked from the command line, without a daemon and without a quell.yaml."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from quell.cli.loading import tell_problems
from quell.config.building import set_up
from quell.config.options import decode_options
from quell.config.secrets import Secrets
from quell.config.settings import Source
from quell.model.records import AlertRecord, AnyRecord
from quell.model.rulebook import NOWHERE
from quell.sdk.connector import Connector
from quell.sdk.http_client import GuardedHttp
from quell.sdk.registry import installed, offers

MOST_BYTES = 64 * 1024 * 1024
"""Of one answer: the past is larger than news."""
F = TypeVar("F", bound=Callable[..., Any])
_NUMBERS = {"integer": int, "number": float}


@dataclass(frozen=True, slots=True)
class Asked:
    """A connector of one's own, and the HTTP client to be closed after it."""

    name: str
    connector: Connector
    http: GuardedHttp


def asks_source(command: F) -> F:
    """Adds the options that say what is asked."""
    for option in (
        click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Add this label to every alert."),
        click.option("--option", "more", multiple=True, metavar="NAME=VALUE", help="Another option of the connector."),
        click.option("--token", metavar="REFERENCE", help="The token to send: env:NAME or file:PATH."),
        click.option("--url", required=True, help="Where it lives."),
    ):
        command = option(command)
    return command


def source_of(name: str, verb: str, url: str, token: str | None, more: Sequence[str]) -> Asked:
    """The connector ``name``, or the one of that name which asks, if ``name`` only listens. Raises a usage error."""
    connectors = installed()
    able = sorted(other for other, kind in connectors.items() if verb in offers(kind))
    tell_problems(connectors)
    found = next((other for other in (name, f"{name}_poll") if other in able), None)
    if found is None:
        raise click.UsageError(f'"{name}" cannot be asked for this; these can: {", ".join(able)}')
    kind = connectors[found]
    raw = {"url": url, **({"token": token} if token else {}), **dict(map(_pair, more))}
    options, faults = decode_options(kind.spec.options, _typed(kind, raw), secret=Secrets(Path.cwd(), os.environ).read)
    if faults:
        raise click.UsageError(
            "; ".join(fault.message + (f"; {fault.suggestion}" * bool(fault.suggestion)) for fault in faults)
        )
    # Whoever calls this names the address, so that inside ones are meant.
    http = GuardedHttp(("loopback", "private"), max_bytes=MOST_BYTES)
    source = Source(id=name, use=found, options=options, place=NOWHERE)
    return Asked(found, set_up(source, kind, http), http)


def labelled(records: Sequence[AnyRecord], labels: Mapping[str, str]) -> list[AnyRecord]:
    """The records, alerts with these labels where they have none of that name."""
    if not labels:
        return list(records)
    return [
        msgspec.structs.replace(record, labels={**labels, **record.labels})
        if isinstance(record, AlertRecord)
        else record
        for record in records
    ]


def labels_of(pairs: Sequence[str]) -> dict[str, str]:
    """Labels as they were given."""
    return dict(map(_pair, pairs))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.UsageError(f'"{text}" is not NAME=VALUE')
    return name, value


def _typed(kind: type[Connector], raw: Mapping[str, str]) -> dict[str, Any]:
    """Texts as the types that numbers and switches are declared with."""
    types = {option.name: option.type for option in kind.spec.options}
    typed: dict[str, Any] = dict(raw)
    for name, text in raw.items():
        try:
            if types.get(name) in _NUMBERS:
                typed[name] = _NUMBERS[types[name]](text)
            elif types.get(name) == "boolean":
                typed[name] = {"true": True, "false": False}.get(text, text)
        except ValueError:
            continue  # said by the option itself
    return typed
