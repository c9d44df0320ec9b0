"""From spans and points over OTLP to alerts and an incident: what detectors read is what was sent."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.otlp_payloads import (
    CLIENT,
    PROTOBUF,
    SERVER,
    attributes,
    logs,
    metrics,
    ns,
    otlp,
    point,
    protobuf,
    span,
    traces,
)  # fmt: skip
from quell.core.engine import Engine
from quell.model.detect import DetectRule, New, Shift, Threshold
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


LOG_RULES = (
    DetectRule(name="NewErrors", log="*", pooled=True, when=New(learn_s=600.0, unseen_s=86_400.0, volume=5.0)),
    DetectRule(name="Surge", log="*", errors=True, when=Shift(factor=3.0, against_s=3600.0, volume=20.0)),
    DetectRule(name="Quality", metric="gen_ai_evaluation*", when=Threshold(below=0.5), need=2, of=3),
    DetectRule(name="Slow", metric="gen_ai_duration", when=Threshold(above=5.0)),
    DetectRule(name="CallsFail", metric="calls.error_share", when=Threshold(above=0.5), delay_s=60.0),
)


class Talk:
    """A bot that logs and asks a model, each minute."""

    def __init__(self) -> None:
        self.engine = Engine(Rulebook(detect=LOG_RULES))
        self.receiver = otlp()

    def minute(self, number: int, lines: list[tuple[str, int]], score: float = 0.9, took: float = 1.0) -> None:
        at, ago = NOW + 60 * number + 30, -60.0 * number - 25
        written = [
            {"timeUnixNano": str(ns(ago)), "severityNumber": severity, "body": {"stringValue": body}}
            for body, severity in lines
        ]
        judged = {
            "gen_ai.request.model": "m",
            "gen_ai.evaluation.name": "relevance",
            "gen_ai.evaluation.score.value": score,
        }
        written.append({"timeUnixNano": str(ns(ago)), "eventName": "gen_ai.evaluation.result",
                        "attributes": attributes(judged)})  # fmt: skip
        asked = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1}
        for signal, request in (
            ("logs", logs("bot", *written)),
            ("traces", traces(("bot", [span(1, kind=CLIENT, told=asked, took=took, ago=ago, trace=number + 1)]))),
        ):
            body = Request("POST", f"/v1/{signal}", protobuf(signal, request), {"content-type": PROTOBUF})
            records = list(self.receiver.receive(body, at).records)
            self.engine.decide(msgspec.msgpack.decode(msgspec.msgpack.encode(records), type=Records), at)
        self.engine.decide([], at + 35)

    def firing(self) -> set[tuple[str, str | None]]:
        found = self.engine.state.alerts.values()
        return {(one.labels["alertname"], one.entity) for one in found if one.firing}


def test_lines_become_statements_that_shift_and_are_new_and_models_get_worse() -> None:
    talk = Talk()
    usual = [(f"order {number} refused for user {number * 7}", 17) for number in range(10)]
    for number in range(15):
        talk.minute(number, usual)
    assert talk.firing() == set()
    surge = [(f"order {number} refused for user {number}", 17) for number in range(200)]
    broken = [(f"the ledger at 10.0.0.{number} does not answer", 17) for number in range(9)]
    fired = set()
    for number in range(15, 18):
        talk.minute(number, [*surge, *broken], score=0.2, took=9.0)
        fired |= talk.firing()
    assert fired == {
        ("Surge", "service/bot"), ("NewErrors", "service/bot"), ("Quality", "model/m"), ("Slow", "model/m"),
    }  # fmt: skip
    told = [one for one in talk.engine.state.alerts.values() if one.labels["alertname"] == "NewErrors"]
    assert ["the ledger at <*> does not answer" in repr(one) for one in told] == [True]


def test_calls_that_only_the_callers_tell_of_are_judged_when_it_is_known_that_nobody_else_does() -> None:
    engine, receiver = Engine(Rulebook(detect=LOG_RULES)), otlp()
    asks = {"http.request.method": "POST", "server.address": "pay.example.com"}
    for number in range(4):
        at, ago = NOW + 60 * number + 30, -60.0 * number - 25
        spans = [span(one, kind=CLIENT, told=asks, error=number > 0, ago=ago, trace=number + 1) for one in range(1, 9)]
        body = protobuf("traces", traces(("shop", spans)))
        got = receiver.receive(Request("POST", "/v1/traces", body, {"content-type": PROTOBUF}), at)
        engine.decide(got.records, at)
    engine.decide([], NOW + 600)
    assert [(one.labels["alertname"], one.entity) for one in engine.state.alerts.values()] == [
        ("CallsFail", "service/pay.example.com")
    ]
