"""What the Loki connector declares."""

from __future__ import annotations

from quell.sdk.log_pull import PULL_OPTIONS
from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="loki",
    summary="Reads logs in Loki: lines of a selector become counted statements of entities.",
    options=(
        Option(name="url", type="url", summary="Where Loki lives.", required=True, example="http://loki.example:3100"),
        Option(
            name="query",
            type="text",
            summary="Which lines, in LogQL: a selector with filters and parsers, not a metric.",
            required=True,
            example='{namespace="shop"} |= "error"',
        ),
        Option(
            name="entity",
            type="text",
            summary="Which entity a line is about; labels of its stream are filled in.",
            default="service/${service_name}",
        ),
        Option(
            name="severity",
            type="list",
            summary="Labels that may hold the severity; the first that does counts.",
            default=["level", "severity", "detected_level"],
        ),
        Option(name="tenant", type="text", summary="Sent as X-Scope-OrgID.", example="shop"),
        Option(name="token", type="secret", summary="Sent as a bearer token."),
        *PULL_OPTIONS,
    ),
)
