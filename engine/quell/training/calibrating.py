"""Confidence held against answers whose truth is known: a logistic curve over what a first suspect stands on.

J. Platt, "Probabilistic outputs for support vector machines", 1999. Drawn towards what ships: as that is where the
search for the curve begins, and few answers do not lead far away from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from quell.core.confidence import LONGEST, Standing, certainty
from quell.model.weights import Confidence
from quell.training.trying import Answer

LEAST_ANSWERS = 60
LEAST_OF_EACH = 10
"""So many right and so many wrong ones are needed."""
BINS = 10
STRENGTH = 1.0
Floats = NDArray[np.float64]
NAMES = ("margin", "silent", "changed", "entities", "path")


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
    spread = given.std(axis=0) + 1e-9
    right = np.array([one.right for one in usable], dtype=int)
    model = LogisticRegression(C=STRENGTH, max_iter=1000).fit(given / spread, right)
    terms = dict(zip(NAMES, (model.coef_[0] / spread).tolist(), strict=True))
    terms["margin"] = max(0.0, terms["margin"])
    rounded = {name: round(min(20.0, max(-20.0, term)), 3) for name, term in terms.items()}
    return Confidence(constant=round(float(model.intercept_[0]), 3), **rounded)


def facts(one: Standing) -> list[float]:
    """What the curve goes over, as `quell.core.confidence.certainty` has it."""
    return [
        log1p(max(0.0, one.margin)),
        float(one.silent),
        float(one.changed),
        log(max(1, one.entities)),
        float(min(one.path, LONGEST)),
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
