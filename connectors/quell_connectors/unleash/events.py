"""Unleash's webhook: an event, as its event log has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places, short_text, when
from quell.sdk.flags import Which, flag_change
from quell.sdk.parts import text_of
from quell.sdk.vocabulary import scalar_text

_STATES = {"feature-environment-enabled": "on", "feature-environment-disabled": "off"}
_NO_EFFECT = frozenset({
    "feature-created", "feature-metadata-updated", "feature-tagged", "feature-untagged", "feature-favorited",
    "feature-unfavorited", "feature-stale-on", "feature-stale-off", "feature-potentially-stale-on", "feature-completed",
    "feature-uncompleted", "feature-deleted",
})  # fmt: skip
"""What changes for nobody: a flag is archived before it is deleted."""


def changes(body: Mapping[str, Any], places: Places, source: str, now: float) -> Iterator[ChangeRecord]:
    """The change that an event is, if what users get may be another after it. Raises `BadPayload`."""
    kind = text_of(body.get("type"), "type")
    if not kind.startswith("feature-") or kind in _NO_EFFECT:
        return
    which = Which(
        text_of(body.get("featureName"), "featureName"),
        scalar_text(body.get("project")),
        scalar_text(body.get("environment")),
    )
    state = _STATES.get(kind, "")
    yield flag_change(
        which,
        places,
        at=when(body.get("createdAt"), now),
        identity=scalar_text(body.get("id")),
        author=scalar_text(body.get("createdBy")),
        summary=short_text(f"{kind.replace('-', ' ')}: {which.flag}"),
        source=source,
        now=now,
        revision=state,
        previous={"on": "off", "off": "on"}.get(state, ""),
    )
