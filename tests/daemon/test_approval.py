"""A person's word on a run or an incident, with the real core: who may say it, and what is answered when it is late."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from msgspec.structs import replace

from daemon.parts import TOKEN, Worker, loaded, running, source, token
from quell.config import Loaded
from quell.daemon.serve import restored
from quell.model.incident import Incident
from quell.model.playbook import Place, Playbook, Step
from quell.model.rulebook import Rulebook

EVE = "qll_eve_00000000000000000000"
SRE = "qll_sre_11111111111111111111"
PLACE = Place(file="p.yaml", line=1)
ASKS = Playbook(
    name="p",
    place=PLACE,
    on=(),
    mode="enforce",
    steps=(
        Step(id="ask", do="approve", place=PLACE, with_={"who": ["role:sre"]}),
        Step(id="do", do="w.do", place=PLACE, with_={"text": "it"}),
    ),
)


def config() -> Loaded:
    tokens = (
        token(TOKEN, "ana", "admin"),
        token(EVE, "eve", "read", "approve"),
        token(SRE, "sam", "read", "approve", roles=("role:sre",)),
    )
    return Loaded(loaded(source("w", "worker"), tokens=tokens).settings, Rulebook(version="1", playbooks=(ASKS,)))


def core_with_an_incident() -> Any:
    """A core that has begun and knows the incident I1, without alerts that would have to go on."""
    core = restored(config().rulebook, None)
    core.decide([], time.time())
    core.state.incidents["I1"] = Incident(id="I1", title="t", status="open", opened_at=1.0, updated_at=1.0)
    return core


def test_who_may_approve_and_what_is_too_late() -> None:
    async def story() -> None:
        core = core_with_an_incident()
        async with running(config(), restore=lambda *_: core) as quell:
            status, told = await quell.api("POST", "/playbooks/p/run", {"incident": "I1"})
            assert status == 200
            run = told["runs"][0]["id"]
            assert told["runs"][0]["state"] == "waiting"
            mark = {"mark": told["runs"][0]["approval"]["bound_to"][:4]}
            assert await quell.api("POST", "/playbooks/p/run", {"incident": "I1"}) == (
                409, {"error": f"run {run} is waiting for the same"},
            )  # fmt: skip
            assert await quell.api("POST", f"/runs/{run}/approve", mark, by=EVE) == (
                409, {"error": "eve is none of role:sre"},
            )  # fmt: skip
            status, told = await quell.api("POST", f"/runs/{run}/approve", mark, by=SRE)
            assert status == 200
            assert told["run"]["steps"][0]["sentence"] == "approved by sam"
            await quell.until(lambda: core.state.runs[run].over)
            assert len(Worker.calls) == 1
            for verb in ("approve", "reject", "stop"):
                assert await quell.api("POST", f"/runs/{run}/{verb}", {}) == (409, {"error": f"run {run} is done"})

    asyncio.run(story())


def test_a_yes_to_a_version_that_is_no_more_is_refused() -> None:
    async def story() -> None:
        core = core_with_an_incident()
        async with running(config(), restore=lambda *_: core) as quell:
            run = (await quell.api("POST", "/playbooks/p/run", {"incident": "I1"}))[1]["runs"][0]
            assert run["approval"]["incident_version"] == 1
            known = core.state.incidents["I1"]
            core.state.incidents["I1"] = replace(known, material_version=2, severity="critical")
            place, mark = f"/runs/{run['id']}/approve", run["approval"]["bound_to"][:4]
            assert await quell.api("POST", place, {"mark": mark, "version": 1}, by=SRE) == (
                409, {"error": "incident I1 is at version 2, sam has read version 1; look at it again"},
            )  # fmt: skip
            status, told = await quell.api("POST", place, {"mark": mark, "version": 2}, by=SRE)
            assert status == 409
            assert told["error"].startswith("incident I1 was at version 1 then, it is at 2; it asks again")
            new = core.state.runs[run["id"]].approval
            assert new is not None
            assert await quell.api("POST", place, {"mark": mark, "version": 2}, by=SRE) == (
                409,
                {"error": f"what run {run['id']} asks for is marked {new.mark} by now, not {mark}; look at it again"},
            )
            status, told = await quell.api("POST", place, {"mark": new.mark, "version": 2}, by=SRE)
            assert (status, told["run"]["steps"][0]["sentence"]) == (200, "approved by sam")
            assert (await quell.api("POST", place, {"version": 0}, by=SRE))[0] == 422

    asyncio.run(story())


def test_a_run_that_waits_for_nobody_says_so() -> None:
    async def story() -> None:
        never_ending = asyncio.Event()
        Worker.script = lambda _call: never_ending.wait()
        core = core_with_an_incident()
        async with running(config(), restore=lambda *_: core) as quell:
            told = (await quell.api("POST", "/playbooks/p/run", {"incident": "I1"}))[1]["runs"][0]
            run, mark = told["id"], told["approval"]["bound_to"]
            assert (await quell.api("POST", f"/runs/{run}/approve", {"mark": mark}))[0] == 200
            for verb in ("approve", "reject"):
                assert await quell.api("POST", f"/runs/{run}/{verb}", {}) == (
                    409, {"error": f"run {run} is running and waits for nobody's approval"},
                )  # fmt: skip
            never_ending.set()

    asyncio.run(story())


def test_a_second_acknowledgement_says_who_was_first() -> None:
    async def story() -> None:
        core = core_with_an_incident()
        async with running(config(), restore=lambda *_: core) as quell:
            assert (await quell.api("POST", "/incidents/I1/ack", {}))[0] == 200
            assert await quell.api("POST", "/incidents/I1/ack", {}) == (
                409, {"error": "incident I1 is already acknowledged by ana"},
            )  # fmt: skip
            assert (await quell.api("POST", "/incidents/I1/reopen", {}))[0] == 409
            assert (await quell.api("POST", "/incidents/I1/resolve", {}))[0] == 200
            assert (await quell.api("POST", "/incidents/I1/resolve", {}))[0] == 409
            assert (await quell.api("POST", "/incidents/I1/reopen", {}))[0] == 200

    asyncio.run(story())


def test_a_yes_in_text_names_what_was_read() -> None:
    async def story() -> None:
        core = core_with_an_incident()
        async with running(config(), restore=lambda *_: core) as quell:
            run = (await quell.api("POST", "/playbooks/p/run", {"incident": "I1"}))[1]["runs"][0]
            place, mark = f"/runs/{run['id']}/approve", run["approval"]["bound_to"][:4]
            assert await quell.api("POST", place, {}, by=SRE) == (
                409, {"error": f"say what you have read: the mark beside it, which quell runs {run['id']} shows"},
            )  # fmt: skip
            other = "0000" if mark != "0000" else "1111"
            status, told = await quell.api("POST", place, {"mark": other}, by=SRE)
            assert (status, told["error"].endswith(f"not {other}; look at it again")) == (409, True)
            assert (await quell.api("POST", place, {"mark": "a1"}, by=SRE))[0] == 422
            assert core.state.runs[run["id"]].state == "waiting"
            said = await quell.api("POST", "/say", {"text": f"approve {run['id']}"}, by=SRE)
            assert f"Not done: say that you have read it: approve {run['id']} {mark}" in str(said)
            said = await quell.api("POST", "/say", {"text": f"approve {run['id']} {other}"}, by=SRE)
            assert "look at it again" in str(said)
            assert core.state.runs[run["id"]].state == "waiting"
            said = await quell.api("POST", "/say", {"text": f"approve {run['id']} {mark}"}, by=SRE)
            assert "sam said yes" in str(said)
            await quell.until(lambda: core.state.runs[run["id"]].over)

    asyncio.run(story())
