"""Slack is away for an hour, or says no more for a minute: nothing is lost, doubled or asked in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from connectors.hours import in_hours
from connectors.slackland import HOME, Ears, card, connector
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.chat import Placed
from quell.testing.slack import FakeSlack
from quell_connectors.slack import Slack

Clock = Callable[[], float]


async def _until_shown(shows: Slack, version: int, key: str, placed: Placed | None) -> Placed:
    """As the daemon does: again after a while, and with ``again`` after a lost answer."""
    again, pause = False, 1.0
    while True:
        try:
            shown = card(version, key=key)
            return await shows.show(shown, HOME, placed, key, again=again)
        except Unreachable as error:
            again = again or isinstance(error, NoAnswer)
            await asyncio.sleep(max(pause, error.retry_after_s or 0.0))
            pause = min(pause * 2, 30.0)


def test_nothing_is_lost_or_doubled_while_slack_is_away_for_an_hour() -> None:
    async def work(clock: Clock) -> None:
        slack = FakeSlack(clock)
        shows = connector(slack)
        placed = {key: await _until_shown(shows, 1, key, None) for key in ("INC-1", "INC-2")}
        slack.down_until = clock() + 3600.0
        began = clock()
        late = [
            asyncio.create_task(_until_shown(shows, 2, key, placed.get(key))) for key in ("INC-1", "INC-2", "INC-3")
        ]
        await asyncio.gather(*late)
        assert 3600.0 <= clock() - began <= 3640.0
        assert len(slack.roots()) == 3
        versions = {
            one.metadata["event_payload"]["key"]: one.metadata["event_payload"]["version"] for one in slack.messages
        }
        assert versions == {"INC-1": 2, "INC-2": 2, "INC-3": 2}

    in_hours(work)


def test_the_socket_is_tried_twice_a_minute_at_most_while_slack_is_away() -> None:
    async def work(clock: Clock) -> None:
        slack = FakeSlack(clock)
        slack.down_until = clock() + 3600.0
        hears = connector(slack)
        slack.app_token = "xapp-changed"  # so that it ends when Slack is back
        with pytest.raises(Refused, match="invalid_auth"):
            await hears.listen(Ears().hear)
        assert 110 < slack.count("apps.connections.open") < 135

    in_hours(work)


def test_a_storm_is_limited_here_before_slack_has_to_say_so_again_and_again() -> None:
    async def work(clock: Clock) -> None:
        slack = FakeSlack(clock)
        shows = connector(slack)
        placed = [await _until_shown(shows, 1, f"INC-{number}", None) for number in range(30)]
        began, asked = clock(), len(slack.asked)
        rounds: list[Awaitable[Placed]] = []
        for version in range(2, 5):
            rounds += [_until_shown(shows, version, f"INC-{number}", placed[number]) for number in range(30)]
        await asyncio.gather(*rounds)
        told = [one for one in slack.asked[asked:] if one.error == "ratelimited"]
        edits = sum(message.edits for message in slack.messages)
        assert edits == 90
        assert len(slack.asked) - asked <= 90 + len(told)
        # Those under way when the limit was reached are told each; nobody asks while it holds.
        assert len(told) <= 60
        assert clock() - began <= 180.0

    in_hours(work)


def test_posts_to_one_channel_never_meet_slacks_limit() -> None:
    async def work(clock: Clock) -> None:
        slack = FakeSlack(clock)
        shows = connector(slack)

        async def post(number: int) -> None:
            while True:
                try:
                    await shows.reply(HOME, "", f"post {number}", f"k/{number}")
                except Unreachable as error:
                    await asyncio.sleep(error.retry_after_s or 1.0)
                else:
                    return

        await asyncio.gather(*(post(number) for number in range(60)))
        assert len(slack.messages) == 60
        assert not [one for one in slack.asked if one.error]

    in_hours(work)
