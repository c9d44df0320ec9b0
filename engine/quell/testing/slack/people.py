"""People of the workspace: what Slack delivers when they type, click and send dialogs, by socket or signed request."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from quell.sdk.connector import Request
from quell.testing.slack.workspace import FakeSlack, Message

Sort = Literal["slash_commands", "events_api", "interactive"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One delivery."""

    id: str
    type: Sort
    payload: dict[str, Any] = field(default_factory=dict)

    def frame(self, attempt: int = 0) -> dict[str, Any]:
        """As it goes over the socket."""
        again = {"retry_attempt": attempt, "retry_reason": "timeout"} if attempt else {}
        takes = {"accepts_response_payload": self.type != "events_api"}
        return {"envelope_id": self.id, "type": self.type, "payload": self.payload, **takes, **again}


def command(slack: FakeSlack, text: str, user: str, channel: str = "C0INCID00") -> Envelope:
    """``/quell TEXT``."""
    payload = {
        "command": "/quell",
        "text": text,
        "user_id": user,
        "user_name": user.lower(),
        "channel_id": channel,
        "team_id": "T0FAKE000",
        "trigger_id": slack.trigger(),
        "response_url": slack.hook(channel, user),
    }
    return Envelope(slack.next_id("e"), "slash_commands", payload)


def mention(slack: FakeSlack, text: str, user: str, channel: str = "C0INCID00", thread: str = "") -> Envelope:
    """``@quell TEXT``, in a thread or not."""
    event = {"type": "app_mention", "text": f"<@{slack.bot_user}> {text}", "user": user, "channel": channel}
    return _event(slack, event, thread)


def direct(slack: FakeSlack, text: str, user: str) -> Envelope:
    """A message to the app alone."""
    channel = slack.channel(f"direct-{user}", "D" + user[1:])
    return _event(slack, {"type": "message", "channel_type": "im", "text": text, "user": user, "channel": channel}, "")


def _event(slack: FakeSlack, event: dict[str, Any], thread: str) -> Envelope:
    whole = {**event, "ts": slack.next_ts(), **({"thread_ts": thread} if thread else {})}
    payload = {
        "type": "event_callback",
        "team_id": "T0FAKE000",
        "event_id": slack.next_id("Ev"),
        "authorizations": [{"user_id": slack.bot_user, "is_bot": True}],
        "event": whole,
    }
    return Envelope(slack.next_id("e"), "events_api", payload)


def click(slack: FakeSlack, message: Message, label: str, user: str) -> Envelope:
    """Clicks the button, or takes the choice of a menu, that reads so. Raises `LookupError` when there is none."""
    for block in message.blocks:
        for element in block.get("elements") or () if block.get("type") == "actions" else ():
            action = _clicked(element, label)
            if action is not None:
                return _interaction(slack, message, {**action, "action_ts": slack.next_ts()}, user)
    raise LookupError(f'no button "{label}"')


def _clicked(element: dict[str, Any], label: str) -> dict[str, Any] | None:
    own = {"action_id": element.get("action_id"), "type": element["type"]}
    if element["type"] == "button" and element["text"]["text"] == label:
        return {**own, "value": element.get("value", "")}
    chosen = next((one for one in element.get("options") or () if one["text"]["text"] == label), None)
    return None if chosen is None else {**own, "selected_option": chosen}


def _interaction(slack: FakeSlack, message: Message, action: dict[str, Any], user: str) -> Envelope:
    thread: dict[str, Any] = {"thread_ts": message.thread_ts} if message.thread_ts else {}
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": user, "name": user.lower()},
        "channel": {"id": message.channel},
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": bool(message.only_for),
            **thread,
        },
        "trigger_id": slack.trigger(),
        "response_url": slack.hook(message.channel, user, message.ts),
        "actions": [action],
        **({} if message.only_for else {"message": {"ts": message.ts, **thread}}),
    }
    return Envelope(slack.next_id("e"), "interactive", payload)


def submit(slack: FakeSlack, view: dict[str, Any], user: str, **fields: str) -> Envelope:
    """Fills the dialog and sends it: texts as they are typed, choices as they read."""
    values: dict[str, Any] = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            filled = fields.get(block["block_id"])
            element = block["element"]
            if element["type"] == "static_select":
                first = (element.get("initial_option") or {"text": {"text": ""}})["text"]["text"]
                chosen = next((one for one in element["options"] if one["text"]["text"] == (filled or first)), None)
                given: dict[str, Any] = {"type": "static_select", "selected_option": chosen}
            else:
                given = {"type": "plain_text_input", "value": filled or element.get("initial_value")}
            values[block["block_id"]] = {element["action_id"]: given}
    payload = {
        "type": "view_submission",
        "user": {"id": user, "name": user.lower()},
        "trigger_id": slack.trigger(),
        "view": {**view, "state": {"values": values}},
    }
    return Envelope(slack.next_id("e"), "interactive", payload)


def signed(slack: FakeSlack, envelope: Envelope, path: str = "/in/slack", retry: int = 0) -> Request:
    """The same delivery as a request of mode http, signed as Slack signs."""
    if envelope.type == "events_api":
        body, sort = json.dumps(envelope.payload).encode(), "application/json"
    else:
        form = envelope.payload if envelope.type == "slash_commands" else {"payload": json.dumps(envelope.payload)}
        body, sort = urlencode(form).encode(), "application/x-www-form-urlencoded"
    stamp = str(int(slack.clock()))
    made = hmac.digest(slack.signing_secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hex()
    headers = {"content-type": sort, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={made}"}
    if retry:
        headers |= {"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_timeout"}
    return Request("POST", path, body, headers)
