"""Confidence held against answers whose truth is known: a logistic curve over what a first suspect stands on.

J. Platt, "Probabilistic outputs for support vector machines", 1999. Drawn towards what ships: what few answers speak of
stays near it, and what none of them shows stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p

import numpy as np
from numpy.typing import NDArray

from quell.core.confidence import LONGEST, MOST_ODDS, Standing, certainty
from quell.model.weights import DEFAULT, Confidence
from quell.training.trying import Answer

LEAST_ANSWERS = 60
LEAST_OF_EACH = 10
"""So many right and so many wrong ones are needed."""
BINS = 10
STRENGTH = 1.0
LEAST_SPREAD = 0.1
"""A fact that is nearly alike in all answers says little."""
STEPS = 100
TINY = 1e-9
MOST = 20.0
"""No weight of confidence may be more in a file."""
Floats = NDArray[np.float64]
NAMES = ("margin", "silent", "changed", "entities", "path", "itself", "asks", "gaps", "nats")
UPWARD = frozenset({"margin", "nats"})
"""More of these makes nobody less sure."""


def enough(answers: Sequence[Answer]) -> str:
    """What is missing for a calibration; "" when nothing is."""
    usable = [one for one in answers if one.mixed]
    right = sum(one.right for one in usable)
    if len(usable) < LEAST_ANSWERS or min(right, len(usable) - right) < LEAST_OF_EACH:
        return (
            f"{len(usable)} answers, {right} of them right: at least {LEAST_ANSWERS} are needed, "
            f"{LEAST_OF_EACH} right and {LEAST_OF_EACH} wrong"
        )
    return ""


def fitted(answers: Sequence[Answer]) -> Confidence:
    """The curve for these answers."""
    usable = [one for one in answers if one.mixed]
    given = np.array([facts(one.standing) for one in usable])
    usual, spread = given.mean(axis=0), np.maximum(given.std(axis=0), LEAST_SPREAD)
    right = np.array([one.right for one in usable], dtype=float)
    ships = DEFAULT.confidence
    before = np.array([getattr(ships, name) for name in NAMES])
    moved = _moved((given - usual) / spread, ships.constant + given @ before, right)
    terms = np.clip(before + moved[1:] / spread, [0.0 if name in UPWARD else -MOST for name in NAMES], MOST)
    constant = ships.constant + float(moved[0] - usual @ (terms - before))
    found = dict(zip(NAMES, terms.tolist(), strict=True), constant=min(MOST, max(-MOST, constant)))
    return Confidence(**{name: round(term, 3) for name, term in found.items()})


def _moved(given: Floats, odds: Floats, right: Floats) -> Floats:
    """What to add to the log odds of what ships, a constant first: Newton's steps, each halved until it is one down."""
    facts_of = np.column_stack([np.ones(len(given)), given])
    drawn = np.diag([0.0, *[1.0 / STRENGTH] * given.shape[1]])

    def loss(by: Floats) -> float:
        told = odds + facts_of @ by
        return float(np.logaddexp(0.0, told).sum() - right @ told + by @ drawn @ by / 2.0)

    found = np.zeros(facts_of.shape[1])
    for _ in range(STEPS):
        said = 1.0 / (1.0 + np.exp(-np.clip(odds + facts_of @ found, -MOST_ODDS, MOST_ODDS)))
        slope = facts_of.T @ (said - right) + drawn @ found
        bend = (facts_of * (said * (1.0 - said))[:, None]).T @ facts_of + drawn + TINY * np.eye(len(found))
        step = np.linalg.solve(bend, slope)
        while loss(found - step) > loss(found) and np.abs(step).max() > TINY:
            step = step / 2.0
        if np.abs(step).max() <= TINY:
            break
        found = found - step
    return found


def facts(one: Standing) -> list[float]:
    """What the curve goes over, as `quell.core.confidence.certainty` has it."""
    return [
        log1p(max(0.0, one.margin)),
        float(one.silent),
        float(one.changed),
        log(max(1, one.entities)),
        float(min(one.path, LONGEST)),
        float(one.itself),
        one.asks,
        one.gaps,
        log1p(max(0.0, one.nats)),
    ]


def restated(answers: Sequence[Answer], by: Confidence) -> list[float]:
    """The confidences that these answers would have had; those of alerts alone are not by the curve."""
    return [certainty(one.standing, by) if one.mixed else one.confidence for one in answers]


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The mean distance of confidence and accuracy over bins of equal size."""
    said, was = np.array(confidence, dtype=float), np.array(right, dtype=float)
    parts = [part for part in np.array_split(np.argsort(said, kind="stable"), BINS) if len(part)]
    off = [len(part) * abs(float(said[part].mean() - was[part].mean())) for part in parts]
    return sum(off) / max(1, len(said))


def brier(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The mean squared distance of confidence and truth."""
    said, was = np.array(confidence, dtype=float), np.array(right, dtype=float)
    return float(((said - was) ** 2).mean()) if len(said) else 0.0
