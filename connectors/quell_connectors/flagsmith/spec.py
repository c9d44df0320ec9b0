"""What the Flagsmith connector declares."""

from __future__ import annotations

from quell.sdk.change_events import place_options
from quell.sdk.flags import flag_actions
from quell.sdk.spec import Option, Spec

_WHICH = (
    Option(name="flag", type="text", summary="The name of the flag.", required=True, example="new_checkout"),
    Option(
        name="environment",
        type="text",
        summary="The environment's client-side key; without it the one of the options.",
        example="4vfqhypYjcPoGGu8ByrBaj",
    ),
)

SPEC = Spec(
    name="flagsmith",
    summary="Disables and enables feature flags of Flagsmith; its webhook tells of changes.",
    options=(
        Option(
            name="token",
            type="secret",
            summary=(
                'An organisation API key; for a token of a person write "Token …". Not needed where only changes '
                "are told."
            ),
        ),
        Option(
            name="environment",
            type="text",
            summary="The client-side key of the environment, where a step names none.",
            example="4vfqhypYjcPoGGu8ByrBaj",
        ),
        Option(
            name="url",
            type="url",
            summary="Where the API lives; another where Flagsmith is hosted by oneself.",
            default="https://api.flagsmith.com",
        ),
        Option(
            name="timeout", type="duration", summary="How long to wait for one answer.", default=10.0, example="10s"
        ),
        *place_options("the flag's key", "flag/${flag}"),
    ),
    actions=flag_actions(
        _WHICH,
        off="Disables a flag in an environment; overrides of segments and identities stay as they are.",
        on="Enables a flag in an environment.",
    ),
)
