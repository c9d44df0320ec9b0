"""Slack, as a place where cards are shown, people are heard and steps may post."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from quell.errors import Denied, Refused
from quell.sdk.chat import Answer, Card, Hear, Heard, Line, Pace, Placed, Said
from quell.sdk.connector import Call, Context, Done, Reply, Request
from quell.sdk.secret import Secret
from quell.sdk.signatures import Hmac, refusal
from quell.sdk.spec import Spec
from quell_connectors.slack.people import is_person
from quell_connectors.slack.seen import Seen
from quell_connectors.slack.spec import API_URL, SPEC
from quell_connectors.slack.translate import said_in


class Slack:
    """One workspace."""

    spec: ClassVar[Spec] = SPEC
    pace = Pace()

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        # slack-sdk takes a quarter of a second to load, and who only reads the spec needs none of it.
        from quell_connectors.slack.answering import Answering
        from quell_connectors.slack.messages import Messages
        from quell_connectors.slack.web import Web

        self._options = options
        secrets = (_secret(options, "app_token"), _secret(options, "signing_secret"))
        token = _secret(options, "bot_token") or Secret("")
        self._web = Web(context.http, str(options.get("api_url") or API_URL), token, secrets)
        self._messages = Messages(self._web)
        self._answering = Answering(self._web, self._messages)
        self._seen = Seen()
        self._socket: Any = None

    async def show(self, card: Card, channel: str, placed: Placed | None, key: str, *, again: bool = False) -> Placed:
        """Posts the card, or edits it where it stands."""
        return await self._messages.show(card, channel or self._home(), placed, key, again=again)

    async def reply(self, channel: str, thread: str, what: Card | str, key: str, *, again: bool = False) -> Placed:
        """Adds to a thread or to the channel."""
        return await self._messages.reply(channel or self._home(), thread, what, key, again=again)

    async def listen(self, hear: Hear) -> None:
        """Hears by Socket Mode; in mode http there is nothing to open, and it waits to be cancelled."""
        if self._options.get("mode") == "http":
            await asyncio.Event().wait()
        from quell_connectors.slack.socket import Socket

        token = _secret(self._options, "app_token")
        if token is None:
            raise Refused("slack needs the option app_token (xapp-…) for Socket Mode, or mode: http")
        known = self._socket.trouble if self._socket is not None else None
        self._socket = Socket(self._web, token, self._answering)
        self._socket.trouble = known  # until it is connected, what was wrong still is
        await self._socket.listen(hear)

    async def probe(self) -> None:
        """Asks Slack whether the bot token does and may post, and whether people are heard by Socket Mode."""
        answer = await self._web.auth_test()
        scopes = {name.lower(): value for name, value in (answer.headers or {}).items()}.get("x-oauth-scopes")
        if scopes is not None and "chat:write" not in {one.strip() for one in scopes.split(",")}:
            raise Denied(
                "Slack (auth.test) says that the app lacks the scope chat:write, so nothing can be shown; add it "
                "(api.slack.com/apps, OAuth & Permissions) and install the app again"
            )
        if self._socket is not None and self._socket.trouble is not None:
            raise self._socket.trouble

    def heard(self, request: Request, now: float) -> Heard:
        """A request that Slack signed. Raises `BadPayload`; a signature that is not right is answered with 401."""
        secret = _secret(self._options, "signing_secret")
        if secret is None:
            return Heard(reply=_text(401, "this source has no signing_secret; nothing is heard by HTTP"))
        wrong = refusal(request, _signed_with(secret), now)
        if wrong:
            return Heard(reply=_text(401, wrong))
        found, challenge = said_in(request.body, request.headers.get("content-type", ""))
        if challenge:
            return Heard(reply=_text(200, challenge))
        if found is None or not self._seen.first(found.id):
            return Heard()
        return Heard(said=(found,))

    async def answer(self, said: Said, answer: Answer) -> None:
        """Delivers what was answered."""
        await self._answering.deliver(said, answer)

    async def act(self, call: Call) -> Done:
        """Posts a message. A dry run looks whether the channel is there."""
        if call.action != "post":
            raise Refused(f'no action "{call.action}"; there is post')
        given = {name: value for name, value in call.params.items() if isinstance(value, str) and value}
        channel, text = given.get("channel") or self._home(), given.get("text", "")
        if not channel:
            raise Refused('slack.post needs a "channel", in the step or as the source\'s option; nothing was posted')
        thread: str = given.get("thread", "")
        where = f"{channel}, in the thread {thread}" if thread else channel
        if call.dry_run:
            if not is_person(channel):
                await self._web.conversations_info(channel=await self._messages.id_of(channel))
            return Done(f"would post to {where}")
        what: Card | str = text
        whole = call.params.get("card")
        if isinstance(whole, Mapping) and whole:
            what = _card(whole)
        elif "title" in given:
            what = Card(
                key=given.get("incident") or call.key,
                version=0,
                title=given["title"],
                severity=given.get("severity", ""),
                lines=(Line(text, "cause"), *([Line(given["incident"], "note")] if "incident" in given else [])),
                link=given.get("link", ""),
            )
        placed = await self._messages.reply(channel, thread, what, f"act/{call.key}", again=call.again)
        return Done(f"posted to {where}", {"channel": placed.channel, "ts": placed.ts, "thread": thread or placed.ts})

    def _home(self) -> str:
        return str(self._options.get("channel") or "")


def _secret(options: Mapping[str, Any], name: str) -> Secret | None:
    found = options.get(name)
    return found if isinstance(found, Secret) and found else None


def _card(given: Mapping[str, Any]) -> Card:
    """Without buttons: what posts is not what hears."""
    try:
        return replace(msgspec.convert(given, Card), buttons=(), picture=None)
    except msgspec.ValidationError as error:
        raise Refused(f"card: {error}; nothing was posted") from None


def _signed_with(secret: Secret) -> Hmac:
    return Hmac(
        secrets=(secret,),
        header="x-slack-signature",
        prefix="v0=",
        signed="v0:{timestamp}:{body}",
        timestamp_header="x-slack-request-timestamp",
    )


def _text(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), "text/plain")
