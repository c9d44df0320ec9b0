"""Messages: posted, edited in place, and found again by their mark when nobody knows whether a post arrived."""

from __future__ import annotations

import re
from typing import Any

from quell.errors import Refused, Unreachable
from quell.sdk.chat import Card, Placed
from quell_connectors.slack import blocks as kit
from quell_connectors.slack.people import is_person
from quell_connectors.slack.pictures import Pictures
from quell_connectors.slack.text import mrkdwn
from quell_connectors.slack.web import BadPicture, Gone, Web

EVENT = "quell"
"""The type of our metadata: what is posted with it is ours."""
MOST_TEXT = 3500
_PAGES = 5
_PAGE = 200
_LIST_PAGE = 999
_ID = re.compile(r"[CDG][A-Z0-9]{6,}")


class Messages:
    """What stands in channels, and what is to stand there."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._pictures = Pictures(web)
        self._ids: dict[str, str] = {}

    async def show(self, card: Card, channel: str, placed: Placed | None, key: str, *, again: bool) -> Placed:
        """Posts or edits; see `quell.sdk.chat.Shows`."""
        if placed is None and again:
            placed = await self.find(channel, "", key)
        if placed is not None:
            try:
                return await self._edit(card, placed, key)
            except Gone:
                pass  # somebody deleted it
        posted = await self._post({**_plain_card(card), "metadata": mark(key, card)}, channel, "")
        return await self._with_picture(card, posted, key)

    async def reply(self, channel: str, thread: str, what: Card | str, key: str, *, again: bool) -> Placed:
        """Adds to a thread or a channel."""
        if again and (found := await self.find(channel, thread, key)) is not None:
            return found
        card = what if isinstance(what, Card) else None
        body = _plain_card(card) if card is not None else text_body(str(what))
        posted = await self._post({**body, "metadata": mark(key, card)}, channel, thread)
        return posted if card is None else await self._with_picture(card, posted, key)

    async def find(self, channel: str, thread: str, key: str) -> Placed | None:
        """The message that carries the mark, among the thousand newest of the channel, or in the thread."""
        where = await self.id_of(channel)
        cursor = ""
        for _ in range(_PAGES):
            more: dict[str, Any] = {"limit": _PAGE, "include_all_metadata": True, "cursor": cursor or None}
            if thread:
                page = await self._web.conversations_replies(channel=where, ts=thread, **more)
            else:
                page = await self._web.conversations_history(channel=where, **more)
            for message in page.get("messages") or ():
                kept = message.get("metadata") or {}
                if kept.get("event_type") == EVENT and (kept.get("event_payload") or {}).get("key") == key:
                    return Placed(channel=where, ts=str(message.get("ts")), thread=thread)
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return None

    async def picture(self, card: Card) -> dict[str, Any] | None:
        """The card's picture, once Slack has it."""
        return await self._pictures.block(card.picture) if card.picture is not None else None

    async def id_of(self, channel: str) -> str:
        """The id of a channel by its name, or of what is said to one person. Raises `Refused` when there is none."""
        if _ID.fullmatch(channel):
            return channel
        name = channel.removeprefix("#")
        if is_person(channel) and name not in self._ids:
            opened = (await self._web.conversations_open(users=channel)).get("channel") or {}
            self._ids[name] = str(opened.get("id"))
        if not name:
            raise Refused("no channel is named; nothing was posted")
        cursor = ""
        while name not in self._ids:
            page = await self._web.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=_LIST_PAGE, cursor=cursor or None
            )
            self._ids |= {str(one.get("name")): str(one.get("id")) for one in page.get("channels") or ()}
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor and name not in self._ids:
                raise Refused(f'Slack has no channel "{channel}" that the app can see; invite it to a private one')
        return self._ids[name]

    async def _post(self, body: dict[str, Any], channel: str, thread: str) -> Placed:
        posted = await self._web.chat_postMessage(
            channel=channel, thread_ts=thread or None, parse="none", unfurl_links=False, unfurl_media=False, **body
        )
        where = str(posted.get("channel") or channel)
        if not _ID.fullmatch(channel):
            self._ids[channel.removeprefix("#")] = where
        return Placed(channel=where, ts=str(posted.get("ts")), thread=thread)

    async def _edit(self, card: Card, placed: Placed, key: str) -> Placed:
        where = await self.id_of(placed.channel)
        picture = await self.picture(card)
        body: dict[str, Any] = {"text": kit.summary(card), "metadata": mark(key, card), "parse": "none"}
        try:
            await self._web.chat_update(channel=where, ts=placed.ts, blocks=kit.blocks(card, picture), **body)
        except BadPicture:
            self._pictures.refuse(card.picture)
            await self._web.chat_update(channel=where, ts=placed.ts, blocks=kit.blocks(card), **body)
        return Placed(channel=where, ts=placed.ts, thread=placed.thread)

    async def _with_picture(self, card: Card, posted: Placed, key: str) -> Placed:
        """People read the words while the picture is on its way; without it the message stands as it is."""
        if card.picture is None:
            return posted
        try:
            return await self._edit(card, posted, key)
        except (Refused, Unreachable):
            return posted


def mark(key: str, card: Card | None) -> dict[str, Any]:
    """What is kept with a message and shown to nobody."""
    about = {"card": card.key, "version": card.version} if card is not None else {}
    return {"event_type": EVENT, "event_payload": {"key": key, **about}}


def text_body(text: str) -> dict[str, Any]:
    """A message of text alone."""
    return {"text": mrkdwn(text, MOST_TEXT) or " ", "blocks": kit.text_blocks(text)}


def _plain_card(card: Card) -> dict[str, Any]:
    return {"text": kit.summary(card), "blocks": kit.blocks(card)}
