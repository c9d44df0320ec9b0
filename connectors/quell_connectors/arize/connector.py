"""The receiver. Arize publishes no schema of what it sends, so fields are read by their usual names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Context, Received, Request
from quell.sdk.monitor import merged, received
from quell.sdk.parts import report_of
from quell.sdk.spec import Spec
from quell.sdk.spoken import Dialect, heard, parts_of
from quell_connectors.arize.spec import SPEC

_DIALECT = Dialect(
    tool="Arize",
    name=("monitorname", "name", "alertname"),
    key=("monitorid", "monitorname", "id"),
    status=("monitorstatus", "status", "currentstatus", "newstatus", "state", "event", "eventtype"),
)
"""What Arize calls things."""


class Arize:
    """An alert for each monitor that is triggered, over when it is healthy. "No data" is an alert of its own."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 7 * 86400.0)

    def receive(self, request: Request, now: float) -> Received:
        """Takes one alert or a list of them. Raises `BadPayload` for what is no JSON object."""
        told = []
        for place, part in parts_of(report_of(request.body)):
            subject, findings = heard(part, place, _DIALECT, request=request, options=self._options, now=now)
            told.append(received(findings, subject, source=self._source, now=now, holds_s=self._holds_s))
        return merged(told)
