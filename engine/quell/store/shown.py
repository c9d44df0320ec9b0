"""Rows of what stands where people talk: which message shows what, so that a restart edits it and adds none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from quell.store.port import ShownRow
from quell.store.tables import SHOWN
from quell.store.upsert import replacing

_NAMES = ShownRow.__struct_fields__


def rows(connection: Connection) -> list[ShownRow]:
    """All of them, the oldest first."""
    query = select(*(SHOWN.c[name] for name in _NAMES)).order_by(SHOWN.c.at, SHOWN.c.source, SHOWN.c.key)
    return [ShownRow(**row) for row in connection.execute(query).mappings()]


def keep(connection: Connection, kept: Sequence[ShownRow], gone: Sequence[ShownRow]) -> None:
    """Keeps rows as they are now and drops others."""
    for row in gone:
        same = (SHOWN.c.source == row.source) & (SHOWN.c.channel == row.channel) & (SHOWN.c.key == row.key)
        connection.execute(delete(SHOWN).where(same))
    if kept:
        connection.execute(
            replacing(connection, SHOWN), [{name: getattr(row, name) for name in _NAMES} for row in kept]
        )
