"""Which of several weights are better: each is tried on every storm, and judged on storms that did not choose it.

A replay takes seconds, so little is tried: parts that were counted, and one step down and one up of a few prices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import msgspec

from quell.model.rulebook import Rulebook
from quell.model.weights import DEFAULT, Weights
from quell.training.counting import Counts, counted
from quell.training.storms import Storm
from quell.training.trying import Course, Tried, course, tried, weighed

LEAST_GAIN = 0.002
"""Less of a score is not worth other weights than those that ship."""
STEPS = {
    "opening": 0.6,
    "evidence": 0.5,
    "silent_opening": 0.5,
    "fold": 0.5,
    "least_net": 0.5,
    "believed": 0.1,
}
"""The prices that are searched, each with its step; sharp ones among those of the method."""
Say = Callable[[str], None]


@dataclass(slots=True)
class Bench:
    """Tries weights on storms, each pair once."""

    storms: Sequence[Storm]
    rulebook: Rulebook
    _last: tuple[int, Weights, Course] | None = None
    """The replay that was made last: parts of one past share their records."""
    _known: dict[tuple[int, Weights], Tried] = field(default_factory=dict)

    def tried(self, at: int, weights: Weights) -> Tried:
        """What these weights make of the storm of that number."""
        found = self._known.get((at, weights))
        if found is None:
            found = self._known[at, weights] = tried(self._course(at, weights), self.storms[at].truth)
        return found

    def counts(self, at: int) -> Counts:
        """What the storm of that number shows, as it is explained by what ships."""
        told = self._course(at, DEFAULT)
        self._known[at, DEFAULT] = tried(told, self.storms[at].truth)
        return counted(told, self.storms[at].truth)

    def _course(self, at: int, weights: Weights) -> Course:
        storm = self.storms[at]
        if self._last is None or self._last[:2] != (id(storm.records), weights):
            self._last = id(storm.records), weights, course(storm, weighed(self.rulebook, weights))
        return self._last[2]

    def score(self, at: int, weights: Weights) -> float:
        """How right they are there."""
        return self.tried(at, weights).score


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something is better than what there was, by the mean gain of score on storms that did not choose it."""

    what: str
    gain: float
    better: int
    worse: int

    @property
    def accepted(self) -> bool:
        """It gains enough, and more storms gain than lose."""
        return self.gain > LEAST_GAIN and self.better > self.worse

    def __str__(self) -> str:
        said = "taken" if self.accepted else "left as it ships"
        return f"{self.what}: score {self.gain:+.3f} ({self.better} storms better, {self.worse} worse): {said}"


def compared(bench: Bench, what: str, base: Sequence[Weights], instead: Sequence[Weights]) -> Verdict:
    """How weights do on each storm that were made without it, against others."""
    gains = [bench.score(at, instead[at]) - bench.score(at, base[at]) for at in range(len(bench.storms))]
    return Verdict(what, mean(gains), sum(gain > 0.0 for gain in gains), sum(gain < 0.0 for gain in gains))


def searched(bench: Bench, base: Weights, names: Sequence[str], say: Say) -> tuple[Weights, list[Verdict]]:
    """The weights after one pass over prices of these names, and what came of each."""
    verdicts = []
    for name in names:
        choices = [base, *_steps(base, name)]
        picked = [_best(bench, choices, [one for one in range(len(bench.storms)) if one != at])
                  for at in range(len(bench.storms))]  # fmt: skip
        verdict = compared(bench, f"prices.{name}", [base] * len(picked), picked)
        verdicts.append(verdict)
        if verdict.accepted:
            base = _best(bench, choices, range(len(bench.storms)))
        say(str(verdict))
    return base, verdicts


def _best(bench: Bench, choices: Sequence[Weights], storms: Sequence[int]) -> Weights:
    return max(choices, key=lambda weights: mean(bench.score(at, weights) for at in storms))


def _steps(base: Weights, name: str) -> list[Weights]:
    now: float = getattr(base.prices, name)
    found: list[Weights] = []
    for value in (now - STEPS[name], now + STEPS[name]):
        rounded = round(value, 3)
        change: dict[str, Any] = {name: rounded}
        prices = msgspec.structs.replace(base.prices, **change)
        if rounded > 0.0 and prices.opening > prices.changed and prices.believed <= 1.0:
            found.append(msgspec.structs.replace(base, prices=prices))
    return found
