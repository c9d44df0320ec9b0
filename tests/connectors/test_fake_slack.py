"""The pretended workspace itself: slack-sdk as everybody has it finds there what Slack documents."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from connectors.slackland import ANA, HOME
from quell.sdk.testkit import run
from quell.testing.slack import FakeSlack, Server, command, dialog, page, running, signed


def client(server: Server, **more: Any) -> AsyncWebClient:
    return AsyncWebClient(server.slack.bot_token, base_url=server.api_url, **more)


def test_the_unchanged_sdk_posts_edits_and_uploads() -> None:
    async def work() -> None:
        async with running(FakeSlack()) as server:
            web = client(server)
            posted = await web.chat_postMessage(channel="#incidents", text="hello")
            await web.chat_update(channel=posted["channel"], ts=posted["ts"], text="hello again")
            uploaded = await web.files_upload_v2(content=b"png", filename="walk.png")
            looks = [(await web.files_info(file=uploaded["files"][0]["id"]))["file"]["mimetype"] for _ in range(2)]
            assert looks == ["", "image/png"], "Slack takes a moment to look at a file"
            found = await web.conversations_history(channel=HOME)
            assert [one["text"] for one in found["messages"]] == ["hello again"]
            assert list(server.slack.uploads.values()) == [b"png"]

    run(work())


@pytest.mark.long
def test_its_retry_of_limits_waits_as_long_as_it_is_told() -> None:
    async def work() -> None:
        async with running(FakeSlack()) as server:
            server.slack.limit("chat.postMessage", 1)
            web = client(server, retry_handlers=[AsyncRateLimitErrorRetryHandler()])
            loop = asyncio.get_running_loop()
            began = loop.time()
            await web.chat_postMessage(channel=HOME, text="at last")
            assert loop.time() - began >= 1.0
            assert [one.error for one in server.slack.asked] == ["ratelimited", ""]

    run(work())


def test_its_socket_hears_and_acks() -> None:
    async def work() -> None:
        async with running(FakeSlack()) as server:
            socket = SocketModeClient(app_token=server.slack.app_token, web_client=client(server))

            async def hear(mine: Any, request: Any) -> None:
                await mine.send_socket_mode_response(SocketModeResponse(request.envelope_id, {"text": "heard"}))

            socket.socket_mode_request_listeners.append(hear)
            await socket.connect()
            assert await server.deliver(command(server.slack, "help", ANA)) == {"text": "heard"}
            tasks = [socket.message_processor, socket.current_session_monitor, socket.message_receiver]
            await socket.close()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(work())


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": "C0PRIV000", "text": "x"}, "not_in_channel"),
        ({"channel": HOME, "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": HOME, "text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": HOME, "text": "x", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        (
            {"channel": HOME, "text": "x", "blocks": [{"type": "image", "alt_text": "a", "slack_file": {"id": "F1"}}]},
            "invalid_blocks",
        ),
        (
            {
                "channel": HOME,
                "text": "x",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "y" * 2900}}] * 5,
            },
            "msg_blocks_too_long",
        ),
    ],
)
def test_what_slack_does_not_take_is_not_taken(asked: dict[str, Any], error: str) -> None:
    async def work() -> None:
        async with running(FakeSlack()) as server:
            server.slack.channel("private", "C0PRIV000", joined=False)
            with pytest.raises(SlackApiError) as raised:
                await client(server).chat_postMessage(**asked)
            assert raised.value.response["error"] == error

    run(work())


def test_a_wrong_token_and_too_many_calls_are_refused() -> None:
    async def work() -> None:
        async with running(FakeSlack()) as server:
            with pytest.raises(SlackApiError, match="invalid_auth"):
                await AsyncWebClient("xoxb-other", base_url=server.api_url).auth_test()
            web = client(server)
            posted = await web.chat_postMessage(channel=HOME, text="x")
            for _ in range(50):
                await web.chat_update(channel=HOME, ts=posted["ts"], text="y")
            with pytest.raises(SlackApiError) as raised:
                await web.chat_update(channel=HOME, ts=posted["ts"], text="z")
            assert raised.value.response.status_code == 429
            assert 50 <= int(raised.value.response.headers["Retry-After"]) <= 60

    run(work())


def test_its_signatures_are_slacks() -> None:
    slack = FakeSlack()
    request = signed(slack, command(slack, "help", ANA))
    verifier = SignatureVerifier(slack.signing_secret)
    assert verifier.is_valid_request(request.body, dict(request.headers))
    assert not verifier.is_valid_request(request.body + b" ", dict(request.headers))


def test_a_page_shows_blocks_and_lets_nothing_through() -> None:
    text = "*bold* `code` <https://a.example|label> &lt;script&gt; ```x < y```"
    shown = page([{"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}, {"text": "<b>"}])
    assert "<b>bold</b> <code>code</code>" in shown
    assert '<a href="https://a.example">label</a> &lt;script&gt; <pre>x &lt; y</pre>' in shown
    assert "<b><" not in shown
    named = {name: {"type": "plain_text", "text": name} for name in ("title", "submit", "close")}
    field = {"type": "plain_text_input", "action_id": "v", "initial_value": "now"}
    told = dialog(
        {**named, "blocks": [{"type": "input", "label": {"type": "plain_text", "text": "Why"}, "element": field}]}
    )
    assert ">now</div>" in told
