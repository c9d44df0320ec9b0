"""What is outside of quell during a trial: it answers as the scenario says, and counts what took effect."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quell.config.scenario import Answer, Fake
from quell.model.decision import Perform

_STRICT = Answer(fail="refused", error="the test is strict, and names no answer for this action under fake:")
_LEFT = Answer(output={"already": False})


@dataclass(frozen=True, slots=True)
class Made:
    """A call as it was made first; ``answer`` is what it was told."""

    deed: Perform
    at: float
    answer: Answer


class World:
    """The other side. It outlives every crash.

    A call with the ledger key of a former one is the same call, made again because its answer was lost: it is told the
    same, at the time when that was due. Acts with one token are attempts at one act: what they set, or what the other
    side knows them by, takes effect once; an act that may never be repeated takes effect whenever it is called.
    """

    def __init__(self, fakes: Mapping[str, Fake], looks: Callable[[str], bool], *, strict: bool) -> None:
        """``looks`` says of an action whether it is asked for the state before another acts."""
        self.made: dict[str, Made] = {}
        self.effects: Counter[tuple[str, str]] = Counter()
        """By action and token."""
        self.named = frozenset(fakes)
        """Actions and measures that the scenario answers for."""
        self._fakes = fakes
        self._looks = looks
        self._strict = strict
        self._told: Counter[str] = Counter()

    def called(self, deed: Perform, now: float) -> Answer:
        """The answer to a call."""
        made = self.made.get(deed.key)
        if made is None:
            made = self.made[deed.key] = Made(deed, now, self._answer(deed, now))
        if deed.effect != "read" and not deed.dry_run and made.answer.fail in {"", "lost"}:
            known = self.effects[deed.action, deed.token or deed.key]
            if not known or deed.repeat == "never":
                self.effects[deed.action, deed.token or deed.key] += 1
        return made.answer

    def refused(self, deed: Perform, now: float, error: str) -> Answer:
        """A call that did not come to be made: its parameters do not fit, or there is nobody to make it."""
        answer = Answer(fail="refused", error=error)
        self.made.setdefault(deed.key, Made(deed, now, answer))
        return answer

    def took_effect(self, deed: Perform) -> bool:
        """Whether an act did anything."""
        return self.effects[deed.action, deed.token or deed.key] > 0

    def _answer(self, deed: Perform, now: float) -> Answer:
        if deed.dry_run:
            return Answer(sentence=f"would do {deed.action}{_said(deed.params)}")
        fake = self._fakes.get(deed.action)
        if fake is None:
            if self._strict and deed.run:
                return _STRICT
            return _LEFT if self._looks(deed.action) else Answer()
        if fake.since:
            return fake.answers[max(bisect_right(fake.since, now) - 1, 0)]
        number = self._told[deed.action]
        self._told[deed.action] += 1
        return fake.answers[min(number, len(fake.answers) - 1)]


def sentence_of(deed: Perform, answer: Answer) -> str:
    """What is true after a done act: as the scenario words it, or in plain words."""
    return answer.sentence or f"{deed.action} is done{_said(deed.params)}"


def call_line(deed: Perform, answer: Answer) -> str:
    """A call in one line, with its answer."""
    came = answer.fail or answer.sentence or "done"
    return f"{'dry ' * deed.dry_run}call {deed.action}{_said(deed.params)}: {came}"


def _said(params: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}: {value}" for name, value in params.items() if isinstance(value, (str, int, float)))
    return f" ({said})" if len(said) <= 200 and said else ""
