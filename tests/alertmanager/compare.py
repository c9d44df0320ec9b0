"""Sends the same requests to two servers and brings the answers into a form in which equal means equal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alertmanager.requests import Ask, asks
from alertmanager.servers import Answered
from quell.model.times import parse_time

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SAVED = re.compile(r"\$([a-z]+)\.([A-Za-z]+)")
_METHODS = re.compile(r"\[([A-Z]+(?:,[A-Z]+)+)\]")
"""Alertmanager lists allowed methods in no order."""
NEAR_S = 100.0
"""Times this close to the beginning of a run are the server's own clock. All others are told relative to it."""


class Server(Protocol):
    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered: ...


@dataclass(frozen=True)
class Said:
    """What was answered, normalised: ``content`` is decoded JSON, else text."""

    status: int
    kind: str
    content: Any
    allow: frozenset[str] = frozenset()


def answers(server: Server, now: float) -> dict[str, Said]:
    """The normalised answer to every request, by name."""
    saved: dict[str, dict[str, str]] = {}
    names: dict[str, str] = {}
    return {ask.name: _answer(server, ask, now, saved, names) for ask in asks(now)}


def _answer(server: Server, ask: Ask, now: float, saved: dict[str, dict[str, str]], names: dict[str, str]) -> Said:
    def fill(text: str) -> str:
        return _SAVED.sub(lambda found: saved[found[1]][found[2]], text)

    body = None
    if ask.method in ("POST", "PUT"):
        body = ask.body if isinstance(ask.body, bytes) else fill(json.dumps(ask.body)).encode()
    answered = server.ask(ask.method, fill(ask.path), body, ask.headers)
    kind = answered.headers.get("content-type", "")
    content = json.loads(answered.body) if kind == "application/json" and answered.body else answered.body.decode()
    if ask.save:
        assert isinstance(content, dict), (ask.name, content)
        saved[ask.save] = content
        if "silenceID" in content:
            names.setdefault(content["silenceID"], f"<silence {ask.save}>")
    allow = frozenset(answered.headers.get("allow", "").replace(" ", "").split(",")) - {""}
    return Said(answered.status, kind, _normal(content, now, names), allow)


def _normal(content: Any, now: float, names: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _normal(value, now, names) for key, value in content.items()}
    if isinstance(content, list):
        listed = [_normal(value, now, names) for value in content]
        # Ids are named now, so that a list sorted by id has lost its order.
        return sorted(listed) if all(isinstance(value, str) for value in listed) else listed
    if not isinstance(content, str):
        return content
    content = _METHODS.sub(lambda found: f"[{','.join(sorted(found[1].split(',')))}]", content)
    text = _UUID.sub(lambda found: names.get(found[0], found[0]), content)
    return _TIME.sub(lambda found: _clock(found[0], now), text)


def _clock(text: str, now: float) -> str:
    at = parse_time(text)
    for name, moment in (("<now>", now), ("<now + 5m>", now + 300)):
        if at is not None and abs(at - moment) < NEAR_S:
            return name
    return text if at is None else f"<now {at - now:+.3f}s>"
