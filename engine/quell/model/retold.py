"""Alerts that one delivery tells again: what each says is known, and when they were told holds for all of them.

To whoever takes records it is a list of them. Who keeps or counts them may look at what they have in common with the
deliveries before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from quell.model.records import AlertRecord


class Words:
    """What a delivery says each time: its alerts, in order, without ``seen`` and ``ends_at``; ``size`` bytes in all.

    ``stored`` is kept by the store: how it writes them, once it did. ``within`` is kept by whoever bounds deliveries:
    within which bounds they were found. Both are gone when nobody tells this any more.
    """

    __slots__ = ("alerts", "size", "stored", "within")

    def __init__(self, alerts: Sequence[AlertRecord], size: int) -> None:
        self.alerts = tuple(alerts)
        self.size = size
        self.stored: object = None
        self.within: object = None


class Retold(list[AlertRecord]):
    """The records of one delivery; nobody changes the list."""

    __slots__ = ("ends_at", "seen", "words")

    def __init__(self, words: Words, seen: float, ends_at: float) -> None:
        super().__init__(map(partial(replace, seen=seen, ends_at=ends_at), words.alerts))
        self.words = words
        self.seen = seen
        self.ends_at = ends_at
