"""The actions of the GitLab connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Call, Context, Done, Pending
from quell.sdk.json_api import JsonApi
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.gitlab.client import GitLabDesk
from quell_connectors.gitlab.spec import SPEC
from quell_connectors.gitlab.translate import judge


class GitLab:
    """One open issue per key, found by a mark that stands hidden in its description."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        url = str(options.get("url") or "https://gitlab.com")
        self._options = options
        self._api = JsonApi(context.http, url, "GitLab", {"PRIVATE-TOKEN": options["token"]}, judge=judge)
        self._tickets = OneOpen(float(options.get("settle") or 0.0))

    async def act(self, call: Call) -> Done | Pending:
        """Opens, comments, closes or finds."""
        return await self._tickets.act(call, GitLabDesk(self._api, self._options, call.params, call.timeout_s))
