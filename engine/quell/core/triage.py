"""Triage: does an alert page, wait or go to the digest; by the team's rules, then by behaviour, always with a reason.

A page severity that keeps firing always pages: whoever flaps or is chronic pages once before the digest takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from statistics import median
from typing import Literal

import msgspec

from quell.core.fold import What
from quell.expressions.matchers import Matching
from quell.model.alert import Alert, Handling, Reason
from quell.model.rulebook import Triage, TriageRule
from quell.model.state import Triaged
from quell.model.times import format_duration

DAY_S = 86_400.0
COMPANY_S = 60.0
"""A lone alert waits at least this long after quell first saw it, however old it is: its company may be on the way."""

CHRONIC_FIRINGS = 10
"""Firings within a day that make an alert chronic."""

HEALS_AFTER = 5
HEALS_SHARE = 0.8
HEALS_PATIENCE = 3.0
"""An alert heals itself if of at least this many past firings this share was shorter than a lone alert's wait;
it is then given this many times its usual duration."""

KEPT_TIMES = 64
KEPT_DURATIONS = 20
IN_INCIDENT = "part of an incident, which pages once for all its alerts"


@dataclass(frozen=True, slots=True)
class Judgement:
    """``hold_until`` is when time alone may change the verdict, whatever it is: judge again then (None: never)."""

    handling: Handling
    reason: Reason
    hold_until: float | None = None


def judge(
    alert: Alert, now: float, *, behaviour: Triaged, triage: Triage, in_incident: bool, foreign: str | None
) -> Judgement:
    """What becomes of ``alert`` at ``now``. ``foreign`` names somebody else's open incident that already covers it.

    The first that applies: over, muted, a team's rule, owned by somebody else, in an incident (which pages as one),
    paged already, flapping, healing itself, chronic, severity.
    """
    case = _Case(alert, now, behaviour, _court(_Same(triage)))
    if not alert.firing:
        return case.over(in_incident=in_incident)
    if alert.mutings:
        return Judgement("muted", _muted(alert))
    if foreign is not None:
        owned: Judgement | None = _hold("owned", f'already being handled in "{foreign}", an incident opened elsewhere')
    elif in_incident:
        owned = _hold("in_incident", IN_INCIDENT)
    else:
        owned = None
    return case.ruled() or owned or case.paged() or case.flapping() or case.healing() or case.chronic() or case.plain()


def observe(behaviour: Triaged, what: What | Literal["paged"], alert: Alert, now: float) -> Triaged:
    """The behaviour after ``alert`` was folded as ``what``, or after it "paged" (say so, or it may page again)."""
    if what == "paged":
        return msgspec.structs.replace(behaviour, paged_at=now)
    if what == "resolved":
        return _ended(behaviour, alert, now)
    if what not in {"new", "returned", "flapped"}:
        return behaviour
    at = alert.starts_at
    return msgspec.structs.replace(
        behaviour,
        episodes=behaviour.episodes + (what != "flapped"),
        returns=_noted(behaviour.returns, at) if what == "flapped" else behaviour.returns,
        began=_noted(behaviour.began, at),
    )


def _ended(behaviour: Triaged, alert: Alert, now: float) -> Triaged:
    """One more past firing. If it paged unheard (see `observe`) the end of it is the latest time it can have."""
    lasted = max((now if alert.ends_at is None else alert.ends_at) - alert.starts_at, 0.0)
    paged_at = behaviour.paged_at
    if alert.handling == "page" and (paged_at is None or paged_at < alert.starts_at):
        paged_at = now
    durations = (*behaviour.durations_s, lasted)[-KEPT_DURATIONS:]
    return msgspec.structs.replace(behaviour, durations_s=durations, paged_at=paged_at)


def _noted(times: tuple[float, ...], at: float) -> tuple[float, ...]:
    return tuple(sorted((*times, at)))[-KEPT_TIMES:]


@dataclass(frozen=True, slots=True)
class _Court:
    """The triage settings, made ready once."""

    triage: Triage
    rules: tuple[tuple[Matching, TriageRule], ...]
    page_severities: frozenset[str]
    digest_severities: frozenset[str]
    lone_text: str


class _Same:
    """Settings known by identity: to hash a long list of rules for every alert would cost more than to judge it."""

    __slots__ = ("triage",)

    def __init__(self, triage: Triage) -> None:
        self.triage = triage

    def __hash__(self) -> int:
        return id(self.triage)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.triage is other.triage


@lru_cache(maxsize=4)
def _court(same: _Same) -> _Court:
    triage = same.triage
    return _Court(
        triage,
        tuple((Matching(rule.matchers), rule) for rule in triage.rules),
        frozenset(severity.lower() for severity in triage.page_severities),
        frozenset(severity.lower() for severity in triage.digest_severities),
        format_duration(triage.lone_page_after_s),
    )


class _Case:
    """One alert before the judge. Each question answers with a judgement, or None to pass it on."""

    def __init__(self, alert: Alert, now: float, behaviour: Triaged, court: _Court) -> None:
        self.alert = alert
        self.now = now
        self.behaviour = behaviour
        self.court = court
        self.triage = court.triage
        self.severe = alert.severity in court.page_severities
        lone = court.triage.lone_page_after_s
        self.lone_until = max(alert.starts_at + lone, alert.onset_seen + min(lone, COMPANY_S))
        self.lone_text = court.lone_text

    @property
    def excused_until(self) -> float | None:
        """How long a nuisance need not page: for a day after it did if it is severe, else for ever; None: it must."""
        if not self.severe:
            return inf
        paged_at = self.behaviour.paged_at
        return None if paged_at is None or self.now >= paged_at + DAY_S else paged_at + DAY_S

    def over(self, *, in_incident: bool) -> Judgement:
        """It fires no more: what was said of it while it fired stands, and what was still waiting need not page."""
        alert = self.alert
        if alert.handling != "hold":
            return Judgement(alert.handling, alert.reason)
        if in_incident:
            return _hold("in_incident", IN_INCIDENT)
        lasted = "" if alert.ends_at is None else f" after {format_duration(alert.ends_at - alert.starts_at)}"
        return _digest("over", f"ended{lasted}, before it was due to page")

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
            return _hold("rule", said, until)
        return None

    def paged(self) -> Judgement | None:
        """This very firing has paged: that stands, until it has fired for a day."""
        paged_at, began = self.behaviour.paged_at, self.alert.starts_at
        if paged_at is None or paged_at < began:
            return None
        if self.now >= began + DAY_S:
            return _digest("chronic", "paged when it began, and has been firing for more than a day since")
        kept = self.alert.handling == "page"
        reason = self.alert.reason if kept else Reason(code="still_firing", text="paged already and is still firing")
        return Judgement("page", reason, began + DAY_S)

    def flapping(self) -> Judgement | None:
        """It keeps coming back: to the digest, after one page if it is severe."""
        within, least = self.triage.flap_within_s, max(self.triage.flap_count, 1)
        recent = [at for at in self.behaviour.returns if self.now < at + within]
        if len(recent) < least:
            return None
        times = "once" if len(recent) == 1 else f"{len(recent)} times"
        text = f"came back {times} in the last {_span(within)}"
        calm_at = recent[-least] + within
        if self.excused_until is not None:
            return self._nuisance("flapping", text, min(calm_at, self.excused_until))
        due = min(self.lone_until, recent[0] + self.triage.lone_page_after_s)
        if self.now < due:
            return _hold("flapping", f"{text}; pages if that goes on", min(due, calm_at))
        return Judgement(
            "page", Reason(code="flapping", text=f"{text}; it pages once, then goes to the digest"), calm_at
        )

    def healing(self) -> Judgement | None:
        """It usually goes away by itself: it gets three times as long as usual to do so."""
        past, lone = self.behaviour.durations_s, self.triage.lone_page_after_s
        short = sum(lasted < lone for lasted in past)
        if len(past) < HEALS_AFTER or short < HEALS_SHARE * len(past):
            return None
        usual = median(past)
        until = max(self.lone_until, self.alert.starts_at + HEALS_PATIENCE * usual)
        if self.now >= until:
            return None
        said = f"went away by itself within {self.lone_text} in {short} of its last {len(past)} firings"
        return _hold(
            "self_healing",
            f"{said}, usually after {format_duration(usual)}; it may do so again",
            until,
        )

    def chronic(self) -> Judgement | None:
        """It fires all day or ten times a day: to the digest, after one page if it is severe."""
        began = self.behaviour.began[-CHRONIC_FIRINGS:]
        often = len(began) == CHRONIC_FIRINGS and self.now < began[0] + DAY_S
        if often and self.excused_until is not None:
            count = sum(self.now < at + DAY_S for at in self.behaviour.began)
            text = f"fired {count} times within the last day"
            return self._nuisance("chronic", text, min(began[0] + DAY_S, self.excused_until))
        if not self.severe and self.now >= self.alert.starts_at + DAY_S:
            return _digest("chronic", "has been firing for more than a day")
        return None

    def _nuisance(self, code: str, text: str, until: float) -> Judgement:
        return _digest(code, f"{text}; it has paged within the last day" if self.severe else text, until)

    def plain(self) -> Judgement:
        """Nothing but its severity and age to go by."""
        severity = self.alert.severity
        if not self.severe:
            day = self.alert.starts_at + DAY_S
            if severity in self.court.digest_severities:
                return _digest("low_severity", f'severity "{severity}" never pages', day)
            what = f'severity "{severity}" does' if severity else "an alert without a severity does"
            return _digest("not_severe", f"{what} not page on its own", day)
        if self.now < self.lone_until:
            said = f"{severity}, but alone so far; pages if it still fires after {self.lone_text}"
            return _hold("waiting_for_company", said, self.lone_until)
        return Judgement(
            "page", Reason(code="still_firing", text=f"{severity}, on its own, and still firing after {self.lone_text}")
        )


def _span(seconds: float) -> str:
    """A duration after "the last": hour, day, or such as 30m."""
    return {3600.0: "hour", DAY_S: "day"}.get(seconds) or format_duration(seconds)


def _hold(code: str, text: str, until: float | None = None) -> Judgement:
    return Judgement("hold", Reason(code=code, text=text), until)


def _digest(code: str, text: str, until: float | None = None) -> Judgement:
    return Judgement("digest", Reason(code=code, text=text), until)


def _muted(alert: Alert) -> Reason:
    """The first muting in words, and how many more there are."""
    muting = alert.mutings[0]
    if muting.kind == "inhibition":
        text = f"muted {muting.reason}"
    else:
        by = {
            "silence": f"silence {muting.by}",
            "window": f'maintenance window "{muting.by}"',
            "rule": f'rule "{muting.by}"',
        }
        text = f"muted by {by[muting.kind]}" + (f" ({muting.reason})" if muting.reason else "")
    more = len(alert.mutings) - 1
    return Reason(code=muting.kind, text=f"{text}, and {more} more" if more else text)
