"""What was seen lately: the bytes of a label set and what they mean, so that an alert sent again is not read again.

Prometheus sends every firing alert again each minute, byte for byte the same but for its end. What is remembered is
what was found valid, a pure function of its bytes: it changes how long an answer takes and never what it is.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Annotated

import msgspec

from quell.sdk import payload
from quell_connectors.alertmanager.retelling import Retelling
from quell_connectors.alertmanager.translate import annotations_of, is_uri, labels_of
from quell_connectors.alertmanager.wire import Pairs

MOST = 100_000
"""Label sets that are remembered."""
MOST_BYTES = 64 * 1024 * 1024
"""Of the JSON of all of them together."""
KEPT_S = 900.0
"""How long one is remembered after it was last seen; Prometheus sends again within minutes."""
_MET_BITS = 1 << 23
"""A megabyte, in which of a hundred thousand one in a hundred shares its bit with another."""
_LOOKED_AT_WITHIN_S = 450.0
"""Within so long each is looked at for being too old."""
_LOOKED_AT = 256
"""How many are looked at at once, if there are so many: a hundred thousand in seven minutes, and no long pause."""
_LOOKED_AT_LEAST = 32
_MOST_COMMON = 16_384
"""Values that are kept for being shared, such as the names of services."""
_NOT_LONG = 2048
"""Bytes of an alert's JSON; the values of longer ones are not shared, so that what is common binds little memory."""
_SHORT = payload.MAX_NAME_BYTES
"""Bytes of JSON in which no name and no value can be too long."""

# Names are not constrained, for only then does the decoder make one text for all that are the same.
_good_labels = msgspec.json.Decoder(dict[str, Annotated[str, msgspec.Meta(min_length=1)]]).decode
_good_annotations = msgspec.json.Decoder(dict[str, str]).decode
_pairs = msgspec.json.Decoder(Pairs).decode
_maybe_pairs = msgspec.json.Decoder(Pairs | None).decode
_text = msgspec.json.Decoder(str).decode

_USUAL = ("http://", "https://")
"""What begins so, can be printed and has no space is a URI. To look is quicker than to search for white space."""
_SIZE_OF_LABELS = len('{"labels":}')
_SIZE_OF_ANNOTATIONS = len(',"annotations":')
_SIZE_OF_URL = len(',"generatorURL":')


class Seen(msgspec.Struct, gc=False):
    """An alert's unchanging part. ``notes`` and ``link`` are the JSON of annotations and URL, empty when left out.

    ``size`` is how many bytes of JSON say all that at least, ``at`` when it was last seen.
    """

    labels: dict[str, str]
    annotations: dict[str, str]
    url: str
    notes: bytes
    link: bytes
    size: int
    at: float


class Known:
    """Label sets by their JSON. A set whose labels come in another order, or spaced, is one more.

    What comes once leaves a bit: in a storm of new alerts nothing is kept here. If two share a bit, one of them is kept
    too soon.

    ``get`` is the mapping's own, for it is asked for every alert.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._seen: dict[bytes, Seen] = {}
        self.get = self._seen.get
        self._order: deque[bytes] = deque()
        self._met = bytearray(_MET_BITS // 8)
        self._met_count = 0
        self._bytes = 0
        self._common: dict[str, str] = {}
        self._next_look = 0.0
        self.retelling = Retelling()
        """Whole deliveries that were there before."""

    def __len__(self) -> int:
        return len(self._seen)

    def learn(self, key: bytes, notes: bytes, link: bytes, now: float) -> Seen:
        """What the JSON of a label set that is not known says with the rest; remembered from the second time on.

        Raises when it is not plainly right, and remembers nothing of it then: `msgspec.DecodeError`, `ValueError`,
        `RecursionError` or what `translate` raises. All in one piece, for it is done for every new alert.
        """
        url = _text(link) if link else ""
        if url and not (url.startswith(_USUAL) and url.isprintable() and " " not in url):
            _check(url)
        try:
            labels = _good_labels(key)
            annotations = _good_annotations(notes) if notes else {}
            usual = labels and len(key) <= _SHORT >= len(notes) and "" not in labels and "" not in annotations
        except msgspec.ValidationError:
            usual = False
        if not usual or len(labels) > payload.MAX_LABELS or len(annotations) > payload.MAX_LABELS:
            labels = labels_of(_pairs(key))
            annotations = _annotations(notes)
        seen = Seen(labels, annotations, url, notes, link, _size(key, notes, link), now)
        mark = hash(key) % _MET_BITS
        place, bit = mark >> 3, 1 << (mark & 7)
        if self._met[place] & bit:
            self._met[place] &= ~bit
            self._met_count -= 1
            self._keep(key, seen)
        else:
            if self._met_count >= self._most:
                self._met = bytearray(_MET_BITS // 8)
                self._met_count = 0
            self._met[place] |= bit
            self._met_count += 1
        return seen

    def change(self, key: bytes, seen: Seen, notes: bytes, link: bytes) -> None:
        """Other annotations, or another URL, of a label set that is known. Raises as `learn` does."""
        url = _text(link) if link else ""
        if url:
            _check(url)
        annotations = _annotations(notes)
        size = _size(key, notes, link)
        self._bytes += size - seen.size
        seen.annotations, seen.url, seen.notes, seen.link, seen.size = annotations, url, notes, link, size
        self._stay_within()

    def forget_old(self, now: float) -> None:
        """Forgets what was not seen for long; does something once a second, and then little."""
        if now < self._next_look:
            return
        # Of few, few are looked at: a replay lets a second pass with every delivery.
        passed_s = now - self._next_look + 1.0
        self._next_look = now + 1.0
        count = len(self._order)
        due = max(_LOOKED_AT_LEAST, ceil(count * passed_s / _LOOKED_AT_WITHIN_S))
        for _ in range(min(count, due, _LOOKED_AT)):
            key = self._order.popleft()
            if now - self._seen[key].at > KEPT_S:
                self._forget(key)
            else:
                self._order.append(key)

    def _keep(self, key: bytes, seen: Seen) -> None:
        if seen.size <= _NOT_LONG:
            # One text for all that say the same: a hundred thousand alerts need a third less memory.
            labels, share = seen.labels, self._common.setdefault
            for name, value in labels.items():
                labels[name] = share(value, value)
            seen.url = share(seen.url, seen.url)
        self._seen[key] = seen
        self._order.append(key)
        self._bytes += seen.size
        if len(self._common) > _MOST_COMMON:
            self._common.clear()
        self._stay_within()

    def _stay_within(self) -> None:
        while self._bytes > self._most_bytes or len(self._seen) > self._most:
            self._forget(self._order.popleft())

    def _forget(self, key: bytes) -> None:
        self._bytes -= self._seen.pop(key).size


def _size(key: bytes, notes: bytes, link: bytes) -> int:
    size = _SIZE_OF_LABELS + len(key)
    if notes:
        size += _SIZE_OF_ANNOTATIONS + len(notes)
    if link:
        size += _SIZE_OF_URL + len(link)
    return size


def _annotations(notes: bytes) -> dict[str, str]:
    return annotations_of(_maybe_pairs(notes)) if notes else {}


def _check(url: str) -> None:
    if not is_uri(url):
        raise ValueError(f'"{url}" is no URI')
