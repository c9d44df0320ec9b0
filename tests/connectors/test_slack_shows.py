"""Cards in Slack: posted once, edited in place, found again, and never more than Slack takes."""

from __future__ import annotations

import asyncio
import time

import pytest

from connectors.slackland import ANA, HOME, card, connector
from quell.errors import Denied, NoAnswer, Refused, Unreachable
from quell.sdk.chat import Picture, Placed, Shows
from quell.sdk.connector import Call, Done
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import NOW, check_connector, run
from quell.testing.slack import FakeSlack, running
from quell_connectors.slack import Slack


def test_a_card_is_posted_and_then_edited_in_place() -> None:
    slack = FakeSlack()
    shows = connector(slack)
    assert isinstance(shows, Shows)

    async def work() -> None:
        placed = await shows.show(card(), "#incidents", None, "INC-3f9a1c/1")
        assert (placed.channel, placed.thread) == (HOME, "")
        again = await shows.show(card(2, status="acknowledged"), "#incidents", placed, "INC-3f9a1c/1")
        assert again == placed

    run(work())
    (message,) = slack.messages
    assert message.edits == 1
    assert message.metadata == {
        "event_type": "quell",
        "event_payload": {"key": "INC-3f9a1c/1", "card": "INC-3f9a1c", "version": 2},
    }
    assert "acknowledged" in message.text
    assert slack.count("conversations.history") == 0


def test_after_a_lost_answer_the_message_is_found_by_its_mark_and_not_posted_again() -> None:
    slack = FakeSlack()
    shows = connector(slack)

    async def work() -> None:
        await shows.show(card(key="INC-other"), "incidents", None, "other")
        slack.lose_answer("chat.postMessage")
        with pytest.raises(NoAnswer):
            await shows.show(card(), "#incidents", None, "mine")
        placed = await shows.show(card(2), "#incidents", None, "mine", again=True)
        assert slack.at(placed.channel, placed.ts).edits == 1

    run(work())
    assert len(slack.messages) == 2


def test_after_a_connection_that_was_cut_before_it_arrived_it_is_posted() -> None:
    slack = FakeSlack()
    shows = connector(slack)

    async def work() -> None:
        slack.cut("chat.postMessage")
        with pytest.raises(NoAnswer):
            await shows.show(card(), HOME, None, "mine")
        await shows.show(card(), HOME, None, "mine", again=True)

    run(work())
    assert len(slack.messages) == 1


def test_what_was_lost_to_one_person_is_found_there() -> None:
    slack = FakeSlack()
    shows = connector(slack)

    async def work() -> None:
        slack.lose_answer("chat.postMessage")
        with pytest.raises(NoAnswer):
            await shows.show(card(), ANA, None, "mine")
        placed = await shows.show(card(2), ANA, None, "mine", again=True)
        assert placed.channel == "D0ANA0000"

    run(work())
    assert len(slack.messages) == 1


def test_a_lost_reply_is_found_in_its_thread_however_long_that_is() -> None:
    slack = FakeSlack(limits=False)
    shows = connector(slack)

    async def work() -> None:
        root = await shows.show(card(), HOME, None, "root")
        slack.lose_answer("chat.postMessage")
        with pytest.raises(NoAnswer):
            await shows.reply(HOME, root.ts, "the story", "reply/1")
        for number in range(230):
            slack.messages.insert(1, _filler(slack, root, number))
        found = await shows.reply(HOME, root.ts, "the story", "reply/1", again=True)
        assert found.thread == root.ts

    run(work())
    assert sum(message.text == "the story" for message in slack.messages) == 1


def _filler(slack: FakeSlack, root: Placed, number: int):
    from quell.testing.slack import Message  # noqa: PLC0415 -- only here

    return Message(HOME, slack.next_ts(), f"chatter {number}", [], {}, root.ts)


