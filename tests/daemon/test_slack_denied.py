"""A token that does no more: where it shows, what it says, and that all is well again by itself when it does."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.chatroom import in_a_loop
from daemon.parts import Running
from daemon.test_chat import trouble
from daemon.test_slack_live import at_slack, card_of
from quell.daemon.chat import chat, wellness
from quell.testing.slack import FakeSlack
from quell.testing.slack import running as slack_running


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WELL_S", "ILL_S"):
        monkeypatch.setattr(wellness, name, 0.1)
    monkeypatch.setattr(chat, "ILL_S", 0.1)


async def health(place: Running) -> dict[str, Any]:
    _, told = await place.api("GET", "/status")
    return dict(told["sources"]["slack"])


async def gauge(place: Running) -> str:
    _, text = await place.get("/metrics")
    shown = text.decode() if isinstance(text, bytes) else str(text)
    return next(line for line in shown.splitlines() if line.startswith('quell_source_broken{source="slack"}'))


@in_a_loop
async def test_a_revoked_token_shows_before_anything_is_to_be_sent_and_heals_by_itself() -> None:
    word = "token_revoked"
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        slack, source = server.slack, place.daemon.sources.get("slack")
        assert source is not None
        await place.until(lambda: source.health.last_ok_at is not None)
        slack.denied = word
        await place.until(lambda: source.health.state == "broken")
        told = await health(place)
        assert told["state"] == "broken"
        assert word in told["error"]
        assert "install the app again" in told["error"]
        assert await gauge(place) == 'quell_source_broken{source="slack"} 1.0'
        assert slack.bot_token not in told["error"]

        name = await trouble(place)
        await place.until(lambda: any(one.method == "chat.postMessage" and one.error == word for one in slack.asked))
        assert source.health.state == "broken"
        slack.denied = ""
        await place.until(lambda: card_of(slack, name))
        await place.until(lambda: source.health.state == "ok")
        assert (await health(place))["error"] == ""
        assert await gauge(place) == 'quell_source_broken{source="slack"} 0.0'
        cards = [one.metadata["event_payload"]["card"] for one in slack.roots()]
        assert len(cards) == len(set(cards))


@in_a_loop
async def test_an_app_token_that_does_no_more_is_told_of_though_cards_are_still_shown() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        slack, source = server.slack, place.daemon.sources.get("slack")
        assert source is not None
        await server.connected()
        good, slack.app_token = slack.app_token, "xapp-another"
        await server.drop()
        await place.until(lambda: source.health.state == "broken")
        assert "apps.connections.open" in source.health.error
        name = await trouble(place)
        await place.until(lambda: card_of(slack, name))
        assert source.health.state == "broken"
        slack.app_token = good
        await server.connected(2)
        await place.until(lambda: source.health.state == "ok")
