"""What the Flagsmith connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

_WHICH = (
    Option(name="flag", type="text", summary="The name of the flag.", required=True, example="new_checkout"),
    Option(
        name="environment",
        type="text",
        summary="The environment's client-side key; without it the one of the options.",
        example="4vfqhypYjcPoGGu8ByrBaj",
    ),
)


def _read(name: str, summary: str) -> ActionSpec:
    return ActionSpec(name=name, summary=summary, params=_WHICH, effect="read", repeat="state")


SPEC = Spec(
    name="flagsmith",
    summary="Disables and enables feature flags of Flagsmith.",
    options=(
        Option(
            name="token",
            type="secret",
            summary='An organisation API key; for a token of a person write "Token …".',
            required=True,
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
    ),
    actions=(
        ActionSpec(
            name="flag_off",
            summary="Disables a flag in an environment; overrides of segments and identities stay as they are.",
            params=_WHICH,
            effect="change",
            repeat="state",
            undo="flag_on",
            before="is_off",
        ),
        ActionSpec(
            name="flag_on",
            summary="Enables a flag in an environment.",
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
