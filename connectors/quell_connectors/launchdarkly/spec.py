"""What the LaunchDarkly connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

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


def _read(name: str, summary: str) -> ActionSpec:
    return ActionSpec(name=name, summary=summary, params=_WHICH, effect="read", repeat="state")


SPEC = Spec(
    name="launchdarkly",
    summary="Turns feature flags of LaunchDarkly off and on.",
    options=(
        Option(
            name="token",
            type="secret",
            summary="An access token that may update flags.",
            required=True,
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
    ),
    actions=(
        ActionSpec(
            name="flag_off",
            summary="Turns a flag off: everybody gets its off variation.",
            params=(*_WHICH, _COMMENT),
            effect="change",
            repeat="state",
            undo="flag_on",
            before="is_off",
        ),
        ActionSpec(
            name="flag_on",
            summary="Turns a flag on: its rules hold again.",
            params=(*_WHICH, _COMMENT),
            effect="change",
            repeat="state",
            undo="flag_off",
            before="is_on",
        ),
        _read("flag", "Reads whether a flag is on."),
        _read("is_off", "Reads whether a flag is off already."),
        _read("is_on", "Reads whether a flag is on already."),
    ),
)
