"""The receiver: Opsgenie's answers around `translate`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.opsgenie.spec import ALERTS, SPEC
from quell_connectors.opsgenie.translate import mistakes, read_alert, read_ending, to_alert, to_end

_OTHER_DEEDS = frozenset({
    "acknowledge", "unacknowledge", "snooze", "escalate", "assign", "notes", "tags", "details", "responders", "teams",
    "message", "description", "priority", "actions",
})  # fmt: skip
"""What people and tools do to an alert that is there: it neither begins nor ends by that, and nothing is kept."""


class Opsgenie:
    """Answers 202 as Opsgenie does, 422 with what is wrong, and 401 to a key that is not the right one."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        key = options.get("api_key")
        self._key = key if isinstance(key, Secret) and key else None
        self._source = context.source

    def receive(self, request: Request, now: float) -> Received:
        """Takes one request of the Alert API, below ``/v2/alerts`` or ``/in/<source-id>``."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        scope = shown.strip() if kind.lower() == "geniekey" else ""
        if self._key is not None and not _same(scope, self._key):
            return Received((), _said(401, {"message": "Could not authenticate: the key is not known here"}))
        try:
            alias, deed = _place(request)
            if not alias:
                return self._created(request, scope, now)
            if deed == "close":
                return self._closed(alias, request, scope, now)
        except BadPayload as error:
            return _wrong(422, {"message": str(error)}, request.body)
        if deed in _OTHER_DEEDS:
            return Received((), _taken(request))
        return Received((), _said(404, {"message": f'nothing is served at "{request.path}"'}))

    def _created(self, request: Request, scope: str, now: float) -> Received:
        alert = read_alert(request.body)
        found = mistakes(alert)
        if found:
            message = "Request body is not processable. Please check the errors."
            return _wrong(422, {"message": message, "errors": found}, request.body)
        return Received((to_alert(alert, self._source, scope, now),), _taken(request))

    def _closed(self, alias: str, request: Request, scope: str, now: float) -> Received:
        ending = read_ending(request.body)
        return Received((to_end(alias, ending, self._source, scope, now),), _taken(request))


def _place(request: Request) -> tuple[str, str]:
    """Which alert is meant and what is done to it; "" and "" when one is created."""
    _, found, rest = request.path.partition(ALERTS)
    parts = [unquote(part) for part in rest.strip("/").split("/") if part] if found else []
    if len(parts) > 2:
        return "/".join(parts[:-1]), parts[-1]  # an alias may hold slashes that somebody decoded on the way
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _same(shown: str, key: Secret) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), key.reveal().encode())


def _taken(request: Request) -> Reply:
    body = {"result": "Request will be processed", "took": 0.001, "requestId": _request_id(request)}
    return Reply(202, msgspec.json.encode(body), "application/json")


def _said(status: int, body: Mapping[str, Any]) -> Reply:
    return Reply(status, msgspec.json.encode(body), "application/json")


def _wrong(status: int, body: Mapping[str, Any], payload: bytes) -> Received:
    reasons = [str(body["message"]), *(f"{name}: {why}" for name, why in dict(body.get("errors") or {}).items())]
    return Received((), _said(status, body), (Rejected("; ".join(reasons), payload),))


def _request_id(request: Request) -> str:
    """In the form of Opsgenie's; the same for the same request, for a receiver answers by what it is given alone."""
    text = blake2b(f"{request.method} {request.path} ".encode() + request.body, digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
