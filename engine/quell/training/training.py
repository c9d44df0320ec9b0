"""From labelled storms to weights: counted, searched, calibrated, and held against what ships on other storms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import msgspec

from quell.errors import QuellError
from quell.model.rulebook import Rulebook
from quell.model.weights import DEFAULT, Weights
from quell.training import calibrating, counting, searching
from quell.training.searching import Bench, Say
from quell.training.storms import Storm
from quell.training.trying import Answer, Tried

LEAST_STORMS = 3
LEAST_INCIDENTS = 20
LEAST_REPORTED = 5
"""True incidents on which anything can be reported."""


class TooLittle(QuellError):
    """There is too little to learn from."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One weight in the place of the one that ships: where it stands in a file, both values, what speaks for it."""

    place: tuple[str, ...]
    value: Any
    ships: Any
    seen: str


@dataclass(frozen=True, slots=True)
class Held:
    """How weights do on storms that they were not made from."""

    score: float
    incident_f1: float
    pair_f1: float
    first_cause: float
    missed: float
    calibration_error: float
    brier: float
    unclear: float
    answers: int


@dataclass(frozen=True, slots=True)
class Trained:
    """``said`` is what was found out on the way, in sentences; ``better`` what was better than what ships."""

    weights: Weights
    estimates: Sequence[Estimate]
    on: Sequence[str]
    reported: Sequence[str]
    incidents: int
    ships: Held
    held: Held
    said: Sequence[str]
    better: Sequence[str]


@dataclass(slots=True)
class _Course:
    """What is carried along a training."""

    said: list[str] = field(default_factory=list)
    estimates: dict[tuple[str, ...], str] = field(default_factory=dict)
    """What speaks for each weight that was estimated, by its place."""


def train(
    storms: Sequence[Storm], reported: Sequence[Storm], rulebook: Rulebook, search: Sequence[str], say: Say
) -> Trained:
    """Weights from ``storms``, held against what ships on those that are ``reported``. Raises `TooLittle`."""
    _refuse(storms, reported)
    carried = _Course()

    def note(text: str) -> None:
        carried.said.append(text)
        say(text)

    bench, other = Bench(storms, rulebook), Bench(reported, rulebook)
    weights = _counted(bench, carried, note)
    if search:
        weights, verdicts = searching.searched(bench, weights, search, note)
        for verdict in verdicts:
            if verdict.accepted:
                name = verdict.what.partition(".")[2]
                carried.estimates["prices", name] = f"{len(storms)} storms, score {verdict.gain:+.3f} when left out"
    better = []
    if weights != DEFAULT:
        weights, gain = _vetoed(other, weights, note)
        better += [f"score {gain:+.3f}"] if weights != DEFAULT else []
    confidence = _calibrated(bench, other, weights, carried, note)
    if confidence != weights:
        weights = confidence
        better.append("confidence")
    ships, held = _held(other, DEFAULT, DEFAULT), _held(other, weights, weights)
    return Trained(
        weights=weights,
        estimates=_estimates(weights, carried.estimates),
        on=[storm.name for storm in storms],
        reported=[storm.name for storm in reported],
        incidents=sum(len(storm.truth.roots) for storm in storms),
        ships=ships,
        held=held,
        said=carried.said,
        better=better,
    )


