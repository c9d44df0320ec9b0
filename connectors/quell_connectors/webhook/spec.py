"""What the generic webhook declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="webhook",
    summary="Takes any tool's JSON by a mapping, and quell's own records as JSON lines (application/x-ndjson).",
    options=(
        Option(
            name="mapping",
            type="mapping",
            summary=(
                "Where things stand in the body: alerts or changes (the list), then status, name, key, severity, "
                "summary, at, starts_at, ends_at, value, threshold, entity, url, labels, labels_from, annotations; "
                "for changes id, type, revision, previous, commit, author. A value is a path from body, item, "
                "headers or query, text with ${path} in it, or a constant in quotes."
            ),
            example="{alerts: body.items, status: item.state, labels: {service: item.host}}",
        ),
        Option(
            name="status_map",
            type="mapping",
            summary="The tool's words for a status: firing, resolved or ignore. Usual words are known without it.",
            example="{ALARM: firing, OK: resolved, INSUFFICIENT_DATA: ignore}",
        ),
    ),
)
