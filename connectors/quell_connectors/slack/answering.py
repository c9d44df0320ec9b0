"""Delivers what was answered: privately, in the thread, in place of what was clicked, or as a dialog."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from quell.errors import ConnectorError, Refused, Unreachable
from quell.sdk.chat import Answer, Card, Line, Modal, Placed, Said
from quell_connectors.slack import blocks as kit
from quell_connectors.slack.messages import Messages, text_body
from quell_connectors.slack.modal import view
from quell_connectors.slack.text import mrkdwn
from quell_connectors.slack.web import Web


class Answering:
    """``home`` is the host of the Web API: where ``response_url`` may lead besides Slack's own hosts."""

    def __init__(self, web: Web, messages: Messages) -> None:
        self._web = web
        self._messages = messages
        self._home = urlsplit(web.base_url).netloc

    async def deliver(self, said: Said, answer: Answer) -> None:
        """Raises what the calls raise."""
        if answer.modal is not None:
            await self._open(said, answer.modal)
        if answer.replace and answer.card is not None and said.message:
            await self._replace(said, answer, answer.card)
            return
        by_url = bool(self._response_url(said)) and not said.message
        body = await self._body(answer, with_picture=answer.private or by_url)
        if body is None:
            return
        if answer.private:
            await self._privately(said, body)
        else:
            await self._openly(said, answer, body)

    async def _open(self, said: Said, modal: Modal) -> None:
        trigger = said.reply_to.get("trigger_id", "")
        try:
            if not trigger:
                raise Refused("a dialog opens for a click or a slash command only")
            await self._web.views_open(trigger_id=trigger, view=view(modal, said))
        except ConnectorError:
            # A trigger holds three seconds. The same can be said by a message with the button of the dialog.
            blocks = [*kit.line_blocks(modal.lines), *kit.actions([modal.submit])]
            await self._privately(said, {"text": mrkdwn(modal.title, 300) or "quell", "blocks": blocks})

    async def _replace(self, said: Said, answer: Answer, card: Card) -> None:
        """What only they see says it above the card; what all see is the card, and they are told."""
        url = self._response_url(said)
        if url and said.reply_to.get("private"):
            body = await self._body(answer, with_picture=True)
            await self._web.to_response_url(url, {"replace_original": True, **(body or {})})
            return
        placed = Placed(channel=said.channel, ts=said.message, thread=said.thread)
        if answer.text:
            await self._privately(said, text_body(answer.text))
        await self._messages.show(card, said.channel, placed, card.key, again=False)

    async def _privately(self, said: Said, body: dict[str, Any]) -> None:
        url = self._response_url(said)
        thread = said.reply_to.get("answer_in") or said.thread
        if url:
            more = {"thread_ts": thread} if thread else {}
            try:
                await self._web.to_response_url(
                    url, {"response_type": "ephemeral", "replace_original": False, **more, **body}
                )
            except (Refused, Unreachable):
                if not said.channel:
                    raise
            else:
                return
        if said.channel and await self._ephemeral(said, thread, body):
            return
        # The app is not in that channel, or the person is not: a direct message reaches them.
        await self._web.chat_postMessage(channel=said.who, **body)

    async def _ephemeral(self, said: Said, thread: str, body: dict[str, Any]) -> bool:
        try:
            await self._web.chat_postEphemeral(channel=said.channel, user=said.who, thread_ts=thread or None, **body)
        except Refused:
            return False
        return True

    async def _openly(self, said: Said, answer: Answer, body: dict[str, Any]) -> None:
        url = self._response_url(said)
        thread = said.reply_to.get("answer_in") or said.thread
        if url and not said.message:
            await self._web.to_response_url(url, {"response_type": "in_channel", **body})
            return
        if said.verb and not thread and not said.reply_to.get("private"):
            thread = said.message  # the card that was clicked
        what = answer.card if answer.card is not None else answer.text
        await self._messages.reply(said.channel, thread, what, f"answer/{said.id}", again=False)

    async def _body(self, answer: Answer, *, with_picture: bool) -> dict[str, Any] | None:
        """A text, a card, or the card under the text."""
        if answer.card is None:
            return text_body(answer.text) if answer.text else None
        card = answer.card
        above = kit.line_blocks([Line(answer.text, "cause")]) if answer.text else []
        picture = await self._messages.picture(card) if with_picture else None
        return {"text": kit.summary(card), "blocks": [*above, *kit.blocks(card, picture)][: kit.MOST_BLOCKS]}

    def _response_url(self, said: Said) -> str:
        """Where to answer, if it leads to Slack: the address came from outside."""
        url = said.reply_to.get("response_url", "")
        parts = urlsplit(url)
        slack = parts.scheme == "https" and ((parts.hostname or "") + "/").endswith(".slack.com/")
        return url if slack or (url and parts.netloc == self._home) else ""
