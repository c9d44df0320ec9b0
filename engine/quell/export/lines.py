"""Values as JSON lines. Records become the public format, exactly: what a replay reads of it is what the daemon had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

import msgspec

from quell.model.records import AnyRecord, Tick
from quell.model.times import exact_time
from quell.model.wire import TIME_FIELDS, to_wire
from quell.store.port import AuditEntry, Group, Quarantined

_JSON = msgspec.json.Encoder()

_WITHIN = frozenset({"heard", "ended", "late", "hold_until"})
"""What only folding and waiting need of an alert."""

Slices = Callable[[Sequence[AnyRecord]], Iterable[Sequence[AnyRecord]]]
"""The records of a group in the portions in which the daemon gave them to the core."""


def record_lines(groups: Iterable[Group], slices: Slices) -> Iterator[bytes]:
    """The records of groups, in order, as lines of the public format.

    Where the arrival of its records does not say when a group was decided over, a tick before them does: it begins a
    turn of its own at its time.
    """
    before = -1.0
    for group in groups:
        parts = [part for part in slices(group.records) if part]
        told = len(parts) == 1 and group.now > before and all(each.arrived == group.now for each in parts[0])
        for part in parts:
            if not told:
                yield record_line(Tick(at=group.now))
            for record in part:
                yield record_line(record)
        before = group.now


def record_line(record: AnyRecord) -> bytes:
    """One record of the public format, times exact. A point that is no number is left out: JSON has no word for it."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    for name, value in plain.items():
        if name in TIME_FIELDS and value is not None:
            plain[name] = exact_time(value)
    if "points" in plain:
        plain["points"] = [[exact_time(at), value] for at, value in plain["points"] if isfinite(value)]
    return _JSON.encode(plain)


def value_line(value: Any) -> bytes:
    """Anything else that a store holds: times as text, the rest as it is."""
    return _JSON.encode(plain_of(value))


def plain_of(value: Any) -> dict[str, Any]:
    """The same before it is a line."""
    if isinstance(value, AuditEntry):
        return {"n": value.n, **to_wire(value.audit), "prev_hash": value.prev_hash, "hash": value.hash}
    if isinstance(value, Quarantined):
        value = msgspec.structs.replace(value, payload=_text(value.payload), request=_text(value.request))
    # Every field by its name, also where it has the usual value: who reads this does not know what that is.
    fields = {name: getattr(value, name) for name in value.__struct_fields__ if name not in _WITHIN}
    plain: dict[str, Any] = to_wire(fields)
    return plain


def _text(payload: bytes) -> Any:
    return payload.decode("utf-8", "replace")
