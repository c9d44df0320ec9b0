"""What people type and click in Slack, over Socket Mode: acked in time, heard once, answered where they are."""

from __future__ import annotations

import asyncio
import random

import pytest

from connectors.slackland import ANA, BO, HOME, Ears, card, connector, eventually, listening
from quell.errors import Refused
from quell.sdk.chat import Answer, Button, Field, Line, Listens, Modal, Picture, Said
from quell.sdk.secret import Secret
from quell.sdk.testkit import run
from quell.testing.slack import FakeSlack, click, command, direct, mention, submit
from quell_connectors.slack import socket

APPROVE = Modal(
    title="Approve rollback-bad-deploy for INC-3f9a1c?",
    submit=Button(verb="approve", label="Approve", value="R-1|7|waiting"),
    lines=(
        Line("undo: argocd.rollback(app=checkout, id=41)", "quote"),
        Line("Touches: checkout"),
        Line("Written: playbooks/rollback.yaml:14 at commit 3f9c2d1e0a55"),
    ),
    fields=(
        Field(name="reason", label="Because", optional=True),
        Field(name="mode", label="How", value="fast", choices=(("", "One by one"), ("fast", "At once"))),
    ),
)


def test_a_slash_command_is_heard_and_answered_privately() -> None:
    ears = Ears(Answer(text="no incident is open"))

    async def work() -> None:
        async with listening(ears) as (server, _):
            await server.deliver(command(server.slack, "incidents sev:high", ANA))
            await eventually(lambda: server.slack.private)
            (answer,) = server.slack.private
            assert (answer.text, answer.only_for, answer.channel) == ("no incident is open", ANA, HOME)
            assert server.slack.messages == []
            assert max(server.waits.values()) < 1.0

    run(work())
    (said,) = ears.heard
    assert (said.text, said.who, said.channel, said.verb) == ("incidents sev:high", ANA, HOME, "")


def test_a_mention_in_a_thread_is_answered_in_it() -> None:
    ears = Ears(Answer(text="**payments-db** it is", private=False))

    async def work() -> None:
        async with listening(ears) as (server, slack):
            root = await slack.show(card(), HOME, None, "root")
            await server.deliver(mention(server.slack, "why", BO, thread=root.ts))
            await eventually(lambda: len(server.slack.messages) == 2)
            assert server.slack.messages[1].thread_ts == root.ts
            assert server.slack.messages[1].text == "*payments-db* it is"
            assert ears.heard[0].thread == root.ts

    run(work())
    assert ears.heard[0].text == "why"
    assert ears.heard[0].at > 0


def test_what_is_said_to_the_app_alone_is_heard_and_what_bots_say_is_not() -> None:
    ears = Ears(Answer(text="hello"))

    async def work() -> None:
        async with listening(ears) as (server, _):
            own = mention(server.slack, "why", "U0BOT0000")
            own.payload["event"]["bot_id"] = "B0OTHER00"
            await server.deliver(own)
            await server.deliver(direct(server.slack, "assign INC-1 <@U0BO00000|bo> &amp; tell &lt;all&gt;", ANA))
            await eventually(lambda: server.slack.private)

    run(work())
    assert [said.text for said in ears.heard] == ["assign INC-1 @U0BO00000 & tell <all>"]


def test_a_click_comes_back_with_its_value_and_may_replace_the_card() -> None:
    ears = Ears(Answer(card=card(2, status="acknowledged", buttons=()), replace=True))

    async def work() -> None:
        async with listening(ears) as (server, slack):
            placed = await slack.show(card(), HOME, None, "root")
            message = server.slack.at(placed.channel, placed.ts)
            await server.deliver(click(server.slack, message, "Acknowledge", ANA))
            await eventually(lambda: message.edits)
            assert "acknowledged" in message.text
            assert message.metadata["event_payload"]["version"] == 2
            (said,) = ears.heard
            assert (said.verb, said.value, said.message) == ("ack", "INC-3f9a1c|1|open", placed.ts)
            assert said.id.startswith(f"{placed.ts}/ack/{ANA}/")

    run(work())


def test_a_stale_click_is_told_to_who_clicked_and_the_card_is_what_it_is_now() -> None:
    now = card(2, status="acknowledged", buttons=())
    ears = Ears(Answer(text="already acknowledged by bo", card=now, replace=True))

    async def work() -> None:
        async with listening(ears) as (server, slack):
            placed = await slack.show(card(), HOME, None, "root")
            message = server.slack.at(placed.channel, placed.ts)
            await server.deliver(click(server.slack, message, "Acknowledge", ANA))
            await eventually(lambda: message.edits)
            (told,) = server.slack.private
            assert (told.text, told.only_for) == ("already acknowledged by bo", ANA)
            assert "already" not in str(message.blocks)

    run(work())


