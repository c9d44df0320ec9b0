"""The actions of the GitHub connector, and what its webhooks tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.change_events import Places, body_of, told
from quell.sdk.connector import Call, Context, Done, Pending, Received, Request
from quell.sdk.json_api import JsonApi, bearer
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.github.client import GitHubDesk
from quell_connectors.github.events import EVENTS, Hook, changes
from quell_connectors.github.spec import SPEC
from quell_connectors.github.translate import judge


class GitHub:
    """One open issue per key, found by a mark that stands hidden in its text."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        token: Secret | None = options.get("token")
        credentials = {"Authorization": bearer(token)} if token else {}
        url = str(options.get("url") or "https://api.github.com")
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._options = options
        self._api = JsonApi(context.http, url, "GitHub", credentials, headers=headers, hide=(token,), judge=judge)
        self._tickets = OneOpen(float(options.get("settle") or 0.0))
        self._has_token = bool(token)
        self._places = Places(options, context.source, "service/${repo}")
        self._workflows = [str(name) for name in options.get("workflows") or ("*deploy*", "*release*")]
        self._branches = [str(name) for name in options.get("branches") or ()]
        self._source = context.source

    def receive(self, request: Request, now: float) -> Received:
        """Changes of an event; one that is of no use here is answered with that. Raises `BadPayload`."""
        event = request.headers.get("x-github-event", "")
        body = body_of(request)
        hook = Hook(self._places, self._workflows, self._branches, self._source, now)
        unused = "" if event in EVENTS else f'"{event[:80]}" is not used; send {", ".join(EVENTS)}'
        return told(lambda: changes(event, body, hook), request, unused)

    async def act(self, call: Call) -> Done | Pending:
        """Opens, comments, closes or finds."""
        if not self._has_token:
            raise Refused(f'github.{call.action} needs the option "token" of the source; nothing was asked')
        return await self._tickets.act(call, GitHubDesk(self._api, self._options, call.params, call.timeout_s))
