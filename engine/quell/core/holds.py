"""How long each rule holds an alert back: learned by alert name from groups that are over.

A rule with `for: 10m` speaks ten minutes after the trouble began. Who knows that can tell two outages apart that began
minutes from one another. What is learned of a name is the mean and spread of how late its alerts came, counted from
when the cause that explains them was due to show there; the less is known, the nearer to the prior it stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from quell.model.state import Hold, State, Unit

EARLY_S = 45.0
LATE_S = 300.0
PRIOR_WEIGHT = 6.0
LEAST_SPREAD_S = 30.0
SPREADS = 2.5
FORGET = 0.97
MOST_NAMES = 5000
LONGEST_S = 3600.0


def learn(state: State, name: str, late_s: float) -> None:
    """Takes up that an alert of this name came so late, in seconds; older lessons slowly lose weight."""
    if abs(late_s) > LONGEST_S or (name not in state.holds and len(state.holds) >= MOST_NAMES):
        return
    known = state.holds.get(name, Hold())
    weight = known.weight * FORGET + 1.0
    step = late_s - known.mean
    mean = known.mean + step / weight
    spread = (known.variance * known.weight * FORGET + step * (late_s - mean)) / weight
    state.holds[name] = Hold(weight=weight, mean=mean, variance=spread)


def timing(state: State, unit: Unit) -> tuple[float, float, float]:
    """When the trouble of a unit is likely to have begun, and how far that may be off early and late; in seconds."""
    return min(_timings(state, unit.onsets), default=(unit.onset, EARLY_S, LATE_S))


def _timings(state: State, onsets: Iterable[tuple[str, float]]) -> Iterable[tuple[float, float, float]]:
    for name, onset in onsets:
        known = state.holds.get(name)
        if known is None:
            yield onset, EARLY_S, LATE_S
            continue
        sure = known.weight / (known.weight + PRIOR_WEIGHT)
        spread = max(LEAST_SPREAD_S, SPREADS * sqrt(max(known.variance, 0.0)))
        yield (
            onset - sure * max(known.mean, 0.0),
            sure * spread + (1.0 - sure) * EARLY_S,
            sure * spread + (1.0 - sure) * LATE_S,
        )
