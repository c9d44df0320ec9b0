"""What a request to the workspace comes to, by a server or in the same process."""

from __future__ import annotations

import asyncio
import json as text
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from quell.errors import NoAnswer
from quell.sdk.http import Answer
from quell.sdk.identity import Identity
from quell.testing.slack.kit import MESSAGE_BLOCKS, problems
from quell.testing.slack.methods import ask
from quell.testing.slack.workspace import Answered, Asked, Cut, FakeSlack, Message


def answered(
    slack: FakeSlack, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answered:
    """The answer to one request. Raises `Cut`."""
    kind, _, name = path.strip("/").partition("/")
    if kind == "upload":
        if slack.clock() < slack.down_until:
            raise Cut
        slack.uploads[name] = body
        return Answered(200, "OK")
    if kind == "hooks":
        return _hooked(slack, name, text.loads(body or b"{}"))
    token = headers.get("authorization", "").removeprefix("Bearer ")
    sort = headers.get("content-type", "")
    told = text.loads(body) if body and "json" in sort else dict(parse_qsl(body.decode())) if body else {}
    return ask(slack, name, token, {**query, **told})


def _hooked(slack: FakeSlack, name: str, told: Mapping[str, Any]) -> Answered:
    now = slack.clock()
    fault = slack.fault("response_url") if now >= slack.down_until else ("cut", "")
    if fault is not None and fault[0] == "cut":
        slack.asked.append(Asked("response_url", dict(told), now, "cut"))
        raise Cut
    place = slack.use_hook(name)
    wrong = problems(told.get("blocks") or [], MESSAGE_BLOCKS, slack.files)
    error = "used_url" if place is None else "invalid_blocks" if wrong else ""
    slack.asked.append(Asked("response_url", dict(told), now, error))
    if place is None or error:
        return Answered(404, {"ok": False, "error": error})
    channel, user, ts = place
    there = slack.at(channel, ts)
    if told.get("replace_original") and there is not None:
        there.text, there.blocks = str(told.get("text") or ""), list(told.get("blocks") or [])
        there.edits += 1
        return Answered(200, {"ok": True})
    seen = told.get("response_type") == "in_channel"
    message = Message(
        channel, slack.next_ts(), str(told.get("text") or ""), list(told.get("blocks") or []), {},
        str(told.get("thread_ts") or ""), "" if seen else user,
    )  # fmt: skip
    (slack.messages if seen else slack.private).append(message)
    return Answered(200, {"ok": True})


class InProcess:
    """An HTTP client, as connectors are given, that asks the workspace without a socket."""

    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
        timeout_s: float = 10.0,
        identity: Identity | None = None,
    ) -> Answer:
        """One request. Raises `NoAnswer` when the connection is cut."""
        del method, timeout_s, identity
        await asyncio.sleep(0)
        shown = {name.lower(): value for name, value in (headers or {}).items()}
        body = data or b""
        if json is not None:
            body, shown["content-type"] = text.dumps(json).encode(), "application/json"
        parts = urlsplit(url)
        path = parts.path.removeprefix("/api/") if parts.path.startswith("/api/") else parts.path
        place = f"api/{path}" if parts.path.startswith("/api/") else path
        try:
            found = answered(self._slack, place, {**dict(parse_qsl(parts.query)), **(query or {})}, shown, body)
        except Cut:
            raise NoAnswer(f"{parts.netloc} closed the connection without an answer") from None
        content = found.data.encode() if isinstance(found.data, str) else text.dumps(found.data).encode()
        return Answer(found.status, found.headers, content)
