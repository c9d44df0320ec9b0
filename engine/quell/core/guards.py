"""Guards: what keeps a playbook from running now, too often, too widely, or beside another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from quell.core.blast import Estate, too_wide
from quell.core.context import explained
from quell.core.shelf import Shelf, target_locks
from quell.core.windows import Hours
from quell.errors import ExpressionError
from quell.expressions.conditions import Condition
from quell.model.playbook import Effect, Playbook
from quell.model.rulebook import Freeze, Rulebook
from quell.model.run import Run
from quell.model.state import State
from quell.model.times import format_duration, format_time

_END_OF_CALENDAR = 253_402_300_799.0
OPEN_RUN = "open_run"
_FUNCTIONS = frozenset({OPEN_RUN})


Seen = Callable[[], Mapping[str, Any]]
"""Makes what the expressions of a run see, if any guard needs it."""


class Block(NamedTuple):
    """Why a run may not go on now, naming the guard; ``until`` is when that ends, None when nobody can tell."""

    said: str
    until: float | None = None


class Guards:
    """Asks the guards of playbooks. All that they need is in the state, the rulebook and the dependency graph."""

    def __init__(self, rulebook: Rulebook, state: State, shelf: Shelf, estate: Estate) -> None:
        self._state = state
        self._shelf = shelf
        self._estate = estate
        self._freezes = rulebook.freezes
        windows = {window.name: window for window in rulebook.windows}
        self._hours = {name: Hours(window) for name, window in windows.items()}
        self._hours |= {freeze.name: Hours(freeze.window) for freeze in rulebook.freezes}
        self._reasons = {name: window.reason for name, window in windows.items()}
        self._reasons |= {freeze.name: freeze.reason for freeze in rulebook.freezes}
        self._held_by: dict[str, tuple[Playbook, tuple[str, ...]]] = {}

    def blocked(self, playbook: Playbook, run: Run, context: Seen, at: float) -> Block | None:
        """What keeps the run from beginning now; None when nothing does.

        Dry runs are held against dry runs only: trying something out uses up nobody's turn.
        """
        if self._state.paused_by:
            return Block(f"{self._state.paused_by} paused all playbooks")
        same = [other for other in self._shelf.same(run) if not _idle(other)]
        return (
            self.frozen(playbook, at)
            or self._unless(playbook, run, context)
            or _cooling(playbook, same, at)
            or _limited(playbook, same, at)
            or self.locked(run)
            or self.wide(playbook, run)
        )

    def again(self, playbook: Playbook, run: Run, context: Seen, at: float) -> Block | None:
        """What keeps a run that began from changing something now: what may have come up while it waited."""
        return (
            self.frozen(playbook, at)
            or self._unless(playbook, run, context)
            or self._locked_targets(run)
            or self.wide(playbook, run)
        )

    def frozen(self, playbook: Playbook, at: float) -> Block | None:
        """The freeze or maintenance window that holds a playbook now."""
        for name in self._holding(playbook):
            until = self._hours[name].open_until(at)
            if until is not None:
                kind = "freeze" if any(freeze.name == name for freeze in self._freezes) else "window"
                reason = f" ({self._reasons[name]})" if self._reasons[name] else ""
                return Block(f'{kind} "{name}"{reason} holds {_told(until)}', until)
        return None

    def _holding(self, playbook: Playbook) -> tuple[str, ...]:
        """Names of what may hold a playbook, by the freezes' own word or by the playbook's."""
        known = self._held_by.get(playbook.name)
        if known is None or known[0] is not playbook:  # a run keeps its playbook as that was when it began
            effects = {step.effect for step in playbook.steps}
            held = [freeze.name for freeze in self._freezes if _holds(freeze, playbook.name, effects)]
            named = [name for name in playbook.guards.unless_open if name in self._hours]
            known = self._held_by[playbook.name] = playbook, tuple(dict.fromkeys([*held, *named]))
        return known[1]

    def _unless(self, playbook: Playbook, run: Run, context: Seen) -> Block | None:
        if not playbook.guards.unless:
            return None

        def open_run(name: object) -> bool:
            return any(other.id != run.id and not other.dry for other in self._shelf.open(str(name)))

        known = {**context(), OPEN_RUN: open_run}
        for text in playbook.guards.unless:
            try:
                if _condition(text).holds(known):
                    return Block(f"unless: {text}")
            except ExpressionError as error:
                return Block(f"unless: {text} cannot be told and counts as true: {explained(error, known)}")
        return None

    def locked(self, run: Run) -> Block | None:
        """Another run keeps a lock that this one needs."""
        kept = self._shelf.keeper(run.locks, run)
        if kept is None:
            return self._locked_targets(run)
        lock, other = kept
        if other.over:
            return Block(f'lock "{lock}" is kept by run {other.id} of {other.playbook}, {_stuck(other)}')
        return Block(f'lock "{lock}" is held by run {other.id} of {other.playbook} until it is over')

    def _locked_targets(self, run: Run) -> Block | None:
        kept = self._shelf.keeper(target_locks(run), run)
        if kept is None:
            return None
        lock, other = kept
        entity = lock.removeprefix("target:")
        return Block(f"{entity} is locked by run {other.id} of {other.playbook}, {_stuck(other)}")

    def wide(self, playbook: Playbook, run: Run) -> Block | None:
        """The run would touch more than its playbook allows, or nobody can tell."""
        limits = playbook.guards.blast_radius
        said = too_wide(limits, run.targets, self._estate) if limits is not None else ""
        return Block(said) if said else None


def _holds(freeze: Freeze, playbook: str, effects: set[Effect]) -> bool:
    named = freeze.playbooks is None or playbook in freeze.playbooks
    return named and playbook not in freeze.except_ and not effects.isdisjoint(freeze.effects)


def _stuck(run: Run) -> str:
    return f"which is stuck, until somebody has looked and says `quell release {run.id}`"


@lru_cache(maxsize=1024)
def _condition(text: str) -> Condition:
    return Condition(text, _FUNCTIONS)


def _idle(run: Run) -> bool:
    """Whether a run ended before it did anything, such as one that a person rejected: it uses up no guard."""
    acted = {"done", "failed", "undone", "in_doubt"}
    return run.over and not any(step.do != "approve" and step.state in acted for step in run.steps)


def _cooling(playbook: Playbook, same: list[Run], at: float) -> Block | None:
    cooldown_s = playbook.guards.cooldown_s
    if cooldown_s <= 0 or not same:
        return None
    going = next((other for other in same if not other.over), None)
    if going is not None:
        return Block(f"cooldown: run {going.id} is not over yet")
    last = max(same, key=lambda other: (other.updated_at, other.id))
    until = last.updated_at + cooldown_s
    if until <= at:
        return None
    return Block(f"cooldown of {format_duration(cooldown_s)} after run {last.id} holds {_told(until)}", until)


def _limited(playbook: Playbook, same: list[Run], at: float) -> Block | None:
    """The window slides: a run stops counting ``limit_per_s`` after it began; no window means for as long as known."""
    runs, per_s = playbook.guards.limit_runs, playbook.guards.limit_per_s
    if runs <= 0:
        return None
    counted = sorted(other.started_at for other in same if per_s <= 0 or other.started_at + per_s > at)
    if len(counted) < runs:
        return None
    if per_s <= 0:
        return Block(f"limit of {runs} runs is reached")
    until = counted[len(counted) - runs] + per_s
    return Block(f"limit of {runs} runs in {format_duration(per_s)} is reached {_told(until)}", until)


def _told(until: float) -> str:
    """A time as text; one that no calendar holds any more is said to be for good."""
    return f"until {format_time(until)}" if until < _END_OF_CALENDAR else "for good"
