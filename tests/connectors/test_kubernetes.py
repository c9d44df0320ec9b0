from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.cluster_server import REVISION, Cluster
from connectors.deliveries import golden
from connectors.serving import KEY, Act, serve
from quell.errors import BadPayload, Denied, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context
from quell.sdk.http import Answer
from quell.sdk.identity import Identity
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.kubernetes import Kubernetes

APPS = "/apis/apps/v1/namespaces/shop"
CORE = "/api/v1/namespaces/shop"
CHECKOUT = f"{APPS}/deployments/checkout"
HERE: dict[str, Any] = {"token": Secret("t0ken-abc"), "namespace": "shop"}


def at_the_cluster(work: Any, cluster: Cluster | None = None) -> Cluster:
    cluster = cluster or Cluster()

    async def inner(act: Act) -> None:
        await work(cluster, act)

    serve(Kubernetes, cluster, inner, **HERE)
    return cluster


def images(cluster: Cluster, path: str = CHECKOUT) -> list[str]:
    return [one["image"].rpartition("/")[2] for one in cluster.objects[path]["spec"]["template"]["spec"]["containers"]]


def test_a_rollout_goes_back_to_the_revision_before() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        done = await act("undo_rollout", name="checkout")
        assert done.sentence == (
            "deployment shop/checkout runs the template of revision 3 (checkout:v8) again, "
            "instead of revision 4 (checkout:v9, proxy:1)"
        )
        assert done.output["changed"]
        assert done.output["replica_set"] == "checkout-7b8c9d4f5"
        assert images(cluster) == ["checkout:v8"]
        found = cluster.objects[CHECKOUT]
        assert "pod-template-hash" not in found["spec"]["template"]["metadata"]["labels"]
        assert found["metadata"]["annotations"] == {
            REVISION: "5",
            "kubernetes.io/change-cause": "deploy v8",
            "kubectl.kubernetes.io/last-applied-configuration": "{}\n",
            "quell.dev/undo-rollout": KEY,
        }
        [(_, path, _)] = cluster.written()
        assert path == f"{CHECKOUT}?fieldManager=quell"
        assert cluster.headers[-1]["Content-Type"] == "application/json-patch+json"
        assert cluster.headers[-1]["Authorization"] == "Bearer t0ken-abc"

    at_the_cluster(work)


@pytest.mark.parametrize(
    ("to", "image"),
    [("2", "v7"), ("v7", "v7"), ("checkout-6d5f4b7c9", "v7"), ("registry.example/shop/checkout:v8", "v8"), ("3", "v8")],
)
def test_a_rollout_goes_back_to_what_is_named(to: str, image: str) -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        await act("undo_rollout", name="checkout", to=to)
        assert images(cluster) == [f"checkout:{image}"]

    at_the_cluster(work)


@pytest.mark.parametrize("recorded", golden("kubectl_patches.json"), ids=lambda one: one["command"])
def test_what_is_left_is_what_kubectl_would_have_left(recorded: dict[str, Any]) -> None:
    """The patches were recorded from kubectl 1.32 against this very API."""

    async def theirs(cluster: Cluster, act: Act) -> None:
        for path, media, patch in recorded["patches"]:
            cluster.patch(path, media, patch)

    async def ours(cluster: Cluster, act: Act) -> None:
        for action, params in recorded["ours"]:
            await act(action, **params)

    left, wanted = bare(at_the_cluster(ours)), bare(at_the_cluster(theirs))
    assert left == wanted
    assert left != bare(Cluster())


def bare(cluster: Cluster) -> Any:
    """All objects without what differs by nature: versions, our marks, times."""
    objects = json.loads(json.dumps(cluster.objects))
    for found in objects.values():
        del found["metadata"]["resourceVersion"]
        for metadata in (found["metadata"], found.get("spec", {}).get("template", {}).get("metadata", {})):
            annotations = metadata.get("annotations", {})
            for name in ("quell.dev/undo-rollout", "quell.dev/restart"):
                annotations.pop(name, None)
            if "kubectl.kubernetes.io/restartedAt" in annotations:
                annotations["kubectl.kubernetes.io/restartedAt"] = "a time"
    return objects


