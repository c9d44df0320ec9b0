"""Incidents: what the solved causes of a group mean for the incidents that people see.

A solution is compared with what was shown before: a cause takes over the incident that holds most of its alerts,
others open new ones, an incident that lost its alerts to others is merged into where most went. Ids are stable and
depend on nothing but the alerts and the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from quell.core.agenda import Agenda
from quell.core.alerts import Alerts, stands_for
from quell.core.continuity import Cluster, Member, continued, new_name, place_of
from quell.core.cover import Cause
from quell.core.rank import Ranker, nearest_change
from quell.core.severity import rank, worst
from quell.model.alert import Alert, Reason
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, IncidentEvent, Page
from quell.model.incident import Evidence, Incident, Suspect, TimelineEntry
from quell.model.rulebook import Rulebook
from quell.model.state import Group, State
from quell.model.times import format_duration
from quell.model.topology import Change

CALM_S = 120.0
STALE_S = 86400.0
TRUST_S = 1800.0
"""How long a person's word that it is over stands against alerts that go on firing."""
QUELL = "quell"
MOST_TIMELINE = 200
Changes = Callable[[str], Iterable[Change]]


class Incidents:
    """Works on ``state.incidents`` and ``state.placed``; every visible difference becomes a decision."""

    def __init__(self, rulebook: Rulebook, state: State, agenda: Agenda, alerts: Alerts) -> None:
        self._rulebook = rulebook
        self._state = state
        self._agenda = agenda
        self._alerts = alerts
        self._digest = frozenset(rulebook.triage.digest_severities)

    def settle(
        self,
        group: Group,
        causes: Sequence[Cause],
        ranker: Ranker,
        changes: Changes,
        *,
        now: float,
        out: list[AnyDecision],
    ) -> None:
        """Brings the incidents of a group in line with its solution."""
        before = {
            member: self._state.placed.get(place_of(member))
            for unit_id in group.units
            for member in self._state.units[unit_id].alerts
        }
        clusters = [cluster for cause in causes if self._heard(cluster := self._cluster(cause))]
        least = self._rulebook.correlate.least_alerts
        story = continued(self._state, clusters, before, least, now)
        after = {member: name for cluster, name in story for member in cluster.members}
        told = set(after.values())
        lost: dict[str, list[Member]] = {}
        for member, name in before.items():
            if name is not None and name not in told:
                lost.setdefault(name, []).append(member)
            self._place(member, after.get(member) or (name if self._resolved(name) else None))
        self._hand_on_pages(lost, after, now, out)
        for cluster, name in story:
            anew = any(before[member] != name and self._fires(member) for member in cluster.members)
            self._update(name, cluster, ranker, changes, anew=anew, now=now, out=out)
        for name, members in sorted(lost.items()):
            self._lost(name, members, after, now, out)
        for member, name in before.items():
            self._tell(member, name, now, out)

    def _cluster(self, cause: Cause) -> Cluster:
        members = {member for unit_id in cause.units for member in self._state.units[unit_id].alerts}
        return Cluster(cause, tuple(sorted(members, key=self._order)))

    def _order(self, member: Member) -> tuple[float, str, int]:
        alert = self._state.alerts.get(member[0])
        return (alert.starts_at if alert is not None else 0.0, *member)

    def _heard(self, cluster: Cluster) -> bool:
        """Whether a cluster may be shown to people: something of it is not muted, and was not while it fired."""
        return any(
            (alert := self._state.alerts.get(mark)) is not None and not alert.mutings and alert.handling != "muted"
            for mark, _ in cluster.members
        )

    def _resolved(self, name: str | None) -> bool:
        incident = self._state.incidents.get(name) if name else None
        return incident is not None and incident.status == "resolved"

    def _place(self, member: Member, name: str | None) -> None:
        if name is None:
            self._state.placed.pop(place_of(member), None)
        else:
            self._state.placed[place_of(member)] = name

    def _tell(self, member: Member, before: str | None, now: float, out: list[AnyDecision]) -> None:
        """An alert that moved says so; one of an earlier episode speaks for that episode only."""
        name = self._state.placed.get(place_of(member))
        alert = self._state.alerts.get(member[0])
        if alert is None or name == before:
            return
        if alert.episode != member[1]:
            reason = Reason(code="in_incident", text="an earlier firing of this alert")
            old = msgspec.structs.replace(
                alert, episode=member[1], incident=name, status="resolved", handling="hold", reason=reason
            )
            out.append(AlertChanged(at=now, alert=old))
            return
        moved = msgspec.structs.replace(alert, incident=name)
        self._state.alerts[member[0]] = moved
        if not self._alerts.rejudge([member[0]], now, out):
            out.append(AlertChanged(at=now, alert=self._state.alerts[member[0]]))

    def _update(
        self,
        name: str,
        cluster: Cluster,
        ranker: Ranker,
        changes: Changes,
        *,
        anew: bool,
        now: float,
        out: list[AnyDecision],
    ) -> None:
        """Brings one incident in line with its cluster. ``anew``: something fires that was not in it before.

        It lists an alert by its present firing only; an earlier one whose alert fires elsewhere by now is history.
        """
        known = self._state.incidents.get(name)
        alerts = [
            alert
            for mark, episode in cluster.members
            if (alert := self._state.alerts.get(mark)) is not None and alert.episode == episode
        ]
        marks = tuple(alert.fingerprint for alert in alerts)
        if known is not None and known.status == "resolved" and not anew:
            if set(marks) <= set(known.alerts):
                return
            marks = tuple(dict.fromkeys((*known.alerts, *marks)))
        if not marks:
            self._emptied(known, now, out)
            return
        severity = worst(alert.severity for alert in alerts if alert.severity)
        reopens = known is not None and known.status == "resolved" and anew
        if known is not None and known.suspects and (known.alerts, known.severity, reopens) == (marks, severity, False):
            first = ranker.entity(cluster.cause)
            if first == known.suspects[0].entity and not self._news_of(first, known, changes):
                self._page_if_due(name, now, out)
                return
        suspects = ranker.suspects(cluster.cause, changes)
        seen = Incident(
            id=name,
            title=_title(suspects, alerts),
            status=known.status if known else "open",
            opened_at=known.opened_at if known else now,
            updated_at=now,
            severity=severity,
            alerts=marks,
            entities=tuple(dict.fromkeys(alert.entity for alert in alerts if alert.entity)),
            suspects=tuple(suspects),
            no_clear_cause=suspects[0].confidence < self._rulebook.correlate.clear_cause_bar,
            impact=ranker.impact(cluster.cause),
            changes=tuple(dict.fromkeys(suspect.change for suspect in suspects if suspect.change)),
        )
        if known is None:
            opened = self._noted(seen, now, "opened", f"{len(alerts)} alerts: {seen.title}")
            self.keep(opened, "opened", now, out)
        else:
            self._grow(known, seen, now, out, reopens=reopens)
        if not any(alert.firing for alert in alerts):
            self._watch(name, min(self._state.calm_at.get(name, now + CALM_S), now + CALM_S))
        self._page_if_due(name, now, out)

    def _news_of(self, entity: str, known: Incident, changes: Changes) -> bool:
        """Whether something changed there since the incident was last looked at."""
        told = max((change.at for change in changes(entity)), default=0.0)
        return told > 0.0 and known.suspects[0].change is None

    def _grow(self, known: Incident, seen: Incident, now: float, out: list[AnyDecision], *, reopens: bool) -> None:
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
        if grown == known and not reopens:
            return
        event: IncidentEvent = "updated"
        first, was = seen.suspects[0], known.suspects[0] if known.suspects else None
        if known.status == "merged":
            apart = msgspec.structs.replace(grown, status="open", merged_into=None, resolved_at=None)
            grown, event = self._noted(apart, now, "split", "its alerts stand apart again"), "split"
        elif reopens:
            grown, event = self._noted(self._again(grown, now), now, "reopened", "more of it fires"), "reopened"
        elif rank(seen.severity) > rank(known.severity):
            grown = self._noted(grown, now, "escalated", f"severity is now {seen.severity}")
            event = "escalated"
        elif was is None or (first.entity, first.change) != (was.entity, was.change):
            grown = self._noted(grown, now, "suspects_changed", f"first suspect is now {first.entity}")
            event = "suspects_changed"
        if len(seen.alerts) > len(known.alerts) and event == "updated":
            more = len(seen.alerts) - len(known.alerts)
            grown = self._noted(grown, now, "grew", f"{more} more alert{'s' * (more != 1)}")
        self.keep(grown, event, now, out)
        if event == "reopened":
            self._watch(grown.id, now + self._rulebook.triage.lone_page_after_s)

    def _lost(
        self, name: str, members: Sequence[Member], after: dict[Member, str], now: float, out: list[AnyDecision]
    ) -> None:
        """An incident that no cause goes on with is merged into where most of its alerts went, or stays as it was."""
        incident = self._state.incidents.get(name)
        if incident is None or not incident.is_open:
            return
        target = self._absorber(members, after)
        if target is not None:
            text = f"its alerts are explained by {target}"
            merged = msgspec.structs.replace(incident, status="merged", merged_into=target, resolved_at=now)
            self.keep(self._noted(merged, now, "merged", text), "merged", now, out)
        else:
            # People were shown it: weaker evidence alone does not take it back, only a better explanation does.
            for member in members:
                self._place(member, name)

    def lone(self, alert: Alert, changes: Changes, now: float, out: list[AnyDecision]) -> None:
        """Opens and pages an incident for one alert that must page though it has no company."""
        member = (alert.fingerprint, alert.episode)
        name = new_name(self._state, [member], now)
        suspects = _alone(alert, changes)
        incident = Incident(
            id=name,
            title=_title(suspects, [alert]),
            status="open",
            opened_at=now,
            updated_at=now,
            severity=alert.severity,
            alerts=(alert.fingerprint,),
            entities=(alert.entity,) if alert.entity else (),
            suspects=suspects,
            no_clear_cause=True,
            changes=tuple(suspect.change for suspect in suspects if suspect.change),
        )
        self._place(member, name)
        self._state.alerts[alert.fingerprint] = msgspec.structs.replace(alert, incident=name)
        self.keep(self._noted(incident, now, "opened", alert.reason.text), "opened", now, out)
        self._page(name, alert, alert.reason.text, now, out)

    def _page_if_due(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """Pages once, when an alert is in it that nothing mutes and that is more than information."""
        incident = self._state.incidents[name]
        if not _awaits_page(incident):
            return
        able = [alert for mark in incident.alerts if self._able(alert := self._state.alerts.get(mark)) and alert]
        if not able:
            return
        cause = incident.suspects[0].entity if incident.suspects else None
        first = min(able, key=lambda alert: (alert.entity != cause, alert.starts_at, alert.fingerprint))
        count = len(incident.alerts)
        because = f"first cause {cause}" if cause else "no cause known"
        self._page(name, first, f"{count} alert{'s' * (count != 1)}, {because}", now, out)

    def _able(self, alert: Alert | None) -> bool:
        """Whether an alert can stand for the page of its incident."""
        return (
            alert is not None
            and alert.firing
            and not alert.mutings
            and alert.severity not in self._digest
            and alert.reason.code not in {"rule", "owned"}
        )

    def page_for(self, alert: Alert, now: float, out: list[AnyDecision]) -> None:
        """Pages the incident of an alert that can page now though none of it could before, unless it has paged."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is None or not _awaits_page(incident):
            return
        if alert.handling == "page":
            self._page(incident.id, alert, alert.reason.text, now, out)
        elif self._able(alert) and alert.fingerprint in incident.alerts:
            self._page_if_due(incident.id, now, out)

    def _page(self, name: str, alert: Alert, why: str, now: float, out: list[AnyDecision]) -> None:
        incident = msgspec.structs.replace(
            self._state.incidents[name], paged_at=now, page_alert=alert.fingerprint, page_record=alert.record
        )
        self.keep(self._noted(incident, now, "paged", why), "updated", now, out)
        out.append(Page(at=now, incident=name, alert=alert.fingerprint, reason=why))
        current = self._state.alerts[alert.fingerprint]
        paging = msgspec.structs.replace(
            current, incident=name, handling="page", reason=stands_for(self._state.incidents[name]), hold_until=None
        )
        self._state.alerts[alert.fingerprint] = paging
        self._alerts.paged(paging, now)
        out.append(AlertChanged(at=now, alert=paging))

    def left(self, mark: str, name: str, now: float, out: list[AnyDecision]) -> None:
        """An alert fires anew, on its own so far: an open incident does not list it any more."""
        incident = self._state.incidents.get(name)
        if incident is None or not incident.is_open or mark not in incident.alerts:
            return
        rest = tuple(other for other in incident.alerts if other != mark)
        self.keep(msgspec.structs.replace(incident, alerts=rest), "updated", now, out)
        if not any(alert.firing for other in rest if (alert := self._state.alerts.get(other)) is not None):
            self._watch(name, now + CALM_S)

    def back(self, alert: Alert, now: float, out: list[AnyDecision]) -> None:
        """An alert came back soon after it ended: so does its incident if that was over."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is None or incident.status != "resolved":
            return
        marks = tuple(dict.fromkeys((*self._own(incident), alert.fingerprint)))
        again = self._again(msgspec.structs.replace(incident, alerts=marks), now)
        text = f"{alert.name or alert.fingerprint} is back"
        self.keep(self._noted(again, now, "reopened", text), "reopened", now, out)
        self._watch(incident.id, now + self._rulebook.triage.lone_page_after_s)
        self._page_if_due(incident.id, now, out)

    def reopen(self, incident: Incident, by: str, note: str, now: float, out: list[AnyDecision]) -> None:
        """Opens a resolved incident again for a person; it stays open until more of it ends, or for a day."""
        again = msgspec.structs.replace(
            incident, status="open", resolved_at=None, acknowledged_by="", alerts=self._own(incident)
        )
        self.keep(self._noted(again, now, "reopened", note, by), "reopened", now, out)

    def _own(self, incident: Incident) -> tuple[str, ...]:
        """The alerts of an incident that have not gone on to another since."""
        return tuple(
            mark
            for mark in incident.alerts
            if (alert := self._state.alerts.get(mark)) is not None and alert.incident == incident.id
        )

    def _again(self, incident: Incident, now: float) -> Incident:
        """A resolved incident as it opens again; it pages again unless it was over for a moment only."""
        again = msgspec.structs.replace(incident, status="open", resolved_at=None, acknowledged_by="")
        if incident.resolved_at is not None and incident.resolved_at + self._rulebook.triage.flap_gap_s > now:
            return again
        return msgspec.structs.replace(again, paged_at=None, page_alert=None, page_record=None)

    def _emptied(self, known: Incident | None, now: float, out: list[AnyDecision]) -> None:
        """All alerts of an incident fire anew elsewhere."""
        if known is not None and known.is_open and known.alerts:
            self.keep(msgspec.structs.replace(known, alerts=()), "updated", now, out)
            self._watch(known.id, now + CALM_S)

    def _hand_on_pages(
        self, lost: dict[str, list[Member]], after: dict[Member, str], now: float, out: list[AnyDecision]
    ) -> None:
        """Who was paged for an incident that another one absorbs is not paged again for that one."""
        for name, members in sorted(lost.items()):
            target = self._absorber(members, after)
            gone, into = self._state.incidents.get(name), self._state.incidents.get(target or "")
            if gone is None or into is None or gone.paged_at is None or not (gone.is_open and _awaits_page(into)):
                continue
            paged = msgspec.structs.replace(
                into, paged_at=gone.paged_at, page_alert=gone.page_alert, page_record=gone.page_record
            )
            self.keep(self._noted(paged, now, "paged", f"as {name}, which it absorbs"), "updated", now, out)

    def _absorber(self, members: Sequence[Member], after: dict[Member, str]) -> str | None:
        went = Counter(after[member] for member in members if member in after)
        return min(went, key=lambda other: (-went[other], other), default=None)

    def alert_ended(self, alert: Alert, now: float) -> None:
        """Asks a little later whether the incident of an alert that ended is over."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is not None and incident.is_open:
            self._watch(incident.id, now + CALM_S)

    def _watch(self, name: str, due: float) -> None:
        if name in self._state.incidents and self._state.incidents[name].is_open:
            self._state.calm_at[name] = due
            self._agenda.put(due, "calm", name)

    def calm(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """Resolves an incident none of whose alerts fires, or of which nothing was heard for a day."""
        incident, due = self._state.incidents.get(name), self._state.calm_at.get(name)
        if incident is None or due is None or due > now:
            return
        if not incident.is_open:
            self._still_fires(incident, now, out)
            return
        firing = [alert for mark in incident.alerts if (alert := self._state.alerts.get(mark)) and alert.firing]
        heard_at = max((alert.updated_at for alert in firing), default=0.0)
        if firing and heard_at + STALE_S > now:
            asked_at = self._page_again(incident, now, out)
            self._watch(name, heard_at + STALE_S if asked_at is None else asked_at)
            return
        why = "nothing was heard of its alerts for a day" if firing else "all its alerts are over"
        self.resolve(name, QUELL, why, now, out)

    def resolve(self, name: str, by: str, why: str, now: float, out: list[AnyDecision]) -> None:
        """Ends an incident."""
        incident = msgspec.structs.replace(self._state.incidents[name], status="resolved", resolved_at=now)
        lasted = format_duration(now - incident.opened_at)
        self.keep(self._noted(incident, now, "resolved", f"{why} (after {lasted})", by), "resolved", now, out)
        if by != QUELL:
            self._state.calm_at[name] = now + TRUST_S
            self._agenda.put(now + TRUST_S, "calm", name)

    def _page_again(self, incident: Incident, now: float, out: list[AnyDecision]) -> float | None:
        """Pages an incident that came back and stayed though its page was long ago; else when to ask again, or None."""
        back_at = max((entry.at for entry in incident.timeline if entry.what == "reopened"), default=None)
        if back_at is None or incident.paged_at is None or incident.paged_at >= back_at or incident.acknowledged_by:
            return None
        due = back_at + self._rulebook.triage.lone_page_after_s
        if now < due:
            return due
        anew = msgspec.structs.replace(incident, paged_at=None, page_alert=None, page_record=None)
        self._state.incidents[incident.id] = anew
        self._page_if_due(incident.id, now, out)
        return None

    def _still_fires(self, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """What a person resolved comes back, with a page, when its alerts went on firing all the same."""
        self._state.calm_at.pop(incident.id, None)
        firing = [mark for mark in self._own(incident) if self._able(self._state.alerts.get(mark))]
        if incident.status != "resolved" or not firing:
            return
        again = msgspec.structs.replace(
            incident, status="open", resolved_at=None, acknowledged_by="", paged_at=None, page_alert=None,
            page_record=None, alerts=self._own(incident),
        )  # fmt: skip
        text = f"{len(firing)} of its alerts still fire {format_duration(TRUST_S)} after it was resolved by hand"
        self.keep(self._noted(again, now, "reopened", text), "reopened", now, out)
        self._page_if_due(incident.id, now, out)

    def keep(self, incident: Incident, event: IncidentEvent, now: float, out: list[AnyDecision]) -> None:
        """Keeps an incident as it now is, and says so."""
        known = self._state.incidents.get(incident.id)
        incident = msgspec.structs.replace(
            incident, updated_at=now, version=known.version + 1 if known is not None else 1
        )
        self._state.incidents[incident.id] = incident
        if not incident.is_open:
            self._state.calm_at.pop(incident.id, None)
        elif incident.id not in self._state.calm_at:
            self._watch(incident.id, now + STALE_S)
        out.append(IncidentChanged(at=now, incident=incident, event=event))

    def _fires(self, member: Member) -> bool:
        alert = self._state.alerts.get(member[0])
        return alert is not None and alert.firing and alert.episode == member[1]

    def _noted(self, incident: Incident, at: float, what: str, text: str, by: str = "quell") -> Incident:
        entry = TimelineEntry(at=at, what=what, text=text, by=by)
        return msgspec.structs.replace(incident, timeline=(*incident.timeline[-MOST_TIMELINE:], entry))

    noted = _noted


def _awaits_page(incident: Incident) -> bool:
    """Whether people are still to be told of an incident: nobody was, and nobody has taken it."""
    return incident.is_open and incident.paged_at is None and not incident.acknowledged_by


def _alone(alert: Alert, changes: Changes) -> tuple[Suspect, ...]:
    """The only suspect of an alert without company is its own entity, with what changed there."""
    if alert.entity is None:
        return ()
    change, bonus = nearest_change(changes(alert.entity), alert.starts_at)
    if change is None:
        return (Suspect(entity=alert.entity, onset=alert.starts_at, path=(alert.entity,)),)
    text = f"{change.type} {change.revision or change.id} on {alert.entity} shortly before"
    return (
        Suspect(
            entity=alert.entity,
            change=change.id,
            kind=change.type,
            onset=alert.starts_at,
            path=(alert.entity,),
            evidence=(Evidence(code="change", text=text, weight=bonus),),
        ),
    )


def _title(suspects: Sequence[Suspect], alerts: Sequence[Alert]) -> str:
    """What a person reads first: where it comes from and what shows."""
    names = Counter(alert.name for alert in alerts if alert.name)
    shown = ", ".join(name for name, _ in sorted(names.items(), key=lambda item: (-item[1], item[0]))[:2])
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    where = suspects[0].entity if suspects else "unknown place"
    count = len({alert.entity for alert in alerts})
    spread = f" at {count} entities" if count > 1 else ""
    return f"{where}: {shown or 'alerts'}{more}{spread}"
