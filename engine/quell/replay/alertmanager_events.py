"""Lines of Alertmanager's own event recorder (``event_recorder``, since 0.33) as records.

Whatever an event holds a picture of counts: an alert that is new, joins a group, is notified of or is over; a silence
that is made or changed. The same picture again is a repeat, which folding takes as such. What Alertmanager then did
about an alert (whom it told, what it muted) is not taken over: that is what the rules are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from quell.model.mismatch import place_and_reason
from quell.model.mute import Matcher, Silence
from quell.model.records import AlertRecord, AnyRecord, CommandRecord
from quell.model.times import parse_time

SOURCE = "alertmanager"
_MARK = b'"@timestamp"'
_KINDS = {"TYPE_EQUAL": (False, True), "TYPE_REGEXP": (True, True), "TYPE_NOT_EQUAL": (False, False),
          "TYPE_NOT_REGEXP": (True, False)}  # fmt: skip


class _Pair(msgspec.Struct, frozen=True):
    key: str = ""
    value: str = ""


class _Pairs(msgspec.Struct, frozen=True):
    labels: list[_Pair] = []

    def plain(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.labels if pair.key and pair.value}


class _Alert(msgspec.Struct, frozen=True, rename="camel"):
    labels: _Pairs = _Pairs()
    annotations: _Pairs = _Pairs()
    starts_at: str = ""
    ends_at: str = ""
    resolved: bool = False


class _Grouped(msgspec.Struct, frozen=True):
    details: _Alert | None = None


class _Created(msgspec.Struct, frozen=True):
    alert: _Alert = _Alert()


class _InGroup(msgspec.Struct, frozen=True):
    alert: _Grouped = _Grouped()


class _Notification(msgspec.Struct, frozen=True):
    alerts: list[_Grouped] = []


class _Term(msgspec.Struct, frozen=True):
    type: str = "TYPE_EQUAL"
    name: str = ""
    pattern: str = ""


class _Set(msgspec.Struct, frozen=True):
    matchers: list[_Term] = []


class _Silence(msgspec.Struct, frozen=True, rename="camel"):
    id: str = ""
    matchers: list[_Term] = []
    matcher_sets: list[_Set] = []
    starts_at: str = ""
    ends_at: str = ""
    created_by: str = ""
    comment: str = ""


class _Silenced(msgspec.Struct, frozen=True):
    silence: _Silence = _Silence()


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    alert_created: _Created | None = None
    alert_grouped: _InGroup | None = None
    alert_resolved: _InGroup | None = None
    notification: _Notification | None = None
    silence_created: _Silenced | None = None
    silence_updated: _Silenced | None = None


class _Event(msgspec.Struct, frozen=True):
    at: str = msgspec.field(name="@timestamp")
    data: _Data


_EVENT = msgspec.json.Decoder(_Event)


def recorded_event(line: bytes, number: str) -> Sequence[AnyRecord] | None:
    """The records of an event, with ids made of ``number``; None for a line that is no event.

    Raises ValueError with a sentence for people.
    """
    if _MARK not in line:
        return None
    try:
        event = _EVENT.decode(line)
    except msgspec.ValidationError as error:
        raw = _plain(line)
        if "@timestamp" not in raw or "data" not in raw:
            return None
        name, text = place_and_reason(error, raw)
        raise ValueError(f"Alertmanager's event: {f'{name}: ' if name else ''}{text}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    now = _time(event.at, "@timestamp")
    if now is None:
        raise ValueError("@timestamp: says that no time is set")
    data = event.data
    alerts = [_alert(alert, now) for alert in _pictures(data) if alert.labels.labels]
    records: list[AnyRecord] = [
        msgspec.structs.replace(alert, id=f"{number}#{index}") for index, alert in enumerate(alerts)
    ]
    silences = (told.silence for told in (data.silence_created, data.silence_updated) if told is not None)
    records.extend(_silenced(silence, now) for silence in silences)
    return records


def _plain(line: bytes) -> dict[str, Any]:
    """The line without a shape; nothing when it is no object."""
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _pictures(data: _Data) -> Iterator[_Alert]:
    if data.alert_created is not None:
        yield data.alert_created.alert
    grouped = [event.alert for event in (data.alert_grouped, data.alert_resolved) if event is not None]
    for each in [*grouped, *(data.notification.alerts if data.notification else ())]:
        if each.details is not None:
            yield each.details


def _alert(alert: _Alert, now: float) -> AlertRecord:
    start, end = _time(alert.starts_at, "startsAt"), _time(alert.ends_at, "endsAt")
    start = now if start is None else start
    end = min(now if end is None else end, now) if alert.resolved else None
    return AlertRecord(
        at=min(start, now) if end is None else max(end, min(start, now)),
        seen=now,
        source=SOURCE,
        status="firing" if end is None else "resolved",
        labels=alert.labels.plain(),
        annotations=alert.annotations.plain(),
        starts_at=start,
        ends_at=end,
    )


def _silenced(told: _Silence, now: float) -> CommandRecord:
    """Several sets of matchers, of which any may match, are no silence of ours."""
    if len(told.matcher_sets) > 1:
        raise ValueError(f'silence "{told.id}" has {len(told.matcher_sets)} sets of matchers; one is expected')
    start, end = _time(told.starts_at, "startsAt"), _time(told.ends_at, "endsAt")
    silence = Silence(
        id=told.id,
        matchers=tuple(map(_matcher, told.matcher_sets[0].matchers if told.matcher_sets else told.matchers)),
        starts_at=now if start is None else start,
        ends_at=now if end is None else end,
        updated_at=now,
        created_by=told.created_by,
        comment=told.comment,
    )
    args: dict[str, Any] = {"silence": msgspec.to_builtins(silence)}
    return CommandRecord(at=now, seen=now, source=SOURCE, verb="silence", target=told.id, by=told.created_by, args=args)


def _matcher(term: _Term) -> Matcher:
    if term.type not in _KINDS:
        raise ValueError(f'matcher of "{term.name}": "{term.type}" is not known; expected one of {", ".join(_KINDS)}')
    is_regex, is_equal = _KINDS[term.type]
    return Matcher(name=term.name, value=term.pattern, is_regex=is_regex, is_equal=is_equal)


def _time(text: str, field: str) -> float | None:
    try:
        return parse_time(text) if text else None
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
