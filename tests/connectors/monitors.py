"""What is asked of every receiver of a monitoring tool's reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.deliveries import GOLDEN, built
from quell.model.records import AlertRecord, ChangeRecord, SampleRecord
from quell.sdk.connector import Connector, Received, Request
from quell.sdk.testkit import NOW

PLACES = {"model": "fraud", "dataset": "payments"}


def told(
    kind: type[Connector],
    body: Any,
    *,
    query: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    now: float = NOW,
    content_type: str = "application/json",
) -> Received:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    request = Request("POST", "/in/src", raw, {"content-type": content_type}, list((query or {}).items()))
    got: Received = built(kind, **(PLACES if options is None else options)).receive(request, now)
    return got


def recorded(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def alerts(got: Received, status: str = "firing") -> list[AlertRecord]:
    return [one for one in got.records if isinstance(one, AlertRecord) and one.status == status]


def alarms(got: Received) -> dict[tuple[str, str], AlertRecord]:
    """What fires, by its name and the feature, metric or test it is about."""
    return {(one.labels["alertname"], one.labels.get("feature") or one.labels.get("metric", "")): one
            for one in alerts(got)}  # fmt: skip


def scores(got: Received) -> dict[str, SampleRecord]:
    return {one.metric: one for one in got.records if isinstance(one, SampleRecord)}


def changes(got: Received) -> list[ChangeRecord]:
    return [one for one in got.records if isinstance(one, ChangeRecord)]


def reasons(got: Received) -> Sequence[str]:
    return [entry.reason for entry in got.rejected]


def keys(records: Sequence[AlertRecord]) -> set[str]:
    return {one.key for one in records}
