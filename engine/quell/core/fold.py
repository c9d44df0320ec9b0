"""Fold: all the records of one fingerprint become one alert.

The state of an alert is computed from the firings and resolutions told of it, in event time (see
`quell.core.episodes`); order of arrival and repetition cannot change it. What follows from that:

- A resolution of an alert never heard of fires nothing. If it tells when the firing began it is kept as a resolved
  alert, so that the firing itself, delivered late, does not bring it back; otherwise nothing is kept.
- A firing that began no later than the end of what was resolved is over already: "stale". But if it was *sent* after
  the resolution came, as the growing end that it tells shows, another sender still sees it, and it fires on: "flapped",
  with its old start.
- An end that a firing carries is no resolution: told again with a later end, the alert fires on.
- A sender's clock may run ahead by `SKEW_S`; what it tells beyond that is taken as that. An alert never shows a start
  after its arrival, and a resolution never lies in the future unless the firing it ends does.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from quell.core.episodes import KEPT, Episode, Late, Tally, bounded, episodes, hear, hear_end, tally, too_old
from quell.core.severity import severity_of
from quell.core.usual import usual
from quell.model.alert import Alert, AlertStatus, Heard
from quell.model.records import AlertRecord

What = Literal["new", "returned", "flapped", "repeat", "updated", "resolved", "stale", "ignored"]
SKEW_S = 300.0
"""How far ahead of ours a sender's clock may run before its times are no longer believed."""

_ENCODER = msgspec.json.Encoder(order="sorted")


class Folded(NamedTuple):
    """The alert after one record (None: nothing to keep) and what the record was.

    "new": first heard of, firing. "returned": fires again after a pause, a new episode. "flapped": fires again soon
    after its end, same episode. "repeat": said nothing new. "updated": same firing, other words, or a resolved
    alert's times corrected. "resolved": no longer fires. "stale": about the past, changes nothing present.
    "ignored": resolved and never heard of before; kept if ``alert`` is not None, but nobody need be told.
    """

    alert: Alert | None
    what: What


def fold(known: Alert | None, record: AlertRecord, now: float, *, flap_gap_s: float, fingerprint: str) -> Folded:
    """Fold ``record`` into ``known`` (None: never heard of) at core time ``now``."""
    quick = None if known is None else usual(known, record, now, flap_gap_s)
    return (
        fold_all(known, record, now, flap_gap_s=flap_gap_s, fingerprint=fingerprint)
        if quick is None
        else Folded(*quick)
    )


def fold_all(known: Alert | None, record: AlertRecord, now: float, *, flap_gap_s: float, fingerprint: str) -> Folded:
    """The same, worked out from all the facts that are kept."""
    if known is None and record.status == "firing":
        return _begun(record, now, fingerprint)
    told, end = _facts(record, now)
    if known is None:
        if told is None:
            return Folded(None, "ignored")
        alert = _first(told, end, record, now, fingerprint)
        return Folded(alert, "new" if alert.firing else "ignored")
    if told is None and known.heard[-1].last > now:
        end = known.heard[-1].last  # resolved by key alone, while the clock that told the start runs ahead
    if told is not None and too_old(known.heard, known.ended, told.start):
        return Folded(msgspec.structs.replace(known, count=known.count + 1), "stale")
    heard = known.heard if told is None else hear(known.heard, told)
    ended, late = known.ended, known.late
    if end is not None:
        ended, late = hear_end(ended, late, end, record.arrived)
    changes = {} if told is None else _words(known, record, told)
    if heard is not known.heard or ended is not known.ended or late is not known.late or not known.firing:
        changes |= _present(known, heard, ended, late, now, flap_gap_s=flap_gap_s)
    alert = msgspec.structs.replace(known, count=known.count + 1, **changes)
    return Folded(alert, _what(known, alert, told, end))


