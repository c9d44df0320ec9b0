"""What the routes of the management API work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import HTTPException, Request, Response

from quell.daemon.auth import Principal
from quell.daemon.chat.chat import Chat
from quell.daemon.clock import Clock
from quell.daemon.drafting import Drafting
from quell.daemon.git.source import GitSource
from quell.daemon.inbox import Inbox
from quell.daemon.loop import Loop
from quell.daemon.past_figures import PastFigures
from quell.daemon.past_limits import PastLimits
from quell.daemon.past_releases import PastReleases
from quell.daemon.postmortems import Postmortems
from quell.daemon.replaying import Replaying
from quell.daemon.writer import Writer
from quell.model.alert import Alert
from quell.model.records import AnyRecord, DeliveryRecord
from quell.model.state import State
from quell.model.wire import to_wire
from quell.sdk.connector import Received
from quell.store.port import AuditBreak

_INTERNAL = frozenset({"heard", "ended", "late", "before"})
"""Fields of an alert by which the core folds late records; nobody else's business."""


@dataclass(frozen=True, slots=True)
class Services:
    """Parts of the daemon; ``status`` says how all of it is, ``delivered`` decodes a recorded delivery."""

    loop: Loop
    inbox: Inbox
    writer: Writer
    clock: Clock
    status: Callable[[], Mapping[str, Any]]
    delivered: Callable[[DeliveryRecord], Received]
    replaying: Replaying
    audit_break: Callable[[], Awaitable[AuditBreak | None]]
    git: GitSource
    figures: PastFigures
    releases: PastReleases
    suggestions: PastLimits
    drafting: Drafting
    postmortems: Postmortems
    chat: Chat

    @property
    def state(self) -> State:
        """The core's state as of the last turn."""
        return self.loop.decider.state


def need(scope: str) -> Callable[[Request], Principal]:
    """A dependency that gives the caller, or answers 403 when the token has no such scope."""

    def caller(request: Request) -> Principal:
        principal: Principal = request.scope["quell_principal"]
        if not principal.may(scope):
            raise HTTPException(403, f'token "{principal.token_id}" has no scope "{scope}"')
        return principal

    return caller


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """JSON with times as text."""
    return Response(msgspec.json.encode(to_wire(dict(content))), status, media_type="application/json")


def shown(alert: Alert) -> dict[str, Any]:
    """An alert without what only the core needs."""
    wire: dict[str, Any] = to_wire(alert)
    return {name: value for name, value in wire.items() if name not in _INTERNAL}


async def put(services: Services, records: list[AnyRecord], wait_s: float = 5.0) -> bool:
    """Puts records into the inbox and waits for their turn; False when that takes longer than ``wait_s``.

    Raises what `Inbox.put` raises.
    """
    seq = await services.inbox.put(records)
    return await services.loop.passed(seq, wait_s)
