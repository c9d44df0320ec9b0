"""What the Fiddler connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Spec

SPEC = Spec(
    name="fiddler",
    summary="Takes webhooks of Fiddler's alert rules: drift, integrity, performance, traffic.",
    options=monitor_options(26 * 3600.0),
)