def test_a_card_that_only_one_person_sees_is_replaced_where_they_see_it() -> None:
    answers = iter([Answer(card=card()), Answer(card=card(2, title="checkout is well", buttons=()), replace=True)])

    async def hear(_: Said) -> Answer:
        return next(answers)

    async def work() -> None:
        async with listening(Ears(hear)) as (server, _):
            await server.deliver(command(server.slack, "show INC-3f9a1c", ANA))
            await eventually(lambda: server.slack.private)
            (shown,) = server.slack.private
            await server.deliver(click(server.slack, shown, "Acknowledge", ANA))
            await eventually(lambda: shown.edits)
            assert "checkout is well" in shown.blocks[0]["text"]["text"]

    run(work())


def test_a_dialog_shows_arguments_commit_and_reach_and_comes_back_with_what_was_filled_in() -> None:
    async def hear(said: Said) -> Answer:
        return Answer(text="approved") if said.fields else Answer(modal=APPROVE)

    ears = Ears(hear)

    async def work() -> None:
        async with listening(ears) as (server, slack):
            placed = await slack.show(card(), HOME, None, "root")
            await server.deliver(click(server.slack, server.slack.at(HOME, placed.ts), "Why?", ANA))
            await eventually(lambda: server.slack.views)
            (view,) = server.slack.views
            shown = str(view["blocks"])
            assert all(text in shown for text in ("argocd.rollback(app=checkout, id=41)", "3f9c2d1e0a55", "checkout"))
            assert view["blocks"][0]["text"]["text"] == APPROVE.title
            await server.deliver(submit(server.slack, view, ANA, reason="it is 3 a.m."))
            await eventually(lambda: server.slack.private)
            assert server.slack.private[0].text == "approved"
            again = {**view, "hash": "another"}
            await server.deliver(submit(server.slack, again, ANA, mode="One by one"))
            await eventually(lambda: len(ears.heard) == 3)

    run(work())
    said = ears.heard[1]
    assert (said.verb, said.value, said.channel) == ("approve", "R-1|7|waiting", HOME)
    assert said.fields == {"reason": "it is 3 a.m.", "mode": "fast"}
    assert ears.heard[2].fields == {"reason": "", "mode": ""}


def test_a_dialog_that_comes_too_late_is_a_private_message_with_its_button() -> None:
    ears = Ears(Answer(modal=APPROVE))

    async def work() -> None:
        async with listening(ears) as (server, _):
            late = command(server.slack, "approve R-1", ANA)
            server.slack.use_trigger(late.payload["trigger_id"])
            await server.deliver(late)
            await eventually(lambda: server.slack.private)
            assert server.slack.views == []
            (shown,) = server.slack.private
            await server.deliver(click(server.slack, shown, "Approve", ANA))
            await eventually(lambda: len(ears.heard) == 2)
            assert (ears.heard[1].verb, ears.heard[1].value) == ("approve", "R-1|7|waiting")

    run(work())


def test_where_the_app_was_not_invited_a_direct_message_answers() -> None:
    ears = Ears(Answer(text="here"))

    async def work() -> None:
        async with listening(ears) as (server, slack):
            server.slack.channel("private", "C0PRIV000", joined=False)
            said = Said(id="x", who=ANA, channel="C0PRIV000", reply_to={"response_url": "http://elsewhere.example/x"})
            await slack.answer(said, Answer(text="here"))
            assert [(one.channel, one.text) for one in server.slack.messages] == [("D0ANA0000", "here")]
            assert server.slack.count("response_url") == 0

    run(work())


def test_whatever_is_delivered_twice_and_out_of_order_is_heard_once() -> None:
    ears = Ears(Answer(text="done"))

    async def work() -> None:
        async with listening(ears) as (server, slack):
            placed = await slack.show(card(), HOME, None, "root")
            message = server.slack.at(HOME, placed.ts)
            sent = [click(server.slack, message, "Acknowledge", ANA) for _ in range(5)]
            sent += [command(server.slack, f"show INC-{number}", BO) for number in range(5)]
            sent += [mention(server.slack, f"ack {number}", ANA, thread=placed.ts) for number in range(5)]
            # The same click, in an envelope of its own.
            sent += [type(one)(server.slack.next_id("e"), one.type, one.payload) for one in sent[:5]]
            deliveries = sent * 3
            random.Random(7).shuffle(deliveries)
            for envelope in deliveries:
                await server.send(envelope)
            for envelope in sent:
                await asyncio.wait_for(server.acked(envelope.id), 5)
            assert len(ears.heard) == 15
            assert len({said.id for said in ears.heard}) == 15

    run(work())