def _refuse(storms: Sequence[Storm], reported: Sequence[Storm]) -> None:
    names = [storm.name for storm in (*storms, *reported)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TooLittle(f'"{twice[0]}" is named twice; what is trained on is not reported on')
    incidents = sum(len(storm.truth.roots) for storm in storms)
    others = sum(len(storm.truth.roots) for storm in reported)
    if len(storms) < LEAST_STORMS or incidents < LEAST_INCIDENTS:
        raise TooLittle(
            f"too little to train on: {len(storms)} storms with {incidents} incidents; "
            f"at least {LEAST_STORMS} with {LEAST_INCIDENTS} are needed"
        )
    if others < LEAST_REPORTED:
        raise TooLittle(
            f"too little to report on: {len(reported)} storms with {others} incidents; "
            f"at least {LEAST_REPORTED} incidents are needed that nothing was trained on"
        )


def _counted(bench: Bench, carried: _Course, note: Say) -> Weights:
    """How trouble travels and how much is noise, as far as that is better on storms that it was not counted on."""
    counts = [bench.counts(at) for at in range(len(bench.storms))]
    all_of_them = counting.together(counts)
    without = [counting.together(counts[:at] + counts[at + 1 :]) for at in range(len(counts))]
    weights = DEFAULT
    taken: list[str] = []
    for part in counting.PARTS:
        told = counting.seen_of(all_of_them, part)
        if not told:
            note(f"{part}: seen too seldom to count: left as it ships")
            continue
        instead = [counting.estimated(one, [*taken, part]) for one in without]
        base = [counting.estimated(one, taken) for one in without]
        verdict = searching.compared(bench, part, base, instead)
        note(str(verdict))
        if verdict.accepted:
            taken.append(part)
            weights = counting.estimated(all_of_them, taken)
            of, did = ("alerts", "noise") if part == "noise" else ("times", "shown")
            carried.estimates |= {place: f"{count} {of}, {hits} of them {did}" for place, (count, hits) in told.items()}
    return weights


def _vetoed(other: Bench, weights: Weights, note: Say) -> tuple[Weights, float]:
    """The weights, or those that ship where the former are no better on storms that they were not made from."""
    at_all = range(len(other.storms))
    gain = mean(other.score(at, weights) - other.score(at, DEFAULT) for at in at_all)
    if gain > 0.0:
        return weights, gain
    note(f"on the storms reported on these weights are no better than those that ship (score {gain:+.3f}): left out")
    return DEFAULT, gain


def _calibrated(bench: Bench, other: Bench, weights: Weights, carried: _Course, note: Say) -> Weights:
    """With the confidence that fits the answers of the storms, where that fits those of others better, too."""
    answers = _answers(bench, weights)
    missing = calibrating.enough(answers)
    if missing:
        note(f"confidence: {missing}: left as it ships")
        return weights
    curve = calibrating.fitted(answers)
    others = _answers(other, weights)
    right = [one.right for one in others]
    before, after = (calibrating.restated(others, by) for by in (DEFAULT.confidence, curve))
    was, now = (calibrating.brier(said, right) for said in (before, after))
    was_off, off = (calibrating.calibration_error(said, right) for said in (before, after))
    fits = bool(others) and now < was
    said = "taken" if fits else "left as it ships: no better on the storms reported on"
    note(f"confidence: Brier score {now:.3f} ({was:.3f}), calibration error {off:.3f} ({was_off:.3f}): {said}")
    if not fits:
        return weights
    seen = f"{sum(one.mixed for one in answers)} answers"
    carried.estimates |= {("confidence", name): seen for name in curve.__struct_fields__}
    return msgspec.structs.replace(weights, confidence=curve)


def _answers(bench: Bench, weights: Weights) -> list[Answer]:
    """All answers; confidence changes none of them, so it is left as it ships."""
    plain = msgspec.structs.replace(weights, confidence=DEFAULT.confidence)
    return [one for at in range(len(bench.storms)) for one in bench.tried(at, plain).answers]


def _held(bench: Bench, weights: Weights, said_by: Weights) -> Held:
    plain = msgspec.structs.replace(weights, confidence=DEFAULT.confidence)
    all_of_them: list[Tried] = [bench.tried(at, plain) for at in range(len(bench.storms))]
    answers = _answers(bench, weights)
    said, right = calibrating.restated(answers, said_by.confidence), [one.right for one in answers]
    bar = bench.rulebook.correlate.clear_cause_bar
    return Held(
        score=mean(one.score for one in all_of_them),
        incident_f1=mean(one.incident_f1 for one in all_of_them),
        pair_f1=mean(one.pair_f1 for one in all_of_them),
        first_cause=mean(one.first_cause for one in all_of_them),
        missed=mean(one.missed for one in all_of_them),
        calibration_error=calibrating.calibration_error(said, right),
        brier=calibrating.brier(said, right),
        unclear=sum(one < bar for one in said) / max(1, len(said)),
        answers=len(answers),
    )


def _estimates(weights: Weights, seen: dict[tuple[str, ...], str]) -> list[Estimate]:
    """What differs from what ships, and was estimated, in the order of a file; a curve is whole, or none."""
    found = []
    for place, text in sorted(seen.items()):
        if place[0] == "travel":
            value, ships = (_passage(one, place) for one in (weights, DEFAULT))
        else:
            value, ships = (getattr(getattr(one, place[0]), place[1]) for one in (weights, DEFAULT))
        if value != ships or place[0] == "confidence":
            found.append(Estimate(place, value, ships, text))
    return found


def _passage(weights: Weights, place: tuple[str, ...]) -> Any:
    _, way, cause, symptom = place
    return next((one for one in getattr(weights.travel, way) if (one.cause, one.symptom) == (cause, symptom)), None)