def test_a_lost_answer_and_a_repeat_go_back_once() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.faults = [None, None, "lost"]
        with pytest.raises(NoAnswer, match=r"closed the connection|broke the connection"):
            await act("undo_rollout", name="checkout")
        assert images(cluster) == ["checkout:v8"]
        again = await act("undo_rollout", name="checkout")
        assert again.sentence.endswith("again; this was done before")
        assert again.output["changed"] is False
        assert images(cluster) == ["checkout:v8"]
        assert len(cluster.written()) == 1

    at_the_cluster(work)


def test_a_cut_connection_changes_nothing_and_the_repeat_does() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.faults = [None, None, "cut"]
        with pytest.raises(NoAnswer):
            await act("undo_rollout", name="checkout")
        assert images(cluster) == ["checkout:v9", "proxy:1"]
        assert (await act("undo_rollout", name="checkout")).output["changed"]

    at_the_cluster(work)


def test_what_is_not_bad_is_left_as_it_is() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        done = await act("undo_rollout", name="checkout", bad="v8")
        assert done.sentence == (
            'deployment shop/checkout runs revision 4 (checkout:v9, proxy:1), not "v8"; left as it is'
        )
        for bad in ("v9", "4", "checkout-59c7d6f8b"):
            assert (await act("undo_rollout", name="checkout", bad=bad, dry_run=True)).output["changed"]
        done = await act("undo_rollout", name="checkout", to="v9")
        assert done.sentence.endswith("already; left as it is")
        assert all("dryRun=All" in path for _, path, _ in cluster.written())
        assert images(cluster) == ["checkout:v9", "proxy:1"]

    at_the_cluster(work)


def test_an_undo_goes_to_what_was_while_what_came_after_still_runs() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        before = await act("undo_rollout_state", name="checkout")
        assert before.output["already"] is False
        await act("undo_rollout", name="checkout")
        back = {name: before.output[name] for name in ("to", "bad")}
        await act("undo_rollout", call_key="R-1/s/undo", name="checkout", **back)
        assert images(cluster) == ["checkout:v9", "proxy:1"]
        assert cluster.objects[CHECKOUT]["metadata"]["annotations"][REVISION] == "6"
        # A person has deployed since: an undo of the undo has nothing to take back.
        kept = await act("undo_rollout", call_key="R-2/s/undo", name="checkout", **back)
        assert kept.sentence.endswith("left as it is")
        state = await act("undo_rollout_state", name="checkout", to="v9")
        assert state.output["already"] is True

    at_the_cluster(work)


def test_others_who_change_the_object_meanwhile_are_not_overwritten() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        turns = [3]

        def meddle() -> None:
            if turns[0]:
                turns[0] -= 1
                cluster.objects[CHECKOUT]["metadata"]["labels"]["touched"] = str(turns[0])
                cluster.touch(CHECKOUT)

        cluster.meddle = meddle
        assert (await act("undo_rollout", name="checkout")).output["changed"]
        assert cluster.objects[CHECKOUT]["metadata"]["labels"]["touched"] == "0"
        assert len(cluster.written()) == 4
        turns[0] = 99
        with pytest.raises(Unreachable, match="was changed by others 5 times meanwhile; nothing was done"):
            await act("pause", name="checkout")

    at_the_cluster(work)


def test_a_new_template_that_no_replica_set_has_yet_is_waited_for() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.objects[CHECKOUT]["spec"]["template"]["spec"]["containers"][0]["image"] = "checkout:v10"
        with pytest.raises(Unreachable, match="has no ReplicaSet of its present template yet"):
            await act("undo_rollout", name="checkout")

    at_the_cluster(work)