def test_a_message_that_somebody_deleted_is_posted_anew() -> None:
    slack = FakeSlack()
    shows = connector(slack)

    async def work() -> None:
        placed = await shows.show(card(), HOME, None, "mine")
        slack.delete(placed.channel, placed.ts)
        anew = await shows.show(card(2), HOME, placed, "mine")
        assert anew.ts != placed.ts

    run(work())
    assert len(slack.messages) == 1


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        ("channel_not_found", Refused, "invited"),
        ("not_in_channel", Refused, "/invite @quell"),
        ("invalid_auth", Denied, "install the app again"),
        ("token_revoked", Denied, "install the app again"),
        ("account_inactive", Denied, "removed from the workspace; install the app again"),
        ("missing_scope", Denied, "OAuth & Permissions"),
        ("internal_error", NoAnswer, "internal_error"),
        ("fatal_error", NoAnswer, "fatal_error"),
        ("service_unavailable", Unreachable, "service_unavailable"),
        ("ratelimited", Unreachable, "ratelimited"),
        ("503", Unreachable, "503"),
        ("500", NoAnswer, "500"),
        ("404", Refused, "404"),
    ],
)
def test_what_slack_answers_becomes_an_error_that_says_what_to_do(error: str, kind: type, told: str) -> None:
    slack = FakeSlack()
    slack.fail("chat.postMessage", error)
    with pytest.raises(kind, match=told) as raised:
        run(connector(slack).show(card(), HOME, None, "k"))
    assert type(raised.value) is kind
    assert slack.bot_token not in str(raised.value)


def test_whether_it_is_let_in_is_known_without_showing_anything() -> None:
    slack = FakeSlack()
    shows = connector(slack)

    async def work() -> None:
        await shows.probe()
        slack.scopes -= {"files:write"}
        await shows.probe()  # pictures are a thing that an app may do without
        slack.scopes -= {"chat:write"}
        with pytest.raises(Denied, match="lacks the scope chat:write"):
            await shows.probe()
        with pytest.raises(Denied, match="the app needs the scope chat:write"):
            await shows.show(card(), HOME, None, "k")
        slack.scopes |= {"chat:write"}
        slack.denied = "token_revoked"
        with pytest.raises(Denied, match=r"auth.test.* token_revoked: .*install the app again"):
            await shows.probe()
        slack.denied = ""
        slack.down_until = slack.clock() + 60.0
        with pytest.raises(Unreachable):
            await shows.probe()
        slack.down_until = 0.0
        await shows.probe()

    run(work())


def test_a_limit_is_heeded_until_it_is_over_and_other_channels_go_on() -> None:
    slack = FakeSlack()
    other = slack.channel("quiet", "C0QUIET00")
    shows = connector(slack)

    async def work() -> None:
        slack.limit("chat.postMessage", 30)
        with pytest.raises(Unreachable) as raised:
            await shows.show(card(), HOME, None, "a")
        assert raised.value.retry_after_s == 30.0
        asked = len(slack.asked)
        with pytest.raises(Unreachable, match="was not asked") as raised:
            await shows.show(card(), HOME, None, "b")
        assert 25.0 < (raised.value.retry_after_s or 0.0) <= 30.0
        assert len(slack.asked) == asked
        await shows.show(card(), other, None, "c")

    run(work())
    assert [message.channel for message in slack.messages] == [other]


def test_posts_to_one_channel_are_a_second_apart_after_a_few() -> None:
    slack = FakeSlack()
    shows = connector(slack)

    async def work() -> float:
        began = time.monotonic()
        await asyncio.gather(*(shows.reply(HOME, "", f"post {number}", f"k/{number}") for number in range(4)))
        return time.monotonic() - began

    assert run(work()) >= 0.99
    assert slack.count("chat.postMessage") == 4


def test_a_picture_is_uploaded_once_and_shown_when_slack_has_looked_at_it() -> None:
    slack = FakeSlack()
    slack.slow_files = 2
    shows = connector(slack)
    walk = Picture(mark="INC-3f9a1c/4", alt="payments-db → checkout", png=b"\x89PNG picture")

    async def work() -> None:
        placed = await shows.show(card(picture=walk), HOME, None, "mine")
        shown = slack.at(placed.channel, placed.ts)
        assert [block["type"] for block in shown.blocks][-2:] == ["actions", "image"]
        await shows.show(card(2, picture=walk), HOME, placed, "mine")

    run(work())
    assert list(slack.uploads.values()) == [walk.png]
    assert slack.count("files.getUploadURLExternal") == 1


