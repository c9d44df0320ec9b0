"""Alerts that are over get a table of their own: what fired last week is asked for long after the core forgot it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import NUMBER

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "alerts",
        sa.Column("n", NUMBER, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("packed", sa.Boolean, nullable=False),
        sa.Column("alerts", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_alerts"),
    )
    op.create_index("ix_alerts_last_at", "alerts", ["last_at"])


def downgrade() -> None:
    """Drops it, and what is in it."""
    op.drop_table("alerts")
