"""What the topology receiver declares."""

from __future__ import annotations

from quell.sdk.spec import Spec

SPEC = Spec(
    name="topology",
    summary="Takes a topology document: {nodes, edges} or {entities, dependencies}; it adds and never removes.",
)
