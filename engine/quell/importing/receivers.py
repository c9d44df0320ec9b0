"""Alertmanager's receivers as actions of our sources, as far as there are any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from quell.importing.report import Report

_UNFIT = re.compile(r"[^a-z0-9]+")
_CONSOLE: tuple[str, dict[str, Any]] = ("console.page", {})
_BODY = {
    "incident": "${incident}", "title": "${title}", "severity": "${severity}", "text": "${text}",
}  # fmt: skip


@dataclass(slots=True)
class Receiver:
    """``actions`` with their parameters; none: nobody is told. ``changed`` says what is different here."""

    name: str
    actions: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    changed: str = ""


def receiver_of(raw: Mapping[str, Any], path: tuple[str | int, ...], report: Report) -> Receiver:
    """One receiver; the report has a line for each way in which it tells people."""
    found = Receiver(str(raw.get("name") or ""))
    for kind, configs in raw.items():
        if not kind.endswith("_configs") or not isinstance(configs, list):
            continue
        for index, config in enumerate(configs):
            place, part = (*path, kind, index), f'{kind} of "{found.name}"'
            given = config if isinstance(config, dict) else {}
            if kind == "webhook_configs" and isinstance(given.get("url"), str):
                _webhook(found, given, place, part, report)
            elif kind == "pagerduty_configs" and (given.get("routing_key") or given.get("routing_key_file")):
                _pagerduty(found, place, part, report)
            else:
                _elsewhere(found, kind, place, part, report)
    return found


def _source(found: Receiver, kind: str) -> str:
    name = _UNFIT.sub("-", f"{kind}-{found.name}".lower()).strip("-")[:50]
    number, free = 1, name
    while free in found.sources:
        number += 1
        free = f"{name}-{number}"
    return free


def _webhook(found: Receiver, given: Mapping[str, Any], place: Sequence[Any], part: str, report: Report) -> None:
    url = str(given["url"])
    try:
        parts = urlsplit(url)
        plain = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        plain = False
    if not plain:
        report.left_out(place, part, "its address cannot stand in a file here; add a source of the kind http by hand")
        found.actions.append(_CONSOLE)
        found.changed = "its pages are printed where quell runs until you name another action"
        return
    source = _source(found, "webhook")
    found.sources[source] = {"use": "http", "url": url}
    found.actions.append((f"{source}.request", {"url": url, "method": "POST", "json": dict(_BODY)}))
    found.changed = "the webhook gets one JSON object for an incident, not Alertmanager's list of alerts"
    report.changed(place, part, f'source "{source}"; {found.changed}')


def _pagerduty(found: Receiver, place: Sequence[Any], part: str, report: Report) -> None:
    source = _source(found, "pagerduty")
    variable = "QUELL_" + _UNFIT.sub("_", source).upper()
    found.sources[source] = {"use": "pagerduty", "routing_key": f"env:{variable}"}
    found.secrets[variable] = f'the routing key of receiver "{found.name}"'
    found.actions.append((f"{source}.trigger", {}))
    report.carried(place, part, f'source "{source}"; set {variable} to its routing key')


def _elsewhere(found: Receiver, kind: str, place: Sequence[Any], part: str, report: Report) -> None:
    tool = kind.removesuffix("_configs")
    found.actions.append(_CONSOLE)
    found.changed = f"printed where quell runs, until you name an action that tells people by {tool}"
    report.left_out(place, part, f"no action here tells people by {tool} from Alertmanager's settings")
