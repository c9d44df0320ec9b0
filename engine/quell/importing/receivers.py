"""Alertmanager's receivers as actions of our sources, as far as there are any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from quell.importing.report import Report

_UNFIT = re.compile(r"[^a-z0-9]+")
_TELLING = re.compile(r"token|secret|passw|signature|^sig$|^(api_?|access_?)?key$|auth", re.IGNORECASE)
"""Names of parameters in an address whose values are secrets."""
_REFERENCE = re.compile(r"\$\{[^}]*\}")
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
                _pagerduty(found, given, place, part, report)
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
    _rest(given, ("url", "send_resolved"), place, part, report)
    wrong = unfit_address(url)
    if wrong:
        report.left_out(place, part, f"its address {wrong}; add a source of the kind http by hand")
        found.actions.append(_CONSOLE)
        found.changed = "its pages are printed where quell runs until you name another action"
        return
    source = _source(found, "webhook")
    found.sources[source] = {"use": "http", "url": url}
    found.actions.append((f"{source}.request", {"url": url, "method": "POST", "json": dict(_BODY)}))
    found.changed = "the webhook gets one JSON object for an incident, not Alertmanager's list of alerts"
    report.changed(place, part, f'source "{source}"; {found.changed}')


def unfit_address(url: str) -> str:
    """Why an address may not be written into a file that others read; "" if it may."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme in {"http", "https"} and bool(parts.hostname)
        values = parse_qsl(parts.query)
    except ValueError:
        plain, values = False, []
    if not plain:
        return "is no plain address"
    said = [*parts.path.split("/"), *(value for _, value in values)]
    if "@" in parts.netloc or any(map(_like_a_secret, said)) or any(_TELLING.search(name) for name, _ in values):
        return "seems to hold a secret, which may not stand in a file that goes to git"
    return ""


def _like_a_secret(text: str) -> bool:
    """What nobody would type, such as the last part of the address that Slack gives out for a channel."""
    text = _REFERENCE.sub("", text)
    return (len(text) >= 16 and any(letter.isdecimal() for letter in text)) or (len(text) >= 20 and text.isalnum())


def _rest(given: Mapping[str, Any], known: Sequence[str], place: Sequence[Any], part: str, report: Report) -> None:
    """Settings of a receiver that are not looked at."""
    rest = [str(name) for name in given if name not in known]
    if rest:
        report.left_out(place, f"{', '.join(rest)} of {part}", "write it by hand where the source or the page needs it")


def _pagerduty(found: Receiver, given: Mapping[str, Any], place: Sequence[Any], part: str, report: Report) -> None:
    _rest(given, ("routing_key", "routing_key_file", "send_resolved"), place, part, report)
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
    report.left_out(
        place,
        part,
        f'settings of {tool} are not carried over; if "quell explain connectors" has it, write a source for it',
    )
