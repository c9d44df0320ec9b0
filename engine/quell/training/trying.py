"""One storm under some weights: what was made of it, and how right that was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from quell.core.bearing import standing
from quell.core.confidence import Standing
from quell.core.families import family
from quell.core.graph import Graph
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.weights import Weights
from quell.replay.run import SETTLE_S, Episode, Follower, Outcome, Replay, turns
from quell.training.storms import Storm, Truth

MATCHES = 0.5
"""An incident is a true one when they share more than this of their alerts,"""
ANSWERS = 0.25
"""and answers what caused it from this on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert as it was seen at first: where, what kind of trouble, since when; and the incident it belongs to."""

    entity: str
    family: int
    onset: float
    incident: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an incident said of its cause, and whether that caused the outage that most of its alerts are of, if any.

    ``mixed``: more than one alert.
    """

    standing: Standing
    confidence: float
    clear: bool
    right: bool
    mixed: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    """Shares of one storm; ``score`` is the harmonic mean of the first three. ``incidents``: how many were true."""

    incident_f1: float
    pair_f1: float
    first_cause: float
    missed: float
    incidents: int
    answers: tuple[Answer, ...]

    @property
    def score(self) -> float:
        """One number to follow."""
        parts = (self.incident_f1, self.pair_f1, self.first_cause)
        return 0.0 if min(parts) <= 0.0 else len(parts) / sum(1.0 / part for part in parts)


class Watcher(Follower):
    """Also remembers each firing as it was told first."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[Episode, tuple[str, int, float]] = {}

    def follow(self, decisions: Iterable[AnyDecision]) -> None:
        """Takes in one turn's decisions, in order."""
        told = list(decisions)
        for decision in told:
            if isinstance(decision, AlertChanged) and decision.alert.entity is not None:
                alert = decision.alert
                seen = alert.entity or "", int(family(alert)), alert.starts_at
                self.first.setdefault((alert.fingerprint, alert.episode), seen)
        super().follow(told)


@dataclass(frozen=True, slots=True)
class Course:
    """A replay of a storm: what came of it, and what was seen of the estate."""

    outcome: Outcome
    first: dict[Episode, tuple[str, int, float]]
    graph: Graph
    rulebook: Rulebook
    types: dict[tuple[str, str], tuple[str, ...]]
    """Of pairs of entities, the first of which depends on the second: by which types of dependency."""


def weighed(rulebook: Rulebook, weights: Weights) -> Rulebook:
    """The rules with these weights."""
    correlate = msgspec.structs.replace(rulebook.correlate, weights=weights)
    return msgspec.structs.replace(rulebook, correlate=correlate)


def course(storm: Storm, rulebook: Rulebook) -> Course:
    """Runs the core over a storm."""
    run = Replay(rulebook)
    run.follower = watcher = Watcher()
    for arrived, now in turns(storm.records):
        run.turn(arrived, now)
    run.settle(SETTLE_S)
    types: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in (*rulebook.dependencies, *run.engine.state.dependencies.values()):
        types[edge.from_, edge.to].append(edge.type)
    kinds = {pair: tuple(dict.fromkeys(found)) for pair, found in types.items()}
    return Course(run.outcome(), watcher.first, run.engine.graph, rulebook, kinds)


def sightings(told: Course, truth: Truth) -> Iterator[Seen]:
    """Each labelled alert once, as it was seen at first; alerts of no known entity are left out."""
    done = set()
    for alert in told.outcome.alerts:
        if alert.record in truth.incident:
            incident = truth.incident[alert.record]
            mark = truth.alerts.get(alert.record) or (alert.fingerprint, incident or alert.episode)
            seen = told.first.get((alert.fingerprint, alert.episode))
            if mark not in done and seen is not None:
                done.add(mark)
                yield Seen(*seen, incident)


