"""What the Soda connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Spec

SPEC = Spec(
    name="soda",
    summary="Takes scan results of Soda Core 3 as JSON: what get_scan_results() or soda scan -srf gives.",
    options=monitor_options(26 * 3600.0),
)
