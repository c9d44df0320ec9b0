"""The actions of the Kubernetes connector, each by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.cluster import Cluster
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import Spec
from quell_connectors.kubernetes.endpoints import Endpoints
from quell_connectors.kubernetes.looks import Looks
from quell_connectors.kubernetes.serving import Serving
from quell_connectors.kubernetes.spec import SPEC
from quell_connectors.kubernetes.workloads import Workloads


class Kubernetes:
    """Changes by patches that are bound to the version read; refuses what Argo CD, Flux or a controller keeps.

    A dry run reads what the act would read and has the API check the very patch (``dryRun=All``), which keeps nothing:
    missing rights and values the API refuses show up there.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        cluster = Cluster(options, context.http)
        workloads, endpoints = Workloads(cluster), Endpoints(cluster)
        looks, serving = Looks(cluster, workloads), Serving(cluster)
        self._acts: Mapping[str, Callable[[Call], Awaitable[Done]]] = {
            "undo_rollout": workloads.undo_rollout,
            "undo_rollout_state": workloads.undo_rollout_state,
            "pause": workloads.pause,
            "pause_state": workloads.pause_state,
            "resume": workloads.pause,
            "resume_state": workloads.pause_state,
            "scale": workloads.scale,
            "scale_state": workloads.scale_state,
            "restart": workloads.restart,
            "isolate_pod": endpoints.isolate_pod,
            "isolate_pod_state": endpoints.pod_state,
            "return_pod": endpoints.return_pod,
            "return_pod_state": endpoints.pod_state,
            "cordon": endpoints.cordon,
            "cordon_state": endpoints.cordon_state,
            "uncordon": endpoints.cordon,
            "uncordon_state": endpoints.cordon_state,
            "kserve_canary": serving.canary,
            "kserve_canary_state": serving.canary_state,
            "kserve_status": serving.status,
            "rollout_status": looks.rollout_status,
            "history": looks.history,
            "describe": looks.describe,
            "logs": looks.logs,
        }

    async def act(self, call: Call) -> Done:
        """Raises what `quell.sdk.cluster.Cluster` raises."""
        act = self._acts.get(call.action)
        if act is None:
            raise Refused(f'kubernetes has no action "{call.action}"; it has {", ".join(self._acts)}')
        return await act(call)
