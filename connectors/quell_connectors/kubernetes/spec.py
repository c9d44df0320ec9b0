"""What the Kubernetes connector declares."""

from __future__ import annotations

from quell.sdk.cluster import CLUSTER_OPTIONS
from quell.sdk.spec import ActionSpec, Option, Spec

_NAMESPACE = Option(name="namespace", type="text", summary="Its namespace; without it the option of that name.")
_DEPLOYMENT = (
    Option(name="name", type="text", summary="The Deployment.", required=True, example="checkout"),
    _NAMESPACE,
)
_SCALED = Option(
    name="kind", type="text", summary="What it is.", default="deployment", choices=("deployment", "statefulset")
)
_RESTARTED = Option(
    name="kind",
    type="text",
    summary="What it is.",
    default="deployment",
    choices=("deployment", "statefulset", "daemonset"),
)
_TO = Option(
    name="to",
    type="text",
    summary="A revision's number, its ReplicaSet, image, image tag or version label; without it the one before.",
    example="v8",
)
_BAD = Option(
    name="bad",
    type="text",
    summary="Go back only while this revision runs, named like `to`: a second run then does not turn round.",
    example="v9",
)
_POD = Option(name="pod", type="text", summary="The pod.", required=True, example="checkout-7d4b9c6f5-x2x9q")
_SERVICE = Option(name="service", type="text", summary="The Service that sends it requests.", required=True)
_NODE = Option(name="node", type="text", summary="The node.", required=True, example="worker-3")
_REPLICAS = Option(name="replicas", type="integer", summary="How many there shall be.", required=True)

_UNDO_ROLLOUT = (*_DEPLOYMENT, _TO, _BAD)
_SCALE = (Option(name="name", type="text", summary="What is scaled.", required=True), _SCALED, _NAMESPACE)


def _state(of: str, params: tuple[Option, ...]) -> ActionSpec:
    return ActionSpec(
        name=f"{of}_state",
        summary=f"What is before `{of}`: whether it is so already, and what an undo needs.",
        params=params,
        effect="read",
        repeat="state",
    )


_ROLLOUTS = (
    ActionSpec(
        name="undo_rollout",
        summary="Gives a Deployment the template of an earlier revision, as `kubectl rollout undo` does.",
        params=_UNDO_ROLLOUT,
        repeat="lookup",
        undo="undo_rollout",
        before="undo_rollout_state",
    ),
    ActionSpec(
        name="pause",
        summary="Pauses the rollout of a Deployment: pods that run stay, changes wait.",
        params=_DEPLOYMENT,
        repeat="state",
        undo="resume",
        before="pause_state",
    ),
    ActionSpec(
        name="resume",
        summary="Resumes the rollout of a Deployment.",
        params=_DEPLOYMENT,
        repeat="state",
        undo="pause",
        before="resume_state",
    ),
    ActionSpec(
        name="scale",
        summary="Sets the number of replicas, within bounds; not for what an autoscaler keeps.",
        params=(
            *_SCALE,
            _REPLICAS,
            Option(name="at_least", type="integer", summary="Fewer are refused.", default=1),
            Option(name="at_most", type="integer", summary="More are refused.", default=50),
            Option(
                name="only_from",
                type="integer",
                summary="Only while it has so many: an undo leaves alone what somebody else has set since.",
            ),
        ),
        repeat="state",
        undo="scale",
        before="scale_state",
    ),
    ActionSpec(
        name="restart",
        summary="Replaces all pods, as `kubectl rollout restart` does.",
        params=(
            Option(name="name", type="text", summary="What is restarted.", required=True),
            _RESTARTED,
            _NAMESPACE,
        ),
        repeat="lookup",
    ),
)

