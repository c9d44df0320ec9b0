"""The receiver: PagerDuty's answers, word for word, around `translate`. What is sent out stands in `acts`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Call, Context, Done, Pulled, Received, Rejected, Reply, Request
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.pagerduty.acts import Pages
from quell_connectors.pagerduty.client import Rest
from quell_connectors.pagerduty.spec import ENQUEUE, ENQUEUE_CHANGE, SPEC
from quell_connectors.pagerduty.translate import (
    MAX_BYTES,
    Event,
    key_of,
    mistakes,
    read_event,
    to_alert,
    to_change,
)
from quell_connectors.pagerduty.watch import Watch
from quell_connectors.pagerduty.webhooks import SIGNATURE, doubt, read_webhook, to_command


class PagerDuty:
    """Answers as PagerDuty does: 202 with the key, 400 with every mistake. Sends events of its own, too."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        key = options.get("routing_key")
        self._routing_key = key if isinstance(key, Secret) else None
        signed = options.get("webhook_secret")
        self._webhook_secret = signed if isinstance(signed, Secret) else None
        self._source = context.source
        self._options = options
        self._http = context.http
        self._pages = Pages(options, context.http)
        self._watch: Watch | None = None

    async def act(self, call: Call) -> Done:
        """Pages, or says that it is over."""
        return await self._pages.act(call)

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """What people did since the cursor, when the source is to watch."""
        if not self._options.get("watch"):
            return Pulled((), cursor)
        if self._watch is None:
            self._watch = Watch(Rest(self._http, self._options), self._source)
        return await self._watch.pull(cursor, now)

    def _webhook(self, request: Request, now: float) -> Received:
        """One event of a webhook subscription, believed by its signature only."""
        if why := doubt(request, self._webhook_secret, now):
            return Received((), _reply(401, {"error": why}))
        try:
            command = to_command(read_webhook(request.body), self._source, now)
        except BadPayload as error:
            return Received((), _reply(400, {"error": str(error)}), (Rejected(str(error), request.body),))
        return Received((command,) if command is not None else (), _reply(200, {"status": "ok"}))

    def receive(self, request: Request, now: float) -> Received:
        """Takes one event. An acknowledgement says that a person looks, not that anything changed: nothing is kept."""
        if SIGNATURE in request.headers:
            return self._webhook(request, now)
        if len(request.body) > MAX_BYTES:
            return _invalid([f"Event is too large (maximum is {MAX_BYTES} bytes)"], request.body[:4096], 413)
        try:
            event = read_event(request.body)
            change = _is_change(request, event)
            found = mistakes(event, change=change) + self._stranger(event)
            if found:
                return _invalid(found, request.body)
            if change:
                return Received((to_change(event, self._source, now),), _reply(202, _CHANGE_TAKEN))
            taken = _reply(202, {"status": "success", "message": "Event processed", "dedup_key": key_of(event)})
            if event.event_action == "acknowledge":
                return Received((), taken)
            return Received((to_alert(event, self._source, now),), taken)
        except BadPayload as error:
            return _invalid([str(error)], request.body)

    def _stranger(self, event: Event) -> list[str]:
        if not self._routing_key or not event.routing_key:
            return []
        given = event.routing_key.encode("utf-8", "surrogatepass")
        known = hmac.compare_digest(given, self._routing_key.reveal().encode())
        return [] if known else ["'routing_key' is not known here"]


_CHANGE_TAKEN = {"status": "success", "message": "Change event processed"}


def _is_change(request: Request, event: Event) -> bool:
    path = request.path.rstrip("/")
    if path.endswith(ENQUEUE_CHANGE):
        return True
    return not path.endswith(ENQUEUE) and not event.event_action and event.payload is not None


def _invalid(errors: list[str], payload: bytes, status: int = 400) -> Received:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return Received((), _reply(status, body), (Rejected("; ".join(errors), payload),))


def _reply(status: int, body: Mapping[str, Any]) -> Reply:
    return Reply(status, msgspec.json.encode(body), "application/json")
