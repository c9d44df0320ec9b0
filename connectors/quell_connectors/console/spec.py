"""What the console declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

_PARAMS = (
    Option(name="text", type="text", summary="What to say.", required=True),
    Option(name="title", type="text", summary="A line above it."),
    Option(name="incident", type="text", summary="The incident's id."),
    Option(name="severity", type="text", summary="How bad it is."),
)

SPEC = Spec(
    name="console",
    summary="Prints to the daemon's standard output. A repeat prints again, under the same key.",
    actions=(
        ActionSpec(
            name="page",
            summary="Prints a page: what a person is to know now.",
            params=_PARAMS,
            effect="tell",
            repeat="keyed",
        ),
        ActionSpec(name="print", summary="Prints a note.", params=_PARAMS, effect="tell", repeat="keyed"),
    ),
)
