"""A playbook that acts on a cluster, Argo CD and a script, on the real core and ledger; taken back to what was."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.argocd_server import ArgoServer
from connectors.cluster_server import Cluster
from connectors.wire import served
from daemon.parts import TOKEN, Running, running, token
from quell.config import Loaded, load
from quell.daemon.serve import restored
from quell.model.incident import Incident
from quell.model.run import Run
from quell.sdk.registry import load_connectors, specs

SOURCES = """
store: "memory://"
allow_addresses: [loopback]
sources:
  kubernetes: {{use: kubernetes, url: "{cluster}", namespace: shop, token: env:SECRET}}
  argo_rollouts: {{use: argo_rollouts, url: "{rollouts}", namespace: shop, token: env:SECRET}}
  argocd: {{use: argocd, url: "{argocd}", token: env:SECRET}}
  ops:
    use: script
    directory: "{scripts}"
    user: {user}
    scripts: {{put: {{repeat: state, before: get, undo: put-back, dry_run: true}}, get: {{effect: read}},
              put-back: {{repeat: state}}}}
"""
PLAYBOOK = """
playbook: calm
version: 1
when: {by_hand: true}
mode: enforce
guards: {limit: {runs: 9, per: 1h}}
steps:
  - {id: abort, do: argo_rollouts.abort, with: {name: checkout}, undo: true}
  - {id: scale, do: kubernetes.scale, with: {name: checkout, replicas: 6, at_least: 4}, undo: true}
  - {id: back, do: kubernetes.undo_rollout, with: {name: checkout, to: v8, bad: v9}, undo: true}
  - {id: pod, do: kubernetes.isolate_pod, with: {pod: checkout-59c7d6f8b-ccccc, service: checkout}, undo: true}
  - {id: pause, do: kubernetes.pause, with: {name: web}, undo: true}
  - {id: argo, do: argocd.rollback, with: {app: checkout, to: "6"}, undo: true}
  - {id: put, do: ops.ensure, with: {script: put, args: [new]}, undo: true}
  - {id: look, do: kubernetes.rollout_status, with: {name: checkout}}
  - {id: fail, do: kubernetes.undo_rollout, with: {name: argo}, on_failure: undo}
