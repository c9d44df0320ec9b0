"""People talk to a daemon: everything they say is theirs, is checked once, and is answered."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from unittest.mock import patch

from msgspec.structs import replace

from core.scene import consistent, labels, playbook, rulebook
from daemon.chatroom import Room, Talk, in_a_loop
from daemon.parts import KINDS, TOKEN, Running, Worker, loaded, running, source, token
from quell.chatops.forms import FORMS
from quell.config import Loaded
from quell.config.settings import Chat, Person
from quell.core.engine import Engine
from quell.daemon.chat import dialogs
from quell.daemon.clock import Clock
from quell.errors import Unreachable
from quell.model.mute import Matcher
from quell.model.oncall import Rota
from quell.model.playbook import Place, Step
from quell.model.records import AlertRecord
from quell.model.rulebook import Room as Where
from quell.model.rulebook import Route
from quell.sdk.chat import Answer, Card, Placed
from quell.sdk.connector import Call, Done
from quell.sdk.spec import ActionSpec, Option, Spec
from quell.store.memory import MemoryStore
from quell.store.port import Store

SPEED = 60.0
"""Alerts become incidents so much faster."""
ANA = Person(id="ana", name="Ana Ruiz", scopes=frozenset({"read", "act", "approve"}), roles=frozenset({"role:sre"}),
             ids={"talk": "U1", "email": "ana@example.com"})  # fmt: skip
BO = Person(id="bo", scopes=frozenset({"read"}), ids={"chat": "U2"})
CY = Person(id="cy", scopes=frozenset({"read", "act"}), ids={"talk": "U3"})
BOOK = rulebook(
    routes=(),
    playbooks=(
        playbook("drill", mode="off"),
        playbook(
            "rollback",
            mode="propose",
            steps=(
                Step(id="back", do="worker.do", place=Place(file="p.yaml", line=1), with_={"text": "back"}),
            ),
            on=("opened",),
            if_='incident.severity == "critical"',
        ),
    ),
)  # fmt: skip


def config(**more: Any) -> Loaded:
    chat = Chat(rooms=(Where(source="chat", channel="#incidents"),), link="https://quell.example.com")
    base = loaded(
        source("in", "feed"), source("chat", "talk"), source("worker", "worker"), source("pull", "feed"),
        **{
            "people": (ANA, BO, CY),
            "chat": chat,
            "tokens": (token(TOKEN, "root", "admin"), token("qll_ben_fedcba9876543210", "ben", "read")),
            **more,
        },
    )  # fmt: skip
    return Loaded(base.settings, BOOK)


@asynccontextmanager
async def talking(store: Store | None = None, conf: Loaded | None = None) -> AsyncIterator[Running]:
    Talk.room = Room(time.monotonic)
    async with running(
        conf or config(), store=store, restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
        kinds={**KINDS, "talk": Talk, "duty": Duty}, clock=Clock(speed=SPEED),
    ) as place:  # fmt: skip
        await place.until(lambda: Talk.heard)
        yield place


async def trouble(place: Running, *services: str, severity: str = "critical", name: str = "HighErrorRate") -> str:
    """An outage is told of, an incident opens."""
    before = set(place.daemon.loop.decider.state.incidents)
    now = place.daemon.clock.now()
    records = [
        AlertRecord(at=now, seen=now, status="firing", labels=labels(one, name, severity), source="prom", starts_at=now)
        for one in services or ("ledger", "payments", "checkout", "frontend")
    ]
    await place.daemon.inbox.put(records)
    state = lambda: place.daemon.loop.decider.state  # noqa: E731
    await place.until(lambda: set(state().incidents) - before)
    (new,) = set(state().incidents) - before
    return str(new)


def status(place: Running, name: str) -> str:
    return place.daemon.loop.decider.state.incidents[name].status


def card_of(name: str) -> Card:
    return Talk.room.of(name)


@in_a_loop
async def test_what_is_said_is_done_as_that_person_and_shown() -> None:
    async with talking() as place:
        name = await trouble(place)
        await place.until(lambda: name in Talk.room.keys.values())
        assert card_of(name).link == f"https://quell.example.com/incidents/{name}"
        answer = await Talk.say("incidents")
        assert answer.card is not None
        assert name in answer.card.lines[0].text
        why = await Talk.say(f"why {name}")
        assert "service/ledger" in why.text
        assert (await Talk.say(f"ack {name} because on it")).text == f"{name}: acknowledged by ana"
        await place.until(lambda: card_of(name).status == "acknowledged")
        assert place.daemon.loop.decider.state.incidents[name].acknowledged_by == "ana"
        audits = place.store.audit(10)
        assert [(one.audit.who, one.audit.detail) for one in audits if one.audit.what == "ack"] == [("ana", "on it")]
        again = await Talk.say(f"ack {name}")
        assert again.text == f"Not done: incident {name} is already acknowledged by ana."
        assert not again.ok
        assert "assigned to bo" in (await Talk.say(f"assign {name} <@U2>")).text
        assert "assigned to cy" in (await Talk.say(f"assign {name} @cy")).text
        assert 'nobody in people.yaml is "dan"' in (await Talk.say(f"assign {name} @dan")).text
        assert "snoozed by ana" in (await Talk.say(f"snooze {name} 30m")).text
        assert "resolved by ana" in (await Talk.say(f"resolve {name}")).text
        assert "open again" in (await Talk.say(f"reopen {name}")).text
        assert "noted" in (await Talk.say(f"noise {name} because a test")).text
        assert (await Talk.say(f"show {name[:7].upper()}")).card is not None
        assert "HighErrorRate" in str((await Talk.say(f"show {name}")).card)
        assert 'no incident has the id "INC-none"' in (await Talk.say("ack INC-none")).text


@in_a_loop
async def test_in_a_thread_the_incident_may_be_left_out() -> None:
    async with talking() as place:
        name = await trouble(place)
        await place.until(lambda: name in Talk.room.keys.values())
        ((channel, ts),) = [at for at, key in Talk.room.keys.items() if key == name]
        await place.until(lambda: place.daemon.chat.board.at("chat", channel, ts) is not None)
        assert (await Talk.say("ack", thread=ts, channel=channel)).text == f"{name}: acknowledged by ana"
        assert "say which incident" in (await Talk.say("ack")).text
        await place.until(
            lambda: any("acknowledged by ana" in text for text in Talk.room.threads.get((channel, ts), ()))
        )


@in_a_loop
async def test_who_is_unknown_or_may_not_is_refused_privately() -> None:
    async with talking() as place:
        name = await trouble(place)
        stranger = await Talk.say(f"ack {name}", who="U9")
        assert (stranger.private, stranger.ok) == (True, False)
        assert 'quell does not know you ("U9" in chat)' in stranger.text
        assert (await Talk.say(f"why {name}", who="U2")).ok
        reader = await Talk.say(f"ack {name}", who="U2")
        assert reader.text == 'bo may not ack: it needs the scope "act".'
        assert (await Talk.say("pause all", who="U3")).text == 'cy may not pause: it needs the scope "approve".'
        assert not (await Talk.say("", who="")).ok
        assert status(place, name) == "open"


@in_a_loop
async def test_clicks_act_once_and_only_on_what_still_is() -> None:
    async with talking() as place:
        name = await trouble(place)
        await place.until(lambda: name in Talk.room.keys.values())
        buttons = {button.verb: button for button in card_of(name).buttons}
        click = {"verb": "ack", "value": buttons["ack"].value, "id": "m1/ack/U1/17.2"}
        assert (await Talk.say(**click)).text == f"{name}: acknowledged by ana"
        assert await Talk.say(**click) == Answer(), "the same delivery again"
        stale = await Talk.say(verb="ack", value=buttons["ack"].value, who="U3")
        assert f"{name} is already acknowledged by ana" in stale.text
        assert stale.replace
        assert stale.card is not None
        assert (await Talk.say(verb="resolve", value="nonsense")).text == "This button is not one of quell's."
        assert "may not" in (await Talk.say(verb="silence", value=buttons["silence"].value, who="U2")).text
        assert [one.audit.who for one in place.store.audit(50) if one.audit.what == "ack"] == ["ana"]


@in_a_loop
async def test_a_silence_by_a_dialog_and_its_end() -> None:
    async with talking() as place:
        name = await trouble(place)
        await place.until(lambda: name in Talk.room.keys.values())
        buttons = {button.verb: button for button in card_of(name).buttons}
        modal = (await Talk.say(verb="silence", value=buttons["silence"].value)).modal
        assert modal is not None
        assert [field.name for field in modal.fields] == ["span", "because"]
        assert any('alertname="HighErrorRate", namespace="shop"' in line.text for line in modal.lines)
        done = await Talk.say(
            verb=modal.submit.verb, value=modal.submit.value, fields={"span": "4h", "because": "planned"}
        )
        assert 'alertname="HighErrorRate"' in done.text
        (silence,) = place.daemon.loop.decider.state.silences.values()
        assert silence.created_by == "ana"
        assert silence.comment == f"planned ({name})"
        assert silence.ends_at - silence.starts_at == 4 * 3600.0
        assert {str(one) for one in silence.matchers} == {
            'alertname="HighErrorRate"', 'namespace="shop"', 'severity="critical"',
        }  # fmt: skip
        listed = await Talk.say("silences")
        assert listed.card is not None
        assert silence.id in listed.card.lines[0].text
        assert "is over" in (await Talk.say(f"unsilence {silence.id[:8]}")).text
        assert (await Talk.say("silences")).text == "Nothing is silenced."
        assert "there is no active silence" in (await Talk.say("unsilence 1234")).text
        made = await Talk.say("silence service=cart for 1h because tests")
        assert 'service="cart"' in made.text


@in_a_loop
async def test_merge_and_split_by_words() -> None:
    async with talking() as place:
        shop, lab = await trouble(place), await trouble(place, "disk", "warehouse", "reports")
        assert f"{lab} is part of {shop} now" in (await Talk.say(f"merge {shop} {lab} because one power cut")).text
        assert status(place, lab) == "merged"
        mark = next(
            mark for mark, alert in place.daemon.loop.decider.state.alerts.items() if alert.labels["service"] == "disk"
        )
        answer = await Talk.say(f"split {shop} {mark[:8]}")
        assert "1 alert stands apart" in answer.text
        new = answer.text.split(" as ")[1].split(" ")[0]
        assert place.daemon.loop.decider.state.incidents[new].alerts == (mark,)
        assert 'has no alert "Sausage"' in (await Talk.say(f"split {shop} Sausage")).text


@in_a_loop
async def test_a_run_that_asks_is_approved_through_a_dialog() -> None:
    async with talking() as place:
        name = await trouble(place)
        state = place.daemon.loop.decider.state
        await place.until(lambda: any(key.startswith("R-") for key in Talk.room.keys.values()))
        (run,) = [one for one in state.runs.values() if one.playbook == "rollback"]
        card = card_of(run.id)
        assert card.urgent
        assert any("worker.do" in line.text for line in card.lines), card.lines
        approve = next(button for button in card.buttons if button.verb == "approve")
        assert (await Talk.say(verb="approve", value=approve.value, who="U3")).text.startswith("cy may not approve")
        with patch.object(dialogs, "Graph", wraps=dialogs.Graph) as drawn:
            modal = (await Talk.say(verb="approve", value=approve.value)).modal
        assert modal is not None
        assert drawn.call_count == 1, "a large graph takes a while, and Slack waits three seconds"
        assert any("worker.do" in line.text for line in modal.lines)
        assert any(line.text.startswith("Written: ") for line in modal.lines)
        assert any(line.text.startswith("Blast radius: ") for line in modal.lines)
        said = await Talk.say(verb=modal.submit.verb, value=modal.submit.value)
        assert f"{run.id} (rollback): ana said yes" in said.text
        await place.until(lambda: state.runs[run.id].state == "done")
        await place.until(lambda: not card_of(run.id).buttons)
        assert any("Approved by ana" in line.text for line in card_of(run.id).lines)
        stale = await Talk.say(verb="approve!", value=approve.value)
        assert f"{run.id} is already done, approved by ana; nothing was done." in stale.text
        await place.until(lambda: name in Talk.room.keys.values())
        await place.until(lambda: any(run.id in line.text for line in card_of(name).lines))


@in_a_loop
async def test_runs_by_words() -> None:
    async with talking() as place:
        name = await trouble(place, severity="warning")
        assert (
            'no playbook is named "sausage"; there are drill, rollback' in (await Talk.say(f"run sausage {name}")).text
        )
        dry = await Talk.say(f"run rollback {name} --dry")
        assert "dry run: nothing was done" in dry.text, dry
        assert (await Talk.say("pause all because of a move")).text.startswith("No playbook acts")
        assert place.daemon.loop.decider.state.paused_by == "ana"
        listed = await Talk.say("runs")
        assert "paused by ana" in listed.text
        assert (await Talk.say("unpause all")).text == "Playbooks act again"
        assert "say which run" in (await Talk.say("approve")).text
        assert "no run has the id" in (await Talk.say("stop R-none")).text
        figures = (await Talk.say("stats 1d")).card
        assert figures is not None
        assert "1 incident" in figures.lines[0].text
        assert "No source here knows who is on call" in (await Talk.say("oncall")).text
        assert "incidents [team:NAME]" in (await Talk.say("help")).text


class Duty(Worker):
    """Knows who is called."""

    spec: ClassVar[Spec] = Spec(
        name="duty",
        summary="For tests.",
        actions=(
            ActionSpec(
                name="oncall", summary="Who.", effect="read", params=(Option(name="team", type="text", summary="Of."),)
            ),
        ),
    )

    async def act(self, call: Call) -> Done:
        if call.params["team"] == "gone":
            raise Unreachable("no way")
        return Done(f"ana is called for {call.params['team'] or 'everything'}")


@in_a_loop
async def test_who_is_on_call_is_asked_of_those_who_know() -> None:
    sources = (source("chat", "talk"), source("duty", "duty"), source("worker", "worker"))
    conf = config()
    conf = Loaded(replace(conf.settings, sources=sources), conf.rulebook)
    async with talking(conf=conf):
        assert (await Talk.say("oncall")).text == "duty: ana is called for everything"
        assert (await Talk.say("oncall web")).text == "duty: ana is called for web"
        assert (await Talk.say("oncall gone")).text == "duty could not be asked: no way"


@in_a_loop
async def test_who_is_on_call_is_told_by_the_rotas_of_the_rules() -> None:
    conf = config()
    rotas = (Rota(name="web", people=("ana",), first_day=719163), Rota(name="db", people=("bo",), first_day=719163))
    book = replace(conf.rulebook, rotas=rotas, contacts={"ana": {"name": "Ana Ruiz"}})
    async with talking(conf=Loaded(conf.settings, book)):
        assert [line.partition(" until ")[0] for line in (await Talk.say("oncall")).text.splitlines()] == [
            "web: Ana Ruiz",
            "db: bo",
        ]
        assert (await Talk.say("oncall db")).text.startswith("db: bo until ")


@in_a_loop
async def test_a_subscription_is_shown_to_one_and_kept_up_to_date() -> None:
    async with talking() as place:
        name = await trouble(place)
        assert "comes to you" in (await Talk.say(f"subscribe {name}", who="U2")).text
        await place.until(lambda: any(channel == "U2" for channel, _ in Talk.room.cards))
        await Talk.say(f"ack {name}")
        await place.until(lambda: Talk.room.of(name, "U2").status == "acknowledged")
        assert "not kept up to date" in (await Talk.say(f"unsubscribe {name}", who="U2")).text
        assert "does not come to you" in (await Talk.say(f"unsubscribe {name}", who="U2")).text


@in_a_loop
async def test_another_process_edits_the_same_messages() -> None:
    store = MemoryStore()
    async with talking(store) as place:
        name = await trouble(place)
        # The incident and its run have a card each, and a channel takes one a second, in whatever order they come.
        told = lambda: {name, *place.daemon.loop.decider.state.runs} <= set(Talk.room.keys.values())  # noqa: E731
        await place.until(lambda: told() and all(row.state == "placed" for row in store.shown()))
        room = Talk.room
    posts = sum(what == "post" for _, what, _ in room.calls)
    async with talking(store) as place:
        Talk.room = room
        await Talk.say(f"ack {name}")
        await place.until(lambda: card_of(name).status == "acknowledged")
        assert sum(what == "post" for _, what, _ in room.calls) == posts
        assert room.once()


@in_a_loop
async def test_people_and_rooms_are_taken_up_while_it_runs() -> None:
    now = [config()]
    async with talking(conf=now[0]) as place:
        name = await trouble(place)
        place.daemon._load = lambda: now[0]
        assert not (await Talk.say(f"why {name}", who="U7")).ok
        dan = Person(id="dan", scopes=frozenset({"read"}), ids={"talk": "U7"})
        rooms = Chat(rooms=(Where(source="chat", channel="#other"),))
        now[0] = config(people=(ANA, dan), chat=rooms)
        assert await place.daemon.reloader.reload()
        assert (await Talk.say(f"why {name}", who="U7")).ok
        await place.until(lambda: any(channel == "#other" for channel, _ in Talk.room.cards))


@in_a_loop
async def test_the_same_by_http() -> None:
    async with talking() as place:
        name = await trouble(place)
        code, answer = await place.api("POST", "/say", {"text": f"why {name}"})
        assert (code, answer["ok"]) == (200, True)
        assert "service/ledger" in answer["text"]
        code, answer = await place.api("POST", "/say", {"text": "ack", "about": name})
        assert answer["text"] == f"{name}: acknowledged by root"
        code, answer = await place.api("POST", "/say", {"text": f"ack {name}"}, by="qll_ben_fedcba9876543210")
        assert (code, answer["ok"]) == (200, False)
        assert 'ben may not ack: it needs the scope "act".' in answer["text"]
        code, answer = await place.api("POST", "/say", {"text": f"graph {name}"})
        assert "service/ledger" in answer["text"]
        code, _ = await place.api("POST", "/say", {"text": 5})
        assert code == 422
        code, answer = await place.api("POST", "/say", {"text": "subscribe " + name})
        assert "nowhere to show it to you" in answer["text"]


@in_a_loop
async def test_nothing_said_is_a_bug() -> None:
    async with talking() as place:
        await trouble(place, "ledger", "payments", "checkout")
        for text in ("", "\x00", "why " + "x" * 3000, "merge INC-1 INC-1", 'split INC-1 "', "show INC-"):
            answer = await Talk.say(text)
            assert "quell failed" not in answer.text
            assert not answer.ok


@in_a_loop
async def test_whatever_is_said_in_whatever_order_the_core_stays_whole() -> None:
    chance = random.Random(11)
    async with talking() as place:
        await trouble(place)
        await trouble(place, "disk", "warehouse", "reports")
        engine: Any = place.daemon.loop.decider
        done: set[str] = set()
        for _ in range(150):
            names = [*engine.state.incidents, "INC-none"]
            runs = [*engine.state.runs, "R-none"]
            alerts = [alert.name or mark for mark, alert in engine.state.alerts.items()]
            pools = {
                "incident": names, "other": names, "run": runs, "playbook": ["rollback", "drill", "x"],
                "person": ["@bo", "me", "x"], "span": ["30m", "7d"], "alerts": [*alerts, *engine.state.alerts],
                "silence": [*engine.state.silences, "0"], "filters": ["sev:high", "team:x", "status:all"],
                "about": ["run", "x"], "all": ["all"], "matchers": ["service=cart", *names],
                "version": ["version 1", "version 2"],
                "mark": ["0000", *(one.approval.mark for one in engine.state.runs.values() if one.approval)],
            }  # fmt: skip
            form = chance.choice([one for one in FORMS if one.verb != "resolve"])
            words = [form.verb]
            for slot in form.slots:
                if slot not in form.optional or chance.random() < 0.8:
                    words += ["for"] if (form.verb, slot) == ("silence", "span") else []
                    words.append(chance.choice(pools[slot]))
            words += ["--dry"] if form.dry else []
            words += ["because", "of", "chance"] if form.because else []
            thread = chance.choice([ts for _, ts in Talk.room.cards] or [""])
            answer = await Talk.say(" ".join(words), who=chance.choice(["U1", "U1", "U2"]), thread=thread)
            assert "quell failed" not in answer.text, words
            assert answer.text or answer.card, words
            consistent(engine)
            done |= {form.verb} if answer.ok else set()
        assert len(done) >= 12, done
        assert place.store.verify_audit() is None
        assert Talk.room.once()


@in_a_loop
async def test_a_card_gets_its_picture_with_a_later_edit() -> None:
    async with talking() as place:
        name = await trouble(place)
        await place.until(lambda: name in Talk.room.keys.values())
        await place.until(lambda: card_of(name).picture is not None)
        picture = card_of(name).picture
        assert picture is not None
        assert picture.png.startswith(b"\x89PNG")
        assert "service/ledger → service/payments" in picture.alt


@in_a_loop
async def test_what_waits_to_be_posted_is_no_thread() -> None:
    async with talking() as place:
        Talk.room.down = True
        name = await trouble(place)
        await place.until(lambda: any(row.key == name for row in place.daemon.chat.board.rows.values()))
        said = await Talk.say("ack")
        assert "say which incident" in said.text
        assert status(place, name) == "open"


@in_a_loop
async def test_who_is_named_for_one_source_is_nobody_else_there() -> None:
    eve = Person(id="eve", scopes=frozenset({"read"}), ids={"chat": "U1"})
    fay = Person(id="fay", scopes=frozenset({"read"}), ids={"talk": "U8", "chat": "U6"})
    async with talking(conf=config(people=(ANA, fay, eve))) as place:
        name = await trouble(place)
        assert (await Talk.say(f"ack {name}", who="U1")).text == 'eve may not ack: it needs the scope "act".'
        assert 'quell does not know you ("U8" in chat)' in (await Talk.say(f"why {name}", who="U8")).text
        assert (await Talk.say(f"why {name}", who="U6")).ok


@in_a_loop
async def test_what_has_gone_to_another_room_crowds_none() -> None:
    quiet = Where(source="chat", channel="#quiet", matchers=(Matcher(name="severity", value="warning"),))
    loud = Where(source="chat", channel="#incidents", matchers=(Matcher(name="severity", value="critical"),))
    async with talking(conf=config(chat=Chat(rooms=(quiet, loud), digest_above=1))) as place:
        first = await trouble(place, severity="warning")
        await place.until(lambda: any(channel == "#quiet" for channel, _ in Talk.room.cards))
        incidents = place.daemon.loop.decider.state.incidents
        now = place.daemon.clock.now()
        worse = AlertRecord(
            at=now, seen=now, status="firing", labels=labels("ledger", "Down"), source="prom", starts_at=now
        )
        await place.daemon.inbox.put([worse])
        await place.until(lambda: incidents[first].severity == "critical")
        await place.until(lambda: any(channel == "#incidents" for channel, _ in Talk.room.cards))
        assert (await Talk.say(f"resolve {first}")).ok
        second = await trouble(place, "disk", "warehouse", "reports", severity="warning")
        await place.until(lambda: ("#quiet", second) in {(at[0], key) for at, key in Talk.room.keys.items()}, 10.0)
        assert not any(key.startswith("digest/") for key in Talk.room.keys.values())


@in_a_loop
async def test_decisions_go_on_whatever_becomes_of_showing_them() -> None:
    async with talking() as place:

        def broken(_incidents: Any, _runs: Any) -> None:
            raise ValueError("a bug")

        place.daemon.loop.told = broken
        name = await trouble(place)
        assert (await Talk.say(f"ack {name}")).ok
        assert status(place, name) == "acknowledged"


class Slow(Talk):
    """Takes its time to answer at first, and to be given up."""

    first: ClassVar[bool] = True
    giving_up: ClassVar[int] = 0

    async def show(self, card: Card, channel: str, placed: Placed | None, key: str, *, again: bool = False) -> Placed:
        if Slow.first:
            Slow.first = False
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.2)
                Slow.giving_up += 1
                raise
        return await super().show(card, channel, placed, key, again=again)


@in_a_loop
async def test_another_connector_is_told_of_news_however_long_the_former_takes_to_end() -> None:
    Talk.room, Slow.first, Slow.giving_up = Room(time.monotonic), True, 0
    before, after = config(), config()
    chat = replace(before.settings.sources[1], options={"other": "x"})
    after = Loaded(
        replace(after.settings, sources=(*after.settings.sources[:1], chat, *after.settings.sources[2:])), BOOK
    )
    async with running(
        before, restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
        kinds={**KINDS, "talk": Slow, "duty": Duty}, clock=Clock(speed=SPEED),
    ) as place:  # fmt: skip
        name = await trouble(place)
        await place.until(lambda: not Slow.first)
        place.daemon._load = lambda: after
        assert await place.daemon.reloader.reload()
        await place.until(lambda: Slow.giving_up and name in Talk.room.keys.values() and Talk.heard)
        await place.until(lambda: all(row.state == "placed" for row in place.store.shown()))
        await asyncio.sleep(0.2)
        await Talk.say(f"ack {name}")
        await place.until(lambda: card_of(name).status == "acknowledged", 8.0)


@in_a_loop
async def test_a_question_that_goes_to_a_route_is_also_shown_where_its_incident_is() -> None:
    asks = Step(id="ask", do="approve", place=Place(file="p.yaml", line=1), with_={"channel": "on-call"})
    book = rulebook(
        routes=(Route(name="on-call", action="worker.do", params={"text": "${text}"}),),
        playbooks=(playbook("careful", steps=(asks,), on=("opened",)),),
    )
    async with talking(conf=Loaded(config().settings, book)) as place:
        await trouble(place)
        await place.until(lambda: any(key.startswith("R-") for key in Talk.room.keys.values()))
        assert {channel for (channel, _), key in Talk.room.keys.items() if key.startswith("R-")} == {"#incidents"}
