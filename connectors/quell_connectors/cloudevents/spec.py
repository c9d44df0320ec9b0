"""What the CloudEvents receiver declares."""

from __future__ import annotations

from quell.sdk.spec import Spec

SPEC = Spec(
    name="cloudevents",
    summary="Takes alerts and changes sent as CloudEvents 1.0 over HTTP: structured, batch or binary.",
)
