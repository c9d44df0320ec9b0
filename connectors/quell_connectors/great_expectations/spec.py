"""What the Great Expectations connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Spec

SPEC = Spec(
    name="great_expectations",
    summary="Takes validation and checkpoint results of Great Expectations as JSON, of versions 0.15 to 1.x.",
    options=monitor_options(26 * 3600.0),
)