def expired(alert: Alert, now: float) -> Alert | None:
    """The alert as it is once its end has passed; None if it fires on (or did not fire)."""
    if alert.status != "firing" or alert.ends_at is None or alert.ends_at > now:
        return None
    return msgspec.structs.replace(alert, status="expired" if alert.timeout else "resolved")


def next_expiry(alert: Alert) -> float | None:
    """When `expired` will answer something, if nothing is heard until then."""
    return alert.ends_at if alert.status == "firing" else None


def _facts(record: AlertRecord, now: float) -> tuple[Heard | None, float | None]:
    """The firing and the resolution the record tells of. A resolution with a start tells of a firing as well."""
    firing = record.status == "firing"
    start = record.starts_at
    if start is None and firing:
        start = record.at
    if start is not None:
        start = min(start, now + SKEW_S)
    if firing:
        assert start is not None
        lapse = None if record.ends_at is None else max(record.ends_at, start)
        timeout = record.timeout and lapse is not None
        ahead = 0.0 if lapse is None else lapse - record.arrived
        return Heard(start, start, lapse, timeout, record.arrived, record.id, lapse, ahead), None
    end = min(record.at if record.ends_at is None else record.ends_at, now)
    if start is None:
        return None, end
    end = max(start, end)
    return Heard(start, start, end, False, record.arrived, ""), end


def _begun(record: AlertRecord, now: float, fingerprint: str) -> Folded:
    """What a first firing makes, as `_first` would have it."""
    arrived, ends_at = record.arrived, record.ends_at
    start = record.at if record.starts_at is None else record.starts_at
    start = min(start, now + SKEW_S)
    ahead, timeout = 0.0, False
    if ends_at is not None:
        ends_at = max(ends_at, start)
        ahead, timeout = ends_at - arrived, record.timeout
    over = ends_at is not None and ends_at <= now
    labels = record.labels
    alert = Alert(
        fingerprint=fingerprint,
        source=record.source,
        labels=labels,
        annotations=record.annotations,
        status="firing" if not over else "expired" if timeout else "resolved",
        starts_at=start if start < arrived else arrived,
        ends_at=ends_at,
        timeout=timeout,
        onset_seen=arrived,
        updated_at=arrived,
        record=record.id,
        key=record.key,
        url=record.url,
        value=record.value,
        threshold=record.threshold,
        entity=record.entity,
        severity=severity_of(labels),
        heard=(Heard(start, start, ends_at, timeout, arrived, record.id, ends_at, ahead),),
    )
    return Folded(alert, "ignored" if over else "new")


def _first(told: Heard, end: float | None, record: AlertRecord, now: float, fingerprint: str) -> Alert:
    ended, late = ((), ()) if end is None else hear_end((), (), end, record.arrived)
    episode = episodes((told,), ended, late)[0]
    return Alert(
        fingerprint=fingerprint,
        source=record.source,
        labels=record.labels,
        annotations=record.annotations,
        updated_at=record.arrived,
        key=record.key,
        url=record.url,
        value=record.value,
        threshold=record.threshold,
        entity=record.entity,
        severity=severity_of(record.labels),
        heard=(told,),
        ended=ended,
        late=late,
        **_times(episode, now),
    )


def _times(episode: Episode, now: float) -> dict[str, Any]:
    """The fields of an alert that say whether and since when it fires."""
    status: AlertStatus = "firing"
    if episode.end is not None:
        status = "resolved"
    elif episode.over_at is not None and episode.over_at <= now:
        status = "expired" if episode.timed_out else "resolved"
    return {
        "status": status,
        "starts_at": min(episode.start, episode.seen),
        "ends_at": episode.over_at,
        "timeout": episode.timed_out,
        "onset_seen": episode.seen,
        "record": episode.record,
    }


