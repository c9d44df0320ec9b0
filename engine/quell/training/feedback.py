"""What people said of incidents, as a labelled storm: records of the past with their judgements among them.

The records are replayed with the rules that hold, so the incidents that people spoke of come about again under their
ids. Judged right: its alerts belong together, and its first suspect was the cause. Judged wrong: they belong together,
and that suspect was innocent. What people merged belongs together, and what they split off does not belong to the
rest. Not actionable: its alerts are noise. Of everything else nobody knows, and it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quell.model.incident import Incident
from quell.model.records import AnyRecord, CommandRecord, FeedbackRecord
from quell.model.rulebook import Rulebook
from quell.replay.run import SETTLE_S, Outcome, Replay, turns
from quell.training.storms import Storm, Truth

_WORDS = frozenset({"merge", "split"})


@dataclass(slots=True)
class Judged:
    """A storm made of people's words; ``unknown`` are incidents that they spoke of and that did not come about."""

    storm: Storm
    words: int
    unknown: Sequence[str]


@dataclass(slots=True)
class _Words:
    roots: dict[str, frozenset[str]] = field(default_factory=dict)
    innocent: dict[str, frozenset[str]] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    """Incidents that people said something of, and that are therefore as they should be."""
    useless: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    count: int = 0


def judged(name: str, records: Iterable[AnyRecord], rulebook: Rulebook) -> Judged:
    """The storm that people's words make of records of the past."""
    kept = list(records)
    words, run = _Words(), Replay(rulebook)
    for arrived, now in turns(kept):
        run.turn(arrived, now)
        for record in arrived:
            _hear(words, record, run.engine.state.incidents)
    run.settle(SETTLE_S)
    plain = [record for record in kept if not _a_word(record)]
    return Judged(Storm(name, plain, _truth(words, run)), words.count, tuple(dict.fromkeys(words.unknown)))


def _a_word(record: AnyRecord) -> bool:
    """Whether it is a person's word on what belongs together: what is to be learned must not be told."""
    return isinstance(record, FeedbackRecord) or (isinstance(record, CommandRecord) and record.verb in _WORDS)


def _hear(words: _Words, record: AnyRecord, incidents: dict[str, Incident]) -> None:
    if isinstance(record, CommandRecord) and record.verb in _WORDS:
        words.count += 1
        _known(words, record.target, incidents)
        if record.target in incidents:
            words.joined.add(record.target)
            words.joined |= _split_off(record, incidents)
    elif isinstance(record, FeedbackRecord) and record.incident:
        words.count += 1
        incident = _known(words, record.incident, incidents)
        if incident is None:
            return
        first = frozenset({incident.suspects[0].entity}) if incident.suspects else frozenset()
        if record.verdict == "not_actionable":
            words.useless.add(incident.id)
        elif record.verdict == "right_cause":
            words.joined.add(incident.id)
            words.roots[incident.id] = first
        elif record.verdict == "wrong_cause":
            words.joined.add(incident.id)
            words.innocent[incident.id] = words.innocent.get(incident.id, frozenset()) | first


def _split_off(record: CommandRecord, incidents: dict[str, Incident]) -> set[str]:
    """The incident that a split made."""
    told = record.args.get("alerts")
    marks = {str(mark) for mark in told} if record.verb == "split" and isinstance(told, (list, tuple)) else set()
    return {one.id for one in incidents.values() if marks and marks <= set(one.alerts) and one.id != record.target}


def _known(words: _Words, name: str, incidents: dict[str, Incident]) -> Incident | None:
    incident = incidents.get(name)
    if incident is None:
        words.unknown.append(name)
    return incident


def _truth(words: _Words, run: Replay) -> Truth:
    outcome: Outcome = run.outcome()
    survivor = run.follower.survivor
    joined = {survivor(name) for name in words.joined}
    useless = {survivor(name) for name in words.useless} - joined
    incident: dict[str, str | None] = {}
    for alert in outcome.alerts:
        if alert.incident in joined:
            incident[alert.record] = alert.incident
        elif alert.incident in useless:
            incident[alert.record] = None
    roots = {name: frozenset[str]() for name in incident.values() if name is not None}
    innocent: dict[str, frozenset[str]] = {}
    for name, first in words.roots.items():
        stands = survivor(name)
        if stands in roots:
            roots[stands] |= first
    for name, first in words.innocent.items():
        stands = survivor(name)
        if stands in roots:
            innocent[stands] = innocent.get(stands, frozenset()) | (first - roots[stands])
    return Truth(incident, roots, innocent, whole=False)
