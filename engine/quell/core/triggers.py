"""Playbooks by what begins them, so that news is held against those only that listen to it."""

from __future__ import annotations

from collections.abc import Iterable

from quell.expressions.matchers import Matching, matching_of
from quell.model.alert import Alert
from quell.model.decision import IncidentEvent
from quell.model.playbook import Playbook, Trigger

TRIGGERS: dict[IncidentEvent, Trigger] = {
    "opened": "opened",
    "reopened": "opened",
    "suspects_changed": "suspects_changed",
    "escalated": "escalated",
    "resolved": "resolved",
}
NAME = "alertname"


class Triggers:
    """The playbooks of a rulebook that are not off."""

    def __init__(self, playbooks: Iterable[Playbook]) -> None:
        self.playbooks = {one.name: one for one in playbooks if one.mode != "off"}
        self.rank = {name: number for number, name in enumerate(self.playbooks)}
        self._on: dict[Trigger, list[str]] = {}
        self._by_alertname: dict[str, list[tuple[str, Matching]]] = {}
        self._by_other: list[tuple[str, Matching]] = []
        for name, one in self.playbooks.items():
            for trigger in one.on:
                self._on.setdefault(trigger, []).append(name)
            if one.alert is not None:
                self._index(name, matching_of(one.alert))

    def _index(self, name: str, matching: Matching) -> None:
        names = [one.value for one in matching.matchers if one.name == NAME and one.is_equal and not one.is_regex]
        if names:
            self._by_alertname.setdefault(names[0], []).append((name, matching))
        else:
            self._by_other.append((name, matching))

    def on(self, trigger: Trigger | None) -> list[str]:
        """Playbooks that listen to an event of an incident, in the rulebook's order."""
        return self._on.get(trigger, []) if trigger is not None else []

    @property
    def any_alert(self) -> bool:
        """Whether any playbook listens to single alerts."""
        return bool(self._by_alertname or self._by_other)

    def on_alert(self, alert: Alert) -> list[str]:
        """Playbooks that listen to this alert, in the rulebook's order."""
        named = self._by_alertname.get(alert.labels.get(NAME, ""), ())
        found = [name for name, matching in (*named, *self._by_other) if matching.matches(alert.labels)]
        return sorted(found, key=self.rank.__getitem__) if len(found) > 1 else found