def _present(
    known: Alert, heard: tuple[Heard, ...], ended: tuple[float, ...], late: Late, now: float, *, flap_gap_s: float
) -> dict[str, Any]:
    """The fields that follow from the facts. Counts go on from the known ones, as old facts are forgotten."""
    found = episodes(heard, ended, late)
    if len(heard) == len(known.heard) == 1:
        ended = ended[-KEPT:]
        return {"heard": heard, "ended": ended, "late": _kept(late, ended), **_times(found[0], now)}
    after = tally(found, flap_gap_s)
    before = _before(known, found, heard, ended, after, flap_gap_s=flap_gap_s)
    flaps = after.flaps
    if not after.returns and not before.returns:
        flaps += known.flaps - before.flaps
    kept_heard, kept_ended = bounded(heard, ended, late)
    return {
        "heard": kept_heard,
        "ended": kept_ended,
        "late": _kept(late, kept_ended),
        "episode": known.episode + after.returns - before.returns,
        "flaps": flaps,
        **_times(found[-1], now),
    }


def _before(
    known: Alert, found: list[Episode], heard: tuple[Heard, ...], ended: tuple[float, ...], after: Tally, *,
    flap_gap_s: float,
) -> Tally:  # fmt: skip
    """The tally of what was known before; what comes after all of that leaves its episodes as they were."""
    if heard is known.heard:
        if ended and ended[:-1] == known.ended and ended[-1] >= heard[-1].last:
            return after
    elif ended is known.ended and len(heard) == len(known.heard) + 1 and heard[-2] is known.heard[-1]:
        return tally(found[:-1], flap_gap_s) if found[-1].start == heard[-1].start else after
    return tally(episodes(known.heard, known.ended, known.late), flap_gap_s)


def _kept(late: Late, ended: tuple[float, ...]) -> Late:
    return tuple(pair for pair in late if pair[0] in ended)


def _words(known: Alert, record: AlertRecord, told: Heard) -> dict[str, Any]:
    """The fields in which the record's words replace the known ones.

    Words about the latest firing win, then those that arrived last, then (told at one instant) the greater text, so
    that the order of records decides nothing. A record without labels, such as PagerDuty's resolve, only has a key
    and leaves all words as they were. An entity once told stays until another is.
    """
    if not record.labels:
        return {}
    latest = known.heard[-1]
    entity = {"entity": record.entity} if record.entity and known.entity is None else {}
    about_latest = latest.start <= told.start <= latest.last
    if told.start < latest.start or (about_latest and record.arrived < known.updated_at and known.labels):
        return entity
    words = _said(record)
    if about_latest and record.arrived == known.updated_at and known.labels:
        mine, theirs = _ENCODER.encode((words, record.entity)), _ENCODER.encode((_said(known), known.entity))
        if mine <= theirs:
            return entity
    words["updated_at"] = max(record.arrived, known.updated_at)
    words["entity"] = record.entity or known.entity
    if record.labels != known.labels:
        words["severity"] = severity_of(record.labels)
    return words


def _said(by: Alert | AlertRecord) -> dict[str, Any]:
    return {
        "source": by.source,
        "labels": by.labels,
        "annotations": by.annotations,
        "url": by.url,
        "value": by.value,
        "threshold": by.threshold,
    }


def _what(known: Alert, alert: Alert, told: Heard | None, end: float | None) -> What:
    restarted = alert.starts_at > known.starts_at
    if not alert.firing:
        if known.firing:
            return "resolved"
        if (alert.starts_at, alert.ends_at) != (known.starts_at, known.ends_at):
            return "updated"
        return "repeat" if end is not None and end == known.ends_at else "stale"
    if restarted and alert.episode > known.episode:
        return "returned"
    if not known.firing or (restarted and alert.flaps > known.flaps):
        return "flapped"
    if told is None or told.start < alert.starts_at or (end is not None and not restarted):
        return "stale"
    same = all(getattr(known, name) == getattr(alert, name) for name in _VISIBLE)
    return "repeat" if same else "updated"


_VISIBLE = ("starts_at", "labels", "annotations", "url", "value", "threshold", "entity", "severity")
