"""The receiver: opens the envelope, keeps what can be read of a batch, answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload
from quell.model.records import AnyRecord
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.spec import Spec
from quell_connectors.cloudevents.envelope import opened, read_event
from quell_connectors.cloudevents.spec import SPEC
from quell_connectors.cloudevents.translate import to_record


class CloudEvents:
    """Answers 202; a batch of which nothing can be read is 400, a part of it that cannot be read is put aside."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        del options
        self._source = context.source

    def receive(self, request: Request, now: float) -> Received:
        """Takes one event or a batch. A single event that cannot be read is a `BadPayload`."""
        envelope = opened(request)
        records: list[AnyRecord] = []
        rejected: list[Rejected] = []
        for part in envelope.parts:
            try:
                records.append(to_record(read_event(part), self._source, now))
            except BadPayload as error:
                if not envelope.batch:
                    raise BadPayload(str(error), request.body, error.field) from error
                rejected.append(Rejected(str(error), bytes(part)))
        if rejected and not records:
            return Received((), _reply(400, [entry.reason for entry in rejected]), rejected)
        return Received(records, _reply(202, [entry.reason for entry in rejected]), rejected)


def _reply(status: int, reasons: list[str]) -> Reply:
    if not reasons:
        return Reply(status)
    return Reply(status, msgspec.json.encode({"rejected": reasons[:20]}), "application/json")
