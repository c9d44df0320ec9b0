"""Requests in JSON in which any value is anything: answered, and what is taken can be kept."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.otlp_payloads import attributes, gauge, logs, metrics, ns, otlp, sent, span, traces, value_of
from quell.core.engine import Engine
from quell.model.detect import DetectRule, Threshold
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.model.wire import to_wire
from quell.sdk.testkit import NOW

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**15, 2**63, 10**400, -(10**30), 1.5, 1e308, "",
    "NaN", "-Infinity", "9" * 400, "1e999", "a" * 5000,
    "\x00", "💥", [], {}, [1], {"a": 1}, "SPAN_KIND_SERVER", [{"key": "a", "value": {"arrayValue": {"values": [{}]}}}],
)  # fmt: skip
TOLD = {
    "service.name": "web", "http.request.method": "GET", "list": [1, "a", {"b": 2.5}], "gen_ai.request.model": "m",
    "gen_ai.token.type": "input", "gen_ai.usage.input_tokens": 5, "exception.type": "E", "flag": True,
}  # fmt: skip
_COMMON = {"timeUnixNano": str(ns()), "startTimeUnixNano": str(ns(60)), "attributes": attributes(TOLD), "sum": 3.0}
REQUESTS: dict[str, dict[str, Any]] = {
    "traces": traces((TOLD, [span(1, told=TOLD), span(2, 1, kind=3, told=TOLD, events=[
        {"name": "gen_ai.evaluation.result", "attributes": attributes({"gen_ai.evaluation.score.value": 0.5})}])])),
    "metrics": metrics(
        TOLD, gauge("g", 1.5, told=TOLD),
        {"name": "s", "sum": {
            "dataPoints": [{**_COMMON, "asInt": "7"}], "aggregationTemporality": 2, "isMonotonic": True}},
        {"name": "gen_ai.client.token.usage", "histogram": {"aggregationTemporality": 1, "dataPoints": [
            {**_COMMON, "count": "3", "bucketCounts": ["1", "2"], "explicitBounds": [1.0], "min": 0.5, "max": 2.0}]}},
        {"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {**_COMMON, "count": "3", "bucketCounts": ["1", "2"], "explicitBounds": [1.0]}]}},
        {"name": "e", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
            {**_COMMON, "count": "4", "scale": 1, "zeroCount": "1", "positive": {"offset": 1, "bucketCounts": ["3"]},
             "negative": {"offset": 0, "bucketCounts": []}}]}},
        {"name": "q", "summary": {"dataPoints": [
            {**_COMMON, "count": "4", "quantileValues": [{"quantile": 0.5, "value": 1.0}]}]}},
    ),
    "logs": logs(TOLD, {**_COMMON, "severityNumber": 17, "severityText": "ERROR", "eventName": "x",
                        "body": value_of({"msg": "a", "n": [1, {"k": "v"}]})}),
}  # fmt: skip
KEPT = msgspec.msgpack.Decoder(list[AnyRecord])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


PLACES = {signal: [place for place in places(request) if place] for signal, request in REQUESTS.items()}


def changed(request: dict[str, Any], place: tuple[Any, ...], odd: Any) -> None:
    """Puts something odd at a place, if what leads there still does."""
    value: Any = request
    for key in place[:-1]:
        value = (
            value.get(key)
            if isinstance(value, dict)
            else value[key]
            if isinstance(value, list) and isinstance(key, int) and len(value) > key
            else None
        )
    last = place[-1]
    if isinstance(value, dict) or (isinstance(value, list) and isinstance(last, int) and len(value) > last):
        value[place[-1]] = odd


def test_all_of_it_is_taken_while_nothing_is_odd() -> None:
    for signal, request in REQUESTS.items():
        got = sent(signal, request, receiver=otlp(prices={"m": {"input": 1}}))
        assert (got.reply.status, got.reply.body) == (200, b"{}"), signal


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_odd_values_are_answered_and_what_is_taken_is_kept(signal: str, data: st.DataObject) -> None:
    request = deepcopy(REQUESTS[signal])
    for _ in range(data.draw(st.integers(1, 3))):
        changed(request, data.draw(st.sampled_from(PLACES[signal])), data.draw(st.sampled_from(ODD)))
    got = sent(signal, _written(request), receiver=otlp(log_samples=True))
    assert got.reply.status in {200, 400}
    records = KEPT.decode(msgspec.msgpack.encode(list(got.records)))
    for record in records:
        to_wire(record)
    engine = Engine(Rulebook(detect=(DetectRule(name="All", metric="*", when=Threshold(above=1e300)),)))
    assert not [one for one in engine.decide(records, NOW) if "refused" in repr(one)]
    engine.decide([], NOW + 120)
    engine.snapshot()


def _written(request: Any) -> bytes:
    """As JSON; numbers may be larger than any encoder of ours writes."""
    return json.dumps(request).encode()
