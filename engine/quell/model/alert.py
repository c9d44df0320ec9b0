"""An alert: a condition that fires and resolves, folded from all the records that spoke of it."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Literal

import msgspec

AlertStatus = Literal["firing", "resolved", "expired"]
Handling = Literal["page", "hold", "digest", "muted"]
OF_LABELS = "labels/"
"""What begins the key of an alert that its labels, as they are kept, do not tell apart from others; a token follows."""
_LABELS_TOKEN = re.compile(r"labels/t_[0-9a-f]{16}")


class Reason(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why something was or was not done: a stable ``code`` and a sentence for people."""

    code: str
    text: str


class Muting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What mutes an alert now. ``by`` is a silence id, window name, rule name or the inhibiting alert's fingerprint."""

    kind: Literal["silence", "window", "inhibition", "rule"]
    by: str
    reason: str = ""


class Heard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One firing as it was told, kept so that late records can still be put in their place.

    It began at ``start``; ``last`` is the latest start folded into it; it lapses at ``end`` unless told again (None:
    never), ``timeout`` as in `quell.model.records.AlertRecord`. ``seen`` and ``record``: arrival and id of its first.
    ``until`` is the latest end that was told (None: none ever), ``ahead`` how far at most an end lay after the arrival
    of the record that told it, in seconds: which tells when that of ``until`` was sent, however late it came.
    ``silence`` is the longest time in seconds between two firings of which the former was forgotten: without it, those
    that are left would be told apart in another way than they were before.
    """

    start: float
    last: float
    end: float | None
    timeout: bool
    seen: float
    record: str
    until: float | None = None
    ahead: float = 0.0
    silence: float = 0.0


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The fold of all records of one fingerprint.

    ``starts_at`` is the onset of the present (or last) firing episode in event time, ``ends_at`` when it ends or
    ended (None: not before it is resolved), ``onset_seen`` when its first record arrived, ``record`` that record's
    id, ``episode`` counts firings after a true resolution, ``flaps`` quick returns, ``count`` all deliveries.
    ``heard`` and ``ended`` are the latest firings and resolutions told, in event time, of which fold makes the rest;
    ``late`` pairs a resolution with its first arrival, where that was later.
    ``paged_at`` is when people were first called by it in this episode (None: never), and ``held_for`` the code for
    which it had not paged until it did, or until it was over ("": it had not been held); ``before`` is what ``count``
    was when the episode began.
    """

    fingerprint: str
    source: str
    labels: dict[str, str]
    status: AlertStatus
    starts_at: float
    updated_at: float
    onset_seen: float
    annotations: dict[str, str] = {}
    ends_at: float | None = None
    timeout: bool = False
    key: str = ""
    url: str = ""
    value: float | None = None
    threshold: float | None = None
    record: str = ""
    entity: str | None = None
    severity: str = ""
    episode: int = 1
    flaps: int = 0
    count: int = 1
    mutings: tuple[Muting, ...] = ()
    incident: str | None = None
    handling: Handling = "hold"
    reason: Reason = Reason(code="new", text="not judged yet")
    hold_until: float | None = None
    heard: tuple[Heard, ...] = ()
    ended: tuple[float, ...] = ()
    late: tuple[tuple[float, float], ...] = ()
    paged_at: float | None = None
    held_for: str = ""
    before: int = 0

    @property
    def name(self) -> str:
        """The rule that fired."""
        return self.labels.get("alertname", "")

    @property
    def firing(self) -> bool:
        """Whether the condition holds as far as quell knows."""
        return self.status == "firing"


_SORTED = msgspec.json.Encoder(order="sorted")


def fingerprint(labels: dict[str, str], source: str = "", key: str = "") -> str:
    """16 hex digits that identify an alert: of its labels, or of the sender's key within its source.

    `OF_LABELS` and a token stand for labels as they came, so they mean the same whoever sent them; keys of senders,
    such as those about a data set that is called "labels", do not.
    """
    if not key:
        return digest_of(identity_of(labels))
    of_labels = key.startswith(OF_LABELS) and _LABELS_TOKEN.fullmatch(key)
    return digest_of((key if of_labels else f"{source}\x00{key}").encode())


identity_of = _SORTED.encode
"""The labels as bytes: the same for the same labels, in whatever order they came."""


def digest_of(identity: bytes) -> str:
    """16 hex digits that stand for what identifies an alert."""
    return blake2b(identity, digest_size=8).hexdigest()
