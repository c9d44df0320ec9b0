"""The same scenario with the machine killed after its commits: everything must come to the same, effects included."""

from __future__ import annotations

from collections.abc import Iterator

from quell.config.scenario import Scenario
from quell.model.decision import Perform
from quell.model.rulebook import Rulebook
from quell.trial.actions import Declared
from quell.trial.expectations import Failure
from quell.trial.machine import Moment
from quell.trial.play import Played, play
from quell.trial.world import Made


class _Everywhere:
    """Kills once after every commit, but where a person has to look afterwards."""

    def __init__(self) -> None:
        self._done: set[tuple[Moment, str]] = set()

    def __call__(self, moment: Moment, what: str, deed: Perform | None) -> bool:
        if (moment, what) in self._done or (deed is not None and _asks_a_person(deed)):
            return False
        self._done.add((moment, what))
        return True


class _Once:
    """Kills at one moment."""

    def __init__(self, moment: Moment, what: str) -> None:
        self._wanted: tuple[Moment, str] | None = (moment, what)

    def __call__(self, moment: Moment, what: str, _deed: Perform | None) -> bool:
        if self._wanted != (moment, what):
            return False
        self._wanted = None
        return True


def crashed(scenario: Scenario, rulebook: Rulebook, declared: Declared, whole: Played) -> Played:
    """The scenario under kills; ``whole`` is what came of it without any, and fails nowhere."""
    found = play(scenario, rulebook, declared, _Everywhere())
    if not found.failures:
        found.failures += _differing(scenario, whole, found)
    for made in whole.made:
        if _asks_a_person(made.deed):
            for failures, kills in _left_in_doubt(scenario, rulebook, declared, made):
                found.failures += failures
                found.kills += kills
    return found


def _asks_a_person(deed: Perform) -> bool:
    return deed.repeat == "never" and deed.effect != "read" and not deed.dry_run


def _left_in_doubt(
    scenario: Scenario, rulebook: Rulebook, declared: Declared, made: Made
) -> Iterator[tuple[list[Failure], int]]:
    """An act that may not be repeated, cut off before and after its effect: it has it once at most, and people look.

    Where it had its effect and the person says so, everything comes to the same.
    """
    deed, took_effect = made.deed, made.answer.fail in {"", "lost"}
    for moment in ("begun", "acted"):
        played = play(scenario, rulebook, declared, _Once(moment, deed.key))
        times = played.effects[deed.action, deed.token or deed.key]
        wrong = ""
        if times > 1:
            wrong = f"it took effect {times} times"
        elif deed.effect == "change" and played.kills and not played.asked:
            wrong = "nobody was asked"
        if wrong:
            want = f"{deed.action}, cut off when it was {moment}, takes effect once at most, and a person is asked"
            yield [Failure(scenario.place, 0.0, "crash", want, wrong)], played.kills
        else:
            same = moment == "acted" and took_effect and deed.effect == "change"
            yield (played.failures if same else []), played.kills


def _differing(scenario: Scenario, whole: Played, found: Played) -> Iterator[Failure]:
    """Effects, incidents and runs that came out otherwise, though nothing of it was asked about."""
    after_s = scenario.ends - scenario.clock
    for action, token in sorted(whole.effects.keys() | found.effects.keys()):
        want, got = whole.effects[action, token], found.effects[action, token]
        if want != got:
            text = f"{action} takes effect {want} times ({token})"
            yield Failure(scenario.place, after_s, "crash", text, f"{got} times")
    for name in sorted(whole.ends.keys() | found.ends.keys()):
        state, other = whole.ends.get(name, "not there"), found.ends.get(name, "not there")
        if state != other:
            yield Failure(scenario.place, after_s, "crash", f"{name} is {state}, as without kills", other)
