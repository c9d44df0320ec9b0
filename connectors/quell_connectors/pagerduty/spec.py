"""What the PagerDuty receiver declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

ENQUEUE = "/v2/enqueue"
ENQUEUE_CHANGE = "/v2/change/enqueue"

SPEC = Spec(
    name="pagerduty",
    summary="Takes alerts and changes sent to the PagerDuty Events API v2.",
    options=(
        Option(
            name="routing_key",
            type="secret",
            summary="Take only events with this routing key (32 characters); without it every key is taken.",
        ),
    ),
    paths=(ENQUEUE, ENQUEUE_CHANGE),
)