def test_what_cannot_go_back_says_why() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        with pytest.raises(Refused, match=r'has no revision "v3"; it has revision 4 .*revision 2 \(checkout:v7\)'):
            await act("undo_rollout", name="checkout", to="v3")
        await act("pause", name="checkout")
        with pytest.raises(Refused, match="is paused; resume it first"):
            await act("undo_rollout", name="checkout")
        with pytest.raises(Refused, match="is paused; resume it first"):
            await act("restart", name="checkout")
        for name in ("checkout-6d5f4b7c9", "checkout-7b8c9d4f5"):
            del cluster.objects[f"{APPS}/replicasets/{name}"]
        with pytest.raises(Refused, match="has no earlier revision"):
            await act("undo_rollout", name="checkout")
        with pytest.raises(Refused, match=r'"\.\./\.\./x" is no name of a deployment'):
            await act("undo_rollout", name="../../x")
        with pytest.raises(Refused, match='no action "explode"'):
            await act("explode")

    at_the_cluster(work)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("argo", 'Argo CD "checkout-app", which would set it back; use argocd.rollback'),
        ("instance", 'Argo CD "old-app", which would set it back; use argocd.rollback'),
        ("flux", r'Flux \(Kustomization\) "apps", which would set it back; change it in git'),
        ("fluxhelm", r'Flux \(HelmRelease\) "shop-release", which would set it back; change it in git'),
        ("operated", "Shop main, which would set it back; change that"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_others_own_is_refused(name: str, owner: str, dry_run: bool) -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        for action, params in (
            ("undo_rollout", {}), ("pause", {}), ("scale", {"replicas": 5}), ("restart", {}),
            ("undo_rollout_state", {}), ("pause_state", {}), ("scale_state", {"replicas": 5}),
        ):  # fmt: skip
            with pytest.raises(Refused, match=f"deployment shop/{name} is owned by {owner}"):
                await act(action, name=name, dry_run=dry_run, **params)
        assert not cluster.written()

    at_the_cluster(work)


def test_pausing_and_resuming_are_states() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        assert (await act("pause_state", name="checkout")).output == {"already": False, "paused": False}
        assert (
            await act("pause", name="checkout", dry_run=True)
        ).sentence == "deployment shop/checkout would be paused"
        assert (await act("pause", name="checkout")).sentence == "deployment shop/checkout is paused"
        assert (await act("pause", name="checkout")).output == {"changed": False}
        assert (await act("pause_state", name="checkout")).output["already"] is True
        assert (await act("resume_state", name="checkout")).output["already"] is False
        cluster.faults = [None, "lost"]
        with pytest.raises(NoAnswer):
            await act("resume", name="checkout")
        assert (await act("resume", name="checkout")).sentence.endswith("is not paused already; left as it is")
        assert "paused" not in cluster.objects[CHECKOUT]["spec"]

    at_the_cluster(work)


def test_scaling_keeps_within_its_bounds_and_can_be_undone() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        before = await act("scale_state", name="checkout", replicas=6)
        assert before.output == {
            "already": False, "replicas": 3, "at_least": 3, "at_most": 3, "only_from": 6,
        }  # fmt: skip
        done = await act("scale", name="checkout", replicas=6, at_least=5)
        assert done.sentence == "deployment shop/checkout is set to 6 replicas; it had 3"
        assert cluster.written()[-1][1] == f"{CHECKOUT}/scale?fieldManager=quell"
        undone = await act("scale", name="checkout", **{**before.output, "already": None})
        assert undone.output == {"changed": True, "replicas": 3, "before": 6}
        assert (await act("scale", name="checkout", replicas=3)).output == {"changed": False, "replicas": 3}
        for replicas, why in ((0, "at_least: 1"), (51, "at_most: 50"), (-1, "at_least: 1")):
            with pytest.raises(Refused, match=f"replicas: {replicas} is not allowed by {why}; nothing was done"):
                await act("scale", name="checkout", replicas=replicas)
        await act("scale", name="db", kind="statefulset", replicas=1)
        assert cluster.objects[f"{APPS}/statefulsets/db"]["spec"]["replicas"] == 1
        with pytest.raises(Refused, match=r'is scaled by autoscaler "web" \(2 to 10\), which would set it back'):
            await act("scale", name="web", replicas=9)

    at_the_cluster(work)


def test_an_undo_leaves_the_number_that_somebody_has_set_since() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        before = await act("scale_state", name="checkout", replicas=6)
        await act("scale", name="checkout", replicas=6)
        cluster.objects[CHECKOUT]["spec"]["replicas"] = 20
        undone = await act("scale", name="checkout", **{**before.output, "already": None})
        assert undone.sentence == (
            "deployment shop/checkout has 20 replicas, not 6: somebody set them since; left as it is"
        )
        assert undone.output == {"changed": False, "replicas": 20}
        assert cluster.objects[CHECKOUT]["spec"]["replicas"] == 20

    at_the_cluster(work)


def test_a_text_that_is_a_number_of_one_revision_and_a_tag_of_another_is_refused() -> None:
    """Many number their images: "2" is then not revision 2, and a rollback there would deploy something very old."""

    async def work(cluster: Cluster, act: Act) -> None:
        numbered = cluster.objects[f"{APPS}/replicasets/checkout-7b8c9d4f5"]
        numbered["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/shop/checkout:2"
        for params in ({"to": "2"}, {"bad": "2"}):
            for action in ("undo_rollout", "undo_rollout_state"):
                with pytest.raises(Refused, match=r'"2" is revision 2 .* is also what revision 3 '):
                    await act(action, name="checkout", **params)
        assert cluster.written() == []

    at_the_cluster(work)


def test_a_restart_happens_once_per_step() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.faults = [None, "lost"]
        with pytest.raises(NoAnswer):
            await act("restart", name="checkout")
        again = await act("restart", name="checkout", now=NOW + 60)
        assert again.sentence == "deployment shop/checkout is being restarted; this was done before"
        stamp = cluster.objects[CHECKOUT]["spec"]["template"]["metadata"]["annotations"]
        assert stamp == {"kubectl.kubernetes.io/restartedAt": "2026-03-01T10:00:00+00:00"}
        assert (await act("restart", call_key="R-2/s/1", name="db", kind="statefulset")).output == {"changed": True}

    at_the_cluster(work)


def test_a_pod_is_taken_out_of_its_service_and_returned() -> None:
    pod = f"{CORE}/pods/checkout-59c7d6f8b-ccccc"
    which = {"pod": "checkout-59c7d6f8b-ccccc", "service": "checkout"}

    async def work(cluster: Cluster, act: Act) -> None:
        assert (await act("isolate_pod_state", **which)).output == {"already": False}
        dry = await act("isolate_pod", dry_run=True, **which)
        assert dry.sentence == (
            "pod shop/checkout-59c7d6f8b-ccccc would be out of service checkout by its label app; "
            "its ReplicaSet starts another"
        )
        assert (await act("isolate_pod", **which)).output["value"] == "checkout"
        assert cluster.objects[pod]["metadata"]["labels"]["app"] == "quell-isolated"
        assert (await act("isolate_pod", **which)).output == {"changed": False}
        assert (await act("isolate_pod_state", **which)).output == {"already": True}
        cluster.faults = [None, "lost"]
        with pytest.raises(NoAnswer):
            await act("return_pod", pod=which["pod"])
        assert (await act("return_pod", pod=which["pod"])).sentence.endswith("is not isolated; left as it is")
        assert cluster.objects[pod]["metadata"]["labels"]["app"] == "checkout"
        assert cluster.objects[pod]["metadata"]["annotations"] == {}
        assert (await act("return_pod_state", pod=which["pod"])).output == {"already": True}

    at_the_cluster(work)


def test_a_pod_stays_where_taking_it_out_would_harm_or_not_help() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        one = "checkout-59c7d6f8b-aaaaa"
        with pytest.raises(Refused, match="checkout would have 1 other ready pods; leave: 2 must remain"):
            await act("isolate_pod", pod=one, service="checkout", leave=2)
        with pytest.raises(Refused, match="is no endpoint of service shop/headless"):
            await act("isolate_pod", pod=one, service="headless")
        cluster.objects[f"{CORE}/pods/db-0"]["metadata"]["labels"]["tier"] = "web"
        with pytest.raises(Refused, match="belongs to a StatefulSet, not to a ReplicaSet"):
            await act("isolate_pod", pod="db-0", service="checkout")
        done = await act("isolate_pod", pod=one, service="tier")
        assert done.sentence.endswith("by its label tier; no other is started in its place")
        cluster.objects[f"{CORE}/pods/{one}"]["metadata"]["annotations"]["quell.dev/isolated"] = "[7]"
        with pytest.raises(Refused, match="which quell did not write"):
            await act("return_pod", pod=one)

    at_the_cluster(work)


def test_a_node_is_cordoned_and_opened() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        node = cluster.objects["/api/v1/nodes/worker-3"]
        assert (await act("cordon_state", node="worker-3")).output == {"already": False}
        assert (await act("cordon", node="worker-3")).sentence == "node worker-3 is cordoned"
        assert (await act("cordon", node="worker-3")).output == {"changed": False}
        assert (await act("uncordon_state", node="worker-3")).output == {"already": False}
        assert (await act("uncordon", node="worker-3")).sentence == "node worker-3 is open to new pods"
        assert "unschedulable" not in cluster.objects["/api/v1/nodes/worker-3"]["spec"]
        assert node["spec"]["podCIDR"]

    at_the_cluster(work)


ISVC = "/apis/serving.kserve.io/v1beta1/namespaces/shop/inferenceservices/fraud"


def inference(share: int | None = 20) -> dict[str, Any]:
    """As KServe 0.16 tells of a canary."""
    predictor = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/fraud/7"}}
    new, old = "fraud-predictor-00007", "fraud-predictor-00006"
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "fraud", "namespace": "shop"},
        "spec": {"predictor": predictor if share is None else {**predictor, "canaryTrafficPercent": share}},
        "status": {
            "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}],
            "components": {
                "predictor": {
                    "latestReadyRevision": new, "latestRolledoutRevision": old,
                    "traffic": [
                        {"latestRevision": True, "percent": 20, "revisionName": new},
                        {"latestRevision": False, "percent": 80, "revisionName": old, "tag": "prev"},
                    ],
                }
            },
        },
    }  # fmt: skip


