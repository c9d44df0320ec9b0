"""Run by Alembic: migrates over the connection that the store hands in; there is no ini file."""

from __future__ import annotations

from alembic import context

from quell.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters most things only by rebuilding the table
)
with context.begin_transaction():
    context.run_migrations()
