"""The pass over alerts: a record is folded, placed at an entity, muted or not, and judged; each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Literal

import msgspec

from quell.core.agenda import Agenda
from quell.core.chart import Chart
from quell.core.customs import BY_ITSELF, observe, page_over, told
from quell.core.episodes import KEPT
from quell.core.firsts import Firsts
from quell.core.fold import What, expired, fold, next_expiry
from quell.core.impact import AtKpis
from quell.core.mute import Muter
from quell.core.prune import Pruning
from quell.core.steps import Steps
from quell.core.surroundings import Surroundings, acted_on
from quell.core.thrift import Words, begun_once
from quell.core.triage import UNHEARD, judge
from quell.core.verdicts import Judgement, slow_burn
from quell.model.alert import Alert, Reason
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.incident import Incident
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State, Triaged

NOTHING_OBSERVED = Triaged()
STEADY = frozenset({"low_severity", "not_severe", "waiting_for_company", "in_incident"})
"""Codes of verdicts whose words do not change as time passes, nor with the alert's annotations."""

NO_REASON = frozenset({"new", "over"})
"""Codes that do not say what kept an alert from paging while it fired."""


def stands_for(incident: Incident, *, early: bool = False) -> Reason:
    """Why an alert pages that stands for an incident's page."""
    many = len(incident.alerts)
    text = f"stands for the {'early sign' if early else 'page'} of incident {incident.id}" + (
        f" and its {many} alerts" if many > 1 else ""
    )
    return Reason(code="paged", text=text)


