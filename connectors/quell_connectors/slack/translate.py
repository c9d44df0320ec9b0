"""What Slack delivers, as what somebody said: commands, mentions, clicks and dialogs, by either way of delivery."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import msgspec

from quell.errors import BadPayload
from quell.sdk.chat import Said
from quell.sdk.payload import check_size, convert, decode
from quell_connectors.slack.modal import CALLBACK, CHOICE, Kept
from quell_connectors.slack.text import typed

_LEADING = re.compile(r"\s*<@[UW][A-Z0-9]+(\|[^>]*)?>[\s,:]*")


class _Command(msgspec.Struct, frozen=True):
    user_id: str
    trigger_id: str
    text: str = ""
    user_name: str = ""
    channel_id: str = ""
    response_url: str = ""


class _Event(msgspec.Struct, frozen=True):
    type: str = ""
    subtype: str = ""
    user: str = ""
    bot_id: str = ""
    text: str = ""
    channel: str = ""
    channel_type: str = ""
    ts: str = ""
    thread_ts: str = ""


class _Authorization(msgspec.Struct, frozen=True):
    user_id: str | None = None


class _Callback(msgspec.Struct, frozen=True):
    type: str = ""
    event_id: str = ""
    challenge: str = ""
    event: _Event = _Event()
    authorizations: list[_Authorization] = []


class _User(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    username: str = ""


class _Option(msgspec.Struct, frozen=True):
    value: str = ""


class _Action(msgspec.Struct, frozen=True):
    action_id: str = ""
    type: str = ""
    value: str | None = None
    action_ts: str = ""
    selected_option: _Option | None = None


class _Container(msgspec.Struct, frozen=True):
    message_ts: str = ""
    channel_id: str = ""
    thread_ts: str = ""
    is_ephemeral: bool = False


class _Message(msgspec.Struct, frozen=True):
    ts: str = ""
    thread_ts: str = ""


class _Filled(msgspec.Struct, frozen=True):
    value: str | None = None
    selected_option: _Option | None = None


class _State(msgspec.Struct, frozen=True):
    values: dict[str, dict[str, _Filled]] = {}


class _View(msgspec.Struct, frozen=True):
    id: str = ""
    hash: str = ""
    callback_id: str = ""
    private_metadata: str = ""
    state: _State = _State()


class _Interaction(msgspec.Struct, frozen=True):
    type: str
    user: _User
    trigger_id: str = ""
    response_url: str = ""
    actions: list[_Action] = []
    container: _Container = _Container()
    message: _Message | None = None
    view: _View | None = None


def said(kind: str, payload: Any) -> Said | None:
    """What an envelope of Socket Mode holds; None when it is nothing that quell answers. Raises `BadPayload`."""
    match kind:
        case "slash_commands":
            return _command(convert(payload, _Command))
        case "events_api":
            return _event(convert(payload, _Callback))
        case "interactive":
            return _interaction(convert(payload, _Interaction))
    return None


def said_in(body: bytes, content_type: str) -> tuple[Said | None, str]:
    """What a request holds, and the challenge to repeat ("" for none). Raises `BadPayload`."""
    if content_type.partition(";")[0].strip().lower() == "application/json":
        callback = decode(body, _Callback)
        return _event(callback), callback.challenge if callback.type == "url_verification" else ""
    check_size(body)
    try:
        form = {name: found[-1] for name, found in parse_qs(body.decode(), keep_blank_values=True).items()}
    except (UnicodeDecodeError, ValueError) as error:
        raise BadPayload("neither a form nor JSON", body) from error
    if "payload" in form:
        return _interaction(decode(form["payload"].encode(), _Interaction)), ""
    return _command(convert(form, _Command, body)), ""


def _command(command: _Command) -> Said:
    return Said(
        id=f"command/{command.trigger_id}",
        who=command.user_id,
        name=command.user_name,
        channel=command.channel_id,
        text=typed(command.text),
        reply_to={"response_url": command.response_url, "trigger_id": command.trigger_id},
    )


def _event(callback: _Callback) -> Said | None:
    event = callback.event
    direct = event.type == "message" and event.channel_type == "im" and not event.subtype
    # What a bot says is not heard, or two of them would talk for ever.
    if not (event.type == "app_mention" or direct) or event.bot_id or not event.user or not event.ts:
        return None
    return Said(
        # The same sentence may come as a mention and as a direct message: it is known by where it stands.
        id=f"event/{event.channel}/{event.ts}",
        who=event.user,
        channel=event.channel,
        thread=event.thread_ts,
        message=event.ts,
        text=typed(_without_us(callback)),
        at=_seconds(event.ts),
        reply_to={"answer_in": event.thread_ts if direct else event.thread_ts or event.ts},
    )


def _without_us(callback: _Callback) -> str:
    """What was said to the app, without its own mention; others who are named stay."""
    text = callback.event.text
    for one in callback.authorizations:
        ours = re.compile(rf"\s*<@{re.escape(one.user_id)}(\|[^>]*)?>[\s,:]*") if one.user_id else None
        if ours is not None and ours.search(text):
            return ours.sub(" ", text, count=1)
    return _LEADING.sub("", text, count=1) if callback.event.type == "app_mention" else text


def _interaction(told: _Interaction) -> Said | None:
    if told.type == "view_submission" and told.view is not None and told.view.callback_id == CALLBACK:
        return _submission(told, told.view)
    action = next((one for one in told.actions if one.action_id), None)
    if told.type != "block_actions" or action is None:
        return None
    verb, value = action.action_id.partition("#")[0], action.value or ""
    if action.selected_option is not None:
        verb, _, value = action.selected_option.value.partition(" ")
    place, message = told.container, told.message or _Message()
    return Said(
        id=f"{place.message_ts}/{verb}/{told.user.id}/{action.action_ts}",
        who=told.user.id,
        name=told.user.name or told.user.username,
        channel=place.channel_id,
        thread=place.thread_ts or message.thread_ts,
        message=place.message_ts,
        verb=verb,
        value=value,
        at=_seconds(action.action_ts),
        reply_to={
            "response_url": told.response_url,
            "trigger_id": told.trigger_id,
            **({"private": "yes"} if place.is_ephemeral else {}),
        },
    )


def _submission(told: _Interaction, view: _View) -> Said:
    kept = decode(view.private_metadata.encode(), Kept)
    fields = {
        name: filled.selected_option.value.removeprefix(CHOICE)
        if filled.selected_option is not None
        else filled.value or ""
        for name, inputs in view.state.values.items()
        for filled in inputs.values()
    }
    return Said(
        id=f"view/{view.id}/{view.hash}/{told.user.id}",
        who=told.user.id,
        name=told.user.name or told.user.username,
        channel=kept.channel,
        thread=kept.thread,
        message=kept.message,
        verb=kept.verb,
        value=kept.value,
        fields=fields,
        reply_to={
            "response_url": kept.response_url,
            "trigger_id": told.trigger_id,
            **({"private": kept.private} if kept.private else {}),
        },
    )


def _seconds(ts: str) -> float:
    """A message's ``ts`` is seconds since 1970 with six places."""
    return float(ts) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", ts) else 0.0
