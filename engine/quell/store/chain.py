"""The audit trail's hash chain: every row's hash covers its content and the hash before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from quell.model.decision import Audit
from quell.store.port import AuditBreak, AuditEntry

GENESIS = "0" * 64
"""What the first row ever links to."""

_CONTENT = msgspec.json.Encoder(order="sorted")


class Link(msgspec.Struct, frozen=True):
    """An end of the chain: a row's number and hash. ``Link(0, GENESIS)`` is before the first row."""

    n: int = 0
    hash: str = GENESIS


def extend(last: Link, audits: Iterable[Audit]) -> list[AuditEntry]:
    """Entries for new audits, chained behind ``last``."""
    entries = []
    for audit in audits:
        entry = AuditEntry(n=last.n + 1, audit=audit, prev_hash=last.hash, hash=digest(last.hash, audit))
        entries.append(entry)
        last = Link(entry.n, entry.hash)
    return entries


def not_yet_kept(audits: Sequence[Audit], kept: Iterable[Audit]) -> list[Audit]:
    """The audits of a turn that the trail does not hold yet, in order.

    After a crash the turns since the snapshot are decided again, and timers may then run in another turn than
    the first time. What identifies an audit is therefore its content with its time, not its turn.
    """
    present = Counter(_CONTENT.encode(audit) for audit in kept)
    new = []
    for audit in audits:
        content = _CONTENT.encode(audit)
        if present[content]:
            present[content] -= 1
        else:
            new.append(audit)
    return new


def first_break(entries: Iterable[AuditEntry], anchor: Link, head: Link) -> AuditBreak | None:
    """Where the chain from ``anchor`` (the last row trimmed) to ``head`` (the last row written) first breaks."""
    last = anchor
    for entry in entries:
        if entry.n != last.n + 1:
            return AuditBreak(n=last.n + 1, text=f"audit row {last.n + 1} is missing; row {entry.n} follows {last.n}")
        if entry.prev_hash != last.hash:
            return AuditBreak(n=entry.n, text=f"audit row {entry.n} does not continue the row before it")
        if entry.hash != digest(entry.prev_hash, entry.audit):
            return AuditBreak(n=entry.n, text=f"audit row {entry.n} was changed after it was written")
        last = Link(entry.n, entry.hash)
    if last != head:
        n = last.n + 1 if last.n < head.n else head.n
        return AuditBreak(n=n, text=f"the audit trail ends at row {last.n}, but row {head.n} was written last")
    return None


def digest(prev_hash: str, audit: Audit) -> str:
    """The hash of a row, hex."""
    return sha256(prev_hash.encode() + b"\n" + _CONTENT.encode(audit)).hexdigest()
