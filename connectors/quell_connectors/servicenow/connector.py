"""The actions of the ServiceNow connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Call, Context, Done, Pending
from quell.sdk.json_api import JsonApi, basic, bearer
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.servicenow.client import ServiceNowDesk
from quell_connectors.servicenow.spec import SPEC


class ServiceNow:
    """One open record per key, found by its correlation id."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        token: Secret = options["token"]
        user = str(options.get("user") or "")
        credentials = {"Authorization": basic(user, token) if user else bearer(token)}
        self._options = options
        self._api = JsonApi(context.http, str(options["url"]), "ServiceNow", credentials, hide=(token,))
        self._tickets = OneOpen(float(options.get("settle") or 0.0))

    async def act(self, call: Call) -> Done | Pending:
        """Opens, comments, closes or finds."""
        return await self._tickets.act(call, ServiceNowDesk(self._api, self._options, call.params, call.timeout_s))
