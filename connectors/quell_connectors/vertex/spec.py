"""What the Vertex connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="vertex",
    summary="Takes anomalies that Vertex AI Model Monitoring logs: a log entry, or one in a Pub/Sub push.",
    options=monitor_options(
        26 * 3600.0,
        (
            Option(
                name="models",
                type="mapping",
                summary="Names of models by the ids under which they are deployed; without one the id is the name.",
                example='{"1645828169292316672": fraud}',
            ),
        ),
    ),
)
