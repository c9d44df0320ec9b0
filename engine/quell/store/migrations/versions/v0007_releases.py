"""What became of releases, for longer than their records are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import WORDS

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "releases",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
    )
    op.create_index("ix_releases_at", "releases", ["at"])


def downgrade() -> None:
    """Drops it."""
    op.drop_table("releases")
