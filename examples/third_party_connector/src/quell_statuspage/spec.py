"""What the connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

SPEC = Spec(
    name="vendor_status",
    summary="Asks a status page how its components are, and posts updates.",
    options=(
        Option(
            name="url",
            type="url",
            summary="The page.",
            required=True,
            example="https://status.vendor.example",
        ),
        Option(name="token", type="secret", summary="Sent as a bearer token; needed to post."),
    ),
    actions=(
        ActionSpec(
            name="post",
            summary="Posts an update to the page.",
            params=(Option(name="text", type="text", summary="What to say.", required=True),),
            effect="tell",
            repeat="keyed",
        ),
    ),
)
