"""Rows of what became of releases: a few hundred bytes each, which outlast the records that they were measured by."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from quell.store.port import ReleaseRow
from quell.store.tables import RELEASES
from quell.store.upsert import replacing


def since(connection: Connection, begin: float) -> list[ReleaseRow]:
    """Those from then on, the oldest first."""
    query = select(RELEASES).where(RELEASES.c.at >= begin).order_by(RELEASES.c.at, RELEASES.c.id)
    return [ReleaseRow(id=row.id, at=row.at, document=row.document) for row in connection.execute(query)]


def keep(connection: Connection, rows: Sequence[ReleaseRow]) -> None:
    """Keeps them as they are told now."""
    if rows:
        told = [{"id": row.id, "at": row.at, "document": row.document} for row in rows]
        connection.execute(replacing(connection, RELEASES), told)
