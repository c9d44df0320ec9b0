"""Where the messages stand that show incidents to people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import WORDS

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "shown",
        sa.Column("source", WORDS, nullable=False),
        sa.Column("channel", WORDS, nullable=False),
        sa.Column("key", WORDS, nullable=False),
        sa.Column("ts", WORDS, nullable=False),
        sa.Column("thread", WORDS, nullable=False),
        sa.Column("stands", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("sent", WORDS, nullable=False),
        sa.Column("told", sa.Float(), nullable=False),
        sa.Column("telling", sa.Float(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "channel", "key", name="pk_shown"),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("shown")
