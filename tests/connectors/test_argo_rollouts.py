from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.cluster_server import Cluster
from connectors.serving import Act, serve
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.secret import Secret
from quell_connectors.argo_rollouts import ArgoRollouts

ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/checkout"


def at_the_cluster(work: Any, **options: Any) -> Cluster:
    cluster = Cluster("argo_rollouts_cluster.json")
    for name, value in options.items():
        setattr(cluster, name, value)

    async def inner(act: Act) -> None:
        await work(cluster, act)

    serve(ArgoRollouts, cluster, inner, token=Secret("t0ken-abc"), namespace="shop")
    return cluster


def test_an_update_is_aborted_by_the_patch_of_the_plugin_and_retried() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        assert (await act("abort_state", name="checkout")).output["already"] is False
        dry = await act("abort", name="checkout", dry_run=True)
        assert dry.sentence == "rollout shop/checkout would be aborted; requests go to the stable version"
        version = cluster.objects[ROLLOUT]["metadata"]["resourceVersion"]
        assert (await act("abort", name="checkout")).output["before"]["step"] == 1
        method, path, body = cluster.written()[-1]
        assert (method, path) == ("PATCH", f"{ROLLOUT}/status?fieldManager=quell")
        assert json.loads(body) == {"metadata": {"resourceVersion": version}, "status": {"abort": True}}
        assert cluster.headers[-1]["Content-Type"] == "application/merge-patch+json"
        again = await act("abort", name="checkout")
        assert again.sentence == "rollout shop/checkout is aborted already; left as it is"
        assert (await act("abort_state", name="checkout")).output["already"] is True
        assert (await act("retry_state", name="checkout")).output["already"] is False
        assert (await act("retry", name="checkout")).output["changed"]
        assert (await act("retry", name="checkout")).sentence.endswith("is not aborted already; left as it is")
        assert cluster.objects[ROLLOUT]["status"]["abort"] is False

    at_the_cluster(work)


def test_an_undo_leaves_a_later_update_alone() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        before = await act("abort_state", name="checkout")
        images = before.output["images"]
        await act("abort", name="checkout", images=images)
        # Somebody deploys again, and aborts that: it is not ours to begin anew, nor to abort or promote.
        cluster.objects[ROLLOUT]["spec"]["template"]["spec"]["containers"][0]["image"] = "checkout:v10"
        for action in ("retry", "abort", "promote_full"):
            done = await act(action, name="checkout", images=images)
            assert done.output["changed"] is False
            assert "is to run checkout:v10 by now, not " in done.sentence
        assert cluster.objects[ROLLOUT]["status"]["abort"] is True

    at_the_cluster(work)


def test_what_is_not_updated_cannot_be_aborted() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        with pytest.raises(Refused, match="rollout shop/healthy is not being updated: there is nothing to abort"):
            await act("abort", name="healthy")
        assert (await act("promote_full", name="healthy")).output["changed"] is False
        assert not cluster.written()
        with pytest.raises(Refused, match='no action "explode"'):
            await act("explode")

    at_the_cluster(work)


@pytest.mark.parametrize("fault", ["lost", "cut"])
def test_a_repeat_after_a_lost_answer_has_one_effect(fault: str) -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        for action, params, path, value in (
            ("pause", {}, ("spec", "paused"), True),
            ("resume", {}, ("spec", "paused"), False),
            ("promote", {"step": 1}, ("status", "pauseConditions"), None),
            ("to_step", {"step": 2}, ("status", "currentStepIndex"), 2),
            ("lower", {"weight": 20}, ("status", "currentStepIndex"), 0),
            ("abort", {}, ("status", "abort"), True),
        ):
            cluster.faults = [None, fault]
            with pytest.raises(NoAnswer):
                await act(action, name="checkout", **params)
            repeated = await act(action, name="checkout", **params)
            assert repeated.output["changed"] is (fault == "cut"), action
            assert cluster.objects[ROLLOUT][path[0]].get(path[1]) == value
        assert len(cluster.written()) == (12 if fault == "cut" else 6)

    at_the_cluster(work)


def test_a_promotion_is_for_the_step_it_was_meant_for() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        assert (await act("promote", name="checkout", step=0)).output["changed"] is False
        assert (await act("promote", name="checkout", step=1)).sentence.endswith("is promoted to its next step")
        # The controller goes on and waits at another step: a repeat of the first leaves it alone.
        status = cluster.objects[ROLLOUT]["status"]
        status |= {"currentStepIndex": 3, "pauseConditions": [{"reason": "CanaryPauseStep"}]}
        assert (await act("promote", name="checkout", step=1)).output["changed"] is False
        assert (await act("promote_full", name="checkout")).sentence.endswith("is promoted to its end")
        assert (await act("promote_full", name="checkout")).output["changed"] is False
        await act("abort", name="checkout")
        with pytest.raises(Refused, match="is aborted; retry it first"):
            await act("promote", name="checkout", step=3)

    at_the_cluster(work)


