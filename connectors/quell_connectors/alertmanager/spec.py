"""What the connector declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="alertmanager",
    summary="Serves the Alertmanager v2 API and takes the webhooks of Alertmanager and Grafana.",
    options=(
        Option(
            name="receiver",
            type="text",
            summary="The name under which quell appears where clients expect a receiver.",
            default="quell",
        ),
    ),
    paths=("/api/v2", "/api/v1"),
)
