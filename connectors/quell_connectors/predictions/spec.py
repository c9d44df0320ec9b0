"""What the receiver of prediction logs declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="predictions",
    summary="Takes prediction logs (of quell.emit, or JSON of that schema) and keeps counts of them, never values.",
    options=(
        Option(
            name="drop",
            type="list",
            summary="Fields (globs), or values (/regular expressions/), of which nothing is kept.",
            default=[],
            example="[customer_*, /^DE\\d{9}$/]",
        ),
        Option(
            name="tokenise",
            type="list",
            summary="Fields or values of which only a token is kept: a keyed hash, made with the secret.",
            default=[],
            example="[merchant]",
        ),
        Option(
            name="secret",
            type="secret",
            summary="The key of tokens; whoever has it can find out whether a token is of a value that they know.",
            example="env:PREDICTIONS_SECRET",
        ),
        Option(
            name="keep",
            type="list",
            summary="Fields or values that are kept although they look personal (names, e-mail, phone, long text).",
            default=[],
            example="[product_name]",
        ),
        Option(
            name="positive",
            type="list",
            summary="Labels of the positive class, for rates of segments; true and 1 are always among them.",
            default=["yes", "positive"],
            example="[fraud]",
        ),
        Option(
            name="samples",
            type="integer",
            summary="So many redacted samples of each feature are kept of a delivery (up to 5).",
            default=3,
        ),
        Option(
            name="contexts",
            type="number",
            summary="The share of predictions whose features are counted; always the same for one request id.",
            default=1.0,
            example="0.1",
        ),
        Option(
            name="segments",
            type="integer",
            summary="So many different segments of a model are counted apart in a delivery; others only in the whole.",
            default=100,
        ),
    ),
)
