"""One incident as what was concluded has it now: opened, grown, told as graver, reopened or split off again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quell.core.conclude import Cause
from quell.core.continuity import Cluster
from quell.core.listed import Listed, OfAlerts
from quell.core.lives import Lives
from quell.core.logbook import Logbook, noted, remade
from quell.core.rank import Changes, Ranker
from quell.core.severity import rank
from quell.model.alert import Alert
from quell.model.decision import AnyDecision, IncidentEvent
from quell.model.incident import Incident, Suspect
from quell.model.rulebook import Rulebook
from quell.model.state import State


class Growth:
    """Keeps an incident only when what people see of it changes."""

    def __init__(self, rulebook: Rulebook, state: State, logbook: Logbook, lives: Lives) -> None:
        self._rulebook = rulebook
        self._state = state
        self._logbook = logbook
        self._lives = lives

    def follow(
        self,
        name: str,
        cluster: Cluster,
        listed: Listed | None,
        ranker: Ranker,
        changes: Changes,
        *,
        more: Sequence[Alert],
        anew: bool,
        mix: bool,
        now: float,
        out: list[AnyDecision],
    ) -> None:
        """Brings one incident in line with its cluster. ``anew``: something fires that was not in it before.

        ``mix``: alerts went from it to another incident, or came from one.

        It lists an alert by its present firing only; an earlier one whose alert fires elsewhere by now is history.
        ``more`` belong to it by a person's word, or since before it was over, and are explained elsewhere if at all:
        what it is called and who is suspected is up to the larger part.
        """
        known = self._state.incidents.get(name)
        if listed is None:
            listed = OfAlerts(self._listed(cluster))
        own = len(listed.marks)
        if more:
            listed = OfAlerts(sorted((*listed.alerts(), *more), key=lambda alert: (alert.starts_at, alert.fingerprint)))
        marks = listed.marks
        if known is not None and known.status == "resolved" and not anew:
            if set(marks) <= set(known.alerts):
                return
            marks = tuple(dict.fromkeys((*known.alerts, *marks)))
        if not marks:
            self._lives.emptied(known, now, out)
            return
        reopens = known is not None and known.status == "resolved" and anew
        if (
            known is not None
            and not reopens
            and self._as_before(known, marks, listed.severity, cluster.cause, ranker=ranker, changes=changes)
        ):
            return
        suspects = ranker.suspects(cluster.cause, changes)
        seen = self._seen(name, known, marks, listed, suspects, impact=ranker.impact(cluster.cause), now=now)
        if known is not None and len(more) >= own and known.suspects:
            seen = msgspec.structs.replace(
                seen, title=known.title, suspects=known.suspects, no_clear_cause=known.no_clear_cause,
                impact=known.impact, changes=known.changes,
            )  # fmt: skip
        if known is None:
            opened = noted(seen, now, "opened", f"{len(marks)} alerts: {seen.title}")
            self._logbook.keep(opened, "opened", now, out, listed)
        else:
            self._grow(remade(known) if mix else known, seen, listed, now, out, reopens=reopens)
        if not listed.fires():
            self._logbook.watch(
                name, min(self._state.calm_at.get(name, now + self._logbook.calm_s), now + self._logbook.calm_s)
            )

    def _listed(self, cluster: Cluster) -> list[Alert]:
        """The alerts of which a cluster holds the present firing."""
        return [
            alert
            for mark, episode in cluster.members
            if (alert := self._state.alerts.get(mark)) is not None and alert.episode == episode
        ]

    def _as_before(
        self, known: Incident, marks: tuple[str, ...], severity: str, cause: Cause, *, ranker: Ranker, changes: Changes
    ) -> bool:
        """Whether nothing was told that could change what is known of an incident: then nobody need be ranked again."""
        if known.status == "merged" or not known.suspects or (known.alerts, known.severity) != (marks, severity):
            return False
        first = ranker.entity(cause)
        if first != known.suspects[0].entity or ranker.heard(cause, known.updated_at):
            return False
        return known.suspects[0].change is not None or not any(change.at > 0.0 for change in changes(first))

    def _seen(
        self,
        name: str,
        known: Incident | None,
        marks: tuple[str, ...],
        listed: Listed,
        suspects: Sequence[Suspect],
        *,
        impact: tuple[str, ...],
        now: float,
    ) -> Incident:
        return Incident(
            id=name,
            title=listed.title(suspects),
            status=known.status if known else "open",
            opened_at=known.opened_at if known else now,
            updated_at=now,
            severity=listed.severity,
            alerts=marks,
            entities=listed.entities(),
            suspects=tuple(suspects),
            no_clear_cause=suspects[0].confidence < self._rulebook.correlate.clear_cause_bar,
            impact=impact,
            changes=tuple(dict.fromkeys(suspect.change for suspect in suspects if suspect.change)),
        )

    def _grow(
        self, known: Incident, seen: Incident, listed: Listed, now: float, out: list[AnyDecision], *, reopens: bool
    ) -> None:
        grown = msgspec.structs.replace(
            known,
            title=seen.title,
            severity=seen.severity,
            alerts=seen.alerts,
            entities=seen.entities,
            suspects=seen.suspects,
            no_clear_cause=seen.no_clear_cause,
            impact=seen.impact,
            changes=seen.changes,
        )
        if grown == known and known.status != "merged" and not reopens:
            return
        event: IncidentEvent = "updated"
        first, was = seen.suspects[0], known.suspects[0] if known.suspects else None
        if known.status == "merged":
            apart = msgspec.structs.replace(grown, status="open", merged_into=None, resolved_at=None)
            grown, event = noted(apart, now, "split", "its alerts stand apart again"), "split"
        elif reopens:
            grown, event = noted(self._lives.again(grown, now), now, "reopened", "more of it fires"), "reopened"
        elif rank(seen.severity) > rank(known.severity):
            grown = noted(grown, now, "escalated", f"severity is now {seen.severity}")
            event = "escalated"
        elif was is None or (first.entity, first.change) != (was.entity, was.change):
            grown = noted(grown, now, "suspects_changed", f"first suspect is now {first.entity}")
            event = "suspects_changed"
        if len(seen.alerts) > len(known.alerts) and event == "updated":
            more = len(seen.alerts) - len(known.alerts)
            grown = noted(grown, now, "grew", f"{more} more alert{'s' * (more != 1)}")
        self._logbook.keep(grown, event, now, out, listed)
        if event == "reopened":
            self._logbook.watch(grown.id, now + self._rulebook.triage.lone_page_after_s)
