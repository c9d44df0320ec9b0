"""Flagsmith's webhook of an environment: the state of a flag before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places, when
from quell.sdk.flags import Which, flag_change
from quell.sdk.parts import mapping_of, text_of
from quell.sdk.vocabulary import scalar_text


def changes(body: Mapping[str, Any], places: Places, source: str, now: float) -> Iterator[ChangeRecord]:
    """The change that an update or deletion is. Raises `BadPayload`."""
    kind = text_of(body.get("event_type"), "event_type")
    if kind not in {"FLAG_UPDATED", "FLAG_DELETED"}:
        return
    data = mapping_of(body.get("data"), "data")
    before = data.get("previous_state") if isinstance(data.get("previous_state"), dict) else {}
    after = data.get("new_state") if isinstance(data.get("new_state"), dict) else {}
    told = mapping_of(after or before, "data.new_state")
    feature = mapping_of(told.get("feature"), "data.new_state.feature")
    environment, project = told.get("environment"), feature.get("project")
    which = Which(text_of(feature.get("name"), "data.new_state.feature.name"), _name(project), _name(environment))
    who = scalar_text(told.get("identity_identifier"))
    summary = f"{which.flag} {'was deleted' if kind == 'FLAG_DELETED' else f'is {_state(after)}'}"
    if isinstance(told.get("feature_segment"), dict):
        summary += f" for segment {_name(told['feature_segment'].get('segment'))}".rstrip()
    yield flag_change(
        which,
        places,
        at=when(data.get("timestamp"), now),
        identity=blake2b(msgspec.json.encode(body, order="sorted"), digest_size=8).hexdigest(),
        author=scalar_text(data.get("changed_by")),
        summary=summary + (" for one identity" if who else ""),
        source=source,
        now=now,
        revision=_state(after),
        previous=_state(before),
    )


def _name(part: Any) -> str:
    return scalar_text(part.get("name")) if isinstance(part, dict) else ""


def _state(state: Any) -> str:
    """Whether it is on; the flag's value is left out, it may be a secret."""
    on = state.get("enabled") if isinstance(state, dict) else None
    return "" if not isinstance(on, bool) else "on" if on else "off"