def tried(told: Course, truth: Truth) -> Tried:
    """How right the outcome of a replay is."""
    units: dict[object, tuple[str | None, str | None]] = {}
    for alert in told.outcome.alerts:
        if alert.record in truth.incident:
            true = truth.incident[alert.record]
            mark = truth.alerts.get(alert.record) or (alert.fingerprint, true or alert.episode)
            units.setdefault(mark, (true, alert.incident))
    true_sizes = Counter(true for true, _ in units.values() if true is not None)
    said_sizes = Counter(said for _, said in units.values() if said is not None)
    both = Counter((true, said) for true, said in units.values() if true is not None and said is not None)
    overlap = {(a, b): n / (true_sizes[a] + said_sizes[b] - n) for (a, b), n in both.items()}
    unknown = {alert.incident for alert in told.outcome.alerts if alert.record not in truth.incident}
    shown = {one.incident.id: one.incident for one in told.outcome.incidents}
    matched = sum(share > MATCHES for share in overlap.values())
    extra = len(shown.keys() - {alert.incident for alert in told.outcome.alerts}) if truth.whole else 0
    pairs = _paired(overlap, shown)
    answers = dict(_answers(pairs, shown, truth))
    others = said_sizes.keys() - unknown - set(pairs.values())
    known = [name for name in true_sizes if truth.roots.get(name)]
    right = sum(answers[name].right for name in known if name in answers)
    most: Counter[str] = Counter()
    for (true, _), count in both.items():
        most[true] = max(most[true], count)
    lost = sum(2 * most[name] <= size for name, size in true_sizes.items())
    return Tried(
        incident_f1=_f1(matched, len(said_sizes) + extra, len(true_sizes)),
        pair_f1=_f1(_pairs(both.values()), _pairs(said_sizes.values()), _pairs(true_sizes.values())),
        first_cause=right / len(known) if known else 1.0,
        missed=lost / len(true_sizes) if true_sizes else 0.0,
        incidents=len(true_sizes),
        answers=(*answers.values(), *_others(others, both, shown, truth)),
    )


def _paired(overlap: dict[tuple[str, str], float], shown: Collection[str]) -> dict[str, str]:
    """True incidents and the predicted one that answers for each: the one that overlaps most; each answers for one."""
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for (true, said), share in sorted(overlap.items(), key=lambda one: (-one[1], str(one[0]))):
        if share >= ANSWERS and said in shown and true not in pairs and said not in taken:
            pairs[true] = said
            taken.add(said)
    return pairs


def _answers(pairs: dict[str, str], shown: dict[str, Incident], truth: Truth) -> Iterator[tuple[str, Answer]]:
    """What is said of each true incident."""
    for true, said in pairs.items():
        found = _answer_to(true, shown[said], truth)
        if found is not None:
            yield true, found


def _others(
    said: Iterable[str], both: dict[tuple[str, str], int], shown: dict[str, Incident], truth: Truth
) -> Iterator[Answer]:
    """What else was said, where all is known: of part of an outage, or of none."""
    most: dict[str, tuple[int, str]] = {}
    for (true, name), count in sorted(both.items()):
        if name not in most or count > most[name][0]:
            most[name] = count, true
    for name in sorted(said) if truth.whole else ():
        if name not in shown or not shown[name].suspects:
            continue
        found = _answer_to(most[name][1], shown[name], truth) if name in most else answer(shown[name], right=False)
        if found is not None:
            yield found


def _answer_to(true: str, incident: Incident, truth: Truth) -> Answer | None:
    """What an incident says of the cause of a true one; None where it says nothing, or nobody knows."""
    roots, innocent = truth.roots.get(true, frozenset()), truth.innocent.get(true, frozenset())
    if not incident.suspects or not (roots or incident.suspects[0].entity in innocent):
        return None
    return answer(incident, incident.suspects[0].entity in roots)


def answer(incident: Incident, right: bool) -> Answer:
    """What an incident says of its cause."""
    first, *others = incident.suspects
    margin = first.score - (others[0].score if others else 0.0)
    facts = standing(first, margin, len(incident.entities))
    return Answer(facts, first.confidence, not incident.no_clear_cause, right, mixed=len(incident.alerts) > 1)


def _pairs(sizes: Iterable[int]) -> float:
    return sum(count * (count - 1) / 2 for count in sizes)


def _f1(hits: float, said: float, true: float) -> float:
    if not said and not true:
        return 1.0
    return 2.0 * hits / (said + true)
