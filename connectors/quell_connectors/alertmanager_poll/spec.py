"""What the connector declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="alertmanager_poll",
    summary="Asks an Alertmanager for its alerts and silences; nothing there is changed, also not its configuration.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where Alertmanager lives, with its path prefix if it has one.",
            required=True,
            example="http://alertmanager.example:9093",
        ),
        Option(name="token", type="secret", summary="Sent as a bearer token."),
        Option(name="timeout", type="duration", summary="How long to wait for an answer.", default=10.0, example="10s"),
    ),
)
