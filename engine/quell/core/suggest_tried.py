"""Other numbers for detectors whose limits cannot be read off what was told: they are tried on what was told then.

Every rule that could stand there instead judges the records of the times of which people said what they were, in an
engine of its own, as it would have then: with windows, intervals and what was usual. The nearest is suggested that
fires at nothing of what was nothing, and at all the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from msgspec.structs import replace

from quell.core.chances import surely
from quell.core.detect.telling import SOURCE
from quell.core.engine import Engine
from quell.core.suggest_knobs import Knob, Turned, knobs, warm_s
from quell.core.suggest_limits import LATE_S, LEAST_FALSE, MOST_NAMED, USUAL_S, Between, Said, Spell
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.detect import Burn, DetectRule
from quell.model.habits import Suggestion, suggestion_id
from quell.model.records import (
    AnyRecord,
    CallRecord,
    DistributionRecord,
    EntityRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    TotalsRecord,
)
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Entity

MOST_JUDGED = 1_000_000
"""Records times rules that are judged for one detector, about a minute; where it would be more nothing is suggested."""
_CALLS = ("calls.count", "calls.errors", "calls.error_share", "calls.mean_s", "calls.net_s")
_WORDS: Mapping[Said, tuple[str, str]] = {
    "nothing": ("alert", "that people called not actionable"),
    "real": ("alert", "that people took up"),
    "missed": ("incident", "that people called missed"),
}


class Firing(NamedTuple):
    """From when to when a rule fired for a series."""

    entity: str
    metric: str
    begin: float
    end: float


@dataclass(slots=True)
class Tried:
    """Rules that stand for one another, and when each fired; numbers are those of the rules.

    ``only`` are the entities that matter; without any, all do.
    """

    rules: Sequence[DetectRule]
    rulebook: Rulebook
    entities: Mapping[str, Entity]
    between: Between
    only: frozenset[str] = frozenset()
    firings: list[list[Firing]] = field(init=False)
    judged: int = 0

    def __post_init__(self) -> None:
        """Begins with nothing tried."""
        self.firings = [[] for _ in self.rules]

    def over(self, begin: float, end: float) -> bool:
        """Has all of them judge the records between; False when there are too many."""
        named = tuple(replace(rule, name=str(number), blind_s=0.0) for number, rule in enumerate(self.rules))
        book = Rulebook(entities=self.rulebook.entities, map=self.rulebook.map, profiles=self.rulebook.profiles,
                        detect=named)  # fmt: skip
        engine, now = Engine(book, State(entities=dict(self.entities))), begin
        said: list[AnyDecision] = list(engine.decide([], now))
        reads = _Reads(self.rules[0])
        for record in self.between(begin, end + LATE_S):
            if reads(record) and (not self.only or getattr(record, "entity", "") in self.only):
                self.judged += len(self.rules)
                if self.judged > MOST_JUDGED:
                    return False
                now = max(now, record.arrived)
                said += engine.decide([record], now)
        said += engine.decide([], max(now, end + LATE_S))
        self._keep(said, end + LATE_S)
        return True

    def _keep(self, said: Iterable[AnyDecision], until: float) -> None:
        known: dict[tuple[str, int], tuple[int, Firing]] = {}
        for one in said:
            alert = one.alert if isinstance(one, AlertChanged) else None
            if alert is not None and alert.source == SOURCE and alert.name.isdigit() and alert.entity is not None:
                end = until if alert.firing or alert.ends_at is None else alert.ends_at
                firing = Firing(alert.entity, alert.annotations.get("metric", ""), alert.starts_at, end)
                known[alert.fingerprint, alert.episode] = int(alert.name), firing
        for number, firing in known.values():
            self.firings[number].append(firing)

    def fired(self, number: int, spell: Spell) -> bool:
        """Whether a rule fired at that place in that time."""
        return any(
            one.entity == spell.entity and spell.metric in {"", one.metric}
            and one.begin <= spell.end and one.end >= spell.begin
            for one in self.firings[number]
        )  # fmt: skip

    def series(self, number: int, begin: float, end: float) -> set[tuple[str, str]]:
        """Where a rule fired in that time."""
        return {(one.entity, one.metric) for one in self.firings[number] if one.begin < end and one.end > begin}


class _Reads:
    """Whether a record may say anything to a rule."""

    def __init__(self, rule: DetectRule) -> None:
        by = getattr(rule.when, "by", "")
        self._metrics = tuple(one for one in (rule.metric, by) if one)
        self._calls = any(fnmatchcase(call, glob) for call in _CALLS for glob in self._metrics)
        self._log, self._distributions = bool(rule.log), bool(rule.distribution)

    def __call__(self, record: AnyRecord) -> bool:
        if isinstance(record, SampleRecord):
            return any(fnmatchcase(record.metric, glob) for glob in self._metrics)
        if isinstance(record, SamplesRecord):
            return any(fnmatchcase(metric, glob) for metric in record.values for glob in self._metrics)
        if isinstance(record, TotalsRecord):
            return bool(self._metrics)
        if isinstance(record, (CallRecord, SpanRecord)):
            return self._calls
        if isinstance(record, DistributionRecord):
            return self._distributions
        return isinstance(record, EntityRecord) or (self._log and isinstance(record, LogRecord))


def tried_limits(
    rulebook: Rulebook, found: Sequence[Spell], entities: Mapping[str, Entity], between: Between
) -> Iterator[Suggestion]:
    """Better numbers for the detectors of which people said enough. Reads the records of these times again."""
    for rule in rulebook.detect:
        mine, turns = [one for one in found if one.rule == rule.name], knobs(rule)
        said = Counter(one.said for one in mine)
        noisy, missed = said["nothing"] >= LEAST_FALSE, said["missed"] > 0
        turns = tuple(
            knob._replace(stricter=knob.stricter if noisy else (), looser=knob.looser if missed else ())
            for knob in (turns if noisy or missed else ())
        )
        if not turns:
            continue
        turned = [one.rule for knob in turns for one in (*knob.stricter, *knob.looser)]
        only = frozenset() if missed else frozenset(one.entity for one in mine)  # nobody else may fire before that
        tried = Tried([rule, *turned], rulebook, entities, between, only)
        if all(tried.over(begin, end) for begin, end in _times(rule, mine)):
            suggestion = _best(rule, turns, mine, tried)
            if suggestion is not None:
                yield suggestion


def _times(rule: DetectRule, found: Sequence[Spell]) -> list[tuple[float, float]]:
    """From when to when is read again: each time that is asked for, and what a rule must have seen before it."""
    times: list[tuple[float, float]] = []
    for spell in sorted(found, key=lambda one: one.begin):
        begin = spell.begin - warm_s(rule) - (USUAL_S if spell.said == "missed" else 0.0)
        if times and begin <= times[-1][1] + LATE_S:
            times[-1] = min(times[-1][0], begin), max(times[-1][1], spell.end)
        else:
            times.append((begin, spell.end))
    return sorted(times)


def _best(rule: DetectRule, turns: Sequence[Knob], found: Sequence[Spell], tried: Tried) -> Suggestion | None:
    """The nearest rule that tells apart what people told apart; what this one does not see again says nothing."""
    false, real, missed = ([one for one in found if one.said == said] for said in ("nothing", "real", "missed"))
    false, real = ([one for one in spells if tried.fired(0, one)] for spells in (false, real))
    noisy, deaf = len(false) >= LEAST_FALSE, _unfired(tried, 0, missed)
    wanted: list[tuple[int, int, Knob, Turned, bool]] = []
    number = 0
    for knob in turns:
        for looser, several in ((False, knob.stricter), (True, knob.looser)):
            for distance, one in enumerate(several):
                number += 1
                if _fits(tried, number, false, real, missed) and (
                    _quiet(tried, number, missed) and bool(deaf) if looser else noisy and not deaf
                ):
                    wanted.append((distance, number, knob, one, looser))
    if not wanted:
        return None
    _, _, knob, one, looser = min(wanted, key=lambda entry: entry[:2])
    support = len({spell.incident for spell in missed}) if looser else len(false)
    where = f"{rule.place.file}, line {rule.place.line}"
    evidence = [*_told("nothing", false, "would not fire"), *_told("real", real, "would fire all the same"),
                *_told("missed", missed, "would fire")]  # fmt: skip
    if looser:
        evidence.append("in the day before, it would have fired at no series where it did not")
    evidence.append(f"{where}: {knob.name} {knob.now} becomes {one.said}" if not isinstance(rule.when, Burn) else
                    f"{where}: {knob.name} {knob.now} becomes {one.said.removeprefix('a burn rate of ')}")  # fmt: skip
    judged = len(false) + len(real) + len({spell.incident for spell in missed})
    return Suggestion(
        id=suggestion_id("threshold", rule.name, knob.name, "looser" if looser else "stricter"),
        kind="threshold", text=f"{rule.name}: {one.said}, not {knob.now}", evidence=tuple(evidence), rule=one.part,
        support=support, chance=0.0, confidence=round(surely(judged, judged), 3),
        incidents=tuple(sorted({spell.incident for spell in (*false, *real, *missed) if spell.incident})),
    )  # fmt: skip


def _fits(tried: Tried, number: int, false: Sequence[Spell], real: Sequence[Spell], missed: Sequence[Spell]) -> bool:
    return (
        not any(tried.fired(number, one) for one in false)
        and all(tried.fired(number, one) for one in real)
        and not _unfired(tried, number, missed)
    )


def _unfired(tried: Tried, number: int, missed: Sequence[Spell]) -> set[str]:
    """The missed incidents at none of whose places a rule fires."""
    names = {one.incident for one in missed}
    return names - {one.incident for one in missed if tried.fired(number, one)}


def _quiet(tried: Tried, number: int, missed: Sequence[Spell]) -> bool:
    """Whether a rule fires in the day before what was missed only where the one in force does."""
    return all(
        tried.series(number, one.begin - USUAL_S, one.begin) <= tried.series(0, one.begin - USUAL_S, one.begin)
        for one in missed
    )


def _told(said: Said, found: Sequence[Spell], then: str) -> Iterator[str]:
    if found:
        names = sorted({one.incident for one in found if one.incident})
        what, which = _WORDS[said]
        count = len(names) if said == "missed" else len(found)
        named = f" ({', '.join(names[:MOST_NAMED])})" if names else ""
        yield f"{count} {what}{'s' * (count > 1)} {which}{named}: {then}"
