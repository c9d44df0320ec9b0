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


_WEIGHT = Option(
    name="weight",
    type="integer",
    summary="How many per cent of requests the canary may have; `below` of `status` is what a step before asked for.",
    required=True,
)


def _state(of: str, *params: Option) -> ActionSpec:
    return ActionSpec(
        name=f"{of}_state",
        summary=f"What is before `{of}`: whether it is so already.",
        params=(*_ROLLOUT, *params),
        effect="read",
        repeat="state",
    )


SPEC = Spec(
    name="argo_rollouts",
    summary="Aborts, retries, lowers, promotes and pauses updates of Argo Rollouts, as `kubectl argo rollouts` does.",
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
            params=(*_ROLLOUT, _IMAGES),
            repeat="state",
            undo="resume",
            before="pause_state",
        ),
        ActionSpec(
            name="resume",
            summary="Lets a held update go on; a pause that is one of its own steps stays.",
            params=(*_ROLLOUT, _IMAGES),
            repeat="state",
            undo="pause",
            before="resume_state",
        ),
        ActionSpec(
            name="lower",
            summary="Puts a canary back to its last step that sets no more than this weight; it goes on from there.",
            params=(*_ROLLOUT, _WEIGHT, _IMAGES),
            repeat="state",
            undo="to_step",
            before="lower_state",
        ),
        ActionSpec(
            name="to_step",
            summary="Takes a canary forward to one of its steps, without those between; what is there or behind stays.",
            params=(
                *_ROLLOUT,
                Option(name="step", type="integer", summary="The step, as `status` says it.", required=True),
                _IMAGES,
            ),
            repeat="state",
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
            summary=(
                "How far an update is: phase, step, images, weight, what its steps ask for (asked) and asked for "
                "before that (below; -1: nothing), whether a weight is being set (setting)."
            ),
            params=_ROLLOUT,
            effect="read",
            repeat="state",
        ),
        _state("abort"),
        _state("retry"),
        _state("pause"),
        _state("resume"),
        _state("lower", _WEIGHT),
    ),
)