_ENDPOINTS = (
    ActionSpec(
        name="isolate_pod",
        summary=(
            "Takes one pod out of a Service: a label that the Service selects by is changed: requests go to the "
            "others, its ReplicaSet starts another, and the pod stays to be looked at."
        ),
        params=(
            _POD,
            _SERVICE,
            _NAMESPACE,
            Option(name="leave", type="integer", summary="So many other ready pods must remain.", default=1),
        ),
        repeat="state",
        undo="return_pod",
        before="isolate_pod_state",
    ),
    ActionSpec(
        name="return_pod",
        summary="Gives an isolated pod its label back; its ReplicaSet then has one too many and ends one.",
        params=(_POD, _NAMESPACE),
        repeat="state",
        before="return_pod_state",
    ),
    ActionSpec(
        name="cordon",
        summary="Keeps new pods from a node; those that run stay.",
        params=(_NODE,),
        repeat="state",
        undo="uncordon",
        before="cordon_state",
    ),
    ActionSpec(
        name="uncordon",
        summary="Lets new pods onto a node again.",
        params=(_NODE,),
        repeat="state",
        undo="cordon",
        before="uncordon_state",
    ),
)

_CANARY = (
    Option(name="name", type="text", summary="The InferenceService.", required=True, example="fraud"),
    _NAMESPACE,
    Option(name="percent", type="integer", summary="How much of the requests it gets; 0 stops it.", default=0),
)
_SERVING = (
    ActionSpec(
        name="kserve_canary",
        summary="Sets how many percent of the requests the canary of a KServe InferenceService gets; 0 stops it.",
        params=(
            *_CANARY,
            Option(
                name="only_from",
                type="integer",
                summary="Only while it is this; else it was set by somebody since and is left as it is.",
            ),
        ),
        effect="change",
        repeat="state",
        undo="kserve_canary",
        before="kserve_canary_state",
    ),
)

_READS = (
    ActionSpec(
        name="kserve_status",
        summary="Which revisions of a KServe InferenceService serve, and how many percent each gets.",
        params=_CANARY[:2],
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="rollout_status",
        summary="How far the rollout of a Deployment is, and which image it runs.",
        params=_DEPLOYMENT,
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="history",
        summary="The revisions that a Deployment can go back to, the newest first.",
        params=_DEPLOYMENT,
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="describe",
        summary="State, pods and newest events of an object, for a diagnosis; no variables and no secrets.",
        params=(
            Option(name="name", type="text", summary="The object.", required=True),
            Option(
                name="kind",
                type="text",
                summary="What it is.",
                default="deployment",
                choices=("deployment", "statefulset", "daemonset", "pod", "node"),
            ),
            _NAMESPACE,
        ),
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="logs",
        summary="The last lines that a pod, or the worst three pods of a Deployment, have written.",
        params=(
            Option(name="name", type="text", summary="The pod or Deployment.", required=True),
            Option(
                name="kind", type="text", summary="What it is.", default="deployment", choices=("deployment", "pod")
            ),
            _NAMESPACE,
            Option(name="container", type="text", summary="The container; without it the first."),
            Option(name="lines", type="integer", summary="Lines of each pod, 1,000 at most.", default=50),
            Option(name="previous", type="boolean", summary="Of the container before its last restart.", default=False),
        ),
        effect="read",
        repeat="state",
    ),
)

SPEC = Spec(
    name="kubernetes",
    summary="Rolls back, pauses, scales and restarts workloads, takes pods and nodes out, reads state and logs.",
    options=CLUSTER_OPTIONS,
    actions=(
        *_ROLLOUTS,
        *_ENDPOINTS,
        *_SERVING,
        *_READS,
        _state("undo_rollout", _UNDO_ROLLOUT),
        _state("pause", _DEPLOYMENT),
        _state("resume", _DEPLOYMENT),
        _state("scale", (*_SCALE, _REPLICAS)),
        _state("isolate_pod", (_POD, _SERVICE, _NAMESPACE)),
        _state("return_pod", (_POD, _NAMESPACE)),
        _state("kserve_canary", _CANARY),
        _state("cordon", (_NODE,)),
        _state("uncordon", (_NODE,)),
    ),
)
