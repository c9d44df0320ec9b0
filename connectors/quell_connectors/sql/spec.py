"""What the SQL connector declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="sql",
    summary="Asks a database for KPIs and user touchpoints: named queries, whose rows become samples. It only reads.",
    options=(
        Option(
            name="url",
            type="secret",
            summary=(
                "The database as SQLAlchemy writes it: postgresql://…, sqlite:////absolute/path, or another whose "
                "driver is installed. Use an account that may only read."
            ),
            required=True,
        ),
        Option(
            name="queries",
            type="mapping",
            summary=(
                "Names with a query each: sql (with :since and :until), entity (with ${column}), and optionally time, "
                "value or values, metric, unit, params, lookback, overlap, delay, limit and time_as."
            ),
            required=True,
            example=(
                "{approvals: {sql: 'SELECT minute, share FROM kpi WHERE minute > :since AND minute <= :until "
                "ORDER BY minute', entity: kpi/approvals, time: minute, value: share}}"
            ),
        ),
        Option(
            name="timeout",
            type="duration",
            summary="How long one query may take; then the database is told to stop it.",
            default=10.0,
            example="10s",
        ),
    ),
)