def test_an_ack_does_not_wait_for_who_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "ACK_WITHIN_S", 0.1)
    done = asyncio.Event()

    async def hear(_: Said) -> Answer:
        await done.wait()
        return Answer(text="at last")

    async def work() -> None:
        async with listening(Ears(hear)) as (server, _):
            asked = command(server.slack, "why INC-1", ANA)
            await asyncio.wait_for(server.deliver(asked), 2)
            assert server.slack.private == []
            done.set()
            await eventually(lambda: server.slack.private)

    run(work())


def test_what_cannot_be_read_is_acked_and_the_rest_goes_on() -> None:
    ears = Ears(Answer(text="fine"))

    async def work() -> None:
        async with listening(ears) as (server, _):
            broken = command(server.slack, "x", ANA)
            del broken.payload["user_id"]
            await server.deliver(broken)
            await server.deliver(command(server.slack, "help", ANA))

    run(work())
    assert [said.text for said in ears.heard] == ["help"]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
def test_when_slack_asks_for_it_another_connection_is_opened_and_nothing_is_lost(reason: str) -> None:
    ears = Ears(Answer())

    async def work() -> None:
        async with listening(ears) as (server, _):
            await server.deliver(command(server.slack, "one", ANA))
            await server.disconnect(reason)
            await asyncio.wait_for(server.connected(2), 5)
            await server.deliver(command(server.slack, "two", ANA))

    run(work())
    assert [said.text for said in ears.heard] == ["one", "two"]


def test_a_connection_that_breaks_is_opened_again_though_slack_limits_that() -> None:
    ears = Ears(Answer())

    async def work() -> None:
        async with listening(ears) as (server, _):
            server.slack.limit("apps.connections.open", 1)
            await server.drop()
            await asyncio.wait_for(server.connected(2), 8)
            await server.deliver(command(server.slack, "still here", ANA))

    run(work())
    assert [said.text for said in ears.heard] == ["still here"]


def test_a_bad_app_token_is_said_and_not_tried_for_ever() -> None:
    slack = FakeSlack()
    assert isinstance(connector(slack), Listens)
    with pytest.raises(Refused, match="invalid_auth"):
        run(asyncio.wait_for(connector(slack, app_token=Secret("xapp-wrong")).listen(Ears().hear), 5))
    with pytest.raises(Refused, match="app_token"):
        run(connector(slack, app_token=Secret("")).listen(Ears().hear))
    assert slack.count("apps.connections.open") == 1


def test_a_private_answer_may_hold_a_picture() -> None:
    walk = Picture(mark="INC-3f9a1c/4", alt="payments-db → checkout", png=b"\x89PNG picture")
    ears = Ears(Answer(card=card(picture=walk, buttons=())))

    async def work() -> None:
        async with listening(ears) as (server, _):
            await server.deliver(command(server.slack, "graph INC-3f9a1c", ANA))
            await eventually(lambda: server.slack.private)
            assert server.slack.private[0].blocks[-1]["type"] == "image"
            assert list(server.slack.uploads.values()) == [walk.png]

    run(work())


def test_a_dialog_from_what_only_one_person_sees_shows_nothing_to_others() -> None:
    async def hear(said: Said) -> Answer:
        if said.fields:
            return Answer(text="too late", card=card(2, title="checkout is well", buttons=()), replace=True)
        return Answer(modal=APPROVE) if said.verb else Answer(card=card())

    async def work() -> None:
        async with listening(Ears(hear)) as (server, _):
            await server.deliver(command(server.slack, "show INC-3f9a1c", ANA))
            await eventually(lambda: server.slack.private)
            (shown,) = server.slack.private
            await server.deliver(click(server.slack, shown, "Why?", ANA))
            await eventually(lambda: server.slack.views)
            await server.deliver(submit(server.slack, server.slack.views[0], ANA, reason="now"))
            await eventually(lambda: shown.edits or server.slack.messages)
            assert server.slack.messages == []
            assert "checkout is well" in str(shown.blocks)
            assert "too late" in str(shown.blocks)

    run(work())


def test_what_all_may_see_of_a_click_stands_in_the_thread_of_the_card() -> None:
    async def hear(said: Said) -> Answer:
        return Answer(text="R-1 is running", private=False) if said.fields else Answer(modal=APPROVE)

    async def work() -> None:
        async with listening(Ears(hear)) as (server, slack):
            placed = await slack.show(card(), HOME, None, "root")
            await server.deliver(click(server.slack, server.slack.at(HOME, placed.ts), "Why?", ANA))
            await eventually(lambda: server.slack.views)
            await server.deliver(submit(server.slack, server.slack.views[0], ANA, reason="now"))
            await eventually(lambda: len(server.slack.messages) == 2)
            assert (server.slack.messages[1].text, server.slack.messages[1].thread_ts) == ("R-1 is running", placed.ts)

    run(work())
