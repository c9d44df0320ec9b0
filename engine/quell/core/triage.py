"""Triage: does an alert page, wait or go to the digest; by the team's rules, then by behaviour, always with a reason.

A page severity that keeps firing always pages: whoever flaps or is chronic pages once before the digest takes it, and
what is held for any reason pages when it outlives that. Only a page within the last day excuses from one.
"""

from __future__ import annotations

from math import ceil, inf
from statistics import median

from quell.core.court import Court, court_of
from quell.core.customs import LEAST, SHARE
from quell.core.doubts import Doubt, doubts
from quell.core.hearings import longest_s, others_heard, silent_at, usual_s
from quell.core.patience import NOTHING_AROUND, Around, reasons_to_wait
from quell.core.severity import rank
from quell.core.verdicts import DAY_S, Judgement, digest, hold, muted, slow_burn, span
from quell.model.alert import Alert, Reason
from quell.model.rulebook import Triage
from quell.model.state import Triaged
from quell.model.times import format_duration

COMPANY_S = 60.0
"""A lone alert waits at least this long after quell first saw it, however old it is: its company may be on the way."""

CHRONIC_FIRINGS = 10
"""Firings within a day that make an alert chronic."""

PATIENCE = 3.0
PATIENCE_WAITS = 2.0
"""An alert that usually heals itself is given this many times its usual duration, but not more than so many waits of
a lone alert beyond it."""

DOUBTED_WAITS = 4.0
"""What two signs speak against pages, if it is severe, when it has fired for this many of the longest waits."""

COMPANY_OF_MORE = 2
"""So many others that begin with a nuisance make it something else than what it usually is."""

UNHEARD = "unheard"
"""The code of what has probably ended without a word of it."""
IN_AN_INCIDENT = hold("in_incident", "part of an incident, which pages once for all its alerts")
SETTLED_BY_COMPANY = frozenset(
    {"self_healing", "near_incident", "without_company", "flapping", "chronic", "unheard", "comes_to_nothing"}
)
"""Reasons that company, which came after they were given, may take away."""


def judge(
    alert: Alert, now: float, *, behaviour: Triaged, triage: Triage, around: Around = NOTHING_AROUND
) -> Judgement:
    """What becomes of ``alert`` at ``now``.

    The first that applies: over, muted, a team's rule, in somebody's hands, in an incident (which pages as one), paged
    already, probably over as it is told of no more, worse than it usually is, flapping, healing itself, chronic,
    severity and age, with all that speaks for waiting longer.
    """
    case = _Case(alert, now, behaviour, court_of(triage), around)
    if not alert.firing:
        return case.over()
    if alert.mutings:
        return Judgement("muted", muted(alert.mutings))
    if around.owner is not None and now < around.owned_until:
        owned: Judgement | None = hold("owned", around.owner, around.owned_until if around.owned_until < inf else None)
    elif around.in_incident:
        owned = IN_AN_INCIDENT
    else:
        owned = None
    return (
        case.ruled()
        or owned
        or case.paged()
        or case.unheard()
        or case.worse()
        or case.flapping()
        or case.restless()
        or case.healing()
        or case.chronic()
        or case.plain()
    )


def lesser(severity: str, court: Court, until: float) -> Judgement:
    """What becomes of an alert of a severity that does not page."""
    if severity in court.digest_severities:
        return digest("low_severity", f'severity "{severity}" never pages', until)
    what = f'severity "{severity}" does' if severity else "an alert without a severity does"
    return digest("not_severe", f"{what} not page on its own", until)


def waiting(severity: str, court: Court, until: float) -> Judgement:
    """What becomes of an alert of a severity that pages, while its company may be on the way."""
    said = f"{severity}, but alone so far; pages if it still fires after {court.lone_text}"
    return hold("waiting_for_company", said, until)