class Alerts:
    """Works on ``state.alerts`` and ``state.behaviour``; what is due later goes on the agenda."""

    def __init__(
        self,
        rulebook: Rulebook,
        chart: Chart,
        state: State,
        *,
        agenda: Agenda,
        pruning: Pruning,
        surroundings: Surroundings,
    ) -> None:
        self._rulebook = rulebook
        self._chart = chart
        self._state = state
        self._agenda = agenda
        self._pruning = pruning
        self._surroundings = surroundings
        self.unmuted: list[str] = []
        """Firing alerts that nothing mutes any more, since this was last emptied."""
        self._words = Words()
        self.muter = Muter(rulebook)
        for alert in state.alerts.values():
            self.muter.note(alert)
        self.kpis = AtKpis(state)
        self.firsts = Firsts(
            rulebook, chart, state, agenda=agenda, pruning=pruning, muter=self.muter, words=self._words,
            rejudge=self.rejudge, kpis=self.kpis,
        )  # fmt: skip
        """Takes most of what is heard of for the first time."""

    def take(self, mark: str, record: AlertRecord, now: float, out: list[AnyDecision]) -> tuple[Alert, What] | None:
        """Folds one record of the alert ``mark``; returns it and what the record was, None when nobody need be told."""
        known = self._state.alerts.get(mark)
        record = self._placed(record, known)
        gap = self._rulebook.triage.flap_gap_s
        folded = fold(known, record, now, flap_gap_s=gap, fingerprint=mark)
        if folded.alert is None:
            return None
        alert, what = folded.alert, folded.what
        if known is None:
            self._words.share(record.labels)
            forgotten = self._state.behaviour.get(mark)
            if forgotten is not None:  # an episode is known by its number to all that remember longer than this
                alert = msgspec.structs.replace(alert, episode=forgotten.episodes + 1)
        if what == "returned" and known is not None:
            alert = msgspec.structs.replace(alert, incident=None, before=known.count)
            if known.firing:  # its end was never told: what people were told of it goes on
                out.append(AlertChanged(at=now, alert=_unended(known)))
            else:
                alert = msgspec.structs.replace(alert, paged_at=None, held_for="")
        self._state.alerts[mark] = alert
        if known is None or known.entity != alert.entity:
            self.kpis.note(alert)
        if known is not None and (known.labels != alert.labels or known.entity != alert.entity):
            self.kpis.counted.clear()
        if known is None or not alert.firing or not known.firing or known.ends_at is not None:
            self._pruning.alert(alert)
        if what == "ignored":
            return None
        if known is None or not known.firing or not _expires_by(known, alert):
            self._agenda.put(next_expiry(alert), "expire", mark)
        if known is not None and known.firing:
            self._surroundings.heard(known, alert, what)
        if what in {"new", "returned", "flapped", "resolved"}:
            self._observe(what, alert, now)
        if known is None or known.firing != alert.firing or alert.labels != known.labels:
            alert = self._settled(alert, now, out)
        elif known.reason.code == UNHEARD or (what != "repeat" and not _judged_alike(known, alert)):
            alert = self._judged(alert, now)
        self._state.alerts[mark] = alert
        out.append(AlertChanged(at=now, alert=alert, repeat=what in {"repeat", "stale"}))
        return alert, what

    def _placed(self, record: AlertRecord, known: Alert | None) -> AlertRecord:
        """The record with the labels that the map rules set, at the entity it speaks of."""
        relabelled = self._chart.resolver.relabelled(record.labels)
        if relabelled is not record.labels:
            record = msgspec.structs.replace(record, labels=relabelled)
        same = known is not None and known.firing and known.entity is not None and known.labels == record.labels
        if (same and not record.entity) or not (record.labels or record.entity):
            return record  # what is known stands
        return msgspec.structs.replace(record, entity=self._chart.resolver.resolve(record.labels, record.entity or ""))

    def place_again(self, now: float, out: list[AnyDecision]) -> list[Alert]:
        """Asks for every firing alert again what it speaks of; returns those that had no entity and now have."""
        found = []
        for mark, alert in self._state.alerts.items():
            if not alert.firing:
                continue
            labels = self._chart.resolver.relabelled(alert.labels)
            told = self._chart.resolver.by_rule(labels) if alert.entity else self._chart.resolver.resolve(labels)
            entity = told or alert.entity
            if labels != alert.labels or entity != alert.entity:
                self._state.alerts[mark] = msgspec.structs.replace(alert, labels=labels, entity=entity)
                self.muter.note(self._state.alerts[mark])  # who inhibits may tell by a label that the rules set
                self.kpis.note(self._state.alerts[mark])
                self.kpis.counted.clear()
                out.append(AlertChanged(at=now, alert=self._state.alerts[mark]))
                if alert.entity is None:
                    found.append(self._state.alerts[mark])
        return found

    def lapse(self, now: float, out: list[AnyDecision]) -> list[Alert]:
        """Ends firings that nothing would ever end and that were not heard of for so long that nobody believes them."""
        over = []
        for alert in self._pruning.unheard(now):
            ended = msgspec.structs.replace(alert, ended=(*alert.ended, now)[-KEPT:], ends_at=now, status="expired")
            over.append(self._end(alert.fingerprint, ended, now, out))
        return over

    def expire(self, mark: str, now: float, out: list[AnyDecision]) -> Alert | None:
        """Ends an alert that nobody repeated in time; None when it was repeated after all."""
        alert = self._state.alerts.get(mark)
        over = expired(alert, now) if alert is not None else None
        if over is None:
            if alert is not None:
                self._agenda.put(next_expiry(alert), "expire", mark)
            return None
        return self._end(mark, over, now, out)

    def _end(self, mark: str, over: Alert, now: float, out: list[AnyDecision]) -> Alert:
        self._state.alerts[mark] = over
        self._pruning.alert(over)
        self._observe("resolved", over, now)
        over = self._settled(over, now, out)
        self._state.alerts[mark] = over
        out.append(AlertChanged(at=now, alert=over))
        return over

    def rejudge(self, marks: Iterable[str], now: float, out: list[AnyDecision]) -> list[Alert]:
        """Judges alerts again; returns those whose handling or mutings changed."""
        changed = []
        for mark in marks:
            alert = self._state.alerts.get(mark)
            if alert is None:
                continue
            again = self._judged(self._muted(alert, now), now)
            if again != alert:
                if alert.mutings and not again.mutings and again.firing:
                    self.unmuted.append(mark)
                if alert.mutings != again.mutings:
                    self._surroundings.changed()
                self._state.alerts[mark] = again
                out.append(AlertChanged(at=now, alert=again))
                changed.append(again)
        return changed

    def remute(self, now: float, out: list[AnyDecision]) -> None:
        """Judges again the firing alerts whose mutings differ, as a silence or window began or ended."""
        firing = [alert for alert in self._state.alerts.values() if alert.firing]
        self.rejudge([one.fingerprint for one in firing if self._muted(one, now) is not one], now, out)
        self.plan_mutes(now)

    def judge_all(self, now: float, out: list[AnyDecision]) -> None:
        """Judges every firing alert again, as something besides its records may count differently now."""
        self.rejudge([mark for mark, alert in self._state.alerts.items() if alert.firing], now, out)
        self.plan_mutes(now)

    def plan_mutes(self, now: float) -> None:
        """Puts the next start or end of a silence or window on the agenda."""
        self._agenda.put(self.muter.next_change(now, self._state.silences), "mutes")

    def paged(self, alert: Alert, now: float) -> None:
        """Remembers that an alert paged, so that it does not page again for the same."""
        self._observe("paged", alert, now)

    def standing(self, alert: Alert, incident: Incident, now: float) -> Alert:
        """The alert that stands for the page of its incident; of one that nobody takes for hours, in the digest."""
        paged_at = incident.paged_at
        burns = alert.firing and incident.status in {"open", "resolved"} and not acted_on(incident)
        due = None if not burns or paged_at is None else paged_at + self._rulebook.triage.slow_burn_after_s
        if due is not None and now >= due:
            verdict = slow_burn(alert, now, paged=True)
        else:
            verdict = Judgement("page", stands_for(incident, early=incident.id in self._state.early), due)
        judged = self._judged_so(alert, verdict)
        if judged.paged_at is None and incident.paged_at is not None:
            judged = msgspec.structs.replace(judged, paged_at=incident.paged_at)
        return judged

    def page_over(self, incident: Incident, now: float, *, acted: bool) -> None:
        """Learns whether anybody did anything about the page of an incident that is over."""
        mark = incident.page_alert
        if mark is not None and incident.paged_at is not None:
            ended = [one for one in incident.timeline if one.what == "resolved" and one.at >= incident.paged_at]
            if len(ended) > 1 and not acted:
                return  # it was over before and came back without another page: nobody had more to act on
            self._surroundings.page_over(now, acted=acted)
            if mark in self._state.behaviour:
                self._state.behaviour[mark] = page_over(self._state.behaviour[mark], acted=acted)

    def feedback(self, mark: str, verdict: str, now: float, out: list[AnyDecision]) -> None:
        """Takes a person's verdict on an alert into account, from now on."""
        known = self._state.behaviour.get(mark)
        if known is not None:
            self._state.behaviour[mark] = told(known, verdict, now)
            self.rejudge([mark], now, out)

    def incident_changed(self, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """Judges again what was held because somebody had an incident in hand, and has it no more."""
        self.rejudge(self._surroundings.incident_changed(incident), now, out)

    def _observe(self, what: What | Literal["paged"], alert: Alert, now: float) -> None:
        before = self._state.behaviour.get(alert.fingerprint, NOTHING_OBSERVED)
        end = BY_ITSELF if what == "paged" else self._surroundings.folded(what, alert, now)
        if what == "new" and before is NOTHING_OBSERVED:
            self._state.behaviour[alert.fingerprint] = begun_once(alert.starts_at)
            return
        self._state.behaviour[alert.fingerprint] = observe(before, what, alert, now, end=end)

    def _settled(self, alert: Alert, now: float, out: list[AnyDecision]) -> Alert:
        """Judged, with everybody whose inhibition hangs on it judged as well."""
        affected = self.muter.note(alert)
        alert = self._judged(self._muted(alert, now), now)
        self._state.alerts[alert.fingerprint] = alert
        if affected:
            self.rejudge(sorted(affected), now, out)
        return alert

    def _muted(self, alert: Alert, now: float) -> Alert:
        mutings = self.muter.mutings(alert.labels, now, self._state.silences) if alert.firing else ()
        return alert if mutings == alert.mutings else msgspec.structs.replace(alert, mutings=mutings)

    def unchanged(self) -> AbstractContextManager[None]:
        """Within, many are judged, or asked for whether they `would_page`, while nothing else changes."""
        return self._surroundings.unchanged()

    def reading(self, alert: Alert) -> Steps[None]:
        """Within `unchanged`, before an alert is judged: what that would take long for, a little at a time."""
        return self._surroundings.reading(alert)

    def would_page(self, alert: Alert, at: float) -> bool:
        """Whether an alert that is in no incident would be judged to page at a later time."""
        behaviour = self._state.behaviour.get(alert.fingerprint, NOTHING_OBSERVED)
        around = self._surroundings.around(alert)
        verdict = judge(alert, at, behaviour=behaviour, triage=self._rulebook.triage, around=around)
        return verdict.handling == "page"

    def _judged(self, alert: Alert, now: float) -> Alert:
        incident = self._state.incidents.get(alert.incident) if alert.incident else None
        if incident is not None and incident.page_alert == alert.fingerprint and not alert.mutings:
            return self.standing(alert, incident, now)
        behaviour = self._state.behaviour.get(alert.fingerprint, NOTHING_OBSERVED)
        verdict = judge(
            alert,
            now,
            behaviour=behaviour,
            triage=self._rulebook.triage,
            around=self._surroundings.around(alert),
        )
        return self._judged_so(alert, verdict)

    def _judged_so(self, alert: Alert, verdict: Judgement) -> Alert:
        self._agenda.put(verdict.hold_until, "judge", alert.fingerprint)
        if (verdict.handling, verdict.reason, verdict.hold_until) == (alert.handling, alert.reason, alert.hold_until):
            return alert
        pages, over = verdict.handling == "page" != alert.handling, verdict.reason.code == "over"
        held_for = alert.held_for
        if (pages or over) and alert.paged_at is None and alert.reason.code not in NO_REASON:
            held_for = alert.reason.code
        return msgspec.structs.replace(
            alert,
            handling=verdict.handling,
            reason=verdict.reason,
            hold_until=verdict.hold_until,
            held_for=held_for,
        )


def _unended(known: Alert) -> Alert:
    """The last word of a firing that was never told to have ended, as the alert fires anew."""
    return msgspec.structs.replace(
        known,
        status="resolved",
        ends_at=known.updated_at,
        handling="hold",
        reason=Reason(code="over", text="an earlier firing of this alert, of which no end was told"),
        hold_until=None,
        paged_at=None,
        held_for="",
        mutings=(),
    )


def _expires_by(known: Alert, alert: Alert) -> bool:
    """Whether the agenda comes up with a firing alert anyway before it ends: its end was only ever put off."""
    return known.ends_at is not None and (alert.ends_at is None or known.ends_at <= alert.ends_at)


def _judged_alike(known: Alert, alert: Alert) -> bool:
    """Whether a firing alert that was told again with other words is judged as before: only its annotations differ.

    When time alone may change the verdict it is judged again by the agenda.
    """
    return (
        known.reason.code in STEADY
        and known.starts_at == alert.starts_at
        and known.onset_seen == alert.onset_seen
        and known.entity == alert.entity
        and known.value == alert.value
        and known.threshold == alert.threshold
        and alert.firing
    )
