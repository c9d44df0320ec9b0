"""From spans and points over OTLP to alerts and an incident: what detectors read is what was sent."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.otlp_payloads import CLIENT, PROTOBUF, SERVER, metrics, otlp, point, protobuf, span, traces
from quell.core.engine import Engine
from quell.model.detect import DetectRule, Threshold
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.sdk.connector import Request
from quell.sdk.testkit import NOW

RULES = (
    DetectRule(
        name="CallsFail", metric="calls.error_share", when=Threshold(above=0.05), need=2, of=3, severity="critical"
    ),
    DetectRule(name="Costly", metric="gen_ai_cost*", when=Threshold(above=1.0, aggregate="sum"), severity="warning"),
    DetectRule(name="FewOrders", metric="orders", when=Threshold(below=5.0, aggregate="sum"), severity="critical"),
)


class Course:
    """A service that tells of itself each minute."""

    def __init__(self) -> None:
        self.engine = Engine(Rulebook(detect=RULES))
        self.receiver = otlp(prices={"gpt-4o": {"input": 1000, "output": 1000}})

    def minute(self, number: int, *, failing: int = 0, tokens: int = 10, orders: int = 10_000) -> None:
        at, ago = NOW + 60 * number + 30, -60.0 * number - 25  # in the middle of a window
        told = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": tokens}
        spans = [span(one, name="GET /", kind=SERVER, error=one <= failing, ago=ago) for one in range(1, 21)]
        spans.append(span(99, 1, kind=CLIENT, name="chat", told=told, ago=ago))
        running: dict[str, Any] = {"aggregationTemporality": 2, "isMonotonic": True}
        running["dataPoints"] = [point(orders, ago=ago)]
        for signal, request in (
            ("traces", traces(("shop", spans))),
            ("metrics", metrics("shop", {"name": "orders", "sum": running})),
        ):
            asked = Request("POST", f"/v1/{signal}", protobuf(signal, request), {"content-type": PROTOBUF})
            received = self.receiver.receive(asked, at)
            assert received.reply.body == b"", received.reply
            self.engine.decide(msgspec.msgpack.decode(msgspec.msgpack.encode(list(received.records)), type=Records), at)
        self.engine.decide([], at + 35)

    def firing(self) -> set[tuple[str, str | None]]:
        found = self.engine.state.alerts.values()
        return {(one.labels["alertname"], one.entity) for one in found if one.firing}


Records = list[AnyRecord]


def test_a_service_that_begins_to_fail_is_an_incident_of_its_own() -> None:
    course, orders = Course(), 10_000
    for number in range(5):
        orders += 50
        course.minute(number, orders=orders)
    assert course.firing() == set()
    for number in range(5, 10):
        orders += 1
        course.minute(number, failing=10, tokens=2_000, orders=orders)
    assert course.firing() == {
        ("CallsFail", "service/shop"), ("Costly", "model/gpt-4o"), ("FewOrders", "service/shop"),
    }  # fmt: skip
    edges = {(one.from_, one.to) for one in course.engine.state.dependencies.values()}
    assert edges == {("service/shop", "model/gpt-4o")}
    assert course.engine.state.incidents
