"""Runs by what is asked of them while others are to begin: identity, what they are about, the locks they keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from quell.model.run import Run

About = tuple[str, str, str, str, bool]
"""Playbook, incident, event, identity, dry."""


def about(run: Run) -> About:
    """What a run is about: another one about the same does not begin."""
    return run.playbook, run.incident, run.event, run.each, run.dry


def target_locks(run: Run) -> frozenset[str]:
    """Locks on what a run touches: nobody asks for them by name, and only a stuck run keeps them."""
    named = {f"target:{entity}" for entity in run.targets}
    return frozenset(named | {run.target} if run.target else named)


def kept_locks(run: Run) -> frozenset[str]:
    """The locks that a run keeps from others as it is now."""
    if not run.holds:
        return frozenset()
    return frozenset(run.locks) | target_locks(run) if run.state == "stuck" else frozenset(run.locks)


class Shelf:
    """An index of the runs of a state; whoever changes those says so with `put` and `drop`."""

    def __init__(self, runs: dict[str, Run]) -> None:
        self._runs = runs
        self._about: dict[About, dict[str, None]] = {}
        self._same: dict[tuple[str, str, bool], dict[str, None]] = {}
        self._of: dict[tuple[str, str], dict[str, None]] = {}
        self._newest: dict[str, str] = {}
        self._open: dict[str, dict[str, None]] = {}
        self._live_of: dict[str, dict[str, None]] = {}
        self._keepers: dict[tuple[str, bool], dict[str, None]] = {}
        self._locks: dict[str, frozenset[str]] = {}
        for run in runs.values():
            self.put(run)

    def put(self, run: Run) -> None:
        """Takes a run as it is now into the index."""
        name = run.id
        if name not in self._about.get(about(run), {}):
            self._newest[run.playbook] = name
        self._about.setdefault(about(run), {})[name] = None
        self._of.setdefault((run.playbook, run.event or run.incident), {})[name] = None
        if run.state != "skipped":
            self._same.setdefault((run.playbook, run.each, run.dry), {})[name] = None
        for index, key in ((self._open, run.playbook), (self._live_of, run.incident)):
            if not run.over:
                index.setdefault(key, {})[name] = None
            elif key in index:
                _without(index, key, name)
        kept = kept_locks(run)
        known = self._locks.get(name, frozenset())
        if kept != known:
            for lock in known - kept:
                _without(self._keepers, (lock, run.dry), name)
            for lock in kept - known:
                self._keepers.setdefault((lock, run.dry), {})[name] = None
            self._locks[name] = kept

    def drop(self, run: Run) -> None:
        """Forgets a run."""
        name = run.id
        _without(self._about, about(run), name)
        _without(self._of, (run.playbook, run.event or run.incident), name)
        _without(self._same, (run.playbook, run.each, run.dry), name)
        _without(self._open, run.playbook, name)
        _without(self._live_of, run.incident, name)
        for lock in self._locks.pop(name, frozenset()):
            _without(self._keepers, (lock, run.dry), name)

    def about(self, run: Run) -> Iterator[Run]:
        """Runs about the same, skipped ones too."""
        return self._each(self._about.get(about(run), ()), run)

    def same(self, run: Run) -> Iterator[Run]:
        """Runs of the same playbook and identity that were not skipped."""
        return self._each(self._same.get((run.playbook, run.each, run.dry), ()), run)

    def of(self, playbook: str, event: str) -> Iterator[Run]:
        """Runs of a playbook for an incident, or for the event that began them without one."""
        return (self._runs[name] for name in self._of.get((playbook, event), ()))

    def newest(self, playbook: str) -> Run | None:
        """The run of a playbook that was made last."""
        name = self._newest.get(playbook)
        return self._runs.get(name) if name is not None else None

    def open(self, playbook: str) -> Iterator[Run]:
        """Runs of a playbook that are not over."""
        return (self._runs[name] for name in self._open.get(playbook, ()))

    def live_of(self, incident: str) -> list[Run]:
        """Runs for an incident that are not over, by id."""
        return [self._runs[name] for name in sorted(self._live_of.get(incident, ()))]

    def keeper(self, locks: Iterable[str], run: Run) -> tuple[str, Run] | None:
        """One of the locks that another run keeps, and that run; None when all are free."""
        for lock in sorted(locks):
            found = [name for name in self._keepers.get((lock, run.dry), ()) if name != run.id]
            if found:
                return lock, self._runs[min(found)]
        return None

    def _each(self, names: Iterable[str], but: Run) -> Iterator[Run]:
        return (self._runs[name] for name in names if name != but.id)


def _without(index: dict[Any, dict[str, None]], key: Any, name: str) -> None:
    names = index.get(key)
    if names is not None:
        names.pop(name, None)
        if not names:
            del index[key]
