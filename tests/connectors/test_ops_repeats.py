"""Whatever is lost on the way, and however often a step is repeated for it: one effect, and none that is not wanted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.argocd_server import ArgoServer
from connectors.cluster_server import Cluster
from connectors.serving import Act, Faulty, serve
from quell.errors import Unreachable
from quell.sdk.connector import Connector
from quell_connectors.argo_rollouts import ArgoRollouts
from quell_connectors.argocd import ArgoCD
from quell_connectors.kubernetes import Kubernetes

FAULTS = st.lists(st.sampled_from([None, None, "lost", "cut", 429, 500, 503]), max_size=12)
POD = "checkout-59c7d6f8b-ccccc"
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def until_done(kind: type[Connector], server: Faulty, faults: list[Any], action: str, params: dict[str, Any]) -> None:
    """As the ledger repeats it: with the same key, until there is an answer."""

    async def work(act: Act) -> None:
        server.faults = list(faults)
        for _ in range(20):
            try:
                await act(action, **params)
            except Unreachable:
                continue
            break
        else:
            raise AssertionError("never done")
        server.faults = []
        await act(action, **params)

    serve(kind, server, work, namespace="shop")


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("undo_rollout", {"name": "checkout"}),
        ("undo_rollout", {"name": "checkout", "to": "v7", "bad": "v9"}),
        ("pause", {"name": "checkout"}),
        ("scale", {"name": "checkout", "replicas": 7}),
        ("restart", {"name": "checkout"}),
        ("isolate_pod", {"pod": POD, "service": "checkout"}),
        ("cordon", {"node": "worker-3"}),
    ],
)
@given(faults=FAULTS)
@FEW
def test_kubernetes_changes_once(action: str, params: dict[str, Any], faults: list[Any]) -> None:
    cluster = Cluster()
    until_done(Kubernetes, cluster, faults, action, params)
    assert cluster.writes == 1


@pytest.mark.parametrize("action", ["abort", "pause", "promote_full"])
@given(faults=FAULTS)
@FEW
def test_argo_rollouts_changes_once(action: str, faults: list[Any]) -> None:
    cluster = Cluster("argo_rollouts_cluster.json")
    until_done(ArgoRollouts, cluster, faults, action, {"name": "checkout"})
    assert cluster.writes == 1


@pytest.mark.parametrize("action", ["rollback", "sync"])
@given(faults=FAULTS, stale=st.booleans())
@FEW
def test_argocd_deploys_once(action: str, faults: list[Any], stale: bool) -> None:
    server = ArgoServer()
    server.stale = stale
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quell_connectors.argocd.connector._CHECK_S", 0.0)
        until_done(ArgoCD, server, faults, action, {"app": "checkout", **({"to": "6"} if action == "rollback" else {})})
    assert server.started == 1
    assert ("automated" in server.app["spec"]["syncPolicy"]) == (action == "sync")
