"""Other limits for detectors, from what people said of their alerts: what was nothing, what was real, what was missed.

A limit is suggested only where it tells them apart: none of what was nothing would have fired, and all of the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from quell.core.chances import surely
from quell.core.detect.past import PastWindows, Series, reach
from quell.core.detect.telling import SOURCE
from quell.core.detect.words import number
from quell.core.suggest_knobs import knobs
from quell.model.alert import Alert
from quell.model.decision import Audit
from quell.model.detect import DetectRule, Threshold
from quell.model.habits import Suggestion, suggestion_id
from quell.model.incident import Incident
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.model.topology import Entity

LEAST_FALSE = 3
"""So many alerts must have been nothing before a limit is moved away from them."""
LONGEST_S = 3 * 3600.0
"""So much of a long firing or incident is looked at, from its beginning."""
MISSED_BEFORE_S = 1800.0
MISSED_AFTER_S = 3600.0
"""What was missed is looked for so long before its incident opened and after, at most."""
MOST_SPELLS = 60
"""Of one detector; the latest count."""
USUAL_S = 86_400.0
"""A lower limit must not have fired in so much time before what was missed."""
LATE_S = 600.0
"""So much later than they are of records are looked for."""
MOST_NAMED = 10
_FEEDBACK = "feedback:"
_REAL = frozenset({"right_cause", "wrong_cause", "missed"})

Said = Literal["nothing", "real", "missed"]


class Spell(NamedTuple):
    """A time of which people said what it was, at an entity; ``metric`` "" is any that the rule reads."""

    rule: str
    entity: str
    metric: str
    begin: float
    end: float
    said: Said
    incident: str


class Tried(NamedTuple):
    """What people said, of which incident, and how far the windows went then."""

    said: Said
    incident: str
    reach: float


Between = Callable[[float, float], Iterable[AnyRecord]]
"""The records that came in from a time on, and before another."""


def adjustable(rule: DetectRule) -> bool:
    """Whether it has a limit that can be read off what was told."""
    return rule.on and isinstance(rule.when, Threshold) and bool(rule.metric)


def tunable(rule: DetectRule) -> bool:
    """Whether other numbers can be suggested for it."""
    return adjustable(rule) or bool(knobs(rule))


def spells(
    rules: Sequence[DetectRule], audits: Iterable[Audit], incidents: Iterable[Incident], alerts: Iterable[Alert]
) -> list[Spell]:
    """What people said, as times to look at; the last word on each incident or alert counts."""
    words: dict[str, str] = {}
    for audit in audits:
        if audit.what.startswith(_FEEDBACK):
            words[audit.target] = audit.what.removeprefix(_FEEDBACK)
    if not words:
        return []
    known = {one.id: one for one in incidents}
    by_name = {rule.name: rule for rule in rules if tunable(rule)}
    found: list[Spell] = []
    fired: set[tuple[str, str]] = set()
    missed = {name for name, word in words.items() if word == "missed"}
    for alert in alerts:
        incident = known.get(alert.incident or "")
        if alert.fingerprint in missed and incident is not None:
            missed.add(incident.id)
        rule = by_name.get(alert.name) if alert.source == SOURCE else None
        if rule is None or alert.entity is None:
            continue
        fired.add((rule.name, alert.incident or ""))
        said = _said(words.get(alert.fingerprint) or words.get(alert.incident or ""), incident)
        if said is not None:
            begin = alert.starts_at - rule.of * rule.every_s
            end = min(alert.ends_at or alert.updated_at, alert.starts_at + LONGEST_S) + rule.every_s
            metric = alert.annotations.get("metric", "")
            found.append(Spell(rule.name, alert.entity, metric, begin, max(end, begin), said, alert.incident or ""))
    for name in sorted(missed & known.keys()):
        incident = known[name]
        end = min(incident.resolved_at or incident.updated_at, incident.opened_at + MISSED_AFTER_S)
        for rule in by_name.values():
            if (rule.name, name) not in fired:
                begin = incident.opened_at - MISSED_BEFORE_S
                found += [
                    Spell(rule.name, one, "", begin, max(end, begin), "missed", name) for one in incident.entities
                ]
    return _latest(found)


def _latest(found: list[Spell]) -> list[Spell]:
    kept: list[Spell] = []
    for name in sorted({one.rule for one in found}):
        mine = sorted((one for one in found if one.rule == name), key=lambda one: (one.begin, one.entity, one.metric))
        kept += mine[-MOST_SPELLS:]
    return kept


def _said(word: str | None, incident: Incident | None) -> Said | None:
    if word == "not_actionable":
        return "nothing"
    by_people = incident is not None and incident.acknowledged_by
    return "real" if word in _REAL or by_people else None


def limits(
    rulebook: Rulebook, found: Sequence[Spell], entities: Mapping[str, Entity], between: Between
) -> Iterator[Suggestion]:
    """Better limits for the detectors of which people said enough. Reads the records of these times again."""
    for rule in rulebook.detect:
        mine = [one for one in found if one.rule == rule.name]
        said = Counter(one.said for one in mine)
        if adjustable(rule) and (said["nothing"] >= LEAST_FALSE or said["missed"]):
            past = _Past(rule, rulebook, entities, between)
            yield from better(rule, past.tried(mine), lambda at, past=past: past.usual(at))  # type: ignore[misc]


@dataclass(slots=True)
class _Past:
    """How far the windows of a rule went at times that are over."""

    rule: DetectRule
    rulebook: Rulebook
    entities: Mapping[str, Entity]
    between: Between

    def tried(self, found: Sequence[Spell]) -> tuple[tuple[Tried, float], ...]:
        """For each spell how far its series went, and when it began; of what was missed the furthest of all places."""
        told: list[tuple[Tried, float]] = []
        missed: dict[str, tuple[Tried, float]] = {}
        for spell in found:
            reaches = self._reaches(spell.begin, spell.end)
            near = [
                far
                for (entity, metric), far in reaches.items()
                if entity == spell.entity and spell.metric in {"", metric}
            ]
            if not near:
                continue
            one = Tried(spell.said, spell.incident, self._far(near))
            if spell.said != "missed":
                told.append((one, spell.begin))
                continue
            known = missed.get(spell.incident)
            if known is None or self._far([known[0].reach, one.reach]) == one.reach:
                missed[spell.incident] = (one, spell.begin)
        return (*told, *missed.values())

    def usual(self, until: float) -> list[float]:
        """How far each series went in the time before."""
        return list(self._reaches(until - USUAL_S, until).values())

    def _reaches(self, begin: float, end: float) -> dict[Series, float]:
        windows = PastWindows(self.rule, begin, end, self.entities, self.rulebook)
        for record in self.between(begin, end + LATE_S):
            windows.take(record)
        first, last = int(begin // self.rule.every_s), int(end // self.rule.every_s)
        found = {}
        for series, values in windows.values().items():
            far = reach(self.rule, {slot: one for slot, one in values.items() if first <= slot <= last})
            if far is not None:
                found[series] = far
        return found

    def _far(self, reaches: Iterable[float]) -> float:
        return max(reaches) if _side(self.rule)[0] == "above" else min(reaches)


def _side(rule: DetectRule) -> tuple[Literal["above", "below"], float]:
    assert isinstance(rule.when, Threshold), "only a threshold has one limit"
    if rule.when.above is not None:
        return "above", rule.when.above
    assert rule.when.below is not None, "a threshold has a limit on one side"
    return "below", rule.when.below


def better(
    rule: DetectRule, found: Sequence[tuple[Tried, float]], usual: Callable[[float], list[float]]
) -> Iterator[Suggestion]:
    """Another limit of a detector, if one is better. ``found`` says when each began, ``usual`` what was before that."""
    side, now = _side(rule)
    sign = 1.0 if side == "above" else -1.0
    tried = [one for one, _ in found]
    false, real, missed = (
        [sign * one.reach for one in tried if one.said == said] for said in ("nothing", "real", "missed")
    )
    asked = _moved(sign * now, false, real, missed)
    if asked is None:
        return
    limit, lower = sign * asked, asked < sign * now
    evidence = [*_told(tried, rule)]
    if lower:
        before = usual(min(begin for one, begin in found if one.said == "missed"))
        if not before or any(asked < sign * one <= sign * now for one in before):
            return  # nothing is known of usual days, or people would hear of them
        evidence.append(f"in the day before, it would have fired at none of {len(before)} series where it did not")
    to: dict[str, float] = {side: limit}
    assert isinstance(rule.when, Threshold), "only a threshold has one limit"
    if rule.when.until is not None and sign * rule.when.until > asked:
        to["until"] = limit
    evidence.append(f"{rule.place.file}, line {rule.place.line}: {side} {limit_text(now)} becomes {limit_text(limit)}")
    told = len(tried)
    yield Suggestion(
        id=suggestion_id("threshold", rule.name, side, "lower" if lower else "higher"),
        kind="threshold",
        text=f"{rule.name}: {side} {limit_text(limit)}, not {limit_text(now)}",
        evidence=tuple(evidence),
        rule={"name": rule.name, "when": {"threshold": to}},
        support=len(missed) if lower else len(false), chance=0.0, confidence=round(surely(told, told), 3),
        incidents=tuple(sorted({one.incident for one in tried if one.incident})),
    )  # fmt: skip


def _moved(now: float, false: list[float], real: list[float], missed: list[float]) -> float | None:
    """The better limit, where more is worse; None when this one is as good, or none tells them apart."""
    floor = max(false, default=None)
    # What fires by a limit that was in force before, and not by this one, says nothing about this one.
    ceiling = min([*(one for one in real if one > now), *missed], default=None)
    if floor is not None and ceiling is not None and floor >= ceiling:
        return None
    if floor is not None and floor > now and len(false) >= LEAST_FALSE:
        most = ceiling if ceiling is not None else floor + max(abs(floor - now), abs(floor) * 0.1, 1e-9)
        return _short(floor, most, floor + 0.25 * (most - floor))
    if ceiling is not None and missed and min(missed) <= now:
        least = floor if floor is not None else ceiling - max(now - ceiling, abs(ceiling) * 0.1, 1e-9)
        return _short(least, ceiling, ceiling - 0.25 * (ceiling - least))
    return None


def _short(low: float, high: float, wanted: float) -> float:
    """The shortest decimal near ``wanted`` that is at least ``low`` and less than ``high``."""
    for digits in range(2, 17):
        found = float(f"{wanted:.{digits}g}")
        if low < found < high:
            return found
    return wanted


def limit_text(limit: float) -> str:
    """A limit as it is written in a rules file."""
    return f"{Decimal(repr(limit)).normalize():f}"


def _told(tried: Sequence[Tried], rule: DetectRule) -> Iterator[str]:
    words: tuple[tuple[Said, str, str, str], ...] = (
        ("nothing", "alert", "that people called not actionable", "would not have fired"),
        ("real", "alert", "that people took up", "would have fired all the same"),
        ("missed", "incident", "that people called missed", "would have fired"),
    )
    windows = f" in {rule.need} of {rule.of} windows" if rule.of > 1 else ""
    for said, what, which, then in words:
        found = sorted(one.reach for one in tried if one.said == said)
        if found:
            least, most = number(found[0]), number(found[-1])
            reached = f"{least} to {most}" if least != most else least
            of = sorted({one.incident for one in tried if one.said == said and one.incident})[:MOST_NAMED]
            named = f" ({', '.join(of)})" if of else ""
            yield f"{len(found)} {what}{'s' * (len(found) > 1)} {which}{named} reached {reached}{windows}; {then}"