def test_the_card_is_there_before_its_picture_and_without_it_when_that_fails() -> None:
    slack = FakeSlack()
    slack.fail("files.getUploadURLExternal", "missing_scope")
    shows = connector(slack)
    run(shows.show(card(picture=Picture(mark="m", alt="walk", png=b"png")), HOME, None, "mine"))
    methods = [asked.method for asked in slack.asked]
    assert methods[:2] == ["chat.postMessage", "files.getUploadURLExternal"]
    assert "image" not in {block["type"] for block in slack.messages[0].blocks}


def test_a_picture_that_slack_refuses_is_left_out_and_not_tried_again() -> None:
    slack = FakeSlack()
    shows = connector(slack)
    walk = Picture(mark="m", alt="walk", png=b"png")

    async def work() -> None:
        placed = await shows.show(card(picture=walk), HOME, None, "mine")
        slack.files.clear()  # taken away: a file of that name is not one that may be shown
        for version in (2, 3):
            await shows.show(card(version, picture=walk), HOME, placed, "mine")

    run(work())
    assert "image" not in {block["type"] for block in slack.messages[0].blocks}
    assert slack.messages[0].metadata["event_payload"]["version"] == 3
    assert slack.count("files.getUploadURLExternal") == 1
    assert slack.count("chat.update") == 4


def test_over_a_real_connection_a_lost_answer_makes_no_second_message() -> None:
    async def work() -> None:
        http = GuardedHttp(["loopback"])
        async with running(FakeSlack()) as server:
            shows = connector(server.slack, http)
            server.slack.lose_answer("chat.postMessage")
            with pytest.raises(NoAnswer):
                await shows.show(card(), "#incidents", None, "mine")
            await shows.show(card(), "#incidents", None, "mine", again=True)
            assert len(server.slack.messages) == 1
        await http.close()

    run(work())


def _post(shows: Slack, again: bool = False, dry_run: bool = False, **params: str) -> Done:
    call = Call("R-1/tell/1", "post", params, NOW, dry_run=dry_run, again=again)
    return run(shows.act(call))


def test_a_step_posts_once_however_often_it_is_performed() -> None:
    slack = FakeSlack()
    shows = connector(slack)
    slack.lose_answer("chat.postMessage")
    with pytest.raises(NoAnswer):
        _post(shows, channel="#incidents", text="rolled back & fine")
    done = _post(connector(slack), again=True, channel="#incidents", text="rolled back & fine")
    (message,) = slack.messages
    assert message.text == "rolled back &amp; fine"
    assert done.output == {"channel": HOME, "ts": message.ts, "thread": message.ts}


def test_a_page_with_a_title_is_a_card_and_may_go_to_a_thread_or_a_person() -> None:
    slack = FakeSlack()
    shows = connector(slack, channel="#incidents")
    _post(shows, title="checkout fails", text="payments-db is full", severity="critical", incident="INC-1")
    first = slack.messages[0]
    assert first.blocks[0]["text"]["text"] == "🔴 checkout fails"
    _post(shows, channel="U0ANA0000", text="for you")
    assert slack.messages[1].channel == "D0ANA0000"
    done = _post(shows, channel="U0ANA0000", text="more", thread=slack.messages[1].ts)
    assert done.output["thread"] == slack.messages[1].ts


def test_a_dry_run_posts_nothing_and_says_where_it_would() -> None:
    slack = FakeSlack()
    shows = connector(slack)
    assert _post(shows, dry_run=True, channel="#incidents", text="x").sentence == "would post to #incidents"
    with pytest.raises(Refused, match='no channel "#nowhere"'):
        _post(shows, dry_run=True, channel="#nowhere", text="x")
    with pytest.raises(Refused, match="channel"):
        _post(shows, dry_run=True, text="x")
    assert slack.messages == []


def test_the_rules_of_the_house_hold_with_a_channel() -> None:
    check_connector(Slack, params={"post": {"channel": "#incidents", "text": "hello"}})
