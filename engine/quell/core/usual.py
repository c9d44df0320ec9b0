"""The commonest records folded at little cost: reminders of what fires, its end, and its next beginning.

`quell.core.fold` works everything out from all the facts that are kept of an alert, in any order and with any number of
senders. Where a record tells of something later than all of them, and nothing was forgotten yet, the outcome follows
from the alert as it is: that is done here, with the same result. Whatever is not as simple as that is left to fold.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.core.episodes import KEPT
from quell.core.severity import severity_of
from quell.model.alert import Alert, Heard
from quell.model.records import AlertRecord

Usual = Literal["repeat", "updated", "resolved", "returned", "flapped"]


def usual(known: Alert, record: AlertRecord, now: float, flap_gap_s: float) -> tuple[Alert, Usual] | None:
    """The alert after a record, and what the record was; None when that takes a closer look."""
    if record.status == "firing":
        start = record.at if record.starts_at is None else record.starts_at
        if known.status == "firing":
            return _reminded(known, record, start, now)
        return _begun(known, record, start, now, flap_gap_s)
    return _ended(known, record, now) if known.status == "firing" else None


def _reminded(known: Alert, record: AlertRecord, start: float, now: float) -> tuple[Alert, Usual] | None:
    latest, end = known.heard[-1], record.ends_at
    later = latest.seen < record.arrived > known.updated_at and latest.start <= start <= latest.last
    if not (later and record.labels):
        return None
    words, news = _words(known, record)
    if end is None:
        if latest.end is not None or latest.ahead < 0.0:
            return None
    else:
        alone = len(known.heard) == 1 and not known.ended
        if not alone or latest.end is None or latest.timeout or record.timeout or end < latest.end or end <= now:
            return None
        if end > latest.end or end - record.arrived > latest.ahead:
            words["heard"] = (_further(latest, end, record.arrived),)
            words["ends_at"] = end
    words["count"] = known.count + 1
    return msgspec.structs.replace(known, **words), "updated" if news else "repeat"


def _further(latest: Heard, end: float, arrived: float) -> Heard:
    """A firing that was told again with a later end."""
    until = end if latest.until is None else max(latest.until, end)
    ahead = max(latest.ahead, end - arrived)
    return Heard(latest.start, latest.last, end, False, latest.seen, latest.record, until, ahead)


def _ended(known: Alert, record: AlertRecord, now: float) -> tuple[Alert, Usual] | None:
    latest, start, arrived = known.heard[-1], record.starts_at, record.arrived
    end = min(record.at if record.ends_at is None else record.ends_at, now)
    words: dict[str, Any] = {}
    if start is not None:
        if not (latest.start <= start <= latest.last and latest.seen < arrived > known.updated_at and record.labels):
            return None
        end = max(start, end)
        words, _ = _words(known, record)
    if end < latest.last or end > now or not _whole(known) or (known.ended and known.ended[-1] >= end):
        return None
    words["count"] = known.count + 1
    words["ended"] = (*known.ended, end)
    if arrived > end:
        words["late"] = (*known.late, (end, arrived))
    words["status"] = "resolved"
    words["ends_at"] = end
    return msgspec.structs.replace(known, **words), "resolved"


def _begun(
    known: Alert, record: AlertRecord, start: float, now: float, flap_gap_s: float
) -> tuple[Alert, Usual] | None:
    """A firing that begins after the last one was resolved; within ``flap_gap_s`` of that it is the same episode."""
    latest, arrived, over = known.heard[-1], record.arrived, known.ends_at
    if record.ends_at is not None or not record.labels or not _whole(known) or arrived < known.updated_at:
        return None
    if over is None or not known.ended or known.ended[-1] != over or not latest.last <= over < start <= now:
        return None
    words, _ = _words(known, record)
    flapped = start <= over + flap_gap_s
    if flapped:
        words["flaps"] = known.flaps + 1
    else:
        words["flaps"], words["episode"] = 0, known.episode + 1
    words["count"] = known.count + 1
    words["heard"] = (*known.heard, Heard(start, start, None, False, arrived, record.id))
    words["status"] = "firing"
    words["starts_at"] = min(start, arrived)
    words["ends_at"] = None
    words["timeout"] = False
    words["onset_seen"] = arrived
    words["record"] = record.id
    if words["starts_at"] <= known.starts_at:
        return None
    return msgspec.structs.replace(known, **words), "flapped" if flapped else "returned"


def _whole(known: Alert) -> bool:
    """Whether nothing was forgotten of the alert yet, and no sender told an end that might outlive a resolution."""
    for heard in known.heard:
        if heard.until is not None or heard.end is not None or heard.timeout:
            return False
    return len(known.heard) < KEPT and len(known.ended) < KEPT


def _words(known: Alert, record: AlertRecord) -> tuple[dict[str, Any], bool]:
    """The words of a record that is the latest of all, and whether a person would see a difference."""
    words: dict[str, Any] = {"updated_at": record.arrived}
    news = False
    if record.labels != known.labels:
        words["severity"] = severity_of(record.labels)
        words["labels"], news = record.labels, True
    if record.annotations != known.annotations:
        words["annotations"], news = record.annotations, True
    if record.url != known.url:
        words["url"], news = record.url, True
    if record.value != known.value:
        words["value"], news = record.value, True
    if record.threshold != known.threshold:
        words["threshold"], news = record.threshold, True
    if record.entity and record.entity != known.entity:
        words["entity"], news = record.entity, True
    if record.source != known.source:
        words["source"] = record.source
    return words, news
