"""What is sent to PagerDuty: events in its own terms and within its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from quell.errors import Refused
from quell.model.times import format_time
from quell.sdk.ticket_text import clean, cut, one_line, said
from quell_connectors.pagerduty.translate import MAX_BYTES

MAX_SUMMARY = 1024
MAX_KEY = 255
_MOST_DETAILS = 60
_LONGEST_DETAIL = 4000
_DEGREES = {
    "critical": "critical", "fatal": "critical", "emergency": "critical", "page": "critical", "p1": "critical",
    "high": "error", "error": "error", "major": "error", "p2": "error",
    "warning": "warning", "warn": "warning", "medium": "warning", "minor": "warning", "low": "warning", "p3": "warning",
    "info": "info", "informational": "info", "debug": "info", "none": "info", "ok": "info",
}  # fmt: skip


class Taken(msgspec.Struct, frozen=True):
    """PagerDuty's yes."""

    status: str
    message: str = ""


def key_of(params: Mapping[str, Any], token: str) -> str:
    """What tells one alert from another; too long a key keeps its beginning and is told from others by a hash."""
    key = clean(said(params, "key") or said(params, "incident") or token)
    if len(key) <= MAX_KEY:
        return key
    return f"{key[: MAX_KEY - 33]}-{blake2b(key.encode(), digest_size=16).hexdigest()}"


def severity_of(params: Mapping[str, Any]) -> str:
    """One of PagerDuty's four degrees; what it does not know counts as an error."""
    return _DEGREES.get(said(params, "severity").strip().lower(), "error")


def alert(params: Mapping[str, Any], key: str, now: float) -> dict[str, Any]:
    """A trigger. Raises `Refused` when it would say nothing."""
    own = {name: one_line(said(params, name), MAX_SUMMARY) for name in ("component", "group", "class")}
    payload = {
        **_payload(params, now),
        "severity": severity_of(params),
        **{name: value for name, value in own.items() if value},
    }
    event = {"event_action": "trigger", "dedup_key": key, "client": "quell", "payload": payload, **_links(params)}
    return fitted(event)


def change(params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A change event. Raises `Refused` when it would say nothing."""
    return fitted({"payload": _payload(params, now), **_links(params)})


def fitted(event: dict[str, Any]) -> dict[str, Any]:
    """The event without its details if they make it larger than PagerDuty takes."""
    size = len(json.dumps(event))  # as it is sent, with its letters escaped
    if size + 1024 <= MAX_BYTES:
        return event
    told = {"quell": f"The details were left out: with them the event would have {size} bytes."}
    return {**event, "payload": {**event["payload"], "custom_details": told}}


def _payload(params: Mapping[str, Any], now: float) -> dict[str, Any]:
    text = said(params, "text")
    summary = one_line(said(params, "summary") or said(params, "title") or text, MAX_SUMMARY)
    if not summary:
        raise Refused('pagerduty needs a "summary"; nothing was sent')
    details = _details(params.get("details") or {})
    if text and text != summary:
        details = {"text": cut(text, _LONGEST_DETAIL * 4), **details}
    payload = {"summary": summary, "source": one_line(said(params, "source"), MAX_SUMMARY) or "quell"}
    return {**payload, "timestamp": format_time(now), **({"custom_details": details} if details else {})}


def _details(given: Mapping[str, Any]) -> dict[str, Any]:
    """Texts are cut; anything else stays if JSON can hold it."""
    kept: dict[str, Any] = {}
    for name, value in list(given.items())[:_MOST_DETAILS]:
        plain = isinstance(value, (bool, int, float, list, dict)) or value is None
        kept[one_line(str(name), 256)] = value if plain else cut(str(value), _LONGEST_DETAIL)
    return kept


def _links(params: Mapping[str, Any]) -> dict[str, Any]:
    links = []
    for link in params.get("links") or ():
        href, text = (link.get("href"), link.get("text")) if isinstance(link, Mapping) else (link, None)
        if not isinstance(href, str) or not href.startswith(("http://", "https://")):
            raise Refused(f'"{href}" is no link; write an address, or {{href: …, text: …}}')
        links.append({"href": href, "text": one_line(str(text or href), MAX_SUMMARY)})
    return {"links": links} if links else {}
