"""Ledger entries say under which lease they were begun; former owners leave word of what was refused to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import NUMBER, WORDS

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, 0 for what is there, and the table."""
    with op.batch_alter_table("ledger") as table:
        table.add_column(sa.Column("lease", NUMBER, nullable=False, server_default="0"))
    op.create_table(
        "refused",
        sa.Column("n", NUMBER, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("holder", WORDS, nullable=False),
        sa.Column("what", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_refused"),
    )


def downgrade() -> None:
    """Drops both."""
    op.drop_table("refused")
    with op.batch_alter_table("ledger") as table:
        table.drop_column("lease")