class _Case:
    """One alert before the judge. Each question answers with a judgement, or None to pass it on."""

    def __init__(self, alert: Alert, now: float, behaviour: Triaged, court: Court, around: Around) -> None:
        self.alert = alert
        self.now = now
        self.behaviour = behaviour
        self.court = court
        self.around = around
        self.triage = court.triage
        self.severe = alert.severity in court.page_severities
        self.lone_until = max(alert.starts_at + court.lone_s, alert.onset_seen + min(court.lone_s, COMPANY_S))

    @property
    def excused_until(self) -> float | None:
        """How long a nuisance need not page: for a day after it did if it is severe, else for ever; None: it must."""
        if not self.severe:
            return inf
        paged_at = self.behaviour.paged_at
        return None if paged_at is None or self.now >= paged_at + DAY_S else paged_at + DAY_S

    @property
    def outlives_at(self) -> float:
        """When it has fired for longer than it ever did, and by far longer than usual; never, if that is not known."""
        past = self.behaviour.durations_s
        if len(past) < LEAST:
            return inf
        return max(self.lone_until, self.alert.starts_at + max(*past, PATIENCE * median(past)))

    def _or_worse(self, until: float | None = None) -> float | None:
        """``until``, or when it is worse than usual if that is sooner; None: time alone changes nothing."""
        if self.excused_until is None or not self.now < self.outlives_at < self.excused_until:
            return until
        return self.outlives_at if until is None else min(until, self.outlives_at)

    def over(self) -> Judgement:
        """It fires no more: what was said of it while it fired stands, and what was still waiting need not page."""
        alert = self.alert
        if alert.handling != "hold":
            return Judgement(alert.handling, alert.reason)
        if self.around.in_incident:
            return IN_AN_INCIDENT
        lasted = "" if alert.ends_at is None else f" after {format_duration(alert.ends_at - alert.starts_at)}"
        return digest("over", f"ended{lasted}, before it was due to page")

    def ruled(self) -> Judgement | None:
        """The first rule of the team that matches; a hold that has run out leaves the rest to behaviour."""
        for matching, rule in self.court.rules:
            if not matching.matches(self.alert.labels):
                continue
            because = f": {rule.reason}" if rule.reason else ""
            if rule.verdict != "hold":
                return Judgement(
                    rule.verdict, Reason(code="rule", text=f'rule "{rule.name}" says {rule.verdict}{because}')
                )
            until = self.alert.starts_at + rule.hold_s
            if self.now >= until:
                return None
            said = f'rule "{rule.name}" holds it for {format_duration(rule.hold_s)}{because}'
            return hold("rule", said, until)
        return None

    def paged(self) -> Judgement | None:
        """This very firing has paged: that stands, until it has fired for so long that it is a slow burn."""
        paged_at, began = self.behaviour.paged_at, self.alert.starts_at
        if paged_at is None or paged_at < began:
            return None
        until = paged_at + self.triage.slow_burn_after_s
        if self.now >= until:
            return slow_burn(self.alert, self.now, paged=True)
        kept = self.alert.handling == "page"
        reason = self.alert.reason if kept else Reason(code="still_firing", text="paged already and is still firing")
        return Judgement("page", reason, until)

    def unheard(self) -> Judgement | None:
        """Firings of its rule are told of again all the time, and this one is not: its end was lost, or nobody sees it.

        As soon as it is told of again it is judged as any other. Once most of the others would have been, it waits for
        that.
        """
        hearing, alert = self.around.hearing, self.alert
        if not self.severe or not self.triage.learn or self.now < self.lone_until:
            return None
        due = silent_at(hearing, alert)
        company = None if due is None else self.around.company()
        if due is None or company is None or company.count or company.incident:
            return None
        within = format_duration(ceil(longest_s(hearing, alert) or 0.0))
        others = f"all of the last firings of {alert.name} were told of again within {within}, if they lasted"
        if self.now >= due:
            text = f"{others}; this one was not, so it has probably ended; pages if it is told of again"
            return digest(UNHEARD, text) if others_heard(hearing, alert) else None
        until = min(due, alert.starts_at + self.court.most_s)
        if self.now >= until or self.now < alert.updated_at + usual_s(hearing, alert):
            return None
        text = f"{others}, most of them by now; pages as soon as this one is, or after {self._age(until)}"
        return hold(UNHEARD, text, until)

    def worse(self) -> Judgement | None:
        """A nuisance that paged lately, and is not as usual now: longer, more severe, or no longer alone."""
        if not self.severe or self.excused_until is None or self.now < self.lone_until:
            return None
        behaviour, severity = self.behaviour, self.alert.severity
        if behaviour.worst and rank(severity) > rank(behaviour.worst):
            why = f"{severity}, and was never worse than {behaviour.worst} before"
        elif self.now >= self.outlives_at:
            why = f"fires for longer than ever in its last {len(behaviour.durations_s)} firings"
        elif (others := self.around.company().count) >= COMPANY_OF_MORE and not self.around.company().incident:
            why = f"{others} others near it began with it this time"
        else:
            return None
        reason = Reason(code="worse_than_usual", text=f"{why}, though it paged within the last day")
        return Judgement("page", reason, self.excused_until)

    def flapping(self) -> Judgement | None:
        """It keeps coming back: to the digest, after one page if it is severe."""
        within, least = self.triage.flap_within_s, max(self.triage.flap_count, 1)
        if len(self.behaviour.returns) < least:
            return None
        recent = [at for at in self.behaviour.returns if self.now < at + within]
        if len(recent) < least:
            return None
        times = "once" if len(recent) == 1 else f"{len(recent)} times"
        text = f"came back {times} in the last {span(within)}"
        calm_at = recent[-least] + within
        if self.excused_until is not None:
            return self._nuisance("flapping", text, min(calm_at, self.excused_until))
        due = min(self.lone_until, recent[0] + self.court.lone_s)
        if self.now < due:
            return hold("flapping", f"{text}; pages if that goes on", min(due, calm_at))
        return Judgement(
            "page", Reason(code="flapping", text=f"{text}; it pages once, then goes to the digest"), calm_at
        )

    def restless(self) -> Judgement | None:
        """Severe and chronic, though none of its firings need last long enough: all of them together page once a day.

        A sign that speaks against waking anybody asks for twice as many firings, two are for another question.
        """
        began = self.behaviour.began
        if not self.severe or self.excused_until is not None or len(began) < CHRONIC_FIRINGS:
            return None
        found = doubts(self.alert, self.behaviour, self.around.custom, self.around.everyone, self.triage)
        weight = sum(doubt.weight for doubt in found)
        least = CHRONIC_FIRINGS * (1 + weight)
        if weight > 1 or len(began) < least or self.now >= began[-least] + DAY_S:
            return None
        calm_at, past = began[-least] + DAY_S, self.behaviour.durations_s
        wait_s = min(COMPANY_S, median(past) / 2.0) if past else COMPANY_S
        due = min(self.lone_until, self.alert.onset_seen + wait_s)
        text = f"fired {sum(self.now < at + DAY_S for at in began)} times within the last day"
        if self.now < due:
            return hold("chronic", f"{text}; pages if this lasts", min(due, calm_at))
        return Judgement(
            "page", Reason(code="chronic", text=f"{text}; it pages once, then goes to the digest"), calm_at
        )

    def healing(self) -> Judgement | None:
        """It usually goes away by itself: it gets about as long as usual to do so, and pages when it outlives that."""
        past, most = self.behaviour.durations_s, self.court.most_s
        if not self.triage.learn or len(past) < LEAST:
            return None
        within = self.court.lone_s if sum(one < self.court.lone_s for one in past) >= SHARE * len(past) else most
        short = sum(lasted < within for lasted in past)
        if short < SHARE * len(past):
            return None
        middle = median(past)
        patience = min(PATIENCE * middle, middle + PATIENCE_WAITS * self.court.lone_s, most)
        until = max(self.lone_until, self.alert.starts_at + patience)
        if self.now >= until:
            return None
        said = f"went away by itself within {format_duration(within)} in {short} of its last {len(past)} firings"
        return hold("self_healing", f"{said}, usually after {format_duration(middle)}; it may do so again", until)

    def chronic(self) -> Judgement | None:
        """It fires all day or ten times a day: to the digest, after one page if it is severe."""
        began = self.behaviour.began[-CHRONIC_FIRINGS:]
        often = len(began) == CHRONIC_FIRINGS and self.now < began[0] + DAY_S
        if often and self.excused_until is not None:
            count = sum(self.now < at + DAY_S for at in self.behaviour.began)
            text = f"fired {count} times within the last day"
            return self._nuisance("chronic", text, min(began[0] + DAY_S, self.excused_until))
        if not self.severe and self.now >= self.alert.starts_at + DAY_S:
            return slow_burn(self.alert, self.now, paged=False)
        return None

    def _nuisance(self, code: str, text: str, until: float) -> Judgement:
        if not self.severe:
            return digest(code, text, until)
        changes_at = min((at for at in (self.lone_until, self.outlives_at) if self.now < at), default=until)
        return digest(code, f"{text}; it has paged within the last day", min(until, changes_at))

    def plain(self) -> Judgement:
        """Nothing but its severity and age to go by, and what is known around it."""
        if not self.severe:
            return lesser(self.alert.severity, self.court, self.alert.starts_at + DAY_S)
        if self.now < self.lone_until:
            return waiting(self.alert.severity, self.court, self.lone_until)
        found = doubts(self.alert, self.behaviour, self.around.custom, self.around.everyone, self.triage)
        if sum(doubt.weight for doubt in found) > 1:
            return self._doubted(found)
        return self._patient(found)

    def _doubted(self, found: tuple[Doubt, ...]) -> Judgement:
        """Two signs, or a person's word, say that nobody is needed: to the digest, until it goes on for hours."""
        ever_s = min(max(self.behaviour.durations_s, default=0.0), DAY_S / DOUBTED_WAITS)
        wait_s = DOUBTED_WAITS * max(self.court.most_s, ever_s)
        until = max(self.lone_until, self.alert.starts_at + wait_s)
        if self.excused_until is not None:
            until = max(until, self.excused_until)
        if self.now >= until:
            return self._persists(until)
        code = found[0].code if len(found) == 1 else "meta_noise"
        text = "; ".join(doubt.text for doubt in found)
        return digest(code, f"{text}; pages if it still fires after {self._age(until)}", self._or_worse(until))

    def _patient(self, found: tuple[Doubt, ...]) -> Judgement:
        """The reason that lets it wait longest; when that has passed, it pages."""
        waits = reasons_to_wait(self.alert, found, self.around, self.triage)
        longest = max((wait for wait in waits if wait.until > self.lone_until), default=None)
        until = self.lone_until if longest is None else longest.until
        if longest is None or self.now >= until:
            return self._persists(until)
        text = f"{longest.text}; pages if it still fires after {self._age(until)}"
        return hold(longest.code, text, self._or_worse(until))

    def _persists(self, until: float) -> Judgement:
        text = f"{self.alert.severity}, on its own, and still firing after {self._age(until)}"
        return Judgement("page", Reason(code="still_firing", text=text), self._or_worse())

    def _age(self, until: float) -> str:
        return self.court.lone_text if until == self.lone_until else format_duration(until - self.alert.starts_at)
