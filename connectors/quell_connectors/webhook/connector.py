"""The receiver: one body or many lines in, records out, what cannot be read put aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload
from quell.model.records import AnyRecord
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.payload import MAX_ALERTS, check_size, decode
from quell.sdk.spec import Spec
from quell_connectors.webhook.mapping import read_mapping
from quell_connectors.webhook.spec import SPEC
from quell_connectors.webhook.translate import items_of, record_of, to_record

_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


class Webhook:
    """Answers 200 with what was taken; 400 when nothing of a delivery can be read.

    Building it raises `quell.errors.Misconfigured` with every mistake in the mapping.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._source = context.source
        mapping = options.get("mapping")
        statuses: Mapping[str, Any] = options.get("status_map") or {}
        self._map = read_mapping(mapping, statuses, context.source) if mapping else None

    def receive(self, request: Request, now: float) -> Received:
        """Takes mapped JSON, or record lines where the content type says so."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return self._lines(request, now) if kind in _LINES else self._mapped(request, now)

    def _mapped(self, request: Request, now: float) -> Received:
        if self._map is None:
            raise BadPayload(
                "this source has no mapping; give it one, or send records as application/x-ndjson", request.body
            )
        body = decode(request.body, object)
        roots: dict[str, Any] = {"body": body, "headers": dict(request.headers), "query": dict(request.query)}
        records: list[AnyRecord] = []
        rejected: list[Rejected] = []
        for item in items_of(self._map, roots, request.body):
            try:
                record = to_record(self._map, {**roots, "item": item}, self._source, now)
            except BadPayload as error:
                rejected.append(Rejected(str(error), msgspec.json.encode(item)))
            else:
                records += [] if record is None else [record]
        return _answered(records, rejected)

    def _lines(self, request: Request, now: float) -> Received:
        check_size(request.body, max_depth=1 << 30)
        lines = [line for line in request.body.splitlines() if line.strip()]
        if len(lines) > MAX_ALERTS:
            raise BadPayload(f"{len(lines)} lines; at most {MAX_ALERTS} are taken", request.body[:4096])
        records: list[AnyRecord] = []
        rejected: list[Rejected] = []
        for number, line in enumerate(lines, 1):
            try:
                records.append(record_of(line, self._source, now))
            except BadPayload as error:
                rejected.append(Rejected(f"line {number}: {error}", line))
        return _answered(records, rejected)


def _answered(records: list[AnyRecord], rejected: list[Rejected]) -> Received:
    body = msgspec.json.encode({"accepted": len(records), "rejected": [entry.reason for entry in rejected[:20]]})
    status = 400 if rejected and not records else 200
    return Received(records, Reply(status, body, "application/json"), rejected)
