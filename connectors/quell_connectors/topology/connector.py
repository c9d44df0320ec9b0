"""The receiver of topology documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.sdk.connector import Context, Received, Reply, Request
from quell.sdk.spec import Spec
from quell_connectors.topology.spec import SPEC
from quell_connectors.topology.translate import translate


class TopologyFile:
    """Answers 200 with counts; 400 when nothing of the document can be read.

    What a later document leaves out stays: absence in one file is no proof, and edges age by themselves. A part is
    taken out by sending it with ``removed: true``.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        del options
        self._source = context.source

    def receive(self, request: Request, now: float) -> Received:
        """Takes one document."""
        records, rejected = translate(request.body, self._source, now)
        body = msgspec.json.encode({"accepted": len(records), "rejected": [entry.reason for entry in rejected[:20]]})
        return Received(records, Reply(200 if records else 400, body, "application/json"), rejected)
