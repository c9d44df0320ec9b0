"""Alerts that are over, as rows of many: a storm of ten thousand resolutions is five rows and not ten thousand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf

import msgspec
from sqlalchemy import Connection, insert, select

from quell.errors import StoreError
from quell.model.alert import Alert
from quell.store.codec import Blob, encode, pack, unpack
from quell.store.tables import ALERTS

MOST_IN_ROW = 2_000
"""Alerts in one row: few enough to be read and written quickly, many enough to be packed to a tenth."""
_ROWS_A_READ = 20
_FORGET_FROM = 10_000
_DAY_S = 86400.0
_KEEP = insert(ALERTS)
_ALERTS = msgspec.msgpack.Decoder(list[Alert])


def over_at(alert: Alert) -> float:
    """When an alert ended; never, of one that still fires."""
    if alert.firing:
        return inf
    return alert.updated_at if alert.ends_at is None else alert.ends_at


def last_words(alerts: Iterable[Alert], since: float) -> Iterator[Alert]:
    """Of ``alerts``, the latest first, each firing once as it was told of last, if it ended at ``since`` or later.

    Quick returns are one firing. Episodes are counted anew when the core has forgotten an alert, a day after its end:
    what ended a day before another of the same number began is another.
    """
    shown: dict[tuple[str, int], float] = {}
    most = _FORGET_FROM
    for alert in alerts:
        over, firing = over_at(alert), (alert.fingerprint, alert.episode)
        began = shown.get(firing)
        if began is not None and over > began - _DAY_S:
            shown[firing] = min(began, alert.starts_at)
            continue
        shown[firing] = alert.starts_at
        if over >= since:
            yield alert
        if len(shown) > most:
            # Rows are in the order in which alerts were kept, which is that of their ends but for changes afterwards.
            shown = {name: began for name, began in shown.items() if began - 2 * _DAY_S <= over}
            most = max(_FORGET_FROM, 2 * len(shown))


def keep(connection: Connection, alerts: Sequence[Alert]) -> None:
    """Adds rows of alerts."""
    for begin in range(0, len(alerts), MOST_IN_ROW):
        part = [bare(alert) for alert in alerts[begin : begin + MOST_IN_ROW]]
        packed, data = pack(encode(part))
        last_at = max(map(over_at, part))
        connection.execute(_KEEP, {"last_at": last_at, "count": len(part), "packed": packed, "alerts": data})


def page(connection: Connection, since: float, before: int | None) -> list[tuple[int, list[Alert]]]:
    """The rows before number ``before`` (None: the last ones) that hold what ended at ``since`` or later."""
    query = select(ALERTS).where(ALERTS.c.last_at >= since).order_by(ALERTS.c.n.desc()).limit(_ROWS_A_READ)
    if before is not None:
        query = query.where(ALERTS.c.n < before)
    return [(row.n, _decoded(row.n, Blob(row.packed, row.alerts))) for row in connection.execute(query)]


def bare(alert: Alert) -> Alert:
    """The alert without what only folding needs."""
    return msgspec.structs.replace(alert, heard=(), ended=(), late=(), hold_until=None)


def _decoded(n: int, blob: Blob) -> list[Alert]:
    try:
        return _ALERTS.decode(unpack(blob))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"row {n} of past alerts cannot be read: {error}; restore a backup") from error
