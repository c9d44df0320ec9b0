"""The first schema: journal, cursors, snapshots, ledger, audit, incidents, runs, quarantine, meta."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quell.store.columns import NUMBER, WORDS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes all tables."""
    _recovery_tables()
    _automation_tables()
    _history_tables()


def downgrade() -> None:
    """Drops all tables and what is in them."""
    for table in ("meta", "quarantine", "runs", "incidents", "audit", "ledger", "snapshots", "cursors", "journal"):
        op.drop_table(table)


def _recovery_tables() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("now", sa.Float, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("packed", sa.Boolean, nullable=False),
        sa.Column("records", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_journal"),
    )
    op.create_table(
        "cursors",
        sa.Column("source", WORDS, nullable=False),
        sa.Column("cursor", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_cursors"),
    )
    op.create_table(
        "snapshots",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("sha256", WORDS, nullable=False),
        sa.Column("packed", sa.Boolean, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_snapshots"),
    )
    op.create_table(
        "meta",
        sa.Column("name", WORDS, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )


def _automation_tables() -> None:
    op.create_table(
        "ledger",
        sa.Column("n", NUMBER, nullable=False),
        sa.Column("key", WORDS, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("run", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("perform", sa.LargeBinary, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.PrimaryKeyConstraint("n", name="pk_ledger"),
        sa.UniqueConstraint("key", name="uq_ledger_key"),
    )
    op.create_index("ix_ledger_run", "ledger", ["run"])
    op.create_index("ix_ledger_state", "ledger", ["state"])
    op.create_table(
        "audit",
        sa.Column("n", NUMBER, autoincrement=False, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", WORDS, nullable=False),
        sa.Column("what", WORDS, nullable=False),
        sa.Column("target", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("prev_hash", WORDS, nullable=False),
        sa.Column("hash", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _history_tables() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("status", WORDS, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_status", "incidents", ["status"])
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])
    op.create_table(
        "runs",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("playbook", WORDS, nullable=False),
        sa.Column("incident", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    for column in ("playbook", "incident", "state"):
        op.create_index(f"ix_runs_{column}", "runs", [column])
    op.create_table(
        "quarantine",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("path", WORDS, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
