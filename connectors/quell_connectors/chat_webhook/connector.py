"""The action that posts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from quell.errors import Refused, Unreachable
from quell.sdk.connector import Call, Context, Done
from quell.sdk.http import Answer, checked
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.chat_webhook.messages import CHATS, post_of
from quell_connectors.chat_webhook.spec import SPEC

LONGEST_S = 20.0
_LONGEST_WAIT_S = 3600.0


class _Limited(msgspec.Struct, frozen=True):
    """How Discord says when to come again, to a part of a second."""

    retry_after: float


class ChatWebhook:
    """One webhook of one channel."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._chat = CHATS[str(options["kind"])]
        self._url: Secret = options["url"]
        self._http = context.http

    async def act(self, call: Call) -> Done:
        """Posts. A dry run asks Discord whether the webhook is there; the others cannot be asked."""
        if call.action != "send":
            raise Refused(f'no action "{call.action}"; there is send')
        post = post_of(call.params, self._chat.most, self._chat.size)
        what = f'"{post.headline or post.text.partition(chr(10))[0][:80]}" to {self._chat.name}'
        if call.dry_run:
            if self._chat.answers:
                await self._asked("GET", call.timeout_s)
            return Done(f"would post {what}")
        await self._asked("POST", call.timeout_s, self._chat.write(post), self._chat.query)
        return Done(f"posted {what}")

    async def _asked(
        self, method: str, timeout_s: float, json: Any = None, query: Mapping[str, str] | None = None
    ) -> None:
        url = self._url.reveal().strip()
        answer = await self._http.request(
            method, url, json=json, query=query, timeout_s=min(timeout_s, LONGEST_S)
        )  # fmt: skip
        who = f"{self._chat.name} (webhook)"
        if answer.status == 429 and (wait_s := _wait_s(answer)) is not None:
            raise Unreachable(f"{who} answered 429: it asks to wait {wait_s:g} s", wait_s)
        path = urlsplit(url).path.strip("/")
        checked(answer, who, (self._url, Secret(url), Secret(path), Secret(path.rpartition("/")[2])))


def _wait_s(answer: Answer) -> float | None:
    """The wait in a JSON body that says one; None leaves it to the header."""
    try:
        wait_s = msgspec.json.decode(answer.body, type=_Limited).retry_after
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)
