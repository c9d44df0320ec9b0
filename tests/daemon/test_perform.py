"""Acts: every answer a connector can give, and what a restart makes of those that have none."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.parts import KINDS, Running, SmallCore, Worker, loaded, running, source
from quell.config import Loaded
from quell.config.settings import Acts
from quell.daemon.answers import MOST_OUTPUT_BYTES, NOTE, bounded, fit, fit_text
from quell.daemon.clock import Clock
from quell.daemon.logs import Masker, set_up
from quell.daemon.serve import restored
from quell.errors import BadPayload, Denied, NoAnswer, Refused, Unreachable
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.playbook import Place, Playbook, Step
from quell.model.records import AlertRecord, CommandRecord
from quell.model.rulebook import Rulebook
from quell.model.run import Run, StepRun
from quell.sdk.connector import Call, Done, Pending
from quell.store.memory import MemoryStore
from quell.store.port import Turn


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def wanting(action: str = "w.do", **labels: str) -> AlertRecord:
    return AlertRecord(
        at=1.0, seen=1.0, source="t", status="firing", labels={"alertname": "a", "act": action, "key": "1", **labels}
    )


async def told(quell: Running, record: AlertRecord) -> str:
    await quell.daemon.inbox.put([record])
    await quell.until(lambda: quell.core.told("run/1"))
    return quell.core.told("run/1")


async def never(_call: Call) -> Done:
    await asyncio.sleep(60)
    return Done("too late")


ANSWERS: dict[str, tuple[Any, dict[str, str], str]] = {
    "done": (lambda call: Done("it is so"), {}, "done  it is so"),
    "unreachable": (lambda call: Unreachable("no route"), {}, "failed unreachable no route"),
    "no answer came": (lambda call: NoAnswer("cut off"), {}, "failed unreachable cut off"),
    "no answer came to what must not be repeated": (
        lambda call: NoAnswer("cut off"),
        {"repeat": "never"},
        "failed timeout cut off",
    ),
    "refused": (lambda call: Refused("not you"), {}, "failed refused not you"),
    "unreadable": (lambda call: BadPayload("what?"), {}, "failed refused what?"),
    "a bug": (lambda call: ZeroDivisionError("oops"), {}, "failed bug a bug in the connector: ZeroDivisionError: oops"),
    "no answer": (lambda call: None, {}, "failed bug a bug in the connector: Misbehaved: act returned"),
    "output nobody can keep": (lambda call: Done("x", {"a": object()}), {}, "failed bug a bug in the connector"),
    "a number nobody can keep": (lambda call: Done("x", {"a": 1 << 70}), {}, "failed bug a bug in the connector"),
    "too late": (never, {"timeout": "0.05"}, "failed timeout w.do did not finish within 0.05 s"),
    "pending for ever": (lambda call: Pending(0.01), {"timeout": "0.2"}, "failed timeout"),
    "a wrong parameter": (lambda call: Done("x"), {"count": "many"}, 'failed refused parameter "count"'),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_every_answer_reaches_the_core(what: str) -> None:
    script, labels, expected = ANSWERS[what]

    async def story() -> None:
        Worker.script = script
        async with running(loaded(source("w", "worker"))) as quell:
            assert (await told(quell, wanting(**labels))).startswith(expected)
            assert quell.daemon.metrics.text().count(b"quell_ledger_results_total{") == 1

    go(story())


def test_the_wait_that_the_other_side_wants_is_handed_on() -> None:
    async def story() -> None:
        Worker.script = lambda call: Unreachable("busy", 7.0)
        async with running(loaded(source("w", "worker"))) as quell:
            await told(quell, wanting())
            (entry,) = quell.store.ledger()
            assert entry.result is not None
            assert entry.result.retry_after_s == 7.0

    go(story())


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("nobody.do", 'failed refused no source "nobody" is configured'),
        ("w.dance", 'failed refused unknown action "w.dance"; connector "worker" has: w.do'),
        ("in.do", 'failed refused unknown action "in.do"; connector "feed" has: none'),
    ],
)
def test_an_action_nobody_has_is_refused(action: str, text: str) -> None:
    async def story() -> None:
        async with running(loaded(source("w", "worker"), source("in", "feed"))) as quell:
            assert (await told(quell, wanting(action))).startswith(text)
        assert Worker.calls == []

    go(story())


class Told:
    """Acts as the worker does, and is never pulled: how it is doing only acts can say."""

    spec = Worker.spec

    def __init__(self, _options: Any, _context: Any) -> None:
        self.act = Worker.act.__get__(self)


def test_a_source_that_does_not_take_who_asks_is_broken_until_it_does() -> None:
    async def story() -> None:
        Worker.script = lambda call: Denied("the token was revoked; give another")
        async with running(loaded(source("w", "told")), kinds={**KINDS, "told": Told}) as quell:
            assert await told(quell, wanting()) == "failed refused the token was revoked; give another"
            used = quell.daemon.sources.get("w")
            assert used is not None
            assert (used.health.state, used.health.error) == ("broken", "the token was revoked; give another")
            Worker.script = lambda call: Done("so it is")
            await quell.daemon.inbox.put([wanting(key="2")])
            await quell.until(lambda: used.health.state == "ok")

    go(story())


def test_a_page_to_who_does_not_take_who_asks_is_not_refused_for_good() -> None:
    async def story() -> None:
        Worker.script = lambda call: Denied("the token was revoked; give another")
        store = MemoryStore()
        deed = Perform(
            at=1.0,
            key="page/i/1/ops",
            token="page/i/1/ops",
            action="w.do",
            params={"text": "x"},
            effect="tell",
            repeat="keyed",
            lane="i/ops",
        )
        store.commit(Turn(seq=0, intents=[deed]))
        async with running(loaded(source("w", "told")), kinds={**KINDS, "told": Told}, store=store) as quell:
            await quell.until(lambda: quell.core.told(deed.key))
            assert quell.core.told(deed.key) == "failed denied the token was revoked; give another"

    go(story())


def test_pending_is_asked_again_with_the_same_key() -> None:
    async def story() -> None:
        Worker.script = lambda call: Pending(0.01) if len(Worker.calls) < 3 else Done("at last")
        async with running(loaded(source("w", "worker"))) as quell:
            assert await told(quell, wanting()) == "done  at last"
        assert [call.key for call in Worker.calls] == ["run/1"] * 3

    go(story())


def test_a_dry_run_says_so_and_a_connector_s_name_will_do() -> None:
    async def story() -> None:
        async with running(loaded(source("w", "worker"))) as quell:
            assert (await told(quell, wanting("worker.do", dry="yes"))).startswith("done")
        assert Worker.calls[0].dry_run

    go(story())


def test_what_is_due_later_is_done_later_and_only_so_many_at_once() -> None:
    async def story() -> None:
        running_now, most = 0, 0

        async def slow(_call: Call) -> Done:
            nonlocal running_now, most
            running_now += 1
            most = max(most, running_now)
            await asyncio.sleep(0.02)
            running_now -= 1
            return Done("done")

        Worker.script = slow
        limits = [source(name, "worker", acts=Acts(at_once=16)) for name in ("w", "v")]
        async with running(loaded(*limits)) as quell:
            records = [
                AlertRecord(
                    at=1.0, source="t", status="firing", labels={"n": str(n), "act": f"{'wv'[n % 2]}.do", "key": str(n)}
                )
                for n in range(40)
            ]
            late = AlertRecord(at=1.0, source="t", status="firing", labels={"act": "w.do", "key": "late", "due": "0.3"})
            began = asyncio.get_running_loop().time()
            await quell.daemon.inbox.put([*records, late])
            await quell.until(lambda: quell.core.told("run/late"))
            assert asyncio.get_running_loop().time() - began >= 0.3
            assert len(Worker.calls) == 41
            assert most == 16

    go(story())


LEFT = {
    # state before, what the action declares → calls after the restart, what the core hears
    "never tried": (False, "never", 1, "done"),
    "tried, sets a state": (True, "state", 1, "done"),
    "tried, keyed": (True, "keyed", 1, "done"),
    "tried, looks for its mark": (True, "lookup", 1, "done"),
    "tried, must not be repeated": (True, "never", 0, "in_doubt"),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_killed_process_left_is_taken_up(what: str) -> None:
    tried, repeat, calls, outcome = LEFT[what]

    async def story() -> None:
        store = MemoryStore()
        deed = Perform(
            at=1.0, key="run/1", action="w.do", params={"text": "x"}, effect="change", repeat=repeat  # type: ignore[arg-type]
        )  # fmt: skip
        store.commit(Turn(seq=0, intents=[deed]))
        if tried:
            store.begin_act("run/1")
        async with running(loaded(source("w", "worker")), store=store) as quell:
            await quell.until(lambda: quell.core.told("run/1"))
            assert quell.core.told("run/1").startswith(outcome)
        assert len(Worker.calls) == calls
        assert all(call.again == tried for call in Worker.calls)
        assert store.unfinished() == []

    go(story())


@pytest.mark.parametrize(
    ("key", "token", "again"),
    [("r/s/1", "r/s", False), ("r/s/2", "r/s", True), ("page/i/1/ops", "page/i/1/ops", False), ("run/1", "", False)],
)
def test_a_later_attempt_says_that_there_was_an_earlier_one(key: str, token: str, again: bool) -> None:
    async def story() -> None:
        store = MemoryStore()
        deed = Perform(
            at=1.0, key=key, token=token, action="w.do", params={"text": "x"}, effect="tell", repeat="lookup"
        )
        store.commit(Turn(seq=0, intents=[deed]))
        async with running(loaded(source("w", "worker")), store=store) as quell:
            await quell.until(lambda: quell.core.told(key))
        assert [call.again for call in Worker.calls] == [again]

    go(story())


SUPERSEDED = {
    # the run as it is after the restart, whether the act was tried → what the ledger says of it
    "a later attempt": ("r/s/2", "acting", False, "failed"),
    "a later attempt, and it was tried": ("r/s/2", "acting", True, "in_doubt"),
    "given up": ("r/s/1", "failed", False, "failed"),
    "the run is over": ("r/s/1", "done", False, "failed"),
}


@pytest.mark.parametrize("what", SUPERSEDED)
def test_an_act_that_its_run_went_on_without_is_not_done(what: str) -> None:
    key, state, tried, told = SUPERSEDED[what]
    step = StepRun(id="s", do="w.do", state=state, key=key)  # type: ignore[arg-type]
    run = Run(
        id="r", playbook="p", incident="i", state="done" if state == "done" else "running", mode="enforce", why="",
        started_at=1.0, updated_at=1.0, steps=(step,),
    )  # fmt: skip

    async def story() -> None:
        store = MemoryStore()
        for attempt in ("r/s/1", "r/s/2")[: 2 if key == "r/s/2" else 1]:
            deed = Perform(
                at=1.0, key=attempt, token="r/s", run="r", action="w.do", params={}, effect="change", repeat="keyed"
            )  # fmt: skip
            store.commit(Turn(seq=0, intents=[deed]))
        if tried:
            store.begin_act("r/s/1")
        restored = SmallCore.restored(loaded().rulebook, None)
        restored.state.runs["r"] = run
        async with running(loaded(source("w", "worker")), store=store, restore=lambda *_: restored) as quell:
            await quell.until(lambda: not store.unfinished())
        entry = next(entry for entry in store.ledger() if entry.perform.key == "r/s/1")
        assert entry.state == told
        assert entry.result is not None
        assert entry.result.error.startswith("superseded: ")
        # A repeat is recognised by its token, which all attempts share.
        assert [call.key for call in Worker.calls] == ["r/s"] * (key == "r/s/2")

    go(story())


def test_time_passes_before_acts_are_taken_up() -> None:
    """What was due while quell was stopped is decided first: an act is repeated once, the next is begun once."""
    place = Place(file="p.yaml", line=1)
    act = Step(id="s", do="w.do", place=place, with_={"text": "it"}, timeout_s=10.0, repeat="state")
    ends = Step(id="t", do="w.do", place=place, with_={"text": "last"}, timeout_s=10.0)
    playbook = Playbook(name="p", place=place, on=(), mode="enforce", steps=(act, ends))
    config = Loaded(loaded(source("w", "worker")).settings, Rulebook(version="1", playbooks=(playbook,)))

    async def story() -> None:
        store, began = MemoryStore(), time.time() - 600.0
        core = restored(config.rulebook, None)
        core.decide([], began)
        core.state.incidents["I1"] = Incident(id="I1", title="t", status="open", opened_at=began, updated_at=began)
        asked = CommandRecord(at=began, verb="run", target="p", by="ana", args={"incident": "I1"})
        decided = core.decide([asked], began)
        (deed,) = [each for each in decided if isinstance(each, Perform)]
        store.commit(Turn(seq=0, intents=[deed]))
        store.begin_act(deed.key)
        async with running(config, store=store, restore=lambda *_: core) as quell:
            await quell.until(lambda: core.state.runs[deed.run].over)
            assert core.state.runs[deed.run].state == "done"
        # The second attempt at the first act was overdue too; the third is known to be the same by its token.
        assert [call.key for call in Worker.calls] == [f"{deed.run}/s", f"{deed.run}/t"]
        told = {entry.perform.key.removeprefix(deed.run): entry.state for entry in store.ledger()}
        assert told == {"/s/1": "in_doubt", "/s/2": "failed", "/s/3": "done", "/t/1": "done"}

    go(story())


def test_on_a_fast_clock_the_time_limit_is_over_sooner() -> None:
    async def story() -> None:
        Worker.script = never
        async with running(loaded(source("w", "worker")), clock=Clock(speed=100.0)) as quell:
            assert (await told(quell, wanting(timeout="10"))).startswith("failed timeout w.do did not finish within 10")

    go(story())


def test_what_is_being_done_at_the_end_is_waited_for_and_kept() -> None:
    async def story() -> None:
        async def slow(_call: Call) -> Done:
            await asyncio.sleep(0.3)
            return Done("made it")

        Worker.script = slow
        store = MemoryStore()
        async with running(loaded(source("w", "worker")), store=store) as quell:
            await quell.daemon.inbox.put([wanting()])
            await quell.until(lambda: Worker.calls)
        assert [(entry.state, entry.result and entry.result.sentence) for entry in store.ledger()] == [
            ("done", "made it")
        ]
        assert quell.core.told("run/1") == "done  made it"

    go(story())


def alerts_for(name: str, count: int, **labels: str) -> list[AlertRecord]:
    return [
        AlertRecord(
            at=1.0,
            source="t",
            status="firing",
            labels={"n": str(n), "act": f"{name}.do", "key": f"{name}{n}", **labels},
        )
        for n in range(count)
    ]


def test_one_slow_target_does_not_take_the_places_of_the_others() -> None:
    async def story() -> None:
        let_go = asyncio.Event()

        async def stuck(call: Call) -> Done:
            if call.params["text"] == "slow":
                await let_go.wait()
            return Done("done")

        Worker.script = stuck
        async with running(loaded(source("slow", "worker", acts=Acts(at_once=2)), source("quick", "worker"))) as quell:
            await quell.daemon.inbox.put(alerts_for("slow", 30, text="slow"))
            await quell.until(lambda: len(Worker.calls) == 2)
            await quell.daemon.inbox.put(alerts_for("quick", 20))
            await quell.until(lambda: all(quell.core.told(f"run/quick{n}") for n in range(20)))
            assert len([call for call in Worker.calls if call.params["text"] == "slow"]) == 2
            let_go.set()
            await quell.until(lambda: all(quell.core.told(f"run/slow{n}") for n in range(30)))

    go(story())


def test_what_was_not_begun_before_a_pause_is_held_until_it_is_over() -> None:
    """An act in the queue of its source sends no request once everything is paused; what is under way is awaited."""
    place = Place(file="p.yaml", line=1)
    act = Step(id="s", do="w.do", place=place, with_={"text": "${incident.id}"}, timeout_s=60.0, repeat="never")
    playbook = Playbook(name="p", place=place, on=(), mode="enforce", steps=(act,))
    worker = source("w", "worker", acts=Acts(at_once=1))
    config = Loaded(loaded(worker).settings, Rulebook(version="1", playbooks=(playbook,)))

    async def story() -> None:
        let_go = asyncio.Event()

        async def slow(call: Call) -> Done:
            await let_go.wait()
            return Done(f"did {call.params['text']}")

        Worker.script = slow
        core, began = restored(config.rulebook, None), time.time()
        core.decide([], began)
        for name in ("I1", "I2"):
            core.state.incidents[name] = Incident(id=name, title="t", status="open", opened_at=began, updated_at=began)

        def said(name: str) -> tuple[str, str, int]:
            run = next(run for run in core.state.runs.values() if run.incident == name)
            return run.state, run.steps[0].sentence, run.steps[0].tries

        async with running(config, restore=lambda *_: core) as quell:
            for name in ("I1", "I2"):
                asked = CommandRecord(at=time.time(), verb="run", target="p", by="ana", args={"incident": name})
                await quell.daemon.inbox.put([asked])
                await quell.until(lambda name=name: any(run.incident == name for run in core.state.runs.values()))
            await quell.until(lambda: len(Worker.calls) == 1 and len(quell.store.unfinished()) == 2)
            await quell.daemon.inbox.put([CommandRecord(at=time.time(), verb="pause", target="", by="bo")])
            await quell.until(lambda: core.state.paused_by == "bo")
            let_go.set()
            await quell.until(lambda: said("I1")[0] == "done" and not quell.store.unfinished())
            await quell.until(lambda: said("I2")[0] == "waiting")
            assert said("I1") == ("done", "did I1", 1)
            assert said("I2") == ("waiting", "held back: bo paused all playbooks", 0)
            assert [call.params["text"] for call in Worker.calls] == ["I1"]
            held = next(each for each in quell.store.ledger() if each.result is not None and each.result.failure)
            assert held.result is not None
            assert (held.result.failure, held.result.error) == ("held", "not begun: bo paused all playbooks")
            await quell.daemon.inbox.put([CommandRecord(at=time.time(), verb="unpause", target="", by="bo")])
            await quell.until(lambda: said("I2")[0] == "done")
            assert said("I2") == ("done", "did I2", 1)
            assert [call.params["text"] for call in Worker.calls] == ["I1", "I2"]

    go(story())


def test_no_more_acts_a_minute_than_a_source_is_to_do() -> None:
    async def story() -> None:
        Worker.script = lambda call: Done("done")
        async with running(loaded(source("w", "worker", acts=Acts(per_minute=3)))) as quell:
            await quell.daemon.inbox.put(alerts_for("w", 5, timeout="0.2"))
            await quell.until(lambda: all(quell.core.told(f"run/w{n}") for n in range(5)))
            told = sorted(quell.core.told(f"run/w{n}") for n in range(5))
            assert told[:3] == ["done  done"] * 3
            assert all(
                "unreachable not tried: its source does 3 acts a minute; in 60 s again" in each for each in told[3:]
            )
            assert len(Worker.calls) == 3
            waits = [entry.result.retry_after_s for entry in quell.store.ledger() if entry.result is not None]
            assert [wait is not None and 55.0 < wait <= 60.0 for wait in waits].count(True) == 2
            assert {entry.tries for entry in quell.store.ledger()} == {0, 1}

    go(story())


SECRET = "pa/ss wörd+&="
WAYS = (str, lambda secret: quote(secret, safe=""), quote_plus, lambda secret: json.dumps(secret)[1:-1])


@st.composite
def hiding(draw: st.DrawFn) -> Any:
    """JSON with the secret, in one of the ways it may be written, at some places."""
    words = st.text(st.characters(codec="utf-8"), max_size=8)
    way = draw(st.sampled_from(WAYS))
    with_secret = st.tuples(words, words).map(lambda ends: ends[0] + way(SECRET) + ends[1])
    leaves = st.one_of(words, with_secret, st.integers(-9, 9), st.booleans(), st.none())
    tree = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | with_secret, inner, max_size=4)
    )
    return draw(st.dictionaries(words, tree, max_size=4)), draw(with_secret)


@given(hiding())
def test_a_secret_is_in_nothing_that_is_kept_of_an_answer(answer: tuple[dict[str, Any], str]) -> None:
    masker = Masker()
    masker.know([SECRET])
    output, text = answer
    kept = msgspec.json.encode([fit(output, masker), fit_text(text, masker)]).decode()
    for way in WAYS:
        assert way(SECRET) not in kept
        assert json.dumps(way(SECRET))[1:-1] not in kept


def test_a_secret_that_a_target_repeats_is_told_to_nobody() -> None:
    async def story() -> None:
        answers = iter([Done(f"it said {SECRET}", {"it": [SECRET]}), Refused(f"no {SECRET}"), ValueError(SECRET)])
        Worker.script = lambda call: next(answers)
        store, log = MemoryStore(), io.StringIO()
        async with running(loaded(source("w", "worker")), store=store) as quell:
            set_up(quell.daemon.masker, out=log)
            quell.daemon.masker.know([SECRET])
            for name in ("1", "2", "3"):
                await told_of(quell, name)
            shown = [(await quell.api("GET", path))[1] for path in ("/ledger", "/audit", "/status", "/runs")]
        kept = msgspec.json.encode([store.ledger(), store.audit(), list(store.groups_after(0)), shown]).decode()
        assert "it said ***" in kept
        assert SECRET not in kept + log.getvalue()
        assert json.dumps(SECRET)[1:-1] not in kept

    go(story())


async def told_of(quell: Running, key: str) -> None:
    await quell.daemon.inbox.put([
        AlertRecord(at=1.0, source="t", status="firing", labels={"n": key, "act": "w.do", "key": key})
    ])  # fmt: skip
    await quell.until(lambda: quell.core.told(f"run/{key}"))


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.recursive(
            st.integers(0, 50_000).map(lambda length: "x" * length),
            lambda inner: st.lists(inner, max_size=3) | st.lists(st.just("y" * 30), min_size=3000, max_size=6000),
            max_leaves=6,
        ),
        max_size=5,
    )
)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_an_output_is_kept_whole_or_says_that_it_was_cut(output: dict[str, Any]) -> None:
    kept = bounded(output)
    size = len(msgspec.json.encode(output))
    assert len(msgspec.json.encode(kept)) <= MOST_OUTPUT_BYTES
    assert (kept == output) == (size <= MOST_OUTPUT_BYTES)
    if size > MOST_OUTPUT_BYTES:
        assert kept[NOTE] == f"the output had {size} bytes; at most 64000 are kept"
        assert set(kept) - {NOTE} <= set(output)


def test_what_is_small_stays_when_something_else_is_too_large() -> None:
    kept = bounded({"ticket": "OPS-1", "log": ["line " * 50] * 4000, "raw": "x" * 1_000_000})
    assert kept["ticket"] == "OPS-1"
    assert kept["raw"].endswith("…")
    assert kept["log"][0].startswith("line ")
    many = bounded({f"key{n}": n for n in range(20_000)})
    assert len(many) > 3_000
    assert NOTE in many
