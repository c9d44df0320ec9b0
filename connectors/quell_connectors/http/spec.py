"""What the HTTP action declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

STATE_METHODS = ("PUT", "DELETE")
"""Methods that HTTP itself declares safe to repeat."""

READ_METHODS = ("GET", "HEAD")


def _params(methods: tuple[str, ...], default: str, *, body: bool = True) -> tuple[Option, ...]:
    sent = (
        Option(name="json", type="mapping", summary="The body, sent as JSON."),
        Option(name="body", type="text", summary="The body, sent as it is."),
    )
    return (
        Option(
            name="url",
            type="text",
            summary="The address; one that starts with / is relative to the option url.",
            required=True,
            example="https://deploy.example/api/pause",
        ),
        Option(name="method", type="text", summary="The method.", default=default, choices=methods),
        Option(name="headers", type="mapping", summary="Headers of this request."),
        *(sent if body else ()),
        Option(
            name="expect",
            type="list",
            summary="The statuses that mean success; without it every 2xx.",
            example="[200, 409]",
        ),
    )


SPEC = Spec(
    name="http",
    summary="Makes an HTTP request; the key of the step always goes along as Idempotency-Key.",
    options=(
        Option(
            name="url",
            type="url",
            summary="The service that is called: addresses of steps may be relative to it.",
            example="https://deploy.example/api",
        ),
        Option(
            name="token",
            type="secret",
            summary="Sent as a bearer token, only to the host and port of the option url.",
        ),
        Option(name="headers", type="mapping", summary="Headers of every request.", example="{x-team: sre}"),
    ),
    actions=(
        ActionSpec(
            name="read",
            summary=(
                "Asks for something that asking does not change, such as which version serves; also in dry runs and "
                "in waits. The output has its headers, too, names in small letters. Any status beside those expected "
                "is a failure."
            ),
            params=_params(READ_METHODS, "GET", body=False),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="request",
            summary=(
                "Makes one request, once: what became of one without an answer is for a person to see. "
                "Any status beside those expected is a failure."
            ),
            params=_params(METHODS, "POST"),
            effect="change",
            repeat="never",
        ),
        ActionSpec(
            name="put",
            summary=(
                "Sets or removes something: a request that leads to the same however often it is made, and so is "
                "made again when no answer came. Any status beside those expected is a failure."
            ),
            params=_params(STATE_METHODS, "PUT"),
            effect="change",
            repeat="state",
        ),
    ),
)