def test_a_canary_of_kserve_is_stopped_and_begun_again() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.put(ISVC, inference())
        status = await act("kserve_status", name="fraud")
        assert status.output == {
            "ready": True, "canary": 20, "latest": "fraud-predictor-00007", "rolled_out": "fraud-predictor-00006",
            "shares": {"fraud-predictor-00007": 20, "fraud-predictor-00006": 80}, "latest_share": 20,
            "model": "s3://models/fraud/7",
        }  # fmt: skip
        assert status.sentence == (
            "inferenceservice shop/fraud is ready; requests: fraud-predictor-00006 80%, fraud-predictor-00007 20%"
        )
        before = await act("kserve_canary_state", name="fraud")
        assert before.output == {"already": False, "percent": 20, "only_from": 0}
        dry = await act("kserve_canary", name="fraud", dry_run=True)
        assert dry.sentence == "the canary of inferenceservice shop/fraud would get 0% of the requests; it got 20%"
        assert cluster.objects[ISVC]["spec"]["predictor"]["canaryTrafficPercent"] == 20
        cluster.faults = [None, "lost"]
        with pytest.raises(NoAnswer):
            await act("kserve_canary", name="fraud")
        assert (await act("kserve_canary", name="fraud")).sentence.endswith(
            "gets 0% of the requests already; left as it is"
        )
        assert cluster.objects[ISVC]["spec"]["predictor"]["model"]["storageUri"] == "s3://models/fraud/7"
        assert (await act("kserve_canary_state", name="fraud")).output["already"] is True
        undone = await act("kserve_canary", name="fraud", **{**before.output, "already": None})
        assert undone.output == {"changed": True, "percent": 20}

    at_the_cluster(work)


