"""What the Unleash connector declares."""

from __future__ import annotations

from quell.sdk.change_events import place_options
from quell.sdk.flags import flag_actions
from quell.sdk.spec import Option, Spec

_WHICH = (
    Option(name="flag", type="text", summary="The name of the flag.", required=True, example="new_checkout"),
    Option(name="project", type="text", summary="The project; without it the one of the options.", example="shop"),
    Option(
        name="environment",
        type="text",
        summary="The environment; without it the one of the options.",
        example="production",
    ),
)

SPEC = Spec(
    name="unleash",
    summary="Disables and enables feature flags of Unleash; its webhook tells of changes.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where Unleash lives, without /api.",
            required=True,
            example="https://unleash.example",
        ),
        Option(
            name="token",
            type="secret",
            summary=(
                "A personal access token or service account token that may update flags. Not needed where only changes "
                "are told."
            ),
        ),
        Option(
            name="project",
            type="text",
            summary="The project, where a step names none.",
            default="default",
        ),
        Option(
            name="environment",
            type="text",
            summary="The environment, where a step names none.",
            example="production",
        ),
        Option(
            name="timeout", type="duration", summary="How long to wait for one answer.", default=10.0, example="10s"
        ),
        *place_options("the flag's key", "flag/${flag}"),
    ),
    actions=flag_actions(
        _WHICH,
        off="Disables a flag in an environment: nobody gets it there.",
        on="Enables a flag in an environment: its strategies hold again.",
    ),
)
