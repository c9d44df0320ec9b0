"""The actions of the GitLab connector, and what its webhooks tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.change_events import Places, body_of, told
from quell.sdk.connector import Call, Context, Done, Pending, Received, Request
from quell.sdk.json_api import JsonApi
from quell.sdk.spec import Spec
from quell.sdk.tickets import OneOpen
from quell_connectors.gitlab.client import GitLabDesk
from quell_connectors.gitlab.events import EVENTS, Hook, changes
from quell_connectors.gitlab.spec import SPEC
from quell_connectors.gitlab.translate import judge


class GitLab:
    """One open issue per key, found by a mark that stands hidden in its description."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        url = str(options.get("url") or "https://gitlab.com")
        self._options = options
        token = options.get("token")
        self._api = JsonApi(context.http, url, "GitLab", {"PRIVATE-TOKEN": token} if token else {}, judge=judge)
        self._tickets = OneOpen(float(options.get("settle") or 0.0))
        self._has_token = bool(token)
        self._places = Places(options, context.source, "service/${repo}")
        self._pipelines = [str(name) for name in options.get("pipelines") or ("*deploy*", "*release*")]
        self._branches = [str(name) for name in options.get("branches") or ()]
        self._source = context.source

    def receive(self, request: Request, now: float) -> Received:
        """Changes of an event; one that is of no use here is answered with that. Raises `BadPayload`."""
        body = body_of(request)
        hook = Hook(self._places, self._pipelines, self._branches, self._source, now)
        kind = str(body.get("object_kind"))
        unused = "" if kind in EVENTS else f'"{kind[:80]}" is not used; send {", ".join(EVENTS)}'
        return told(lambda: changes(body, hook), request, unused)

    async def act(self, call: Call) -> Done | Pending:
        """Opens, comments, closes or finds."""
        if not self._has_token:
            raise Refused(f'gitlab.{call.action} needs the option "token" of the source; nothing was asked')
        return await self._tickets.act(call, GitLabDesk(self._api, self._options, call.params, call.timeout_s))
