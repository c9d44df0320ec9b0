"""What the Argo Rollouts connector declares."""

from __future__ import annotations

from quell.sdk.cluster import CLUSTER_OPTIONS
from quell.sdk.spec import ActionSpec, Option, Spec

_ROLLOUT = (
    Option(name="name", type="text", summary="The Rollout.", required=True, example="checkout"),
    Option(name="namespace", type="text", summary="Its namespace; without it the option of that name."),
)
_STEP = Option(
    name="step",
    type="integer",
    summary="The step it waits at, as `status` says it (0 for blue-green); at another one nothing is done.",
    required=True,
)
_IMAGES = Option(
    name="images",
    type="list",
    summary="Only while its template has these images, as `status` says them: a later update is left as it is.",
    example="[registry.example/checkout:v9]",
)


def _state(of: str) -> ActionSpec:
    return ActionSpec(
        name=f"{of}_state",
        summary=f"What is before `{of}`: whether it is so already.",
        params=_ROLLOUT,
        effect="read",
        repeat="state",
    )


SPEC = Spec(
    name="argo_rollouts",
    summary="Aborts, retries, promotes and pauses updates of Argo Rollouts, as `kubectl argo rollouts` does.",
    options=CLUSTER_OPTIONS,
    actions=(
        ActionSpec(
            name="abort",
            summary="Stops an update and sends all requests to the stable version again.",
            params=(*_ROLLOUT, _IMAGES),
            repeat="state",
            undo="retry",
            before="abort_state",
        ),
        ActionSpec(
            name="retry",
            summary="Begins an aborted update anew.",
            params=(*_ROLLOUT, _IMAGES),
            repeat="state",
            undo="abort",
            before="retry_state",
        ),
        ActionSpec(
            name="pause",
            summary="Holds an update where it is.",
            params=_ROLLOUT,
            repeat="state",
            undo="resume",
            before="pause_state",
        ),
        ActionSpec(
            name="resume",
            summary="Lets a held update go on; a pause that is one of its own steps stays.",
            params=_ROLLOUT,
            repeat="state",
            undo="pause",
            before="resume_state",
        ),
        ActionSpec(
            name="promote",
            summary="Ends the pause that a canary or blue-green update waits in.",
            params=(*_ROLLOUT, _STEP, _IMAGES),
            repeat="state",
        ),
        ActionSpec(
            name="promote_full",
            summary="Takes an update to its end at once, without the steps and analyses that are left.",
            params=(*_ROLLOUT, _IMAGES),
            repeat="state",
        ),
        ActionSpec(
            name="status",
            summary="How far an update is: phase, step, weight, images.",
            params=_ROLLOUT,
            effect="read",
            repeat="state",
        ),
        _state("abort"),
        _state("retry"),
        _state("pause"),
        _state("resume"),
    ),
)
