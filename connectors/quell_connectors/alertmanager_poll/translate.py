"""What Alertmanager shows becomes records: of each alert its beginning and its end, of each silence every version.

An alert that is gone is over: Alertmanager shows nothing else than what fires. When that was is known as exactly as it
is asked often, unless its end was announced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.mute import Matcher, Silence
from quell.model.records import AlertRecord, CommandRecord
from quell.sdk.moments import read_moment


class Shown(msgspec.Struct, frozen=True, rename="camel"):
    """An alert as `GET /api/v2/alerts` shows it."""

    labels: dict[str, str]
    starts_at: str
    fingerprint: str = ""
    annotations: dict[str, str] = {}
    ends_at: str = ""
    generator_url: str = msgspec.field(name="generatorURL", default="")


class _Status(msgspec.Struct, frozen=True):
    state: str = ""


class ShownSilence(msgspec.Struct, frozen=True, rename="camel"):
    """A silence as `GET /api/v2/silences` shows it."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: str
    ends_at: str
    updated_at: str
    created_by: str = ""
    comment: str = ""
    status: _Status = _Status()


class Firing(msgspec.Struct, frozen=True, array_like=True):
    """An alert that fired when last asked, as far as its end needs it."""

    labels: dict[str, str]
    starts_at: float
    ends_at: float | None = None


class Cursor(msgspec.Struct, frozen=True):
    """What was shown last. ``silences`` are the times of the last change by id."""

    firing: list[Firing] = []
    silences: dict[str, str] = {}


def cursor_of(text: str | None) -> Cursor:
    """What was shown last; nothing for a first time, or for the cursor of another version."""
    try:
        return msgspec.json.decode(text, type=Cursor) if text else Cursor()
    except msgspec.DecodeError:
        return Cursor()


def news(
    alerts: Sequence[Shown], silences: Sequence[ShownSilence], before: Cursor, source: str, now: float
) -> tuple[list[AlertRecord | CommandRecord], Cursor]:
    """What differs from last time, silences first, and what to remember."""
    records: list[AlertRecord | CommandRecord] = [
        _silence(one, source, now)
        for one in sorted(silences, key=lambda one: one.id)
        if before.silences.get(one.id) != one.updated_at
        and (one.id in before.silences or one.status.state != "expired")
    ]
    known = {_key(one.labels): one for one in before.firing}
    firing: dict[str, Firing] = {}
    for alert in alerts:
        labels = {name: value for name, value in alert.labels.items() if value}
        if not labels:
            continue
        since, until = _moment(alert.starts_at, "startsAt"), _moment(alert.ends_at, "endsAt")
        one = Firing(labels, now if since is None else since, until)
        firing[_key(labels)] = one
        told = known.get(_key(labels))
        if told is None or told.starts_at != one.starts_at:
            records.append(_began(alert, one, source, now))
    records += [_ended(one, source, now) for key, one in known.items() if key not in firing]
    kept = sorted(firing.values(), key=lambda one: _key(one.labels))
    return records, Cursor(kept, {one.id: one.updated_at for one in silences})


def _began(alert: Shown, one: Firing, source: str, now: float) -> AlertRecord:
    return AlertRecord(
        at=min(one.starts_at, now),
        seen=now,
        source=source,
        status="firing",
        labels=one.labels,
        annotations=alert.annotations,
        starts_at=one.starts_at,
        url=alert.generator_url,
    )


def _ended(one: Firing, source: str, now: float) -> AlertRecord:
    """Its end is when Alertmanager gave it up, if that was announced and has come, else now."""
    end = one.ends_at if one.ends_at is not None and one.starts_at <= one.ends_at <= now else now
    return AlertRecord(
        at=end, seen=now, source=source, status="resolved", labels=one.labels, starts_at=one.starts_at, ends_at=end
    )


def _silence(shown: ShownSilence, source: str, now: float) -> CommandRecord:
    start, end = _moment(shown.starts_at, "startsAt"), _moment(shown.ends_at, "endsAt")
    silence = Silence(
        id=shown.id,
        matchers=shown.matchers,
        starts_at=now if start is None else start,
        ends_at=now if end is None else end,
        updated_at=now,
        created_by=shown.created_by,
        comment=shown.comment,
    )
    args: dict[str, Any] = {"silence": msgspec.to_builtins(silence)}
    return CommandRecord(
        at=now, seen=now, source=source, verb="silence", target=shown.id, by=shown.created_by, args=args
    )


def _key(labels: Mapping[str, str]) -> str:
    return msgspec.json.encode(labels, order="sorted").decode()


def _moment(text: str, field: str) -> float | None:
    try:
        return read_moment(text)
    except ValueError as error:
        raise BadPayload(f"{field}: {error}", field=field) from error
