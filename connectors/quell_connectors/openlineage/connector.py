"""The receiver: one event or several, each read on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload
from quell.model.records import AnyRecord
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.payload import check_size, decode
from quell.sdk.spec import Spec
from quell_connectors.openlineage.event import Reader
from quell_connectors.openlineage.names import Names
from quell_connectors.openlineage.spec import SPEC

MOST_EVENTS = 1_000


class OpenLineage:
    """Answers 201, as the API of OpenLineage does; 400 when nothing of a delivery can be read."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._reader = Reader(
            Names(options.get("namespaces") or {}, partitions=bool(options.get("partitions"))),
            source=context.source,
            columns=bool(options.get("columns", True)),
            severity=str(options.get("severity") or "high"),
        )

    def receive(self, request: Request, now: float) -> Received:
        """Takes an event or a list of them. Raises `BadPayload` for a single one that cannot be read."""
        check_size(request.body)
        batch = request.body.lstrip()[:1] == b"["
        parts = decode(request.body, list[msgspec.Raw]) if batch else [msgspec.Raw(request.body)]
        if len(parts) > MOST_EVENTS:
            raise BadPayload(f"{len(parts)} events; at most {MOST_EVENTS} are taken at once", request.body[:4096])
        records: list[AnyRecord] = []
        rejected: list[Rejected] = []
        read = 0
        for part in parts:
            try:
                told, left = self._reader.read(bytes(part), now)
            except BadPayload as error:
                if not batch:
                    raise
                rejected.append(Rejected(str(error), bytes(part)[:4096]))
            else:
                read += 1
                records += told
                rejected += left
        return Received(records, _reply(201 if read or not parts else 400, rejected), rejected)


def _reply(status: int, rejected: list[Rejected]) -> Reply:
    if not rejected:
        return Reply(status)
    body = msgspec.json.encode({"rejected": [entry.reason for entry in rejected[:20]]})
    return Reply(status, body, "application/json")
