"""The actions of the GitHub connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Call, Context, Done, Pending
from quell.sdk.json_api import JsonApi, bearer
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.github.client import GitHubDesk
from quell_connectors.github.spec import SPEC
from quell_connectors.github.translate import judge


class GitHub:
    """One open issue per key, found by a mark that stands hidden in its text."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        token: Secret = options["token"]
        url = str(options.get("url") or "https://api.github.com")
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._options = options
        self._api = JsonApi(
            context.http, url, "GitHub", {"Authorization": bearer(token)}, headers=headers, hide=(token,), judge=judge
        )
        self._tickets = OneOpen(float(options.get("settle") or 0.0))

    async def act(self, call: Call) -> Done | Pending:
        """Opens, comments, closes or finds."""
        return await self._tickets.act(call, GitHubDesk(self._api, self._options, call.params, call.timeout_s))
