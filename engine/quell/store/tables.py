"""The tables of the SQL store. Whoever changes them adds a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, String, Table

from quell.store.columns import NUMBER, Words

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NEWEST = "0007"
"""The version of this schema: the last of the migrations."""

VERSIONS = Table(
    "alembic_version",
    MetaData(),  # none of ours: Alembic keeps it
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    Column("now", Float, nullable=False),
    Column("count", Integer, nullable=False),
    Column("packed", Boolean, nullable=False),
    Column("records", LargeBinary, nullable=False),
)

CURSORS = Table(
    "cursors",
    METADATA,
    Column("source", Words, primary_key=True),
    Column("cursor", Words, nullable=False),
)

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    Column("sha256", Words, nullable=False),
    Column("packed", Boolean, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

LEDGER = Table(
    "ledger",
    METADATA,
    Column("n", NUMBER, primary_key=True),
    Column("key", Words, nullable=False, unique=True),
    Column("seq", NUMBER, nullable=False),
    Column("at", Float, nullable=False),
    Column("run", Words, nullable=False, index=True),
    Column("state", Words, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("lease", NUMBER, nullable=False),
    Column("perform", LargeBinary, nullable=False),
    Column("result", LargeBinary),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("n", NUMBER, primary_key=True, autoincrement=False),
    Column("seq", NUMBER, nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("who", Words, nullable=False),
    Column("what", Words, nullable=False),
    Column("target", Words, nullable=False),
    Column("detail", Words, nullable=False),
    Column("prev_hash", Words, nullable=False),
    Column("hash", Words, nullable=False),
)

REFUSED = Table(
    "refused",
    METADATA,
    Column("n", NUMBER, primary_key=True),
    Column("at", Float, nullable=False),
    Column("number", NUMBER, nullable=False),
    Column("holder", Words, nullable=False),
    Column("what", Words, nullable=False),
)
"""What former owners of the store wanted to do, until the present one moves it into the audit trail."""

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("status", Words, nullable=False, index=True),
    Column("opened_at", Float, nullable=False, index=True),
    Column("updated_at", Float, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("playbook", Words, nullable=False, index=True),
    Column("incident", Words, nullable=False, index=True),
    Column("state", Words, nullable=False, index=True),
    Column("updated_at", Float, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

QUARANTINE = Table(
    "quarantine",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("at", Float, nullable=False),
    Column("source", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("path", Words, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("kind", Words, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("state", Words, nullable=False, index=True),
    Column("seq", NUMBER, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("tried_at", Float),
    Column("tried_by", Words, nullable=False),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("n", NUMBER, primary_key=True),
    Column("last_at", Float, nullable=False, index=True),
    Column("count", Integer, nullable=False),
    Column("packed", Boolean, nullable=False),
    Column("alerts", LargeBinary, nullable=False),
)
"""Alerts that are over, many to a row as they were kept together; ``last_at`` is when the last of them ended."""

DISTRIBUTIONS = Table(
    "distributions",
    METADATA,
    Column("n", NUMBER, primary_key=True),
    Column("last_at", Float, nullable=False, index=True),
    Column("count", Integer, nullable=False),
    Column("packed", Boolean, nullable=False),
    Column("records", LargeBinary, nullable=False),
)
"""Distributions whose groups the journal has forgotten, many to a row; ``last_at`` is when the last was accepted."""

SHOWN = Table(
    "shown",
    METADATA,
    Column("source", Words, primary_key=True),
    Column("channel", Words, primary_key=True),
    Column("key", Words, primary_key=True),
    Column("ts", Words, nullable=False),
    Column("thread", Words, nullable=False),
    Column("stands", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("sent", Words, nullable=False),
    Column("told", Float, nullable=False),
    Column("telling", Float, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("at", Float, nullable=False),
)
"""Which message shows what, where people talk; see `quell.store.port.ShownRow`."""

RELEASES = Table(
    "releases",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("document", LargeBinary, nullable=False),
)
"""What became of releases; see `quell.store.port.ReleaseRow`."""

META = Table(
    "meta",
    METADATA,
    Column("name", Words, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Single facts: ``applied_seq`` (the last group a committed turn covered), both ends of the audit chain, the lease."""
