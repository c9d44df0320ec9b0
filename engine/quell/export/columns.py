"""What is exported, and the columns that each of it has in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import msgspec

from quell.export.lines import plain_of
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.records import AnyRecord
from quell.model.run import Run
from quell.store.port import AuditEntry, Group, LedgerEntry, Quarantined

ColumnType = Literal["text", "time", "whole", "number", "words", "texts", "json"]
"""``words`` are a mapping of texts, ``texts`` a list of them, ``json`` is text that holds JSON."""
_JSON = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and how it is read off a value; a time is in seconds since 1970."""

    name: str
    type: ColumnType
    of: Callable[[Any], Any]


def _fields(type_: ColumnType, *names: str) -> list[Column]:
    """Columns that are called like the attribute they come from; empty texts stay empty, what is missing is null."""
    return [Column(name, type_, attrgetter(name)) for name in names]


def _json(name: str, of: Callable[[Any], Any]) -> Column:
    return Column(name, "json", lambda value: _JSON.encode(of(value)).decode())


def _label(column: str, label: str) -> Column:
    return Column(column, "text", lambda value: (getattr(value, "labels", None) or {}).get(label))


@dataclass(frozen=True, slots=True)
class Taken:
    """A record with the group in which it was accepted.

    Its fields are attributes of this as well; None where this kind has no such field.
    """

    record: AnyRecord
    group: int
    accepted_at: float

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name, None)

    @property
    def kind(self) -> str:
        """Which kind of record it is."""
        return str(type(self.record).__struct_config__.tag)

    @property
    def other(self) -> dict[str, Any] | None:
        """The fields that have no column of their own."""
        plain = {name: value for name, value in msgspec.to_builtins(self.record).items() if name not in _OWN}
        return plain or None


def taken(group: Group) -> Iterator[Taken]:
    """The records of a group."""
    return (Taken(record, group.seq, group.now) for record in group.records)


_RECORDS = [
    *_fields("text", "kind"),
    *_fields("time", "at", "seen", "accepted_at"),
    *_fields("whole", "group"),
    *_fields("text", "source", "id", "entity", "status"),
    _label("name", "alertname"),
    _label("severity", "severity"),
    *_fields("words", "labels", "annotations"),
    *_fields("time", "starts_at", "ends_at"),
    *_fields("number", "value", "threshold"),
    *_fields("text", "key", "url"),
    Column("other", "json", lambda taken: None if taken.other is None else _JSON.encode(taken.other).decode()),
]
_OWN = frozenset(column.name for column in _RECORDS) - {"severity", "name"}

_ALERTS = [
    *_fields("text", "fingerprint"),
    *_fields("whole", "episode"),
    *_fields("text", "source", "name", "entity", "severity", "status"),
    *_fields("time", "starts_at", "ends_at", "updated_at"),
    *_fields("text", "incident", "handling"),
    Column("reason_code", "text", lambda alert: alert.reason.code),
    Column("reason", "text", lambda alert: alert.reason.text),
    Column("muted_by", "texts", lambda alert: [muting.by for muting in alert.mutings]),
    *_fields("whole", "count", "flaps"),
    *_fields("number", "value", "threshold"),
    *_fields("words", "labels", "annotations"),
    *_fields("text", "url"),
]
_INCIDENTS = [
    *_fields("text", "id", "title", "status", "severity"),
    *_fields("time", "opened_at", "paged_at", "resolved_at", "updated_at"),
    *_fields("text", "acknowledged_by", "merged_into"),
    Column("cause", "text", lambda one: one.suspects[0].entity if one.suspects and not one.no_clear_cause else None),
    Column("confidence", "number", lambda one: one.suspects[0].confidence if one.suspects else None),
    *_fields("texts", "alerts", "entities", "impact"),
    *_fields("text", "harm"),
    _json("document", plain_of),
]
_RUNS = [
    *_fields("text", "id", "playbook", "incident", "state", "mode", "by", "why"),
    *_fields("time", "started_at", "updated_at"),
    _json("document", plain_of),
]
_LEDGER = [
    Column("key", "text", lambda entry: entry.perform.key),
    Column("at", "time", lambda entry: entry.perform.at),
    Column("action", "text", lambda entry: entry.perform.action),
    Column("effect", "text", lambda entry: entry.perform.effect),
    Column("run", "text", lambda entry: entry.perform.run),
    Column("incident", "text", lambda entry: entry.perform.incident),
    *_fields("text", "state"),
    *_fields("whole", "tries"),
    Column("finished_at", "time", lambda entry: None if entry.result is None else entry.result.at),
    Column("said", "text", lambda entry: None if entry.result is None else entry.result.error or entry.result.sentence),
    _json("document", plain_of),
]
_AUDIT = [
    *_fields("whole", "n"),
    Column("at", "time", lambda entry: entry.audit.at),
    *[Column(name, "text", attrgetter(f"audit.{name}")) for name in ("who", "what", "target", "detail")],
    *_fields("text", "prev_hash", "hash"),
]
_QUARANTINE = [
    *_fields("whole", "id"),
    *_fields("time", "at"),
    *_fields("text", "source", "kind", "path", "reason", "state"),
    Column("payload", "text", lambda entry: entry.payload.decode("utf-8", "replace")),
]

COLUMNS: Mapping[str, Sequence[Column]] = {
    "records": _RECORDS,
    "alerts": _ALERTS,
    "incidents": _INCIDENTS,
    "runs": _RUNS,
    "ledger": _LEDGER,
    "audit": _AUDIT,
    "quarantine": _QUARANTINE,
}
"""By what is exported; the order is that of the documentation."""

Value = Taken | Alert | Incident | Run | LedgerEntry | AuditEntry | Quarantined
