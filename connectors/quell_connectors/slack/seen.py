"""What was delivered before: Slack delivers at least once, by several connections, in any order."""

from __future__ import annotations

MOST = 4096


class Seen:
    """The newest ids."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def first(self, name: str) -> bool:
        """Whether this one is new; from now on it is not."""
        if name in self._ids:
            return False
        if len(self._ids) >= MOST:
            del self._ids[next(iter(self._ids))]
        self._ids[name] = None
        return True