"""


class World:
    """Two clusters, an Argo CD and a file, as they were before."""

    def __init__(self, scripts: Path) -> None:
        self.cluster, self.rollouts, self.argocd = Cluster(), Cluster("argo_rollouts_cluster.json"), ArgoServer()
        self.scripts, self.file = scripts, scripts / "value"
        self.file.write_text("old")
        self.file.chmod(0o666)
        bodies = {
            "get": f"""printf '{{"already": false, "value": "%s"}}' "$(cat {self.file})" """,
            "put": f'[ "$1" = --dry-run ] && echo "the value would be $2" && exit; printf %s "$1" >{self.file}',
            "put-back": f"printf old >{self.file}",
        }
        for name, body in bodies.items():
            (scripts / name).write_text(f"#!/bin/sh\n{body}\n")
            (scripts / name).chmod(0o755)

    def shown(self) -> dict[str, Any]:
        apps, core = "/apis/apps/v1/namespaces/shop/deployments", "/api/v1/namespaces/shop/pods"
        found = self.cluster.objects
        rollout = self.rollouts.objects["/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/checkout"]
        template = found[f"{apps}/checkout"]["spec"]["template"]["spec"]
        return {
            "images": [one["image"] for one in template["containers"]],
            "replicas": found[f"{apps}/checkout"]["spec"]["replicas"],
            "paused": bool(found[f"{apps}/web"]["spec"].get("paused")),
            "labels": dict(found[f"{core}/checkout-59c7d6f8b-ccccc"]["metadata"]["labels"]),
            "aborted": bool(rollout["status"].get("abort")),
            "auto_sync": self.argocd.app["spec"]["syncPolicy"].get("automated"),
            "value": self.file.read_text(),
        }

    def writes(self) -> int:
        asked = [*self.cluster.written(), *self.rollouts.written(), *self.argocd.written()]
        return sum("dryRun=All" not in path for _, path, _ in asked)


@pytest.fixture
def scripts() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="quell-scripts-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def told(
    tmp_path: Path, scripts: Path, work: Callable[[World, Callable[..., Awaitable[Run]]], Awaitable[None]]
) -> None:
    async def inner() -> None:
        world = World(scripts)
        async with (
            served(world.cluster) as cluster,
            served(world.rollouts) as rollouts,
            served(world.argocd) as argocd,
        ):
            (tmp_path / "playbooks").mkdir()
            user = "nobody" if os.geteuid() == 0 else '""'
            places = {"cluster": cluster, "rollouts": rollouts, "argocd": argocd, "scripts": scripts, "user": user}
            (tmp_path / "quell.yaml").write_text(SOURCES.format(**places))
            (tmp_path / "playbooks" / "calm.yaml").write_text(PLAYBOOK)
            read = load(tmp_path, specs(), {"SECRET": "t0ken-abc"})
            settings = msgspec.structs.replace(read.settings, tokens=(token(TOKEN, "ana", "admin"),))
            core: Any = restored(read.rulebook, None)
            core.decide([], time.time())
            core.state.incidents["I1"] = Incident(id="I1", title="t", status="open", opened_at=1.0, updated_at=1.0)
            config = Loaded(settings, read.rulebook)
            async with running(config, restore=lambda *_: core, kinds=load_connectors()) as quell:
                await work(world, begun(quell, core))

    asyncio.run(inner())


def begun(quell: Running, core: Any) -> Callable[..., Awaitable[Run]]:
    async def run(**how: Any) -> Run:
        status, answer = await quell.api("POST", "/playbooks/calm/run", {"incident": "I1", **how})
        assert status == 200, answer
        number = answer["runs"][0]["id"]
        await quell.until(lambda: core.state.runs[number].over)
        found: Run = core.state.runs[number]
        return found

    return run


def test_everything_is_as_it_was_after_an_undo(tmp_path: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell_connectors.argocd.connector._CHECK_S", 0.01)

    async def work(world: World, run: Callable[..., Awaitable[Run]]) -> None:
        before = world.shown()
        ran = await run()
        said = {step.id: (step.state, step.sentence or step.error) for step in ran.steps}
        assert ran.state == "undone", said
        assert 'is owned by Argo CD "checkout-app"' in said["fail"][1]
        assert world.shown() == before
        # Six done and undone; a rollback turns auto-sync off first.
        assert world.writes() == 6 * 2 + 1, [*world.cluster.written(), *world.argocd.written()]

    told(tmp_path, scripts, work)


def test_what_people_had_done_before_stays(tmp_path: Path, scripts: Path) -> None:
    async def work(world: World, run: Callable[..., Awaitable[Run]]) -> None:
        objects = world.cluster.objects
        objects["/apis/apps/v1/namespaces/shop/deployments/web"]["spec"]["paused"] = True
        objects["/apis/apps/v1/namespaces/shop/deployments/checkout"]["spec"]["replicas"] = 6
        rollout = world.rollouts.objects["/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/checkout"]
        rollout["status"]["abort"] = True
        newest = {**world.argocd.app["status"]["history"][1], "id": 8}
        world.argocd.app["status"]["history"].append(newest)
        world.argocd.app["status"]["operationState"]["operation"]["sync"]["revision"] = newest["revision"]
        before = world.shown()
        ran = await run()
        said = {step.id: step.sentence for step in ran.steps}
        assert ran.state == "undone", {step.id: step.error for step in ran.steps}
        assert all("left as it is" in said[one] for one in ("pause", "scale", "abort", "argo"))
        assert world.shown() == before

    told(tmp_path, scripts, work)


def test_a_dry_run_says_what_would_be(tmp_path: Path, scripts: Path) -> None:
    async def work(world: World, run: Callable[..., Awaitable[Run]]) -> None:
        before = world.shown()
        ran = await run(dry=True)
        said = {step.id: step.sentence for step in ran.steps}
        assert said["abort"] == "rollout shop/checkout would be aborted; requests go to the stable version"
        assert said["scale"] == "deployment shop/checkout would be set to 6 replicas; it had 3"
        assert "would run the template of revision 3 (checkout:v8) again" in said["back"]
        assert said["argo"].endswith("instead of 9999999 (history 7); auto-sync would be off")
        assert said["put"] == "the value would be new"
        assert (world.shown(), world.writes()) == (before, 0)

    told(tmp_path, scripts, work)
