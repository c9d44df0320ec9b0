"""Between values in memory and their public JSON form: RFC 3339 texts for times, plain types for the rest."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.model.times import format_time, parse_time

TIME_FIELDS = frozenset({
    "at", "seen", "starts_at", "ends_at", "updated_at", "onset_seen", "hold_until", "opened_at", "paged_at",
    "resolved_at", "asked_at", "expires_at", "started_at", "finished_at", "due_at", "deadline", "onset",
    "first_seen", "last_seen", "now", "from_time", "to_time", "was_at", "now_at",
})  # fmt: skip
"""Names that hold a time wherever they occur; duration fields end in ``_s`` and stay numbers."""


def to_wire(value: Any) -> Any:
    """Plain JSON types for a value of the model, times as text."""
    return _times_to_text(msgspec.to_builtins(value))


def _times_to_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: format_time(item)
            if name in TIME_FIELDS and isinstance(item, (int, float)) and not isinstance(item, bool)
            else [[format_time(at), number] for at, number in item]
            if name == "points" and isinstance(item, (list, tuple))
            else [format_time(at) for at in item]
            if name == "times" and isinstance(item, (list, tuple))
            else item
            if name in _OPAQUE
            else _times_to_text(item)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        # Lists of ten thousand fingerprints are nothing to look into.
        return [item if type(item) is str else _times_to_text(item) for item in value]
    return value


_OPAQUE = frozenset({
    "labels", "annotations", "attributes", "headers", "body", "params", "output", "with_", "vars", "categories",
    "values", "histograms",
})  # fmt: skip
"""Fields whose content is somebody else's and is never touched."""


def times_from_text(raw: dict[str, Any]) -> dict[str, Any]:
    """A copy of one decoded JSON object with its top-level time texts as seconds (unset times and nulls left out).

    Raises ValueError that names the field.
    """
    out: dict[str, Any] = {}
    for name, item in raw.items():
        try:
            if item is None:
                continue
            if name in TIME_FIELDS and isinstance(item, str):
                moment = parse_time(item)
                if moment is not None:
                    out[name] = moment
            elif name == "points" and isinstance(item, list):
                out[name] = [(parse_time(at) if isinstance(at, str) else at, value) for at, value in item]
            elif name == "times" and isinstance(item, list):
                out[name] = [parse_time(at) if isinstance(at, str) else at for at in item]
            else:
                out[name] = item
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}: {error}") from error
    return out
