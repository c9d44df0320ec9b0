"""What waits for its condition to have held for long enough: by whom it waits for, and by when it is due."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from quell.model.run import Settling
from quell.model.state import State


def owner(settling: Settling) -> str:
    """What it waits for: an incident by id, or ``alert:`` and a fingerprint."""
    return f"alert:{settling.alert}" if settling.alert else settling.incident


class Waiting:
    """Works on ``state.settling``; nobody else does."""

    def __init__(self, state: State) -> None:
        self._all = state.settling
        self._of: dict[str, dict[str, Settling]] = {}
        for one in self._all.values():
            self._of.setdefault(owner(one), {})[one.playbook] = one
        self._dues = [(one.due_at, key) for key, one in self._all.items() if one.due_at is not None]
        heapify(self._dues)

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._all)

    def of(self, name: str) -> dict[str, Settling]:
        """What waits for an incident or alert (see `owner`), by playbook."""
        return dict(self._of.get(name, {}))

    def put(self, one: Settling) -> None:
        """Waits on, in the place of what waited for the same."""
        key = f"{owner(one)}/{one.playbook}"
        self._all[key] = one
        self._of.setdefault(owner(one), {})[one.playbook] = one
        if one.due_at is not None:
            heappush(self._dues, (one.due_at, key))

    def drop(self, one: Settling) -> None:
        """Waits no longer."""
        self._all.pop(f"{owner(one)}/{one.playbook}", None)
        others = self._of.get(owner(one), {})
        others.pop(one.playbook, None)
        if not others:
            self._of.pop(owner(one), None)

    def next_due(self) -> float | None:
        """When a condition will have held for long enough."""
        while self._dues:
            due_at, key = self._dues[0]
            one = self._all.get(key)
            if one is not None and one.due_at == due_at:
                return due_at
            heappop(self._dues)
        return None

    def due(self, at: float) -> list[Settling]:
        """What is due by a time, in the order of its keys."""
        found: dict[str, Settling] = {}
        while (due_at := self.next_due()) is not None and due_at <= at:
            _, key = heappop(self._dues)
            found[key] = self._all[key]
        return [found[key] for key in sorted(found)]
