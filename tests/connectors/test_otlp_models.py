"""Use of models over OTLP, by the names of today's conventions, of those before them, and of others' own."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.otlp_payloads import CLIENT, INTERNAL, attributes, both, logs, metrics, ns, point, sent, span, traces
from quell.model.records import AnyRecord, DependencyRecord, LogRecord, SamplesRecord, TotalsRecord

PRICES = {"gpt-4o": {"input": 2.0, "output": 10.0, "cached_input": 1.0, "cache_write": 4.0}}
MODEL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def samples(records: Any, entity: str = "model/gpt-4o") -> dict[str, float]:
    found: dict[str, float] = {}
    for one in records:
        if isinstance(one, SamplesRecord) and one.entity == entity:
            found |= {name: value[0] for name, value in one.values.items()}
    return found


@pytest.mark.parametrize(
    "told",
    [
        {**MODEL, "gen_ai.provider.name": "x", "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
         "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.cache_write.input_tokens": 100},
        {**MODEL, "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
         "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.cache_creation.input_tokens": 100},
        {"gen_ai.system": "openai", **MODEL, "gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 100,
         "gen_ai.usage.cache_read_input_tokens": 400, "gen_ai.usage.cache_creation_input_tokens": 100},
        {"llm.request.type": "chat", "llm.request.model": "gpt-4o", "llm.usage.prompt_tokens": 1000,
         "llm.usage.completion_tokens": 100, "gen_ai.usage.input_tokens.cached": 400,
         "gen_ai.usage.input_tokens.cache_write": 100},
        {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 1000,
         "llm.token_count.completion": 100, "llm.token_count.prompt_details.cache_read": 400,
         "llm.token_count.prompt_details.cache_write": 100},
    ],
    ids=["1.44", "1.40", "1.26", "OpenLLMetry", "OpenInference"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [CLIENT, INTERNAL])
def test_tokens_latency_and_cost_by_all_names(told: dict[str, Any], kind: int) -> None:
    got = both("traces", traces(("bot", [span(1, kind=kind, name="chat", told=told, took=2.0)])), prices=PRICES)
    assert samples(got.records) == {
        "gen_ai_calls": 1.0, "gen_ai_errors": 0.0, "gen_ai_duration": 2.0, "gen_ai_input_tokens": 1000.0,
        "gen_ai_output_tokens": 100.0,
        "gen_ai_cost{currency=USD,from=spans}": pytest.approx((500 * 2 + 400 * 1 + 100 * 4 + 100 * 10) / 1e6),
    }  # fmt: skip
    assert ("service/bot", "model/gpt-4o") in dependencies(got.records)


def dependencies(records: Any) -> set[tuple[str, str]]:
    return {(one.from_, one.to) for one in records if isinstance(one, DependencyRecord)}


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "fetch_response"])
def test_who_only_passes_tokens_on_uses_no_model(operation: str) -> None:
    told = {**MODEL, "gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": 10}
    assert samples(both("traces", traces(("bot", [span(1, kind=INTERNAL, told=told)]))).records) == {}


def counter(name: str, value: int, temporality: int) -> dict[str, Any]:
    told = {**MODEL, "gen_ai.provider.name": "openai", "gen_ai.token.modality": "text"}
    points = [{**point(value, told=told), "startTimeUnixNano": str(ns(65))}]
    return {"name": name, "sum": {"isMonotonic": True, "aggregationTemporality": temporality, "dataPoints": points}}


def test_counters_of_tokens_are_priced() -> None:
    listed = [("input", 1000), ("output", 100)]
    delta = [counter(f"gen_ai.client.inference.usage.{kind}_tokens", value, 1) for kind, value in listed]
    found = samples(both("metrics", metrics("bot", *delta), prices=PRICES).records)
    label = "{gen_ai.operation.name=chat,gen_ai.token.modality=text}"
    assert found == {
        f"gen_ai.client.inference.usage.input_tokens{label}": 1000.0,
        f"gen_ai.client.inference.usage.output_tokens{label}": 100.0,
        "gen_ai_cost{currency=USD,from=metrics,tokens=input}": pytest.approx(0.002),
        "gen_ai_cost{currency=USD,from=metrics,tokens=output}": pytest.approx(0.001),
    }
    running = [counter(f"gen_ai.client.inference.usage.{kind}_tokens", value, 2) for kind, value in listed]
    got = both("metrics", metrics("bot", *running), prices=PRICES)
    costs = {
        (one.instance, name): value
        for one in got.records
        if isinstance(one, TotalsRecord)
        for name, value in one.values.items()
        if name.startswith("gen_ai_cost")
    }
    assert costs == {
        ("@2", "gen_ai_cost{currency=USD,from=metrics,tokens=input}"): pytest.approx(0.002),
        ("@10", "gen_ai_cost{currency=USD,from=metrics,tokens=output}"): pytest.approx(0.001),
    }
    unknown = samples(both("metrics", metrics("bot", *delta)).records)
    assert unknown["gen_ai_cost_unknown{from=metrics}"] == 1100.0


def test_latency_told_by_metrics_is_that_of_the_model() -> None:
    for name in ("gen_ai.client.operation.duration", "gen_ai.client.inference.duration",
                 "gen_ai.server.time_to_first_token"):  # fmt: skip
        told = {"timeUnixNano": str(ns()), "startTimeUnixNano": str(ns(60)), "count": "2", "sum": 3.0,
                "bucketCounts": ["0", "2"], "explicitBounds": [1.0], "attributes": attributes(MODEL)}  # fmt: skip
        metric = {"name": name, "histogram": {"aggregationTemporality": 1, "dataPoints": [told]}}
        found = samples(both("metrics", metrics("bot", metric)).records)
        assert found[f"{name}_sum{{gen_ai.operation.name=chat}}"] == 3.0


def judged(event: str, **told: Any) -> list[AnyRecord]:
    line = {"timeUnixNano": str(ns()), "eventName": event,
            "attributes": attributes({"gen_ai.request.model": "gpt-4o", **told})}  # fmt: skip
    in_log = both("logs", logs("bot", line))
    asked = {"timeUnixNano": str(ns()), "name": event, "attributes": attributes(told)}
    spans = [span(1, kind=CLIENT, told={**MODEL, "gen_ai.usage.input_tokens": 1}, events=[asked])]
    in_span = samples(both("traces", traces(("bot", spans))).records)
    found = samples(in_log.records)
    assert {name: in_span[name] for name in found} == found
    return list(in_log.records)


def test_evaluations_by_all_names() -> None:
    now = judged("gen_ai.evaluation.result", **{
        "gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.25,
        "gen_ai.evaluation.score.label": "fail", "gen_ai.evaluation.explanation": "nothing of tea"})  # fmt: skip
    assert samples(now) == {
        "gen_ai_evaluation{name=relevance}": 0.25, "gen_ai_evaluation_label{label=fail,name=relevance}": 1.0,
    }  # fmt: skip
    assert "tea" not in repr(now)
    before = judged("gen_ai.evaluation.relevance", **{"gen_ai.evaluation.score": 0.5})
    assert samples(before) == {"gen_ai_evaluation{name=relevance}": 0.5}
    failed = judged("gen_ai.evaluation.result", **{"gen_ai.evaluation.name": "relevance", "error.type": "timeout"})
    assert samples(failed) == {"gen_ai_evaluation_errors{name=relevance}": 1.0}


def test_what_was_said_to_a_model_is_not_kept() -> None:
    spoken = [
        {"timeUnixNano": str(ns()), "eventName": name, "severityNumber": 9, "body": body}
        for name, body in (
            ("gen_ai.user.message", {"stringValue": "my sister Ana is ill"}),
            ("gen_ai.choice", {"kvlistValue": {"values": attributes({"message": "poor Ana"})}}),
            ("gen_ai.client.inference.operation.details", {"stringValue": "Ana"}),
        )
    ]
    got = sent("logs", logs("bot", *spoken))
    assert "Ana" not in repr(got.records)
    assert {one.template for one in got.records if isinstance(one, LogRecord)} == {
        "gen_ai.user.message", "gen_ai.choice", "gen_ai.client.inference.operation.details",
    }  # fmt: skip
