"""Incoming webhooks of four chats, at a server that answers as each of them is documented to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.pretend import Pretender, served
from quell.errors import ConnectorError, Denied, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context, Done
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.sdk.testkit import CANARY, NOW, check_connector, run
from quell_connectors.chat_webhook import ChatWebhook
from quell_connectors.chat_webhook.messages import CHATS, post_of

PAGE = {
    "text": "INC-7 [critical] checkout fails\nfirst cause: payments (87%)\nsee https://wiki.example/a_b*c @all <@1>",
    "title": "checkout *fails* @channel",
    "severity": "critical",
    "incident": "INC-7",
    "link": "https://quell.example/i/INC-7",
}
Act = Callable[..., Awaitable[Done]]


class Hook(Pretender):
    """Takes what is posted; Discord's tells of itself when it is asked."""

    prefix = f"/hooks/1234/{CANARY}-token"

    async def answer(self, request: web.Request, body: Any) -> Any:
        return 202, {"ok": True}

    @property
    def posted(self) -> list[Any]:
        return [body for method, _, _, body in self.asked if method == "POST"]


def at_the_hook(kind: str, work: Callable[[Hook, Act], Awaitable[None]]) -> None:
    async def inner() -> None:
        hook, http = Hook(), GuardedHttp(["loopback"])
        async with served(hook):
            chat = ChatWebhook({"kind": kind, "url": Secret(hook.url)}, Context("chat", http))

            async def send(dry_run: bool = False, **params: Any) -> Done:
                return await chat.act(Call("page/INC-7/1/chat", "send", {**PAGE, **params}, NOW, dry_run, 5.0))

            try:
                await work(hook, send)
            finally:
                await http.close()

    run(inner())


@pytest.mark.parametrize("kind", CHATS)
def test_the_rules_of_the_house_hold(kind: str) -> None:
    url = Secret(f"https://chat.example/hooks/1/{CANARY}")
    check_connector(ChatWebhook, {"kind": kind, "url": url})


def test_teams_gets_a_card_of_plain_text() -> None:
    async def work(hook: Hook, send: Act) -> None:
        assert (await send()).sentence == 'posted "CRITICAL: checkout *fails* @channel" to Microsoft Teams'
        [posted] = hook.posted
        assert posted["type"] == "message"
        [attachment] = posted["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        card = attachment["content"]
        assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
        assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
        assert [block["inlines"][0]["text"] for block in card["body"]] == [
            "CRITICAL: checkout *fails* @channel",
            "first cause: payments (87%)",
            "see https://wiki.example/a_b*c @all <@1>",
            "Incident INC-7",
        ]
        assert card["body"][0]["inlines"][0]["color"] == "Attention"
        assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": PAGE["link"]}]

    at_the_hook("teams", work)


def test_mattermost_mentions_nobody() -> None:
    async def work(hook: Hook, send: Act) -> None:
        await send()
        [attachment] = hook.posted[0]["attachments"]
        assert attachment["title"] == "CRITICAL: checkout *fails* @\u200bchannel"
        assert attachment["title_link"] == PAGE["link"]
        assert attachment["text"] == (
            "first cause: payments (87%)\nsee https://wiki.example/a_b\\*c @\u200ball \\<@\u200b1\\>"
        )
        assert attachment["color"] == "#B3261E"
        assert attachment["footer"] == "INC-7"

    at_the_hook("mattermost", work)


def test_discord_waits_until_it_is_kept_and_mentions_nobody() -> None:
    async def work(hook: Hook, send: Act) -> None:
        assert (await send(dry_run=True)).sentence.startswith("would post")
        assert hook.posted == []
        await send()
        assert hook.asked[-1][1] == f"{hook.prefix}?wait=true"
        assert hook.posted[0]["allowed_mentions"] == {"parse": []}
        [embed] = hook.posted[0]["embeds"]
        assert embed["title"] == "CRITICAL: checkout \\*fails\\* @channel"
        assert embed["description"].endswith("see https://wiki.example/a_b\\*c @all \\<@1\\>")
        assert embed["url"] == PAGE["link"]
        hook.faults = [404]
        with pytest.raises(Refused, match="answered 404"):
            await send(dry_run=True)
        hook.faults = [(429, {"Retry-After": "1"}, '{"message": "limited", "retry_after": 0.65, "global": false}')]
        with pytest.raises(Unreachable) as caught:
            await send()
        assert caught.value.retry_after_s == 0.65

    at_the_hook("discord", work)


def test_webex_gets_plain_text() -> None:
    async def work(hook: Hook, send: Act) -> None:
        await send()
        assert hook.posted == [{"text": (
            "CRITICAL: checkout *fails* @channel\n\nfirst cause: payments (87%)\n"
            "see https://wiki.example/a_b*c @all <@1>\n\nhttps://quell.example/i/INC-7\nIncident INC-7"
        )}]  # fmt: skip
        await send(title="", severity="", incident="", link="", text="all well")
        assert hook.posted[1] == {"text": "all well"}

    at_the_hook("webex", work)


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [(429, Unreachable), (503, Unreachable), (500, NoAnswer), ("cut", NoAnswer), (401, Denied), (302, Refused)],
)
def test_what_is_known_after_a_fault(kind: str, fault: Any, expected: type[ConnectorError]) -> None:
    async def work(hook: Hook, send: Act) -> None:
        hook.faults = [(302, {"Location": f"{hook.url}/elsewhere"}, "")] if fault == 302 else [fault]
        with pytest.raises(expected) as caught:
            await send()
        assert type(caught.value) is expected
        assert CANARY not in str(caught.value)
        assert len(hook.asked) == 1

    at_the_hook(kind, work)


def test_the_address_stays_secret_and_inside_addresses_are_not_asked() -> None:
    async def inner() -> None:
        for url, said in ((f"http://127.0.0.1:1/{CANARY}", "was not asked"), (f"{CANARY} no url", "is not a URL")):
            http = GuardedHttp()
            chat = ChatWebhook({"kind": "teams", "url": Secret(url)}, Context("chat", http))
            with pytest.raises(ConnectorError, match=said) as caught:
                await chat.act(Call("k", "send", PAGE, NOW))
            assert CANARY not in str(caught.value)
            await http.close()

    run(inner())


def test_what_says_nothing_is_refused() -> None:
    with pytest.raises(Refused, match='needs a "text"'):
        post_of({"text": " "}, 100)


FULL = st.text(max_size=20) | st.sampled_from(["*", "@", "\U0001f525", "語", '"', "a\n", "\U0001f525\n"])


@settings(max_examples=40)
@given(FULL, FULL, st.integers(0, 1500))
def test_every_post_fits(text: str, title: str, link: int) -> None:
    params = {**PAGE, "text": f"x{text}" * 8_000, "title": title * 300, "link": "https://e.example/" + "a" * link}
    written = {kind: chat.write(post_of(params, chat.most, chat.size)) for kind, chat in CHATS.items()}
    assert len(json.dumps(written["teams"])) <= 28_000
    [attachment] = written["mattermost"]["attachments"]
    assert len(attachment["text"]) <= 16_383
    [embed] = written["discord"]["embeds"]
    assert len(embed["description"]) <= 4_096
    assert len(embed.get("title", "")) <= 256
    assert len(written["webex"]["text"].encode()) <= 7_439
