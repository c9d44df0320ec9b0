"""What the Opsgenie receiver declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

ALERTS = "/v2/alerts"

SPEC = Spec(
    name="opsgenie",
    summary="Takes alerts sent to Opsgenie's Alert API (v2), so that a tool feeds quell by a change of its URL.",
    options=(
        Option(
            name="api_key",
            type="secret",
            summary="The key (GenieKey) that senders show; without it every key is taken.",
        ),
    ),
    paths=(ALERTS,),
)
