"""The actions of the Redmine connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Call, Context, Done, Pending
from quell.sdk.json_api import JsonApi
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.redmine.client import RedmineDesk
from quell_connectors.redmine.spec import SPEC


class Redmine:
    """One open issue per key: a mark in the description, or in a custom field, is looked for first."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._api = JsonApi(context.http, str(options["url"]), "Redmine", {"X-Redmine-API-Key": options["token"]})
        self._tickets = OneOpen(float(options.get("settle") or 0.0))

    async def act(self, call: Call) -> Done | Pending:
        """Opens, comments, closes or finds."""
        return await self._tickets.act(call, RedmineDesk(self._api, self._options, call.params, call.timeout_s))