def test_a_canary_of_kserve_stays_where_stopping_it_would_be_wrong() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.put(ISVC, inference())
        before = await act("kserve_canary_state", name="fraud")
        await act("kserve_canary", name="fraud")
        cluster.put(ISVC, inference(50))
        undone = await act("kserve_canary", name="fraud", **{**before.output, "already": None})
        assert undone.sentence.endswith("gets 50%, not 0%: somebody set it since; left as it is")
        cluster.put(ISVC, inference(None))
        for action in ("kserve_canary", "kserve_canary_state"):
            with pytest.raises(Refused, match="shop/fraud has no canary under way"):
                await act(action, name="fraud")
        owned = inference()
        owned["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "models"}
        cluster.put(ISVC, owned)
        for action in ("kserve_canary", "kserve_canary_state"):
            with pytest.raises(Refused, match=r"owned by Flux \(Kustomization\)"):
                await act(action, name="fraud")
        with pytest.raises(Refused, match="percent: 101 is not between 0 and 100"):
            await act("kserve_canary", name="fraud", percent=101)

    at_the_cluster(work)


def test_reads_say_how_a_rollout_is() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        done = await act("rollout_status", name="checkout")
        assert done.sentence == "deployment shop/checkout: 2 of 3 new replicas are available"
        assert (done.output["done"], done.output["revision"]) == (False, "4")
        found = cluster.objects[CHECKOUT]
        for change, message, ready, failed in (
            ({"availableReplicas": 3}, "3 of 3 replicas are new and available", True, False),
            ({"updatedReplicas": 1}, "1 of 3 replicas are new", False, False),
            ({"updatedReplicas": 3, "replicas": 5}, "2 old replicas wait to end", False, False),
            (
                {"conditions": [{"reason": "ProgressDeadlineExceeded"}]},
                "the rollout has exceeded its deadline",
                False,
                True,
            ),
            ({"observedGeneration": 6}, "the newest template has not been taken up yet", False, False),
        ):
            found["status"] |= change
            output = (await act("rollout_status", name="checkout")).output
            assert (output["message"], output["done"], output["failed"]) == (message, ready, failed)
        history = await act("history", name="checkout")
        assert [one["revision"] for one in history.output["revisions"]] == [4, 3, 2]
        assert history.output["current"]["replica_set"] == "checkout-59c7d6f8b"

    at_the_cluster(work)


def test_a_diagnosis_is_bounded_and_shows_no_variables() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        seen = await act("describe", name="checkout")
        assert seen.sentence == "deployment shop/checkout: 4 pods, 1 not ready, 20 events"
        worst = seen.output["pods"][0]
        assert worst["containers"][0] == {
            "name": "app", "restarts": 7, "waiting": "CrashLoopBackOff",
            "message": "back-off 5m0s restarting failed container", "last_end": "OOMKilled", "last_code": 137,
        }  # fmt: skip
        assert seen.output["events"][0]["at"] == "2026-03-01T09:24:00Z"
        assert len(json.dumps(seen.output)) < 16_384
        assert "hunter2" not in json.dumps(seen.output)
        assert (await act("describe", name="argo")).output["owner"] == 'Argo CD "checkout-app"'
        assert (await act("describe", name="worker-3", kind="node")).output["conditions"][0]["reason"] == "KubeletReady"
        pod = await act("describe", name="checkout-59c7d6f8b-aaaaa", kind="pod")
        assert pod.output["pods"][0]["ready"] is True

        worst_pod, other = (f"{CORE}/pods/checkout-59c7d6f8b-{end}" for end in ("ccccc", "aaaaa"))
        cluster.logs = {worst_pod: "".join(f"line {n} {'y' * 200}\n" for n in range(200)), other: "fine\n"}
        logs = (await act("logs", name="checkout", lines=100)).output["pods"]
        assert [one["pod"][-5:] for one in logs] == ["ccccc", "aaaaa", "bbbbb"]
        assert logs[0]["text"].startswith("…")
        assert logs[0]["text"].endswith("y\n")
        assert len(logs[0]["text"].encode()) <= 8 * 1024 + 3
        assert logs[1] == {"pod": "checkout-59c7d6f8b-aaaaa", "text": "fine\n", "error": ""}
        assert "waiting to start" in logs[2]["error"]
        with pytest.raises(Refused, match="ImagePullBackOff"):
            await act("logs", name="db-0", kind="pod", container="x", previous=True)
        assert "previous=true" in cluster.requests[-1][1]
        assert "container=x" in cluster.requests[-1][1]

    at_the_cluster(work)


def test_missing_rights_show_up_in_a_dry_run() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.forbidden = {("PATCH", "deployments"), ("PATCH", "deployments/scale"), ("GET", "nodes")}
        said = (
            'answered 403: deployments "checkout" is forbidden: User "system:serviceaccount:quell:quell" cannot patch'
        )
        for action, params in (("undo_rollout", {}), ("pause", {}), ("restart", {}), ("scale", {"replicas": 4})):
            with pytest.raises(Refused, match=said):
                await act(action, name="checkout", dry_run=True, **params)
        with pytest.raises(Refused, match="cannot get resource"):
            await act("cordon", node="worker-3", dry_run=True)

    at_the_cluster(work)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Denied), (403, Refused), (404, Refused), (422, Refused), (429, Unreachable), (500, NoAnswer),
     (503, Unreachable), (504, NoAnswer)],
)  # fmt: skip
def test_errors_say_what_the_api_said(status: int, kind: type[Exception]) -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        for faults in ([status], [None, status]):
            cluster.faults = list(faults)
            with pytest.raises(
                kind, match=rf"Kubernetes \(.* deployment shop/checkout\) answered {status}: the "
            ) as caught:
                await act("pause", name="checkout")
            assert type(caught.value) is kind or status == 404
            assert getattr(caught.value, "retry_after_s", None) == (3.0 if status in (429, 503) else None)
        assert "paused" not in cluster.objects[CHECKOUT]["spec"]

    at_the_cluster(work)


