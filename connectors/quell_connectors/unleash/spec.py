"""What the Unleash connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

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


def _read(name: str, summary: str) -> ActionSpec:
    return ActionSpec(name=name, summary=summary, params=_WHICH, effect="read", repeat="state")


SPEC = Spec(
    name="unleash",
    summary="Disables and enables feature flags of Unleash.",
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
            summary="A personal access token or service account token that may update flags.",
            required=True,
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
    ),
    actions=(
        ActionSpec(
            name="flag_off",
            summary="Disables a flag in an environment: nobody gets it there.",
            params=_WHICH,
            effect="change",
            repeat="state",
            undo="flag_on",
            before="is_off",
        ),
        ActionSpec(
            name="flag_on",
            summary="Enables a flag in an environment: its strategies hold again.",
            params=_WHICH,
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
