"""Points over OTLP: samples by entity, running totals by process, quantiles, nothing lost in silence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from connectors.otlp_payloads import (
    JSON,
    PROTOBUF,
    attributes,
    both,
    gauge,
    metrics,
    ns,
    otlp,
    point,
    protobuf,
    sent,
)
from quell.errors import Misconfigured
from quell.model.records import (
    AnyRecord,
    DependencyRecord,
    DistributionRecord,
    RunningHistogram,
    SamplesRecord,
    TotalsRecord,
)
from quell.sdk.testkit import NOW
from quell_connectors.otlp.prices import read_prices

DELTA, CUMULATIVE = 1, 2


def series(records: Iterable[AnyRecord], entity: str = "service/web") -> dict[str, list[tuple[float, float | None]]]:
    """Points relative to now by series."""
    return {
        name: [(round(at - NOW, 3), value) for at, value in zip(one.times, values, strict=True)]
        for one in records
        if isinstance(one, SamplesRecord) and one.entity == entity
        for name, values in one.values.items()
    }


def total(name: str, value: Any, temporality: int, *, monotonic: bool = True, **told: Any) -> dict[str, Any]:
    data = {"dataPoints": [point(value, **told)], "aggregationTemporality": temporality, "isMonotonic": monotonic}
    return {"name": name, "sum": data}


def histogram(
    name: str, temporality: int, *, bounds: list[float], counts: list[int], told: Any = None, **more: Any
) -> Any:
    data = {
        "timeUnixNano": str(ns()), "count": str(sum(counts)), "explicitBounds": bounds,
        "bucketCounts": [str(count) for count in counts], "attributes": attributes(told or {}), **more,
    }  # fmt: skip
    return {"name": name, "histogram": {"dataPoints": [data], "aggregationTemporality": temporality}}


def problem(received: Any) -> tuple[str, str]:
    told = msgspec.json.decode(received.reply.body).get("partialSuccess", {})
    return told.get("rejectedDataPoints", "0"), told.get("errorMessage", "")


def test_gauges_are_samples_as_they_are() -> None:
    got = both("metrics", metrics("web", gauge("queue.length", 7), gauge("temperature", 21.5, told={"room": "a"})))
    assert series(got.records) == {"queue.length": [(-5.0, 7.0)], "temperature{room=a}": [(-5.0, 21.5)]}
    assert len([one for one in got.records if isinstance(one, SamplesRecord)]) == 1


def totals(records: Iterable[AnyRecord]) -> list[TotalsRecord]:
    return [one for one in records if isinstance(one, TotalsRecord)]


def test_running_totals_are_told_apart_by_process() -> None:
    told = {"service.name": "web", "service.instance.id": "i-1"}
    began = total("requests", 70, CUMULATIVE)
    began["sum"]["dataPoints"][0]["startTimeUnixNano"] = str(ns(600))
    got = both("metrics", metrics(told, began, total("orders", 5, CUMULATIVE)))
    assert series(got.records) == {}
    assert [(one.entity, one.instance, one.at, one.started_at, one.values) for one in totals(got.records)] == [
        ("service/web", "i-1", NOW - 5, NOW - 600, {"orders": 5.0, "requests": 70.0})
    ]


def test_deltas_and_levels_are_no_running_totals() -> None:
    got = both("metrics", metrics("web", total("requests", 3, DELTA), total("active", 4, CUMULATIVE, monotonic=False)))
    assert series(got.records) == {"requests": [(-5.0, 3.0)], "active": [(-5.0, 4.0)]}


def test_attributes_that_make_many_series_are_put_together() -> None:
    listed = [
        {"name": "requests", "sum": {"aggregationTemporality": DELTA, "isMonotonic": True, "dataPoints": [
            point(3, told={"http.route": "/a", "error.type": "500"}),
            point(4, told={"http.route": "/b", "error.type": "500"}),
            point(5, told={"http.route": "/b", "tenant": "x"}),
        ]}},
        gauge("load", 1, told={"host.name": "a"}), gauge("load", 2, told={"host.name": "b"}),
    ]  # fmt: skip
    assert series(both("metrics", metrics("web", *listed)).records) == {
        "requests{error.type=500}": [(-5.0, 7.0)], "requests{tenant=x}": [(-5.0, 5.0)], "load": [(-5.0, 1.5)],
    }  # fmt: skip
    kept = both(
        "metrics", metrics("web", *listed), keep_attributes=["http.route"], drop_attributes=["error.*", "tenant"]
    )
    assert series(kept.records)["requests{http.route=/b}"] == [(-5.0, 9.0)]


def test_names_that_would_be_as_long_as_a_page_are_refused_with_what_to_do() -> None:
    many = {f"team.attribute.{number}": "x" * 200 for number in range(20)}
    got = both("metrics", metrics("web", gauge("load", 1, told=many), gauge("queue", 2)))
    assert series(got.records) == {
        "queue": [(-5.0, 2.0)],
        "otlp_rejected{reason=long_name,signal=metrics}": [(0.0, 1.0)],
    }
    count, said = problem(got)
    assert count == "1"
    assert said.startswith("1 data points have too many attributes for a name; say what to leave out (drop_attributes)")


def test_attributes_and_names_as_long_as_books_are_not_remembered() -> None:
    book = "x" * 100_000
    source = otlp()
    told = {"service.name": "web", "process.command_args": book}
    got = sent("metrics", metrics(told, gauge("load", 1, told={"http.url": book})), PROTOBUF, source)
    assert series(got.records) == {"load": [(-5.0, 1.0)]}
    assert len(repr(vars(source._homes)) + repr(vars(source._series))) < 10_000


def test_histograms_of_deltas_have_quantiles() -> None:
    bounds, counts = [0.1, 0.2, 0.5, 1.0], [10, 80, 8, 1, 1]
    got = both("metrics", metrics("web", histogram("took", DELTA, bounds=bounds, counts=counts, sum=17.5, max=3.0)))
    found = {name: points[0][1] for name, points in series(got.records).items()}
    assert found == {
        "took_count": 100.0, "took_sum": 17.5, "took_p50": pytest.approx(0.15), "took_p95": pytest.approx(0.3875),
        "took_p99": pytest.approx(1.0),
    }  # fmt: skip


def test_histograms_of_different_bounds_are_put_together() -> None:
    one = histogram("took", DELTA, bounds=[1.0, 2.0], counts=[0, 10, 0], told={"http.route": "/a"})
    other = histogram("took", DELTA, bounds=[1.5, 2.0], counts=[0, 10, 0], told={"http.route": "/b"})
    found = series(both("metrics", metrics("web", one, other)).records)
    assert found["took_count"] == [(-5.0, 20.0)]
    assert found["took_p50"][0][1] == pytest.approx(1.5 + 0.5 * 5 / 15)


def test_running_histograms_are_told_by_bucket() -> None:
    routes = [
        histogram(
            "took", CUMULATIVE, bounds=[1.0], counts=[1, number], sum=4.0, max=9.0, told={"http.route": f"/{number}"}
        )
        for number in (1, 2)
    ]
    [told] = totals(both("metrics", metrics("web", *routes)).records)
    assert told.histograms == {"took": RunningHistogram(count=5, sum=8.0, bounds=(1.0,), counts=(2, 3))}


def test_exponential_histograms_have_quantiles_and_are_distributions() -> None:
    data = {
        "startTimeUnixNano": str(ns(65)), "timeUnixNano": str(ns()), "count": "101", "sum": 210.0, "scale": 1,
        "zeroCount": "1", "positive": {"offset": 2, "bucketCounts": ["50", "0", "50"]}, "attributes": [],
    }  # fmt: skip
    sent_ = {"name": "took", "exponentialHistogram": {"dataPoints": [data], "aggregationTemporality": DELTA}}
    got = both("metrics", metrics("web", sent_))
    found = {name: points[0][1] for name, points in series(got.records).items()}
    assert found["took_count"] == 101.0
    assert found["took_p50"] == pytest.approx(2.0 + (2**1.5 - 2.0) * 49.5 / 50)
    assert 4.0 < (found["took_p99"] or 0.0) <= 2**2.5
    [told] = [one for one in got.records if isinstance(one, DistributionRecord)]
    assert (told.entity, told.field, told.over_s, told.count, told.zero) == ("service/web", "took", 60.0, 101, 1)
    assert (told.scale, told.positive) == (1, [(2, 50), (4, 50)])


def test_summaries_bring_their_quantiles() -> None:
    data = {"timeUnixNano": str(ns()), "count": "10", "sum": 5.0, "quantileValues": [{"quantile": 0.99, "value": 2.0}]}
    got = both("metrics", metrics("web", {"name": "took", "summary": {"dataPoints": [data]}}))
    assert series(got.records) == {"took_p99": [(-5.0, 2.0)]}
    assert [one.histograms for one in totals(got.records)] == [{"took": RunningHistogram(count=10, sum=5.0)}]


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (gauge("a", "NaN"), "are no number"),
        (gauge("a", "Infinity"), "are no number"),
        (gauge("a", 1, ago=7200), "are older than 3600 s"),
        (gauge("a", 1, ago=-3600), "a clock is wrong"),
        ({"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": str(ns())}]}}, "have no value"),
        ({"name": "a", "gauge": {"dataPoints": [{"asDouble": 1.5}]}}, "have no time"),
        ({"name": "a"}, "of a type that is not known"),
        ({**gauge("a", 1), "name": ""}, "have no name"),
        (histogram("a", DELTA, bounds=[1.0], counts=[1, 2, 3]), "buckets that do not fit"),
        (histogram("a", DELTA, bounds=[2.0, 1.0], counts=[1, 2, 3]), "buckets that do not fit"),
        (histogram("a", DELTA, bounds=[1.0], counts=[1, 2], sum="NaN"), "are no number"),
    ],
)
def test_what_is_wrong_with_points_is_said_and_counted(metric: dict[str, Any], reason: str) -> None:
    if metric.get("histogram", {}).get("dataPoints", [{}])[0].get("sum") == "NaN":
        got = sent("metrics", metrics("web", metric, gauge("good", 1)))
    else:
        got = both("metrics", metrics("web", metric, gauge("good", 1)))
    rejected, message = problem(got)
    assert rejected == "1"
    assert reason in message
    found = series(got.records)
    assert found["good"] == [(-5.0, 1.0)]
    assert any(name.startswith("otlp_rejected{reason=") for name in found)
    assert len(found) == 2


def test_a_point_that_says_that_there_is_no_value_is_no_mistake() -> None:
    got = both("metrics", metrics("web", {"name": "a", "gauge": {"dataPoints": [
        {"timeUnixNano": str(ns()), "flags": 1, "asDouble": 0.0}]}}))  # fmt: skip
    assert (series(got.records), problem(got)) == ({}, ("0", ""))


def test_more_series_than_a_metric_may_have_are_refused_aloud() -> None:
    points = [point(1, told={"shard": str(number)}) for number in range(70)]
    got = both("metrics", metrics("web", {"name": "a", "gauge": {"dataPoints": points}}))
    rejected, message = problem(got)
    assert rejected == "6"
    assert "drop_attributes" in message


def test_tokens_are_priced_and_stand_with_their_model() -> None:
    told = {"gen_ai.request.model": "gpt-4o", "gen_ai.token.type": "output", "gen_ai.operation.name": "chat"}
    tokens = histogram("gen_ai.client.token.usage", DELTA, bounds=[100.0], counts=[1, 1], sum=2000.0, told=told)
    prices = {
        "gpt-4*": [{"input": 5, "output": 20}, {"input": 2, "output": 10, "from": "2020-01-01", "currency": "eur"}]
    }
    got = both("metrics", metrics("bot", tokens), prices=prices)
    found = series(got.records, "model/gpt-4o")
    assert found["gen_ai_cost{currency=EUR,from=metrics,tokens=output}"] == [(-5.0, pytest.approx(0.02))]
    assert found["gen_ai.client.token.usage_sum{gen_ai.operation.name=chat,gen_ai.token.type=output}"] == [
        (-5.0, 2000.0)
    ]
    assert ("service/bot", "model/gpt-4o") in {
        (one.from_, one.to) for one in got.records if isinstance(one, DependencyRecord)
    }  # fmt: skip
    tokens["histogram"]["aggregationTemporality"] = CUMULATIVE
    [running] = [one for one in totals(both("metrics", metrics("bot", tokens), prices=prices).records) if one.values]
    assert running.values == {"gen_ai_cost{currency=EUR,from=metrics,tokens=output}": pytest.approx(0.02)}
    assert running.instance.endswith("@10")
    tokens["histogram"]["aggregationTemporality"] = DELTA
    unknown = both("metrics", metrics("bot", tokens))
    assert series(unknown.records, "model/gpt-4o")["gen_ai_cost_unknown{from=metrics}"] == [(-5.0, 2000.0)]
    assert 'the cost of model "gpt-4o" is not known' in problem(unknown)[1]


def test_prices_are_those_of_the_time_and_of_the_longest_pattern() -> None:
    prices = read_prices(
        {"o*": {"input": 1, "output": 1}, "o4-*": {"input": 2, "output": 2},
         "x": [{"input": 3, "output": 3, "from": "2026-06-01"}, {"input": 4, "output": 4}]}, "otel",
    )  # fmt: skip
    found = [prices.of([name], at) for name, at in (("o4-mini", NOW), ("o3", NOW), ("z", NOW), ("x", 0.0), ("X", 2e9))]
    assert [price and price.input for price in found] == [2.0, 1.0, None, 4.0, 3.0]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"m": 7}, "prices.m: expected {input"),
        ({"m": {"input": "2"}}, 'prices.m.input: "2" is not a price'),
        ({"m": {"output": 2}}, "prices.m.input: is missing"),
        ({"m": {"input": 1, "ouput": 2}}, "prices.m.ouput: is not known"),
        ({"m": [{"input": 1, "from": "soon"}]}, "prices.m[0].from"),
        ({"m": {"input": -1}}, "is not a price"),
    ],
)
def test_mistakes_in_prices_are_told_with_their_place(table: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured) as error:
        otlp(prices=table)
    assert said in str(error.value)


@pytest.mark.parametrize("template", ["service/web", "${service.name}", "/${service.name}"])
def test_mistakes_in_the_name_of_entities_are_told(template: str) -> None:
    with pytest.raises(Misconfigured):
        otlp(entity=template)


def test_requests_are_refused_in_their_own_encoding() -> None:
    binary = sent("metrics", b"\x0a\xff", PROTOBUF)
    assert (binary.reply.status, binary.reply.content_type) == (400, PROTOBUF)
    assert binary.reply.body.startswith(b"\x08\x03\x12")
    text = sent("metrics", b'{"resourceMetrics": 7}')
    assert text.reply.status == 400
    assert msgspec.json.decode(text.reply.body)["message"].startswith("resourceMetrics: ")
    assert [one.payload for one in text.rejected] == [b'{"resourceMetrics": 7}']
    assert sent("metrics", b"x", "text/plain").reply.status == 415
    assert sent("profiles", b"", PROTOBUF).reply.status == 404
    assert sent("metrics", b"", PROTOBUF).reply.status == 200


def test_replies_are_read_by_the_published_classes() -> None:
    body = protobuf("metrics", metrics("web", gauge("a", "NaN"), gauge("b", 1)))
    reply = ExportMetricsServiceResponse.FromString(sent("metrics", body, PROTOBUF).reply.body)
    assert reply.partial_success.rejected_data_points == 1
    assert "no number" in reply.partial_success.error_message


Points = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from([{}, {"k": "1"}, {"http.route": "/x"}, {"http.route": "/y"}]),
        st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(1, 3),
    ),
    max_size=12,
)  # fmt: skip


@given(Points, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_points_changes_nothing(told: list[Any], random: Any) -> None:
    listed = [gauge(name, value, ago=float(ago), told=attributes_) for name, attributes_, value, ago in told]
    one = sent("metrics", metrics("web", *listed))
    other = sent("metrics", metrics("web", *random.sample(listed, len(listed))), PROTOBUF, otlp())
    assert one.records == other.records
    assert one.reply.content_type == JSON


def test_exponential_histograms_of_different_scales_are_merged() -> None:
    def of(scale: int, route: int) -> dict[str, Any]:
        return {
            "timeUnixNano": str(ns()), "count": "160", "sum": 1.0, "scale": scale,
            "attributes": attributes({"http.route": f"/{route}"}),
            "positive": {"offset": -80, "bucketCounts": ["1"] * 160}, "negative": {},
        }  # fmt: skip

    data = [of(2 + number % 5, number) for number in range(200)]
    sent_ = {"name": "took", "exponentialHistogram": {"dataPoints": data, "aggregationTemporality": DELTA}}
    found = series(both("metrics", metrics("web", sent_)).records)
    assert found["took_count"] == [(-5.0, 32_000.0)]
    assert found["took_p50"][0][1] == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize(
    "told", [{"scale": 3_000}, {"scale": -11}, {"positive": {"offset": 2**30, "bucketCounts": ["3"]}}]
)
def test_buckets_beyond_all_measure_are_refused(told: dict[str, Any]) -> None:
    data = {
        "timeUnixNano": str(ns()),
        "count": "3",
        "scale": 2,
        "positive": {"offset": 1, "bucketCounts": ["3"]},
        **told,
    }
    sent_ = {"name": "took", "exponentialHistogram": {"dataPoints": [data], "aggregationTemporality": DELTA}}
    got = both("metrics", metrics("web", sent_))
    assert "buckets that do not fit" in problem(got)[1]