def test_an_api_that_does_not_answer_in_time_is_no_answer() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        cluster.faults = ["slow"]
        with pytest.raises(NoAnswer, match=r"did not answer within 0\.2 s"):
            await act("pause", name="checkout", timeout_s=0.2)

    at_the_cluster(work)


def test_lists_are_read_page_by_page() -> None:
    async def work(cluster: Cluster, act: Act) -> None:
        template = cluster.objects[f"{CORE}/pods/checkout-59c7d6f8b-aaaaa"]
        for number in range(1200):
            name = f"many-{number:04}"
            cluster.put(f"{CORE}/pods/{name}", {**template, "metadata": {**template["metadata"], "name": name}})
        with pytest.raises(Refused, match="checkout would have 1202 other ready pods; leave: 5000 must remain"):
            await act("isolate_pod", pod="checkout-59c7d6f8b-ccccc", service="checkout", leave=5000)

    at_the_cluster(work)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"kind": "Status"}', b'{"metadata": {"name": 7}}'])
def test_an_answer_that_is_no_object_changes_nothing(body: bytes) -> None:
    http = FakeHttp(Answer(200, {}, body))
    built: Any = kubernetes(http)
    with pytest.raises(BadPayload):
        run(built.act(Call("k", "pause", {"name": "checkout"}, NOW)))
    assert [sent.method for sent in http.sent] == ["GET"]


