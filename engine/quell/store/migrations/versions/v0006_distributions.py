"""Distributions get a table of their own: they are kept longer than the records that they came among."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import NUMBER

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "distributions",
        sa.Column("n", NUMBER, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("packed", sa.Boolean, nullable=False),
        sa.Column("records", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_distributions"),
    )
    op.create_index("ix_distributions_last_at", "distributions", ["last_at"])


def downgrade() -> None:
    """Drops it, and what is in it."""
    op.drop_table("distributions")
