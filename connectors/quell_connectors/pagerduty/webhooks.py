"""Webhooks v3: what people did in PagerDuty, as commands. Who sent it is proved by PagerDuty's signature."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.records import CommandRecord
from quell.sdk.connector import Request
from quell.sdk.moments import read_moment
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell.sdk.signatures import Hmac, refusal

SIGNATURE = "x-pagerduty-signature"
MAX_BYTES = 512 * 1024
WINDOW_S = 2 * 86_400.0
"""PagerDuty sends again for a while what was not taken. The signature holds no time, so the event's own counts."""
STATUSES = {
    "incident.triggered": "open",
    "incident.acknowledged": "acknowledged",
    "incident.unacknowledged": "open",
    "incident.reopened": "open",
    "incident.resolved": "resolved",
}
TRIGGERED = "incident.triggered"
ANNOTATED = "incident.annotated"
OUR_NOTE = "[quell-step-"
"""So do the marks begin that our own notes carry."""
_OF_INTEGRATIONS = ("integration_reference", "integration")


class Agent(msgspec.Struct, frozen=True):
    """Who did it: a user, an integration or a service."""

    id: str = ""
    type: str = ""
    summary: str | None = None
    email: str = ""
    name: str = ""

    @property
    def is_user(self) -> bool:
        """Whether it is a person."""
        return self.type in {"user", "user_reference"}

    @property
    def is_integration(self) -> bool:
        """Whether events did it; those about an incident of ours are our own."""
        return self.type.endswith(_OF_INTEGRATIONS)


class Reference(msgspec.Struct, frozen=True):
    """PagerDuty's own incident."""

    id: str = ""
    incident_key: str | None = None


class Data(msgspec.Struct, frozen=True):
    """An incident, or a note of one."""

    id: str = ""
    type: str = ""
    incident_key: str | None = None
    incident: Reference | None = None
    content: str | None = None


class Event(msgspec.Struct, frozen=True):
    """What happened."""

    id: str
    event_type: str
    occurred_at: str
    agent: Agent | None = None
    data: Data | None = None


class Webhook(msgspec.Struct, frozen=True):
    """The body of a delivery: one event."""

    event: Event


def doubt(request: Request, secret: Secret | None, now: float) -> str:
    """Why a webhook is not believed; "" when it is."""
    if not secret:
        return "webhooks are not taken: the source has no webhook_secret"
    secrets = tuple(Secret(text.strip()) for text in secret.reveal().split(",") if text.strip())
    return refusal(request, Hmac(secrets=secrets, header=SIGNATURE, prefix="v1="), now)


def read_webhook(body: bytes) -> Event:
    """Raises `BadPayload`."""
    return decode(body, Webhook, max_bytes=MAX_BYTES).event


def to_command(event: Event, source: str, now: float) -> CommandRecord | None:
    """What it means for an incident of ours; None when nothing. Raises `BadPayload`."""
    data = event.data
    if data is None or event.event_type not in {*STATUSES, ANNOTATED}:
        return None
    try:
        at = read_moment(event.occurred_at)
    except ValueError as error:
        raise BadPayload(f"event.occurred_at: {error}", field="event.occurred_at") from error
    if at is None:
        raise BadPayload("event.occurred_at is missing", field="event.occurred_at")
    if now - at > WINDOW_S:
        return None
    if event.event_type == ANNOTATED:
        there = data.incident or Reference()
        return noted(source, event.agent, data.content or "", there, at=at, seen=now, token=data.id or event.id)
    there = Reference(data.id, data.incident_key)
    status, new = STATUSES[event.event_type], event.event_type == TRIGGERED
    return stands(source, event.agent, status, there, at=at, seen=now, new=new)


def stands(
    source: str, agent: Agent | None, status: str, there: Reference, *, at: float, seen: float, new: bool = False
) -> CommandRecord | None:
    """That an incident stands so there since ``at``; the same however it was learned of, to the second.

    A ``new`` one with a key of ours was made by an event of ours, whoever PagerDuty says it was.
    """
    if not there.incident_key:
        return None
    args: dict[str, Any] = {"status": status, "there": there.id, **_who(agent)}
    if new or (agent is not None and agent.is_integration):
        args["echo"] = True
    elif status == "open" and (agent is None or not agent.is_user):
        args["note"] = "PagerDuty: nobody took it in time"
    return CommandRecord(
        at=at, seen=seen, source=source, id=f"{there.id}/{status}/{int(at)}", verb="follow",
        target=there.incident_key, by=_name(agent), args=args,
    )  # fmt: skip


def noted(
    source: str, agent: Agent | None, text: str, there: Reference, *, at: float, seen: float, token: str
) -> CommandRecord | None:
    """A note that somebody wrote there; ours are not handed back."""
    if not text or OUR_NOTE in text:
        return None
    args = {"status": "note", "there": there.id, "note": text[:2000], **_who(agent)}
    return CommandRecord(
        at=at, seen=seen, source=source, id=f"{there.id}/note/{token}", verb="follow",
        target=there.incident_key or "", by=_name(agent), args=args,
    )  # fmt: skip


def _name(agent: Agent | None) -> str:
    if agent is None or not agent.is_user:
        return "PagerDuty"
    return (agent.name or agent.summary or agent.email or agent.id)[:200]


def _who(agent: Agent | None) -> dict[str, Any]:
    if agent is None or not agent.is_user:
        return {}
    return {"who": {"id": agent.id, "name": agent.name or agent.summary or "", "email": agent.email}}
