"""The actions of the Statuspage connector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done, Pending
from quell.sdk.json_api import JsonApi
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.statuspage.client import StatuspageDesk
from quell_connectors.statuspage.spec import SPEC
from quell_connectors.statuspage.translate import judge

_AS = {"note": "ticket", "resolve": "close", "find": "find"}
"""An incident of a page is kept like a ticket: one is open per key, updates are its comments."""


class Statuspage:
    """One open incident per key, found by a mark in its metadata."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        token: Secret = options["token"]
        url = str(options.get("url") or "https://api.statuspage.io")
        credentials = {"Authorization": Secret(f"OAuth {token.reveal()}")}
        self._options = options
        self._api = JsonApi(context.http, url, "Statuspage", credentials, hide=(token,), judge=judge)
        self._tickets = OneOpen(float(options.get("settle") or 0.0), "incident")

    async def act(self, call: Call) -> Done | Pending:
        """Notes, resolves or finds."""
        action = _AS.get(call.action)
        if action is None:
            raise Refused(f'no action "{call.action}"; there are {", ".join(_AS)}')
        desk = StatuspageDesk(self._api, self._options, call.params, call.timeout_s)
        # The last words of a resolved incident go with its status, in one update.
        params = {name: value for name, value in call.params.items() if action != "close" or name != "text"}
        return await self._tickets.act(replace(call, action=action, params=params), desk)
