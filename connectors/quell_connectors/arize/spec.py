"""What the Arize connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Spec

SPEC = Spec(
    name="arize",
    summary="Takes webhooks of Arize monitors: triggered, no data, healthy.",
    options=monitor_options(7 * 86400.0),
)
