"""What the LaunchDarkly connector declares."""

from __future__ import annotations

from quell.sdk.change_events import place_options
from quell.sdk.flags import flag_actions
from quell.sdk.spec import Option, Spec

_WHICH = (
    Option(name="flag", type="text", summary="The key of the flag.", required=True, example="new_checkout"),
    Option(name="project", type="text", summary="The project; without it the one of the options.", example="shop"),
    Option(
        name="environment",
        type="text",
        summary="The key of the environment; without it the one of the options.",
        example="production",
    ),
)
_COMMENT = Option(
    name="comment", type="text", summary="What LaunchDarkly's audit log says about it.", example="quell: INC-7"
)

SPEC = Spec(
    name="launchdarkly",
    summary="Turns feature flags of LaunchDarkly off and on; its webhook tells of changes.",
    options=(
        Option(
            name="token",
            type="secret",
            summary="An access token that may update flags. Not needed where only changes are told.",
        ),
        Option(
            name="project",
            type="text",
            summary="The key of the project, where a step names none.",
            example="shop",
        ),
        Option(
            name="environment",
            type="text",
            summary="The key of the environment, where a step names none.",
            example="production",
        ),
        Option(
            name="url",
            type="url",
            summary="Where the API lives; another for the EU and federal instances.",
            default="https://app.launchdarkly.com",
        ),
        Option(
            name="timeout", type="duration", summary="How long to wait for one answer.", default=10.0, example="10s"
        ),
        *place_options("the flag's key", "flag/${flag}"),
    ),
    actions=flag_actions(
        _WHICH,
        off="Turns a flag off: everybody gets its off variation.",
        on="Turns a flag on: its rules hold again.",
        more=(_COMMENT,),
    ),
)