def kubernetes(http: FakeHttp, **options: Any) -> Any:
    return Kubernetes(options, Context("k8s", http))


def test_in_the_cluster_the_service_account_is_used() -> None:
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    for options, expected in (
        ({}, Identity(ca_file=f"{account}/ca.crt", token_file=f"{account}/token")),
        ({"token": Secret("t")}, Identity(ca_file=f"{account}/ca.crt")),
        ({"url": "https://k8s.example", "ca_file": "/ca", "cert_file": "/c", "key_file": "/k"},
         Identity("/ca", "/c", "/k")),
        ({"url": "https://k8s.example", "token": Secret("t")}, None),
    ):  # fmt: skip
        http = FakeHttp(Answer(404, {}, b""))
        with pytest.raises(Refused):
            run(kubernetes(http, **options).act(Call("k", "pause", {"name": "a"}, NOW)))
        assert http.sent[0].identity == expected
    assert http.sent[0].url == "https://k8s.example/apis/apps/v1/namespaces/default/deployments/a"


async def everything(cluster: Cluster, act: Act) -> None:
    pod = {"pod": "checkout-59c7d6f8b-ccccc"}
    cluster.put(ISVC, inference())
    for action, params in (
        ("undo_rollout_state", {"name": "checkout"}), ("undo_rollout", {"name": "checkout"}),
        ("pause", {"name": "checkout"}), ("resume", {"name": "checkout"}),
        ("scale", {"name": "checkout", "replicas": 5}), ("scale", {"name": "db", "kind": "statefulset", "replicas": 5}),
        ("restart", {"name": "db", "kind": "statefulset"}), ("restart", {"name": "checkout"}),
        ("isolate_pod", {**pod, "service": "checkout"}), ("return_pod", pod),
        ("rollout_status", {"name": "checkout"}), ("history", {"name": "checkout"}), ("describe", {"name": "checkout"}),
        ("cordon", {"node": "worker-3"}), ("uncordon", {"node": "worker-3"}),
        ("kserve_canary", {"name": "fraud"}), ("kserve_status", {"name": "fraud"}),
    ):  # fmt: skip
        await act(action, **params)
    cluster.logs = {f"{CORE}/pods/{pod['pod']}": "x"}
    await act("logs", name="checkout")


def test_the_role_in_the_documentation_is_what_is_needed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "act-on-kubernetes.md").read_text()
    documents = [
        one
        for block in re.findall(r"^```\n(apiVersion.*?)^```", page, re.S | re.M)
        for one in yaml.safe_load_all(block)
    ]
    granted = {
        (group, resource, verb)
        for document in documents
        for rule in document.get("rules", [])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {right_of(method, path) for method, path, _ in at_the_cluster(everything).requests}
    assert needed <= granted
    # Daemon sets are restarted and described like stateful sets; Rollouts are the other connector's.
    rest = {(group, resource) for group, resource, _ in granted - needed}
    assert rest == {("apps", "daemonsets"), ("argoproj.io", "rollouts"), ("argoproj.io", "rollouts/status")}


def right_of(method: str, path: str) -> tuple[str, str, str]:
    """What RBAC calls a request."""
    parts = path.partition("?")[0].strip("/").split("/")
    group, parts = (parts[1], parts[3:]) if parts[0] == "apis" else ("", parts[2:])
    parts = parts[2:] if parts[0] == "namespaces" else parts
    verb = {"PATCH": "patch", "GET": "get" if len(parts) > 1 else "list"}[method]
    return group, "/".join([parts[0], *parts[2:]]), verb
