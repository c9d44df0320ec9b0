"""What holds for all playbooks together: how much is changed in an hour, and how a new commit proves itself."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from quell.core.guards import Block
from quell.model.playbook import Playbook
from quell.model.rulebook import Caps
from quell.model.run import Run, Tried
from quell.model.state import State
from quell.model.times import format_time

HOUR_S = 3600.0


class Budget:
    """How many acts of effect "change" are begun in an hour. Works on ``state.changed_at``."""

    def __init__(self, caps: Caps, state: State) -> None:
        self._most = caps.changes_per_hour
        self._state = state

    def spend(self, at: float) -> None:
        """An act was begun. What takes something back or follows a failure counts too, but waits for nobody."""
        times = self._state.changed_at
        times.append(max(at, times[-1]) if times else at)
        self._forget(at)

    def _forget(self, at: float) -> None:
        times = self._state.changed_at
        old = next((index for index, time in enumerate(times) if time + HOUR_S > at), len(times))
        del times[:old]

    def spent(self, at: float) -> Block | None:
        """Why a step may not change anything now, and until when; None while there is room."""
        if not self._most:
            return Block("cap: automation.changes_per_hour is 0, so nothing is changed")
        times = [time for time in self._state.changed_at if time + HOUR_S > at]
        if len(times) < self._most:
            return None
        until = times[len(times) - self._most] + HOUR_S
        text = f"cap of {self._most} changes per hour over all playbooks is reached until {format_time(until)}"
        return Block(text, until)


class Trials:
    """Playbooks that came in a commit wait for a person until so many of their runs came to a good end.

    A commit that does not change the playbook itself does not begin that anew. Works on ``state.tried``.
    """

    def __init__(self, caps: Caps, state: State) -> None:
        self._needed = caps.first_runs_propose
        self._state = state
        self._versions: dict[str, tuple[Playbook, str]] = {}

    def left(self, playbook: Playbook) -> int:
        """How many runs of a playbook are still to come to a good end; 0 when it is trusted."""
        if not self._needed or not playbook.place.commit or playbook.mode != "enforce":
            return 0
        known = self._state.tried.get(playbook.name)
        done = known.done if known is not None and known.version == self._version(playbook) else 0
        return max(self._needed - done, 0)

    def ended(self, playbook: Playbook, run: Run) -> None:
        """A run is over."""
        if not self._needed or run.state != "done" or run.dry or not playbook.place.commit:
            return
        version, known = self._version(playbook), self._state.tried.get(playbook.name)
        done = known.done if known is not None and known.version == version else 0
        self._state.tried[playbook.name] = Tried(version=version, done=min(done + 1, self._needed))

    def _version(self, playbook: Playbook) -> str:
        known = self._versions.get(playbook.name)
        if known is None or known[0] is not playbook:
            text = msgspec.json.encode(_unplaced(msgspec.to_builtins(playbook)), order="sorted")
            known = self._versions[playbook.name] = playbook, blake2b(text, digest_size=8).hexdigest()
        return known[1]


def _unplaced(value: Any) -> Any:
    """A playbook without where it was written."""
    if isinstance(value, dict):
        return {key: _unplaced(item) for key, item in value.items() if key != "place"}
    return [_unplaced(item) for item in value] if isinstance(value, (list, tuple)) else value
