"""A daemon in a pretended workspace, by the real connector and slack-sdk: what people see and do there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from daemon.chatroom import in_a_loop
from daemon.parts import KINDS, TOKEN, Running, loaded, running, source, token
from daemon.test_chat import BOOK, SPEED, status, trouble
from quell.config import Loaded
from quell.config.settings import Chat, Person
from quell.core.engine import Engine
from quell.daemon.clock import Clock
from quell.model.rulebook import Room as Where
from quell.sdk.secret import Secret
from quell.store.memory import MemoryStore
from quell.store.port import Store
from quell.testing.slack import (
    FakeSlack,
    Message,
    Server,
    click,
    command,
    mention,
    signed,
    submit,
)
from quell.testing.slack import (
    running as slack_running,
)
from quell_connectors.slack import Slack

ANA, BO, STRANGER = "U0ANA0000", "U0BO00000", "U0WHO0000"
PEOPLE = (
    Person(id="ana", scopes=frozenset({"read", "act", "approve"}), roles=frozenset({"role:sre"}), ids={"slack": ANA}),
    Person(id="bo", scopes=frozenset({"read", "act"}), ids={"slack": BO}),
)


def config(slack: FakeSlack, **options: Any) -> Loaded:
    given = {
        "bot_token": Secret(slack.bot_token),
        "app_token": Secret(slack.app_token),
        "signing_secret": Secret(slack.signing_secret),
        "api_url": f"{slack.base}api/",
        **options,
    }
    base = loaded(
        source("in", "feed"), source("worker", "worker"), source("slack", "slack", options=given, open=True),
        people=PEOPLE,
        chat=Chat(rooms=(Where(source="slack", channel="#incidents"),), link="https://quell.example.com"),
        tokens=(token(TOKEN, "root", "admin"),),
        allow_addresses=("loopback",),
    )  # fmt: skip
    return Loaded(base.settings, BOOK)


@asynccontextmanager
async def at_slack(server: Server, store: Store | None = None, **options: Any) -> AsyncIterator[Running]:
    async with running(
        config(server.slack, **options), store=store, kinds={**KINDS, "slack": Slack}, clock=Clock(speed=SPEED),
        restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
    ) as place:  # fmt: skip
        yield place


def card_of(slack: FakeSlack, name: str) -> Message | None:
    return next((one for one in slack.roots() if one.metadata["event_payload"].get("card") == name), None)


def told(slack: FakeSlack) -> list[tuple[str, str]]:
    return [(one.only_for, one.text) for one in slack.private]


@in_a_loop
async def test_a_card_is_there_and_its_buttons_act_as_who_clicked() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        slack = server.slack
        await server.connected()
        name = await trouble(place)
        await place.until(lambda: card_of(slack, name))
        card = card_of(slack, name)
        assert card is not None
        stale = click(slack, card, "Acknowledge", BO)
        await server.deliver(click(slack, card, "Acknowledge", ANA))
        await place.until(lambda: status(place, name) == "acknowledged")
        assert place.daemon.loop.decider.state.incidents[name].acknowledged_by == "ana"
        await place.until(lambda: "acknowledged" in card.text)
        await server.deliver(stale)
        await place.until(lambda: any(who == BO and "already acknowledged by ana" in text for who, text in told(slack)))
        await server.deliver(click(slack, card, "Resolve", STRANGER))
        await place.until(lambda: any(who == STRANGER and "does not know you" in text for who, text in told(slack)))
        assert status(place, name) == "acknowledged"
        assert [one.audit.who for one in place.store.audit(50) if one.audit.what == "ack"] == ["ana"]


@pytest.mark.long
@in_a_loop
async def test_commands_and_mentions_in_the_thread_are_answered() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        slack = server.slack
        name = await trouble(place)
        await place.until(lambda: card_of(slack, name))
        await server.deliver(command(slack, "incidents", ANA))
        await place.until(lambda: any(name in str(one.blocks) for one in slack.private))
        root = card_of(slack, name)
        assert root is not None
        await server.deliver(mention(slack, f"assign <@{BO}>", ANA, thread=root.ts))
        await place.until(lambda: place.daemon.loop.decider.state.incidents[name].assigned_to == "bo")
        await server.deliver(mention(slack, "graph", ANA, thread=root.ts), copies=3)
        await place.until(lambda: [one for one in slack.messages if one.blocks[-1]["type"] == "image"], within_s=15.0)
        assert slack.uploads
        assert sum("How trouble travelled" in one.text for one in slack.messages) == 1


@pytest.mark.long
@in_a_loop
async def test_an_approval_shows_what_will_be_done_and_is_given_by_a_dialog() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        slack = server.slack
        await trouble(place)
        await place.until(lambda: [run for run in place.daemon.loop.decider.state.runs.values() if run.approval])
        (run,) = [run for run in place.daemon.loop.decider.state.runs.values() if run.approval]
        await place.until(lambda: card_of(slack, run.id))
        card = card_of(slack, run.id)
        assert card is not None
        assert "worker.do(text=back)" in str(card.blocks)
        await server.deliver(click(slack, card, "Approve…", ANA))
        await place.until(lambda: slack.views)
        shown = str(slack.views[0]["blocks"])
        assert all(text in shown for text in ("worker.do(text=back)", "*Written:*", "*Blast radius:*"))
        await server.deliver(submit(slack, slack.views[0], ANA, because="seen it"))
        await place.until(lambda: place.daemon.loop.decider.state.runs[run.id].state == "done")
        assert place.daemon.loop.decider.state.runs[run.id].approval.approved_by == ("ana",)
        await place.until(lambda: "done" in card.text)


@pytest.mark.long
@in_a_loop
async def test_a_restart_and_lost_answers_make_no_second_message() -> None:
    store = MemoryStore()
    async with slack_running(FakeSlack()) as server:
        slack = server.slack
        slack.lose_answer("chat.postMessage", 2)
        async with at_slack(server, store) as place:
            name = await trouble(place)
            await place.until(lambda: card_of(slack, name) and slack.count("conversations.history"))
            assert place.url
        async with at_slack(server, store) as place:
            card = card_of(slack, name)
            assert card is not None
            await server.connected(2)
            await server.deliver(click(slack, card, "Acknowledge", ANA))
            await place.until(lambda: "acknowledged" in card.text)
        keys = [one.metadata["event_payload"]["key"] for one in slack.messages]
        assert len(set(keys)) == len(keys)


@pytest.mark.long
@in_a_loop
async def test_what_slack_missed_while_it_was_away_is_shown_when_it_is_back() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        slack = server.slack
        slack.down_until = slack.clock() + 3.0
        name = await trouble(place)
        await place.until(lambda: card_of(slack, name), within_s=15.0)
        assert len([one for one in slack.roots() if one.metadata["event_payload"].get("card") == name]) == 1


@in_a_loop
async def test_by_http_what_slack_signed_is_done_and_what_it_did_not_is_401() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server, mode="http") as place:
        slack = server.slack
        slack.clock = place.daemon.clock.now
        name = await trouble(place)
        await place.until(lambda: card_of(slack, name))
        card = card_of(slack, name)
        assert card is not None
        request = signed(slack, click(slack, card, "Acknowledge", ANA))
        for wrong in ("soon", "1", "\N{ARABIC-INDIC DIGIT THREE}"):
            headers = {**request.headers, "x-slack-request-timestamp": wrong}
            code, _ = await place.post("/in/slack", data=request.body, **headers)
            assert code == 401
        code, _ = await place.post("/in/slack", data=request.body, **request.headers)
        assert code == 200
        await place.until(lambda: status(place, name) == "acknowledged")
        assert server.opened == 0
