"""The actions of the Flagsmith connector, and what its webhooks tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.change_events import Places, body_of, told
from quell.sdk.connector import Call, Context, Done, Received, Request
from quell.sdk.flags import Switch
from quell.sdk.spec import Spec
from quell_connectors.flagsmith.client import Client
from quell_connectors.flagsmith.events import changes
from quell_connectors.flagsmith.spec import SPEC


class Flagsmith:
    """Enables or disables a flag in one environment; values and overrides of segments and identities stay."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        client = Client(options, context.http) if options.get("token") else None
        self._switch = Switch("flagsmith", ("environment",), options, client)
        self._places = Places(options, context.source, "flag/${flag}")
        self._source = context.source

    async def act(self, call: Call) -> Done:
        """Raises `Refused` for what Flagsmith knows nothing of, `Unreachable` and `NoAnswer` as the client does."""
        return await self._switch.act(call)

    def receive(self, request: Request, now: float) -> Received:
        """A change for each event that says what became of a flag. Raises `BadPayload` for what cannot be read."""
        body = body_of(request)
        return told(lambda: changes(body, self._places, self._source, now), request, "not about a flag")
