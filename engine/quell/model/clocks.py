"""Clocks of senders: what is remembered of one that nobody can believe, and how a connector says that it met one."""

from __future__ import annotations

import msgspec

OFF = "clock_off_s"
"""The metric of a sample by which a connector says that it did not take something for its time: by how many seconds
that lay ahead of arrival, or behind (less than 0)."""


class Off(msgspec.Struct, array_like=True, gc=False):
    """A source told times that nobody believes, ``since`` when, ``last_at`` when last.

    ``ahead_s`` and ``behind_s`` are how far they lay from their arrival at most; ``shown_at`` is when that was told.
    """

    since: float
    last_at: float
    ahead_s: float = 0.0
    behind_s: float = 0.0
    shown_at: float = 0.0
