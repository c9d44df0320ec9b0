"""What the file sink declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

SPEC = Spec(
    name="file",
    summary="Writes JSON lines to a file, each once: a line whose key is there already is not written again.",
    options=(
        Option(
            name="path",
            type="path",
            summary="The file; it is made if need be, its directory is not.",
            required=True,
            example="/var/lib/quell/pages.jsonl",
        ),
    ),
    actions=(
        ActionSpec(
            name="page",
            summary="Writes a page: what a person is to know now.",
            params=(
                Option(name="text", type="text", summary="What to say.", required=True),
                Option(name="title", type="text", summary="The incident in one line."),
                Option(name="incident", type="text", summary="The incident's id."),
                Option(name="severity", type="text", summary="How bad it is."),
            ),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="append",
            summary="Writes a line of one's own.",
            params=(
                Option(name="text", type="text", summary="What to say."),
                Option(name="fields", type="mapping", summary="Further fields of the line."),
            ),
            effect="tell",
            repeat="lookup",
        ),
    ),
)
