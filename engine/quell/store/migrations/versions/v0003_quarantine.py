"""Entries of the quarantine say what they are, so that they can be tried again, and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import NUMBER, WORDS

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; what is there already waits."""
    with op.batch_alter_table("quarantine") as table:
        table.add_column(sa.Column("kind", WORDS, nullable=False, server_default=""))
        table.add_column(sa.Column("request", sa.LargeBinary, nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("whole", sa.Boolean, nullable=False, server_default=sa.true()))
        table.add_column(sa.Column("state", WORDS, nullable=False, server_default="waiting"))
        table.add_column(sa.Column("seq", NUMBER, nullable=False, server_default="0"))
        table.add_column(sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("tried_at", sa.Float))
        table.add_column(sa.Column("tried_by", WORDS, nullable=False, server_default=""))
    op.create_index("ix_quarantine_state", "quarantine", ["state"])
    op.create_index("ix_quarantine_seq", "quarantine", ["seq"])


def downgrade() -> None:
    """Drops the columns."""
    op.drop_index("ix_quarantine_seq", "quarantine")
    op.drop_index("ix_quarantine_state", "quarantine")
    with op.batch_alter_table("quarantine") as table:
        for name in ("tried_by", "tried_at", "tries", "seq", "state", "whole", "request", "kind"):
            table.drop_column(name)
