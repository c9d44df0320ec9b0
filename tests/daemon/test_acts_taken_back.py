"""A playbook on the real core, ledger and connectors: what was done is taken back to what was read before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from connectors.pretend_airflow import PASSWORD, USER, PretendAirflow
from connectors.pretend_flags import TOKEN as FLAGS_TOKEN
from connectors.pretend_flags import PretendLaunchDarkly
from connectors.pretend_mlflow import PretendMLflow
from connectors.wire import served
from daemon.parts import TOKEN, Running, running, token
from quell.config import Loaded, load
from quell.daemon.serve import restored
from quell.model.incident import Incident
from quell.model.run import Run
from quell.sdk.registry import load_connectors, specs

SOURCES = """
allow_addresses: [loopback]
sources:
  airflow: {{use: airflow, url: "{airflow}", user: {user}, password: env:AIRFLOW}}
  mlflow: {{use: mlflow, url: "{mlflow}"}}
  flags: {{use: launchdarkly, url: "{flags}", token: env:FLAGS, project: shop, environment: production}}
"""
PLAYBOOK = """
playbook: hold
version: 1
when: {by_hand: true}
mode: enforce
guards: {limit: {runs: 9, per: 1h}}
steps:
  - {id: off, do: flags.flag_off, with: {flag: new_checkout}, undo: true}
  - {id: pause, do: airflow.pause, with: {dag: churn_train, stop_runs: true}, undo: true}
  - {id: mark, do: mlflow.tag, with: {model: churn, tags: {quell.hold: INC-1}}, undo: true}
  - {id: back, do: mlflow.rollback_alias, with: {model: churn, alias: champion}, undo: true}
  - {id: point, do: mlflow.set_alias, with: {model: churn, alias: fallback, version: "3"}, undo: true}
  - {id: fail, do: mlflow.set_alias, with: {model: churn, alias: canary, version: "9"}, on_failure: undo}
"""


class World:
    """An Airflow, a registry of models and a flag, as they were before."""

    def __init__(self) -> None:
        self.airflow, self.mlflow, self.flags = PretendAirflow(), PretendMLflow(), PretendLaunchDarkly()
        self.airflow.paused["churn_train"] = False
        versions = {str(number): {"tags": {}, "status": "READY"} for number in (1, 2, 3)}
        self.mlflow.models["churn"] = {"versions": versions, "aliases": {"champion": "3"}, "tags": {"owner": "ana"}}

    def shown(self) -> dict[str, Any]:
        model = self.mlflow.models["churn"]
        tags = {key: value for key, value in model["tags"].items() if not key.startswith("quell.rollback")}
        return {"paused": self.airflow.paused["churn_train"], "on": self.flags.on,
                "aliases": dict(model["aliases"]), "tags": tags}  # fmt: skip

    def writes(self) -> int:
        everyone = (self.airflow, self.mlflow, self.flags)
        return sum(one.method != "GET" and one.path != "/auth/token" for world in everyone for one in world.requests)


def told(tmp_path: Path, work: Callable[[World, Running, Callable[..., Awaitable[Run]]], Awaitable[None]]) -> None:
    async def inner() -> None:
        world = World()
        async with served(world.airflow) as airflow, served(world.mlflow) as mlflow, served(world.flags) as flags:
            (tmp_path / "playbooks").mkdir()
            (tmp_path / "quell.yaml").write_text(SOURCES.format(airflow=airflow, mlflow=mlflow, flags=flags, user=USER))
            (tmp_path / "playbooks" / "hold.yaml").write_text(PLAYBOOK)
            read = load(tmp_path, specs(), {"AIRFLOW": PASSWORD, "FLAGS": FLAGS_TOKEN})
            settings = msgspec.structs.replace(read.settings, tokens=(token(TOKEN, "ana", "admin"),))
            core: Any = restored(read.rulebook, None)
            core.decide([], time.time())
            core.state.incidents["I1"] = Incident(id="I1", title="t", status="open", opened_at=1.0, updated_at=1.0)
            config = Loaded(settings, read.rulebook)
            async with running(config, restore=lambda *_: core, kinds=load_connectors()) as quell:

                async def run(**how: Any) -> Run:
                    status, answer = await quell.api("POST", "/playbooks/hold/run", {"incident": "I1", **how})
                    assert status == 200, answer
                    number = answer["runs"][0]["id"]
                    await quell.until(lambda: core.state.runs[number].over)
                    found: Run = core.state.runs[number]
                    return found

                await work(world, quell, run)

    asyncio.run(inner())


def test_everything_is_as_it_was_after_an_undo(tmp_path: Path) -> None:
    async def work(world: World, quell: Running, run: Callable[..., Awaitable[Run]]) -> None:
        before = world.shown()
        ran = await run()
        said = {step.id: (step.state, step.sentence or step.error) for step in ran.steps}
        assert ran.state == "undone", said
        assert said["fail"][0] == "failed"
        assert "answered 404: Model Version (name=churn, version=9) not found" in said["fail"][1]
        assert world.shown() == before
        assert world.writes() == 11  # off, pause, mark, mark of rollback, back, point, and five undone

    told(tmp_path, work)


def test_what_people_had_done_before_stays(tmp_path: Path) -> None:
    async def work(world: World, quell: Running, run: Callable[..., Awaitable[Run]]) -> None:
        world.airflow.paused["churn_train"] = True
        world.airflow.runs["churn_train"] = {"r": {"dag_run_id": "r", "state": "running"}}
        world.flags.on = False
        world.mlflow.models["churn"]["aliases"]["fallback"] = "3"
        world.mlflow.models["churn"]["tags"]["quell.hold"] = "INC-1"
        before = world.shown()
        ran = await run()
        said = {step.id: step.sentence for step in ran.steps}
        assert ran.state == "undone", said
        assert "already" in said["off"]
        assert world.shown() == before
        assert world.airflow.runs["churn_train"]["r"]["state"] == "failed"

    told(tmp_path, work)


def test_a_dry_run_reads_and_writes_nothing(tmp_path: Path) -> None:
    async def work(world: World, quell: Running, run: Callable[..., Awaitable[Run]]) -> None:
        before = world.shown()
        ran = await run(dry=True)
        said = {step.id: step.sentence for step in ran.steps}
        assert said["pause"] == "DAG churn_train would be paused; it is scheduled now"
        assert said["back"] == "alias champion of model churn would point to version 2; it points to version 3 now"
        assert said["off"] == "flag new_checkout of project shop in production would be off; it is on now"
        assert (world.shown(), world.writes()) == (before, 0)

    told(tmp_path, work)
