"""Schedules and the daemon: what came while nobody was there comes once, late, or not at all."""

from __future__ import annotations

import asyncio

import msgspec

from daemon.parts import loaded, running
from quell.core.engine import Engine
from quell.daemon.clock import Clock
from quell.model.decision import AlertChanged
from quell.model.detect import Absence, DetectRule
from quell.model.playbook import Place, Playbook, Schedule, Step
from quell.model.records import SampleRecord
from quell.model.rulebook import Rulebook
from quell.store.memory import MemoryStore

PLACE = Place(file="playbooks/p.yaml", line=1)
STEP = Step(id="ask", do="approve", place=PLACE, with_={"who": ["role:sre"]}, effect="tell", repeat="state")
T0 = 1_700_000_000.0


def restored(rulebook: Rulebook, data: bytes | None) -> Engine:
    return Engine(rulebook) if data is None else Engine.restored(rulebook, data)


def test_what_the_clock_missed_while_the_daemon_was_down_comes_once() -> None:
    playbook = Playbook(name="p", place=PLACE, on=(), schedule=Schedule(every_s=600.0), mode="enforce", steps=(STEP,))
    plain = loaded()
    config = msgspec.structs.replace(plain.settings, snapshot_every_s=3600.0)
    rules = Rulebook(version="1", playbooks=(playbook,))
    whole = type(plain)(config, rules)

    async def scenario() -> None:
        store, clock = MemoryStore(), Clock(start=T0)
        async with running(whole, store=store, restore=restored, clock=clock) as first:
            await first.post("/in/in", {"alerts": [{"alertname": "a"}]})
            await first.settled()
            assert first.daemon.loop.decider.state.runs == {}
        for hours in (7.0, 7.01):
            later = Clock(start=T0 + hours * 3600.0)
            async with running(whole, store=store, restore=restored, clock=later) as second:
                await second.settled()
                runs = list(second.daemon.loop.decider.state.runs.values())
                assert len(runs) == 1
                assert runs[0].why.startswith("every 10m: ")
                assert runs[0].started_at - T0 >= 7 * 3600.0
                assert runs[0].why.endswith(" late")
                audits = [entry.audit for entry in store.audit(50)]
                assert [one.what for one in audits].count("missed") == 1

    asyncio.run(scenario())


def test_people_begin_and_release_runs_by_the_api() -> None:
    by_hand = Playbook(name="drill", place=PLACE, on=(), by_hand=True, mode="enforce", steps=(STEP,))
    about = Playbook(name="about", place=PLACE, mode="enforce", steps=(STEP,))
    plain = loaded()
    whole = type(plain)(plain.settings, Rulebook(version="1", playbooks=(by_hand, about)))

    async def scenario() -> None:
        async with running(whole, restore=restored, clock=Clock(start=T0)) as quell:
            status, answer = await quell.api("POST", "/playbooks/drill/run", {})
            assert (status, answer["runs"][0]["state"]) == (200, "waiting")
            name = answer["runs"][0]["id"]
            status, answer = await quell.api("POST", f"/runs/{name}/release", {"note": "x"})
            assert (status, answer["error"]) == (409, f"run {name} is waiting, only a stuck run keeps its locks")
            status, answer = await quell.api("POST", "/playbooks/about/run", {})
            assert (status, answer["error"]) == (409, "playbook about runs for an incident; name one")
            status, answer = await quell.api("GET", "/runs?playbook=drill")
            assert [one["id"] for one in answer["runs"]] == [name]
            assert (await quell.api("GET", "/runs?playbook=about"))[1]["runs"] == []

    asyncio.run(scenario())


def test_silence_while_the_daemon_was_down_is_nobodys_absence() -> None:
    absent = DetectRule(name="dead", metric="m", when=Absence(after_s=300.0, give_up_s=7 * 86_400.0))
    plain = loaded()
    whole = type(plain)(plain.settings, Rulebook(version="1", detect=(absent,)))

    async def scenario() -> None:
        store = MemoryStore()
        async with running(whole, store=store, restore=restored, clock=Clock(start=T0)) as first:
            now = max(first.daemon.loop.decider.state.now, T0)
            first.daemon.loop.decider.decide([SampleRecord(at=now, entity="service/a", metric="m", value=1.0)], now)
        later = Clock(start=T0 + 7 * 3600.0)
        async with running(whole, store=store, restore=restored, clock=later) as second:
            await second.settled()
            state = second.daemon.loop.decider.state
            assert state.detecting.watches["dead"]
            assert state.detecting.began["dead"] >= T0 + 7 * 3600.0
            assert state.alerts == {}
            out = second.daemon.loop.decider.decide([], state.now + 600.0)
            assert [one.alert.labels["alertname"] for one in out if isinstance(one, AlertChanged)][:1] == ["dead"]

    asyncio.run(scenario())
