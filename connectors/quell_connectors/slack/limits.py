"""When Slack may be asked again: its own word after a 429, and a post a second to each channel, a few at once."""

from __future__ import annotations

import asyncio

from quell.errors import Unreachable

POST_EVERY_S = 1.0
"""Slack takes about one message a second in each channel."""
BURST = 3
"""So many are taken at once after a rest, so that an answer does not wait for a card."""
LONGEST_WAIT_S = 5.0
"""Waited here; whoever would have to wait longer is told to come back."""


class Gate:
    """One per workspace. Waits are counted by method, and for posts by method and channel, as Slack counts them."""

    def __init__(self) -> None:
        self._closed_until: dict[tuple[str, str], float] = {}
        self._next_post: dict[str, float] = {}

    async def turn(self, method: str, channel: str) -> None:
        """Comes back when the call may be made. Raises `Unreachable` with the wait when that takes longer."""
        now = asyncio.get_running_loop().time()
        wait = max(self._closed_until.get(key, 0.0) - now for key in ((method, ""), (method, channel)))
        post = method == "chat.postMessage"
        rested = now - (BURST - 1) * POST_EVERY_S
        free = max(self._next_post.get(channel, rested), rested)
        if post:
            wait = max(wait, free - now)
        if wait > LONGEST_WAIT_S:
            raise Unreachable(f"Slack ({method}) was not asked: its rate limit is reached, again in {wait:.0f} s", wait)
        if post:
            # Taken before the wait, so that those who wait at the same time go one after the other.
            self._next_post[channel] = free + POST_EVERY_S
            if len(self._next_post) > 1000:
                self._next_post = {name: at for name, at in self._next_post.items() if at > rested}
        if wait > 0:
            await asyncio.sleep(wait)

    def close(self, method: str, channel: str, wait_s: float) -> None:
        """Slack said no more for so long. Posts are limited by channel, everything else for the whole app."""
        until = asyncio.get_running_loop().time() + wait_s
        self._closed_until[(method, channel if method == "chat.postMessage" else "")] = until
