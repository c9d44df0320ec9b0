"""How sure quell is that there is an outage and that its first suspect is the cause.

That is a probability, held against storms with known causes. A softmax over scores says how suspects compare, not how
often the first is right, nor whether chance brought it all together. What told right from wrong on storms is how far
the first is ahead and how much it explains at all, whether it alerts itself, whether that says that it is broken
itself, how much of what it asks could fail it in silence, how many dependencies are not known, whether something was
changed there, and how long a way of known dependencies bears it out. A logistic curve over these gives the
confidence. `benchmarks/calibration.py --fit SEEDS` finds its weights, and so does `quell train` for an estate's own
past; those that ship stand in `quell.model.weights.Confidence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, log1p

from quell.model.weights import DEFAULT, Confidence

LONGEST = 4
MOST_ODDS = 500.0
"""Log odds beyond these are as good as certain, either way."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``margin``: nats ahead of the second suspect. ``silent``: no alert of its own. ``changed``: a change is named.

    ``entities`` counts those that alert, ``path`` those on the way to the furthest symptom, the suspect included.
    ``itself``: it says that it is broken itself, or gets no work that is sent. ``asks`` is the logarithm of one more
    than it asks without an alert: each of these may be the cause in silence. ``gaps`` are the tenths of
    all dependencies that are not known. ``nats``: its score, which is what all symptoms net with it as their cause,
    against being noise.
    """

    margin: float
    silent: bool
    changed: bool
    entities: int
    path: int
    itself: bool = False
    asks: float = 0.0
    gaps: float = 0.0
    nats: float = 0.0


def certainty(first: Standing, by: Confidence = DEFAULT.confidence) -> float:
    """The probability that the first suspect is the cause of an outage that is one.

    A long way bears out no more than one of `LONGEST`, and two suspects that are equal are no better than even.
    """
    odds = (
        by.constant + by.margin * log1p(max(0.0, first.margin)) + by.silent * first.silent + by.changed * first.changed
    )
    odds += by.entities * log(max(1, first.entities)) + by.path * min(first.path, LONGEST)
    odds += by.itself * first.itself + by.asks * first.asks + by.gaps * first.gaps
    odds += by.nats * log1p(max(0.0, first.nats))
    bound = 1.0 - 0.5 * exp(-max(0.0, first.margin))
    return min(bound, 1.0 / (1.0 + exp(-max(-MOST_ODDS, odds))))


def shares(first: float, odds: list[float]) -> list[float]:
    """The confidences of all suspects, the first of which has ``first``: the others have the rest by their odds.

    None is surer than the first. ``odds`` are relative, the first suspect's is the largest.
    """
    rest = (1.0 - first) / sum(odds)
    return [first, *(min(first, rest * odd) for odd in odds[1:])]
