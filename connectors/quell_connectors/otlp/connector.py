"""The receiver: reads a request in its encoding, and answers in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, cast

from quell.errors import BadPayload, Misconfigured, Problem
from quell.model.parts import numbered
from quell.model.records import AnyRecord
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.spec import Spec
from quell_connectors.otlp.calls import entity_records, trace_records
from quell_connectors.otlp.homes import TEMPLATE, Homes, template_problem
from quell_connectors.otlp.lines import Lines
from quell_connectors.otlp.models import Meter
from quell_connectors.otlp.points import Points
from quell_connectors.otlp.prices import Prices, read_prices
from quell_connectors.otlp.replies import JSON, refused, taken
from quell_connectors.otlp.samples import Table
from quell_connectors.otlp.series import Series
from quell_connectors.otlp.spans import Spans, joined
from quell_connectors.otlp.spec import MAX_AGE_S, SPEC
from quell_connectors.otlp.tally import Tally
from quell_connectors.otlp.wire import Encoding, Signal

PROTOBUF = "application/x-protobuf"
_SIGNALS: Mapping[str, Signal] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}


class Otlp:
    """Takes what OpenTelemetry's exporters and collector send; per request a few records, however many spans it has.

    Building it raises `quell.errors.Misconfigured` with what is wrong about names and prices. Of requests nothing is
    remembered; what is kept between them is how resources and attributes read, which depends on nothing else.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._source = context.source
        template = options.get("entity") or TEMPLATE
        problems: list[Problem] = []
        if wrong := template_problem(template):
            problems.append(Problem(f'otlp "{context.source}"', 0, 0, wrong))
        self._prices = Prices({})
        try:
            self._prices = read_prices(options.get("prices") or {}, context.source)
        except Misconfigured as error:
            problems += error.problems
        if problems:
            raise Misconfigured(problems)
        self._homes = Homes(template)
        self._series = Series(options.get("keep_attributes") or (), options.get("drop_attributes") or ())
        self._samples = bool(options.get("log_samples"))
        self._max_age_s = float(options.get("max_age") or MAX_AGE_S)
        self._takers: Mapping[Signal, Callable[[Encoding, bytes, Tally], list[AnyRecord]]] = {
            "traces": self._traces, "metrics": self._metrics, "logs": self._logs,
        }  # fmt: skip

    def receive(self, request: Request, now: float) -> Received:
        """Takes a request of one signal; what its path names it."""
        signal = next((_SIGNALS[path] for path in _SIGNALS if request.path.rstrip("/").endswith(path)), None)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if signal is None:
            message = f"nothing is taken at {request.path}; send to {', '.join(_SIGNALS)}"
            return Received(reply=refused(404, JSON if kind == JSON else PROTOBUF, message))
        if kind not in (PROTOBUF, JSON):
            message = f'content-type "{kind}" is not known; send {PROTOBUF} or {JSON}'
            return Received(reply=Reply(415, f"{message}\n".encode(), "text/plain; charset=utf-8"))
        tally = Tally(signal, now, self._max_age_s)
        try:
            records = self._takers[signal](_encoding(kind), request.body, tally)
        except BadPayload as error:
            rejected = [Rejected(str(error), request.body)]
            return Received(reply=refused(400, kind, str(error)), rejected=rejected)
        records = list(numbered([*records, *tally.records(self._source)], request.body))
        return Received(records, taken(signal, kind, tally.rejected, tally.message()))

    def _traces(self, encoding: Encoding, body: bytes, tally: Tally) -> list[AnyRecord]:
        spans = Spans(encoding, self._homes, tally)
        spans.read(encoding.decoded("traces", body))
        records = trace_records(joined(spans.rows), spans.homes, self._source, tally.now)
        table = Table()
        Meter(self._prices, self._source, tally).spans_told(encoding, table, spans.metered)
        return [*records, *table.records(self._source, tally.now)]

    def _metrics(self, encoding: Encoding, body: bytes, tally: Tally) -> list[AnyRecord]:
        points = Points(encoding, self._homes, self._series, tally, Meter(self._prices, self._source, tally))
        points.read(encoding.decoded("metrics", body))
        entities = entity_records(points.homes, self._source, tally.now)
        return [*entities, *points.records(self._source, tally.now)]

    def _logs(self, encoding: Encoding, body: bytes, tally: Tally) -> list[AnyRecord]:
        meter = Meter(self._prices, self._source, tally)
        lines = Lines(encoding, self._homes, tally, meter, samples=self._samples)
        lines.read(encoding.decoded("logs", body))
        entities = entity_records(lines.homes, self._source, tally.now)
        return [*entities, *lines.records(self._source, tally.now), *lines.table.records(self._source, tally.now)]


@cache
def _encoding(kind: str) -> Encoding:
    """Loaded when the first request comes: whoever only checks a configuration needs neither."""
    if kind == JSON:
        from quell_connectors.otlp.text import Text

        return cast("Encoding", Text())
    from quell_connectors.otlp.binary import Binary

    return cast("Encoding", Binary())
