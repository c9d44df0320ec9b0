"""The `pagerduty` package, with its faults contained. Imported in a thread, at the first call: it is slow to load."""

from __future__ import annotations

from typing import Any

import httpx2
import pagerduty

from quell.sdk.secret import Secret
from quell_connectors.pagerduty.bridge import Bridge

Error = pagerduty.Error
_OWN = frozenset({"host", "connection", "content-length", "accept-encoding"})
"""Headers that whoever sends the request writes."""
_WRITTEN = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
"""Headers that are no longer true of a body that was read."""


class Carried(httpx2.BaseTransport):
    """Carries requests over the bridge. Its errors are ours, which the package neither catches nor repeats on."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request and its answer. The body is a stream, as the package asks how long reading it took."""
        headers = {name: value for name, value in request.headers.items() if name not in _OWN}
        data = request.read() or None
        answer = self._bridge.ask(request.method, str(request.url), request.url.path, headers, data)
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _WRITTEN]
        return httpx2.Response(answer.status, headers=kept, stream=httpx2.ByteStream(answer.body))


class _AnyAddress:
    """The package takes no address without TLS; which addresses may be asked, the guard of the bridge decides."""

    _at = ""

    @property
    def url(self) -> str:
        """Where requests go."""
        return self._at

    @url.setter
    def url(self, new_base_url: str) -> None:
        self._at = new_base_url.rstrip("/")


class EventsClient(_AnyAddress, pagerduty.EventsApiV2Client):
    """Sends events. What it would repeat on never comes so far as to it."""

    def __init__(self, bridge: Bridge, url: str, key: Secret) -> None:
        super().__init__(key.reveal(), base_url=url, transport=Carried(bridge), trust_env=False)
        self.retry.clear()

    def hand_over(self, event: dict[str, Any], *, change: bool) -> None:
        """An event as the API has it, but for the routing key."""
        if change:
            self.send_change_event(payload=event["payload"], links=event.get("links"))
            return
        rest = {name: value for name, value in event.items() if name not in {"event_action", "dedup_key"}}
        self.send_event(event["event_action"], event["dedup_key"], **rest)


class RestClient(_AnyAddress, pagerduty.RestApiV2Client):
    """Asks the REST API, one request at a time: pages are counted outside, for the package may turn them for ever."""

    def __init__(self, bridge: Bridge, url: str, token: Secret, user: str) -> None:
        carried = Carried(bridge)
        super().__init__(token.reveal(), user or None, base_url=url, transport=carried, trust_env=False)
