"""The mapping of a webhook, read once: which list holds what, and where each field stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from quell.errors import Misconfigured, Problem
from quell_connectors.webhook.paths import Text, read_text

COMMON = ("at", "entity", "url", "summary", "id")
ALERT_FIELDS = (*COMMON, "status", "name", "key", "severity", "starts_at", "ends_at", "value", "threshold")
CHANGE_FIELDS = (*COMMON, "type", "revision", "previous", "commit", "author")
Status = Literal["firing", "resolved", "ignore"]
_STATUSES: Mapping[str, Status] = {"firing": "firing", "resolved": "resolved", "ignore": "ignore"}


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A mapping as read. ``items`` is None when the body itself is the one item."""

    change: bool = False
    items: Text | None = None
    fields: Mapping[str, Text] = field(default_factory=dict)
    labels: Mapping[str, Text] = field(default_factory=dict)
    labels_from: tuple[Text, ...] = ()
    annotations: Mapping[str, Text] = field(default_factory=dict)
    statuses: Mapping[str, Status] = field(default_factory=dict)


class _Reading:
    """Gathers every problem instead of stopping at the first."""

    def __init__(self, source: str) -> None:
        self.problems: list[Problem] = []
        self._source = source

    def problem(self, place: str, message: str, suggestion: str = "") -> None:
        self.problems.append(Problem(f'webhook "{self._source}"', 0, 0, f"{place}: {message}", suggestion))

    def text(self, place: str, value: object) -> Text:
        try:
            return read_text(value)
        except ValueError as error:
            self.problem(place, str(error))
            return Text(("",))

    def texts(self, place: str, value: object) -> dict[str, Text]:
        if not isinstance(value, Mapping):
            self.problem(place, "expected names with a path each")
            return {}
        return {str(name): self.text(f"{place}.{name}", item) for name, item in value.items()}


def read_mapping(mapping: Mapping[str, Any], status_map: Mapping[str, Any], source: str) -> FieldMap:
    """Raises `Misconfigured` with every mistake in the options."""
    reading = _Reading(source)
    change = "changes" in mapping
    if change and "alerts" in mapping:
        reading.problem("mapping", 'both "alerts" and "changes" are given', "use a source of its own for each")
    known = CHANGE_FIELDS if change else ALERT_FIELDS
    lists = ("alerts", "changes", "labels", "labels_from", "annotations")
    for name in mapping:
        if name not in known and name not in lists:
            close = get_close_matches(str(name), [*known, *lists], 1)
            reading.problem("mapping", f'"{name}" is not known', f'did you mean "{close[0]}"?' if close else "")
    items = mapping.get("changes" if change else "alerts")
    more = mapping.get("labels_from", [])
    found = FieldMap(
        change=change,
        items=None if items is None else reading.text("mapping.changes" if change else "mapping.alerts", items),
        fields={name: reading.text(f"mapping.{name}", mapping[name]) for name in known if name in mapping},
        labels=reading.texts("mapping.labels", mapping.get("labels", {})),
        labels_from=tuple(
            reading.text("mapping.labels_from", item) for item in (more if isinstance(more, list) else [more])
        ),
        annotations=reading.texts("mapping.annotations", mapping.get("annotations", {})),
        statuses=_statuses(reading, status_map),
    )
    if not (found.labels or found.labels_from or "key" in found.fields or "name" in found.fields or change):
        reading.problem("mapping", "nothing identifies an alert", "map labels, name or key")
    if reading.problems:
        raise Misconfigured(reading.problems)
    return found


def _statuses(reading: _Reading, status_map: Mapping[str, Any]) -> dict[str, Status]:
    statuses: dict[str, Status] = {}
    for word, meaning in status_map.items():
        status = _STATUSES.get(str(meaning).lower())
        if status is None:
            reading.problem(f"status_map.{word}", f'"{meaning}" is not a status; write firing, resolved or ignore')
        else:
            statuses[str(word).strip().lower()] = status
    return statuses
