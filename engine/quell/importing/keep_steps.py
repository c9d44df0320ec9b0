"""One step of a Keep workflow as a step of a playbook."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from quell.importing.receivers import unfit_address

_UNFIT = re.compile(r"[^a-z0-9_]+")
_REFERENCE = re.compile(r"\{\{\{?\s*(.*?)\s*\}?\}\}", re.DOTALL)
_PLACE = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*")
_ALERT = {
    "name": "alert.name", "severity": "alert.severity", "status": "alert.status", "fingerprint": "alert.fingerprint",
    "startedAt": "alert.starts_at", "lastReceived": "alert.starts_at",
    "service": "alert.labels.service", "environment": "alert.labels.environment", "message": "alert.name",
}  # fmt: skip
_INCIDENT = {
    "id": "incident.id", "name": "incident.title", "user_generated_name": "incident.title",
    "severity": "incident.severity", "status": "incident.status", "services": "incident.entities",
}  # fmt: skip
_SECRET_NAME = re.compile(r"token|secret|passw|api_?key|credential", re.IGNORECASE)
_HTTP_VERBS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}


class Untold(ValueError):
    """A step that cannot be said here; the text says why."""


@dataclass(slots=True)
class Action:
    """A step, with the sources that it needs and the environment variables that those need."""

    step: dict[str, Any]
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


def action_of(raw: Mapping[str, Any], taken: Collection[str]) -> Action:
    """The step that does the same. Raises `Untold`."""
    for name in ("foreach", "vars", "throttle"):
        if raw.get(name):
            raise Untold(f'"{name}" is not read; write the step by hand')
    if raw.get("if") or raw.get("condition"):
        raise Untold('its condition is text pasted together; write it as "if" by hand')
    provider = raw.get("provider")
    if not isinstance(provider, dict):
        raise Untold("it names no provider")
    given = provider.get("with")
    params = template(given if isinstance(given, dict) else {})
    kind = str(provider.get("type") or "")
    name = _UNFIT.sub("_", str(raw.get("name") or kind).lower()).strip("_") or "step"
    name = f"s_{name}" if name[0].isdigit() else name
    step_id, number = name[:60], 1
    while step_id in taken:
        number += 1
        step_id = f"{name[:58]}_{number}"
    known = {"http": _http, "pagerduty": _pagerduty, "console": _console, "mock": _console}
    if kind not in known:
        raise Untold(
            f'provider "{kind}" is not carried over; if "quell explain connectors" has one, write the step by hand'
        )
    return known[kind](step_id, params)


def _http(step_id: str, params: dict[str, Any]) -> Action:
    method = str(params.get("method") or "GET").upper()
    url = params.get("url")
    if not isinstance(url, str) or method not in _HTTP_VERBS:
        raise Untold("it has no address, or a method that is not known")
    if "://" in url and unfit_address(url).startswith("seems"):
        raise Untold("its address seems to hold a secret, which may not stand in a file that goes to git")
    if holds_secret(params.get("body")):
        raise Untold("its body seems to hold a secret, which may not stand in a file that goes to git")
    told: dict[str, Any] = {"url": url, "method": method}
    body = params.get("body")
    if isinstance(body, dict):
        told["json"] = body
    elif body is not None:
        told["body"] = str(body)
    if params.get("headers"):
        raise Untold(
            "its headers may hold secrets; name them under the source in quell.yaml and write the step by hand"
        )
    return Action({"id": step_id, "do": "web.request", "with": told}, {"web": {"use": "http"}})


def holds_secret(value: Any, name: str = "") -> bool:
    """Whether a text stands plainly under a name such as ``api_key``."""
    if isinstance(value, Mapping):
        return any(holds_secret(item, str(key)) for key, item in value.items())
    if isinstance(value, list):
        return any(holds_secret(item, name) for item in value)
    return isinstance(value, str) and bool(value) and "${" not in value and bool(_SECRET_NAME.search(name))


def _pagerduty(step_id: str, params: dict[str, Any]) -> Action:
    summary = params.get("title") or params.get("alert_body") or "${alert.name}"
    told = {"key": str(params.get("dedup") or "${run.id}"), "summary": summary, "severity": "critical"}
    variable = "QUELL_PAGERDUTY_ROUTING_KEY"
    return Action(
        {"id": step_id, "do": "pagerduty.trigger", "with": told},
        {"pagerduty": {"use": "pagerduty", "routing_key": f"env:{variable}"}},
        {variable: "the routing key of the PagerDuty service"},
    )


def _console(step_id: str, params: dict[str, Any]) -> Action:
    text = params.get("message") or params.get("alert_message") or params.get("text")
    if not isinstance(text, str):
        raise Untold("it says nothing")
    return Action({"id": step_id, "do": "console.print", "with": {"text": text}}, {"console": {"use": "console"}})


def template(value: Any) -> Any:
    """The value with Keep's ``{{ alert.name }}`` as ``${alert.name}``. Raises `Untold` for what else it holds."""
    if isinstance(value, Mapping):
        return {str(name): template(item) for name, item in value.items()}
    if isinstance(value, list):
        return [template(item) for item in value]
    if not isinstance(value, str):
        return value
    if "keep." in value and "(" in value:
        raise Untold(f"it calls a function of Keep: {value.strip()[:80]}")
    escaped = value.replace("${", "$ {")  # what was plain text there must not be read here
    return _REFERENCE.sub(lambda found: f"${{{_reference(found[1])}}}", escaped)


def _reference(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise Untold(f'"{{{{ {text} }}}}" is more than a name')
    root, _, rest = text.partition(".")
    if root == "alert" and rest.startswith("labels."):
        return f"alert.{rest}"
    if root == "alert" and rest in _ALERT:
        return _ALERT[rest]
    if root == "incident" and rest in _INCIDENT:
        return _INCIDENT[rest]
    if root == "consts" and rest.isidentifier():
        return f"vars.{rest}"
    raise Untold(f'"{{{{ {text} }}}}" has no counterpart here')
