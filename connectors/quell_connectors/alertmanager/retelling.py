"""Deliveries that were there before, byte for byte but for the end of their alerts: known as a whole.

Senders that keep a list tell it again and again, and all of it ends at one time that moves. (Prometheus tells the
alerts of a rule in another order each time; those are known one by one.) What the rest says was found valid, and is a
pure function of its bytes: that it is remembered changes how long an answer takes and never what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from quell.model.records import AlertRecord
from quell.model.retold import Retold, Words

LEAST = 8
"""Alerts of a delivery from which on it is worth it."""
SHORTEST = 1024
"""Bytes of a delivery from which on it is looked for."""
MOST_BYTES = 8 * 1024 * 1024
"""Of all that is remembered."""
KEPT_S = 900.0
"""How long one is remembered after it came last."""
Read = Callable[[bytes], tuple[list[str], object]]
"""Gives the ends of the alerts of a body, and all else that it says; it may raise."""
_NAMED = b'"endsAt":"'
_LONGEST = 40
_PLAIN_TIME = re.compile(rb"[0-9T:.Z+-]+").fullmatch
_MOST_MET = 1024
_LONGEST_MARK = 2048
_PROBES = (b"2001-02-03T04:05:06Z", b"2002-03-04T05:06:07Z")


class _Delivery(msgspec.Struct, gc=False):
    """``parts`` are what stands between the ends. ``latest`` is the latest begin of its alerts."""

    parts: list[bytes]
    words: Words
    latest: float
    size: int
    at: float


class Retelling:
    """Deliveries that begin with the same alert take each other's place."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._known: dict[bytes, _Delivery] = {}
        self._met: set[tuple[bytes, bytes, int]] = set()
        """What begins and ends so, and is so long, came once."""
        self._bytes = 0
        self._next_look = 0.0

    def __len__(self) -> int:
        return len(self._known)

    def told(self, body: bytes, now: float, time_of: Callable[[str], float | None]) -> Retold | None:
        """The records of a delivery that is known and whose alerts fire; None where it must be read."""
        begin = body.find(_NAMED, 0, _LONGEST_MARK) + len(_NAMED)  # what begins longer is not remembered
        known = self._known.get(body[:begin])
        if known is None:
            return None
        ends = _value(body, begin)
        if not ends or ends.join(known.parts) != body:
            return None
        end = time_of(ends.decode())
        if end is None or not known.latest <= now < end:
            return None
        known.at = now
        return Retold(known.words, now, end)

    def learn(self, body: bytes, records: Sequence[AlertRecord], now: float, read: Read) -> None:
        """Remembers a delivery whose alerts were all known, if it is plain and comes for the second time."""
        self._forget_old(now)
        begin = body.find(_NAMED) + len(_NAMED)
        ends = _value(body, begin)
        if (
            len(records) < LEAST
            or not ends
            or self._bytes + len(body) > self._most_bytes
            or not self._again(body, begin)
        ):
            return
        end = records[0].ends_at
        if body.count(ends) != len(records) or not all(_fires(each, end, now) for each in records):
            return
        parts = body.split(ends)
        if not _are_ends(parts, ends, read):
            return
        words = Words([msgspec.structs.replace(each, seen=None, ends_at=None) for each in records], len(body))
        head = body[:begin]
        self._drop(head)
        self._known[head] = _Delivery(parts, words, max(each.at for each in records), len(body), now)
        self._bytes += len(body)

    def _again(self, body: bytes, begin: int) -> bool:
        """Whether it seems to have come before. What does not come again must not cost more each time."""
        mark = (body[:begin], body[body.rfind(b'{"') : body.rfind(_NAMED)][:_LONGEST_MARK], len(body))
        if mark in self._met:
            self._met.discard(mark)
            return True
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        if begin <= _LONGEST_MARK:
            self._met.add(mark)
        return False

    def _drop(self, head: bytes) -> None:
        if (known := self._known.pop(head, None)) is not None:
            self._bytes -= known.size

    def _forget_old(self, now: float) -> None:
        if now < self._next_look:
            return
        self._next_look = now + KEPT_S / 10
        for head in [head for head, known in self._known.items() if now - known.at > KEPT_S]:
            self._drop(head)


def _value(body: bytes, begin: int) -> bytes:
    """A time that begins there, as it is written; nothing where it is not plain."""
    if begin < len(_NAMED):
        return b""
    end = body.find(b'"', begin, begin + _LONGEST)
    value = body[begin:end] if end > begin else b""
    return value if _PLAIN_TIME(value) else b""


def _fires(record: AlertRecord, end: float | None, now: float) -> bool:
    """Whether it is a firing that was told with its begin, and ends with the others."""
    firing = record.status == "firing" and not record.timeout and record.ends_at == end
    return firing and record.starts_at is not None and record.at == record.starts_at <= now


def _are_ends(parts: list[bytes], ends: bytes, read: Read) -> bool:
    """Whether what stands between the parts is the end of each alert, and nothing else: others are put there."""
    _, said = read(ends.join(parts))
    for probe in _PROBES:
        found, other = read(probe.join(parts))
        if found != [probe.decode()] * (len(parts) - 1) or other != said:
            return False
    return True