def test_a_canary_is_lowered_by_steps_and_put_forward_again() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        status = cluster.objects[ROLLOUT]["status"]
        with pytest.raises(Refused, match="has no step of 10% or less behind it: abort it"):
            await act("lower", name="checkout", weight=10)
        status |= {"currentStepIndex": 3, "pauseConditions": [{"reason": "CanaryPauseStep"}]}
        before = await act("lower_state", name="checkout", weight=20)
        assert [before.output[name] for name in ("already", "step", "asked", "below")] == [False, 3, 60, 20]
        dry = await act("lower", name="checkout", weight=20, dry_run=True)
        assert dry.sentence == "rollout shop/checkout would be put back to a step of 20% or less"
        assert (await act("lower", name="checkout", weight=20, images=before.output["images"])).output["changed"]
        method, path, body = cluster.written()[-1]
        assert (method, path) == ("PATCH", f"{ROLLOUT}/status?fieldManager=quell")
        assert json.loads(body)["status"] == {"currentStepIndex": 0, "pauseConditions": None}
        now = (await act("status", name="checkout")).output
        assert [now[name] for name in ("step", "asked", "below", "setting", "waiting")] == [0, 20, -1, True, False]
        assert (await act("lower_state", name="checkout", weight=20)).output["already"] is True
        again = await act("lower", name="checkout", weight=20)
        assert again.sentence == "rollout shop/checkout is at 20% or less already; left as it is"
        # The undo takes it to where it was, once, and leaves one alone that has gone further by itself.
        back = {"name": "checkout", "step": before.output["step"], "images": before.output["images"]}
        assert (await act("to_step", **back)).sentence == "rollout shop/checkout is at step 3 again"
        assert cluster.objects[ROLLOUT]["status"]["currentStepIndex"] == 3
        assert (await act("to_step", **back)).output["changed"] is False
        cluster.objects[ROLLOUT]["status"]["currentStepIndex"] = 4
        assert (await act("to_step", **back)).output["changed"] is False
        assert (await act("status", name="checkout")).output["asked"] == 100

    at_the_cluster(work)


def test_what_is_held_aborted_or_over_is_not_lowered() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        found = cluster.objects[ROLLOUT]
        found["status"]["currentStepIndex"] = 3
        found["spec"]["paused"] = True
        with pytest.raises(Refused, match="is paused, and its controller sets no weight while it is"):
            await act("lower", name="checkout", weight=20)
        found["spec"]["paused"] = False
        found["status"]["abort"] = True
        with pytest.raises(Refused, match="is no canary on its way: there is nothing to lower"):
            await act("lower", name="checkout", weight=20)
        assert (await act("to_step", name="checkout", step=4)).output["changed"] is False
        with pytest.raises(Refused, match="rollout shop/healthy is no canary on its way"):
            await act("lower", name="healthy", weight=20)
        found["status"]["abort"] = False
        found["spec"]["strategy"] = {"blueGreen": {}}
        with pytest.raises(Refused, match="is no canary on its way"):
            await act("lower", name="checkout", weight=20)
        assert not cluster.written()

    at_the_cluster(work)


def test_another_update_than_the_one_that_was_seen_is_neither_held_nor_let_go() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        seen = (await act("status", name="checkout")).output["images"]
        for action in ("pause", "resume"):
            cluster.objects[ROLLOUT]["spec"]["paused"] = action == "resume"
            assert (await act(action, name="checkout", images=["other:v1"])).output["changed"] is False
            assert not cluster.written()
        assert (await act("resume", name="checkout", images=seen)).output["changed"] is True

    at_the_cluster(work)


def test_a_cluster_without_a_status_subresource_is_patched_as_a_whole() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        await act("abort", name="checkout")
        assert [path.partition("?")[0] for _, path, _ in cluster.written()] == [f"{ROLLOUT}/status", ROLLOUT]
        with pytest.raises(Refused, match='answered 404: rollouts "none" not found'):
            await act("abort", name="none")

    cluster = at_the_cluster(work, no_status=True)
    assert cluster.objects[ROLLOUT]["status"]["abort"] is True


def test_reads_say_how_far_an_update_is() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        done = await act("status", name="checkout")
        assert done.sentence == "rollout shop/checkout is Paused at step 1 of 4 (CanaryPauseStep)"
        assert done.output == {
            "phase": "Paused", "message": "CanaryPauseStep", "aborted": False, "paused": False, "waiting": True,
            "updating": True, "step": 1, "steps": 4, "weight": 20, "asked": 20, "below": -1,
            "setting": False, "images": ["registry.example/shop/checkout:v9"],
            "done": False, "failed": False,
        }  # fmt: skip
        healthy = await act("status", name="healthy")
        assert (healthy.sentence, healthy.output["done"]) == ("rollout shop/healthy is Healthy", True)

    at_the_cluster(work)


@pytest.mark.parametrize(("status", "kind"), [(403, Refused), (409, Unreachable), (429, Unreachable), (500, NoAnswer)])
def test_errors_say_what_the_api_said(status: int, kind: type[Exception]) -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.faults = [None, status] * 5
        with pytest.raises(kind, match=f"answered {status}: |changed by others 5 times"):
            await act("abort", name="checkout")
        assert "abort" not in cluster.objects[ROLLOUT]["status"]

    at_the_cluster(work)


def test_missing_rights_show_up_in_a_dry_run() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        with pytest.raises(Refused, match='rollouts "checkout" is forbidden'):
            await act("abort", name="checkout", dry_run=True)

    at_the_cluster(work, forbidden={("PATCH", "rollouts/status")})
