"""What was seen lately: the bytes of a label set and what they mean, so that an alert sent again is not read again.

Prometheus sends every firing alert again each minute, byte for byte the same but for its end. What is remembered is
what was found valid, a pure function of its bytes: it changes how long an answer takes and never what it is.
"""

from __future__ import annotations

from collections import deque
from typing import Annotated

import msgspec

from quell.sdk import payload
from quell_connectors.alertmanager.translate import annotations_of, is_uri, labels_of
from quell_connectors.alertmanager.wire import Pairs

MOST = 120_000
"""Label sets that are remembered."""
MOST_BYTES = 64 * 1024 * 1024
"""Of the JSON of all of them together."""
KEPT_S = 900.0
"""How long one is remembered after it was last seen; Prometheus sends again within minutes."""
_LOOKED_AT = 256
"""How many are looked at in one second for being too old: a hundred thousand in seven minutes, and no long pause."""
_MOST_COMMON = 16_384
"""Values that are kept for being shared, such as the names of services."""
_SHORT = payload.MAX_NAME_BYTES
"""Bytes of JSON; what is longer is not shared either, so that little memory is bound by what is common."""

# Names are not constrained, for only then does the decoder make one text for all that are the same.
_good_labels = msgspec.json.Decoder(dict[str, Annotated[str, msgspec.Meta(min_length=1)]]).decode
_good_annotations = msgspec.json.Decoder(dict[str, str]).decode
_pairs = msgspec.json.Decoder(Pairs).decode
_maybe_pairs = msgspec.json.Decoder(Pairs | None).decode
_text = msgspec.json.Decoder(str).decode

_USUAL = ("http://", "https://")
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

    ``get`` is the mapping's own, for it is asked for every alert.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._seen: dict[bytes, Seen] = {}
        self.get = self._seen.get
        self._order: deque[bytes] = deque()
        self._bytes = 0
        self._common: dict[str, str] = {}
        self._next_look = 0.0

    def __len__(self) -> int:
        return len(self._seen)

    def learn(self, key: bytes, notes: bytes, link: bytes, now: float) -> Seen:
        """What the JSON says, remembered. Raises when it is not plainly right; then nothing is remembered of it.

        That is `msgspec.DecodeError`, `ValueError`, `RecursionError` or what `translate` raises.
        """
        url = _url(link) if link else ""
        labels, annotations = _read(key, notes)
        old = self._seen.get(key)
        if old is None:
            self._order.append(key)
            self._bytes += len(key) + len(notes) + len(link)
            self._share(labels, key)
        else:
            labels = old.labels
            self._bytes += len(notes) + len(link) - len(old.notes) - len(old.link)
        size = _SIZE_OF_LABELS + len(key) + len(notes) + len(link)
        size += (_SIZE_OF_ANNOTATIONS if notes else 0) + (_SIZE_OF_URL if link else 0)
        seen = self._seen[key] = Seen(labels, annotations, url, notes, link, size, now)
        while self._bytes > self._most_bytes or len(self._seen) > self._most:
            self._forget(self._order.popleft())
        return seen

    def forget_old(self, now: float) -> None:
        """Forgets what was not seen for long; does something once a second, and then little."""
        if now < self._next_look:
            return
        self._next_look = now + 1.0
        for _ in range(min(len(self._order), _LOOKED_AT)):
            key = self._order.popleft()
            if now - self._seen[key].at > KEPT_S:
                self._forget(key)
            else:
                self._order.append(key)

    def _forget(self, key: bytes) -> None:
        seen = self._seen.pop(key)
        self._bytes -= len(key) + len(seen.notes) + len(seen.link)

    def _share(self, labels: dict[str, str], key: bytes) -> None:
        """Puts the one text for all that say the same: a hundred thousand alerts need a third less memory."""
        if len(key) <= _SHORT:
            common = self._common
            if len(common) > _MOST_COMMON:
                common.clear()
            share = common.setdefault
            for name, value in labels.items():
                labels[name] = share(value, value)


def _read(key: bytes, notes: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations. In texts as short as these no name and no value can be too long."""
    if len(key) <= _SHORT and len(notes) <= _SHORT:
        try:
            labels = _good_labels(key)
            annotations = _good_annotations(notes) if notes else {}
        except msgspec.ValidationError:
            pass  # an empty label, or a null: not usual, and for the careful to judge
        else:
            named = labels and "" not in labels and "" not in annotations
            if named and len(labels) <= payload.MAX_LABELS and len(annotations) <= payload.MAX_LABELS:
                return labels, annotations
    return labels_of(_pairs(key)), annotations_of(_maybe_pairs(notes) if notes else None)


def _url(link: bytes) -> str:
    url = _text(link)
    # What can be printed and is no space is no white space at all. To look is quicker than to search for it.
    if not (url.startswith(_USUAL) and url.isprintable() and " " not in url) and url and not is_uri(url):
        raise ValueError(f'"{url}" is no URI')
    return url
