"""What triage is told around an alert: who has taken it in hand, what its rule's customs are, what fires near it.

Customs are learned here, too, from how firings end and from what people do about pages.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from msgspec.structs import replace

from quell.core.customs import BY_ITSELF, EVERYONE, NO_CUSTOM, End, bounded, ended, lasted, valued
from quell.core.fold import What
from quell.core.groups import Groups
from quell.core.hearings import NOTHING_HEARD, heard, speaker, teaches
from quell.core.logbook import QUELL
from quell.core.neighbours import Neighbours
from quell.core.passings import NOTHING_PASSED, passed
from quell.core.patience import Around, longest_s
from quell.core.severity import rank
from quell.core.steps import Steps
from quell.core.verdicts import DAY_S
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import Custom, State
from quell.model.times import format_duration

IN_HAND_WAITS = 4.0
"""Whoever has an incident in hand may have forgotten it: what fires anew for so many of the longest waits pages."""


class Surroundings:
    """Works on ``state.customs`` and ``state.taken``."""

    def __init__(self, rulebook: Rulebook, state: State, groups: Groups) -> None:
        self._state = state
        triage = rulebook.triage
        self._in_hand_s = IN_HAND_WAITS * longest_s(triage)
        self._page = frozenset(severity.lower() for severity in triage.page_severities)
        self._neighbours = Neighbours(
            state, groups, frozenset(severity.lower() for severity in triage.digest_severities)
        )
        self._owned: dict[str, set[str]] = {}
        for alert in state.alerts.values():
            if alert.firing and alert.reason.code == "owned":
                self.around(alert)

    def around(self, alert: Alert) -> Around:
        """What is known around an alert as of now."""
        customs = self._state.customs
        foreign = self._foreign(alert)
        return Around(
            in_incident=alert.incident is not None,
            owner=foreign or self._own(alert),
            owned_until=alert.starts_at + (DAY_S if foreign else self._in_hand_s),
            custom=customs.get(alert.name, NO_CUSTOM) if alert.name else NO_CUSTOM,
            everyone=customs.get(EVERYONE, NO_CUSTOM),
            hearing=self._state.hearings.get(speaker(alert), NOTHING_HEARD),
            passing=self._state.passings.get(alert.name, NOTHING_PASSED),
            company=lambda: self._neighbours.of(alert),
        )

    def unchanged(self) -> AbstractContextManager[None]:
        """Within, many alerts are asked after while nothing changes."""
        return self._neighbours.unchanged()

    def reading(self, alert: Alert) -> Steps[None]:
        """Does a little at a time what the next question about an alert would take long for."""
        return self._neighbours.reading(alert)

    def changed(self) -> None:
        """Something changed within that others may have for company."""
        self._neighbours.forget()

    def folded(self, what: What, alert: Alert, now: float) -> End:
        """Learns from what a record told, or time, of an alert; returns how it ended, if it did."""
        if what in {"new", "returned"}:
            if alert.value is None or not alert.name:
                return BY_ITSELF  # most tell no value
            self._keep(alert.name, valued(self._custom(alert.name), alert, now))
            return BY_ITSELF
        if what != "resolved":
            return BY_ITSELF
        incident = self._state.incidents.get(alert.incident or "")
        acted = incident is not None and acted_on(incident)
        alone = incident is None or incident.crowd or len(incident.alerts) == 1
        if not alert.mutings:
            if alone and alert.name and alert.severity in self._page and alert.status == "resolved":
                self._pass(alert, now, acted=acted)
            if alert.name:
                self._keep(alert.name, ended(self._custom(alert.name), alert, now, alone=alone, acted=acted))
            if alert.severity in self._page:
                self._keep(EVERYONE, ended(self._custom(EVERYONE), alert, now, alone=alone, acted=acted))
        return End(acted, called=not alone and incident is not None and incident.paged_at is not None)

    def heard(self, known: Alert, alert: Alert, what: What) -> None:
        """Learns from news of an alert that fires how soon what its rule tells of is told of again."""
        if alert.name and alert.severity in self._page and teaches(known, what):
            hearings = self._state.hearings
            who = speaker(alert)
            before = hearings.get(who, NOTHING_HEARD)
            after = heard(before, known, alert, what)
            if after is not before:
                hearings[who] = after
                if before is NOTHING_HEARD:
                    bounded(hearings)

    def _pass(self, alert: Alert, now: float, *, acted: bool) -> None:
        passings = self._state.passings
        passings[alert.name] = passed(passings.get(alert.name, NOTHING_PASSED), lasted(alert, now), now, acted=acted)
        bounded(passings)

    def page_over(self, now: float, *, acted: bool) -> None:
        """Counts a page as one that people acted on, or did not."""
        known = self._custom(EVERYONE)
        self._keep(
            EVERYONE,
            replace(known, heeded=known.heeded + acted, ignored=known.ignored + (not acted), at=now),
        )

    def incident_changed(self, incident: Incident) -> list[str]:
        """Notes who has an incident in hand; returns the alerts that were held for it and are to be judged again."""
        if incident.is_open and (incident.acknowledged_by or incident.acknowledged_before):
            if incident.acknowledged_by:
                self._take(incident)
            return []  # what was taken before it became worse is taken still
        self._state.taken.pop(incident.id, None)
        return sorted(self._owned.pop(incident.id, ()))

    def _take(self, incident: Incident) -> None:
        """What fires in it, and what did and left it since: an alert that fires anew is no longer listed."""
        speaks = self._state.taken.setdefault(incident.id, {})
        for mark in incident.alerts:
            alert = self._state.alerts.get(mark)
            if alert is not None and (spoken := _speaks(alert)) is not None:
                speaks[spoken] = max(speaks.get(spoken, 0), rank(alert.severity))

    def _own(self, alert: Alert) -> str | None:
        """The incident in somebody's hands in which the same rule fires at the same entity, no less severely."""
        taken = self._state.taken
        spoken = _speaks(alert) if taken and alert.incident is None else None
        if spoken is None:
            return None
        for name in sorted(taken):
            if taken[name].get(spoken, 0) >= rank(alert.severity):
                self._owned.setdefault(name, set()).add(alert.fingerprint)
                by = self._state.incidents[name].acknowledged_by or self._state.incidents[name].acknowledged_before
                what = f"{by} has incident {name} in hand, in which the same fires at the same place"
                return f"{what}; pages if it still fires after {format_duration(self._in_hand_s)}"
        return None

    def _foreign(self, alert: Alert) -> str | None:
        for incident in self._state.foreign.values():
            if incident.status != "open":
                continue
            same_entity = incident.entity and incident.entity == alert.entity
            same_labels = incident.labels and all(
                alert.labels.get(name) == value for name, value in incident.labels.items()
            )
            if same_entity or same_labels:
                title = incident.title or incident.id
                return f'already being handled in "{title}", an incident opened elsewhere'
        return None

    def _custom(self, name: str) -> Custom:
        return self._state.customs.get(name, NO_CUSTOM)

    def _keep(self, name: str, custom: Custom) -> None:
        if custom is not self._custom(name):
            self._state.customs[name] = custom
            bounded(self._state.customs)


def acted_on(incident: Incident) -> bool:
    """Whether people, or a playbook of theirs, did something about an incident."""
    by_hand = any(entry.what == "resolved" and entry.by != QUELL for entry in incident.timeline)
    return bool(incident.acknowledged_by or incident.acknowledged_before or incident.remedies) or by_hand


def _speaks(alert: Alert) -> str | None:
    """What two alerts have in common that speak of the same."""
    return f"{alert.name}\x00{alert.entity}" if alert.name and alert.entity else None
