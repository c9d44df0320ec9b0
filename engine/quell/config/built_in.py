"""The actions that quell itself performs, declared as connectors declare theirs."""

from __future__ import annotations

from collections.abc import Mapping

from quell.sdk.spec import ActionSpec, Option

_ASKING = (
    Option(
        name="who",
        type="list",
        required=True,
        summary="Who may approve: role:…, team:…, user:…, or owner:… of an entity.",
        example='["role:sre"]',
    ),
    Option(name="need", type="integer", default=1, summary="How many of them must approve."),
    Option(name="text", type="text", default="", summary="What they are asked."),
    Option(name="not_requester", type="boolean", default=False, summary="Whoever asked for the run may not."),
    Option(name="channel", type="text", default="", summary="Where they are asked."),
)

BUILT_IN: Mapping[str, ActionSpec] = {
    spec.name: spec
    for spec in (
        ActionSpec(
            name="approve",
            summary="Waits until people allow the run to go on.",
            params=_ASKING,
            effect="tell",
            repeat="state",
        ),
        ActionSpec(
            name="approve_then",
            summary="Waits until people allow it, then performs an action.",
            params=(
                Option(name="do", type="text", required=True, summary="The action.", example="airflow.unpause"),
                Option(name="args", type="mapping", default={}, summary="Its parameters."),
                *_ASKING,
            ),
            effect="tell",
            repeat="state",
        ),
        ActionSpec(
            name="wait",
            summary="Looks again and again until a condition is true and stays so.",
            params=(
                Option(
                    name="until",
                    type="text",
                    required=True,
                    summary="A CEL condition; it may read measures, and sees the answer of query as result.",
                    example='"${metrics.error_rate(app) < 0.01}"',
                ),
                Option(
                    name="within",
                    type="duration",
                    required=True,
                    summary="How long it may take, the hold included; then the step fails.",
                    example="12m",
                ),
                Option(
                    name="hold",
                    type="duration",
                    default=0.0,
                    summary="How long it must be true at every look; once if left out.",
                    example="3m",
                ),
                Option(
                    name="every",
                    type="duration",
                    default=30.0,
                    summary="How often it looks: 30s if left out, longer when it waits for more than 12 hours.",
                ),
                Option(
                    name="says",
                    type="text",
                    default="",
                    summary="What is waited for, in words for people, as what is true then.",
                    example="the version before is served",
                ),
                Option(
                    name="query",
                    type="mapping",
                    summary="An action that reads, as do and with, performed at every look.",
                ),
            ),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="incident.note",
            summary="Adds an entry to the incident's timeline.",
            params=(Option(name="text", type="text", required=True, summary="What it says."),),
            effect="tell",
            repeat="state",
        ),
        ActionSpec(
            name="escalate",
            summary="Tells people through the routes that match the incident.",
            params=(Option(name="text", type="text", default="", summary="What they are told."),),
            effect="tell",
            repeat="state",
        ),
        ActionSpec(
            name="quell.validate_drift",
            summary="Judges whether the drift alerts of the incident say enough to act on; its check is result.valid.",
            params=(
                Option(name="model", type="text", default="", summary="Only alerts of this model, or of no model."),
                Option(
                    name="need",
                    type="mapping",
                    default={},
                    summary="The least number of columns and windows and the least effect, each if given.",
                    example="{columns: 2, windows: 3, effect: 0.2}",
                ),
                Option(
                    name="fresh_within",
                    type="duration",
                    default=7200.0,
                    summary="How recently an alert must have been told: 2h if left out.",
                ),
            ),
            effect="read",
            repeat="state",
        ),
    )
}
"""By full name."""
