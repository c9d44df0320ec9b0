"""The methods of the Web API that quell uses, with the answers that Slack documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from quell.testing.slack.kit import MESSAGE_BLOCKS, MOST_IN_ALL, VIEW_BLOCKS, characters, problems
from quell.testing.slack.workspace import Answered, Asked, Cut, FakeSlack, Message

Args = dict[str, Any]


def ask(slack: FakeSlack, method: str, token: str, args: Args) -> Answered:
    """One call. Raises `Cut` when the connection ends without an answer."""
    now = slack.clock()
    if now < slack.down_until:
        slack.asked.append(Asked(method, args, now, "cut"))
        raise Cut
    fault = slack.fault(method)
    if fault is not None and fault[0] != "lost":
        return _faulty(slack, method, args, *fault)
    wait = slack.rates.wait_s(method, str(args.get("channel") or ""), now)
    if wait:
        return _limited(slack, method, args, wait)
    answer = _answer(slack, method, token, args)
    error = "" if answer.get("ok") else str(answer.get("error"))
    slack.asked.append(Asked(method, args, now, error))
    if fault is not None:
        raise Cut
    return Answered(200, answer, {"X-OAuth-Scopes": ",".join(sorted(slack.scopes))})


def _faulty(slack: FakeSlack, method: str, args: Args, kind: str, what: str) -> Answered:
    if kind == "limited":
        return _limited(slack, method, args, int(what))
    slack.asked.append(Asked(method, args, slack.clock(), what or "cut"))
    if kind == "cut":
        raise Cut
    return Answered(int(what), {}) if kind == "status" else Answered(200, {"ok": False, "error": what})


def _limited(slack: FakeSlack, method: str, args: Args, wait: int) -> Answered:
    slack.asked.append(Asked(method, args, slack.clock(), "ratelimited"))
    return Answered(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(wait)})


def _answer(slack: FakeSlack, method: str, token: str, args: Args) -> Args:
    wanted = slack.app_token if method == "apps.connections.open" else slack.bot_token
    if token != wanted:
        known = token in {slack.app_token, slack.bot_token}
        return _no("not_allowed_token_type" if known else "invalid_auth" if token else "not_authed")
    if slack.denied:
        return _no(slack.denied)
    needed = _SCOPES.get(method)
    if needed and needed not in slack.scopes:
        return _no("missing_scope", needed=needed, provided=",".join(sorted(slack.scopes)))
    found = _METHODS.get(method)
    return _no("unknown_method") if found is None else found(slack, args)


_SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
    "conversations.history": "channels:history",
    "conversations.list": "channels:read",
    "files.getUploadURLExternal": "files:write",
    "files.info": "files:read",
}


def _no(error: str, **more: Any) -> Args:
    return {"ok": False, "error": error, **more}


def _auth_test(slack: FakeSlack, _args: Args) -> Args:
    return {"ok": True, "user_id": slack.bot_user, "team_id": "T0FAKE000", "bot_id": "B0QUELL00"}


def _connections_open(slack: FakeSlack, _args: Args) -> Args:
    return {"ok": True, "url": slack.base.replace("http", "ws", 1) + f"link/?ticket={slack.next_id('K')}"}


def _channel(slack: FakeSlack, wanted: str) -> str:
    """The id of a channel, or of a direct message to somebody; "" when it is not to be found."""
    if wanted in slack.channels:
        return wanted
    if wanted.startswith("U"):
        return slack.channel(f"direct-{wanted}", "D" + wanted[1:])
    name = wanted.removeprefix("#")
    return next((one for one, known in slack.channels.items() if known == name and one not in slack.outside), "")


def _wrong_with(slack: FakeSlack, args: Args) -> Args | None:
    if not args.get("text") and not args.get("blocks"):
        return _no("no_text")
    if len(str(args.get("text") or "")) > 40_000:
        return _no("msg_too_long")
    wrong = problems(args.get("blocks") or [], MESSAGE_BLOCKS, slack.files)
    if wrong:
        return _no("invalid_blocks", errors=wrong, response_metadata={"messages": [f"[ERROR] {one}" for one in wrong]})
    return _no("msg_blocks_too_long") if characters(args.get("blocks") or []) > MOST_IN_ALL else None


def _made(slack: FakeSlack, channel: str, args: Args, only_for: str = "") -> Message:
    return Message(
        channel=channel,
        ts=slack.next_ts(),
        text=str(args.get("text") or ""),
        blocks=list(args.get("blocks") or []),
        metadata=dict(args.get("metadata") or {}),
        thread_ts=str(args.get("thread_ts") or ""),
        only_for=only_for,
    )


def _post(slack: FakeSlack, args: Args) -> Args:
    channel = _channel(slack, str(args.get("channel") or ""))
    if not channel:
        return _no("channel_not_found")
    if channel in slack.outside:
        return _no("not_in_channel")
    wrong = _wrong_with(slack, args)
    if wrong is not None:
        return wrong
    message = _made(slack, channel, args)
    slack.messages.append(message)
    return {"ok": True, "channel": channel, "ts": message.ts, "message": {"text": message.text}}


def _post_ephemeral(slack: FakeSlack, args: Args) -> Args:
    channel = _channel(slack, str(args.get("channel") or ""))
    if not channel:
        return _no("channel_not_found")
    if channel in slack.outside:
        return _no("not_in_channel")
    wrong = _wrong_with(slack, args)
    if wrong is not None:
        return wrong
    message = _made(slack, channel, args, str(args.get("user") or ""))
    slack.private.append(message)
    return {"ok": True, "message_ts": message.ts}


def _update(slack: FakeSlack, args: Args) -> Args:
    if args.get("channel") not in slack.channels:
        return _no("channel_not_found")  # a name will not do here
    found = slack.at(str(args["channel"]), str(args.get("ts")))
    if found is None or found.only_for:
        return _no("message_not_found")
    wrong = _wrong_with(slack, args)
    if wrong is not None:
        return wrong
    found.text, found.blocks = str(args.get("text") or ""), list(args.get("blocks") or [])
    found.metadata = dict(args.get("metadata") or found.metadata)
    found.edits += 1
    return {"ok": True, "channel": found.channel, "ts": found.ts, "text": found.text}


def _pages(args: Args, found: list[Message]) -> Args:
    start, limit = int(args.get("cursor") or 0), min(int(args.get("limit") or 100), 999)
    with_metadata = str(args.get("include_all_metadata")).lower() in {"1", "true"}
    messages = [
        {
            "type": "message",
            "ts": one.ts,
            "text": one.text,
            **({"thread_ts": one.thread_ts} if one.thread_ts else {}),
            **({"metadata": one.metadata} if with_metadata and one.metadata else {}),
        }
        for one in found[start : start + limit]
    ]
    more = str(start + limit) if start + limit < len(found) else ""
    return {"ok": True, "messages": messages, "has_more": bool(more), "response_metadata": {"next_cursor": more}}


def _history(slack: FakeSlack, args: Args) -> Args:
    channel = str(args.get("channel") or "")
    if channel not in slack.channels:
        return _no("channel_not_found")
    return _no("not_in_channel") if channel in slack.outside else _pages(args, slack.roots(channel)[::-1])


def _replies(slack: FakeSlack, args: Args) -> Args:
    channel, root = str(args.get("channel") or ""), str(args.get("ts") or "")
    if slack.at(channel, root) is None:
        return _no("thread_not_found")
    return _pages(args, [one for one in slack.messages if one.channel == channel and root in {one.ts, one.thread_ts}])


def _info(slack: FakeSlack, args: Args) -> Args:
    channel = str(args.get("channel") or "")
    name = slack.channels.get(channel)
    return _no("channel_not_found") if name is None else {"ok": True, "channel": {"id": channel, "name": name}}


def _open(slack: FakeSlack, args: Args) -> Args:
    user = str(args.get("users") or "")
    return {"ok": True, "channel": {"id": _channel(slack, user)}} if user.startswith("U") else _no("user_not_found")


def _list(slack: FakeSlack, _args: Args) -> Args:
    seen = [{"id": one, "name": name} for one, name in slack.channels.items() if one[0] == "C"]
    return {"ok": True, "channels": seen, "response_metadata": {"next_cursor": ""}}


def _user(slack: FakeSlack, args: Args) -> Args:
    del slack
    return {"ok": True, "user": {"id": args.get("user"), "name": str(args.get("user")).lower()}}


def _open_view(slack: FakeSlack, args: Args) -> Args:
    error = slack.use_trigger(str(args.get("trigger_id") or ""))
    if error:
        return _no(error)
    view = args.get("view")
    view = dict(json.loads(view) if isinstance(view, str) else view or {})
    wrong = problems(view.get("blocks"), VIEW_BLOCKS, slack.files)
    for name in ("title", "submit", "close"):
        if not 0 < len(str((view.get(name) or {}).get("text") or "")) <= 24:
            wrong.append(f"must be between 1 and 24 characters: {name} [json-pointer:/view/{name}]")
    if len(str(view.get("private_metadata") or "")) > 3000:
        wrong.append("must be no more than 3000 characters [json-pointer:/view/private_metadata]")
    if wrong:
        return _no("invalid_arguments", response_metadata={"messages": wrong})
    made = {**view, "id": slack.next_id("V"), "hash": slack.next_id("h")}
    slack.views.append(made)
    return {"ok": True, "view": made}


def _upload_url(slack: FakeSlack, args: Args) -> Args:
    if not args.get("filename") or int(args.get("length") or 0) < 1:
        return _no("invalid_arguments")
    made = slack.next_id("F")
    slack.files[made] = False
    return {"ok": True, "file_id": made, "upload_url": f"{slack.base}upload/{made}"}


def _complete_upload(slack: FakeSlack, args: Args) -> Args:
    files = args.get("files")
    wanted = json.loads(files) if isinstance(files, str) else files or []
    if not wanted or any(one.get("id") not in slack.uploads for one in wanted):
        return _no("file_not_found")
    # As with Slack, nothing is known of the file yet.
    return {"ok": True, "files": [{"id": one["id"], "mimetype": ""} for one in wanted]}


def _file(slack: FakeSlack, args: Args) -> Args:
    name = str(args.get("file") or "")
    if name not in slack.files:
        return _no("file_not_found")
    asked = sum(one.method == "files.info" and one.args.get("file") == name for one in slack.asked)
    slack.files[name] = name in slack.uploads and asked >= slack.slow_files
    return {"ok": True, "file": {"id": name, "mimetype": "image/png" if slack.files[name] else ""}}


_METHODS: dict[str, Callable[[FakeSlack, Args], Args]] = {
    "apps.connections.open": _connections_open,
    "auth.test": _auth_test,
    "chat.postEphemeral": _post_ephemeral,
    "chat.postMessage": _post,
    "chat.update": _update,
    "conversations.history": _history,
    "conversations.info": _info,
    "conversations.list": _list,
    "conversations.open": _open,
    "conversations.replies": _replies,
    "files.completeUploadExternal": _complete_upload,
    "files.getUploadURLExternal": _upload_url,
    "files.info": _file,
    "users.info": _user,
    "views.open": _open_view,
}
