"""Slack's rate limits, as documented: posts by channel, everything else by method over a minute."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

PER_MINUTE: Mapping[str, int] = {
    "apps.connections.open": 20,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.list": 20,
    "conversations.open": 50,
    "conversations.replies": 50,
    "files.completeUploadExternal": 100,
    "files.getUploadURLExternal": 100,
    "files.info": 100,
    "users.info": 100,
    "views.open": 100,
}
POST_BURST = 3
"""Posts to one channel that are taken at once; then one a second."""


@dataclass(slots=True)
class Rates:
    """Counts calls; ``on`` off lets all pass."""

    on: bool = True
    _calls: dict[str, deque[float]] = field(default_factory=dict)
    _posts: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, method: str, channel: str, now: float) -> int:
        """0 when the call may pass, else what Retry-After says."""
        if not self.on:
            return 0
        if method == "chat.postMessage":
            return self._post(channel, now)
        most = PER_MINUTE.get(method)
        if most is None:
            return 0
        calls = self._calls.setdefault(method, deque())
        while calls and calls[0] <= now - 60.0:
            calls.popleft()
        if len(calls) >= most:
            return max(1, math.ceil(calls[0] + 60.0 - now))
        calls.append(now)
        return 0

    def _post(self, channel: str, now: float) -> int:
        left, at = self._posts.get(channel, (float(POST_BURST), now))
        left = min(float(POST_BURST), left + (now - at))
        if left < 1.0:
            self._posts[channel] = (left, now)
            return 1
        self._posts[channel] = (left - 1.0, now)
        return 0
