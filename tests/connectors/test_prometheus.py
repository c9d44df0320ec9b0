from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import GOLDEN, built
from connectors.real_prometheus import RealPrometheus, real_prometheus
from quell.errors import BadPayload, Misconfigured, Refused, Unreachable
from quell.model.records import AlertRecord, SampleRecord
from quell.sdk.connector import Call, Pulled
from quell.sdk.http import Answer
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, Sent, run
from quell_connectors.prometheus import Prometheus
from quell_connectors.prometheus.translate import number, samples_of, series_of

NOTHING = b'{"status":"success","data":{"groups":[],"alerts":[]}}'
READ = {
    name: (GOLDEN / "prometheus" / f"{name}.json").read_bytes()
    for name in ("rules", "alerts", "query", "nan", "range", "error")
}


def answering(rules: bytes, alerts: bytes) -> FakeHttp:
    return FakeHttp(lambda sent: Answer(200, {}, rules if sent.url.endswith("/rules") else alerts))


def pulled(cursor: str | None, rules: bytes = READ["rules"], alerts: bytes = READ["alerts"]) -> Pulled:
    result: Pulled = run(built(Prometheus, answering(rules, alerts), url="http://p:9090/").pull(cursor, NOW))
    return result


def named(result: Pulled) -> dict[str, str]:
    return {record.labels["alertname"]: record.status for record in result.records if isinstance(record, AlertRecord)}


def test_firing_alerts_are_pulled_with_their_rule_s_threshold() -> None:
    fired, broken = pulled(None).records

    assert fired == AlertRecord(
        at=NOW,
        seen=NOW,
        source="src",
        status="firing",
        labels={"alertname": "AlwaysFiring", "service": "checkout", "severity": "critical"},
        annotations={"summary": "checkout is above 7"},
        starts_at=1795244561.189083,
        value=7.0,
        threshold=5.0,
    )
    assert isinstance(broken, AlertRecord)
    assert (broken.labels["alertname"], broken.threshold) == ("Broken", None)


def test_an_alert_that_is_gone_is_resolved_once() -> None:
    first = pulled(None)
    second = pulled(first.cursor, READ["rules"], NOTHING)
    third = pulled(second.cursor, NOTHING, NOTHING)

    assert named(first) == {"AlwaysFiring": "firing", "Broken": "firing"}
    assert named(second) == {"AlwaysFiring": "resolved", "Broken": "resolved"}
    resolved = second.records[0]
    assert isinstance(resolved, AlertRecord)
    assert (resolved.ends_at, resolved.starts_at) == (NOW, 1795244561.189083)
    assert list(third.records) == []


def test_nothing_is_resolved_because_its_rule_could_not_be_evaluated() -> None:
    sick = READ["rules"].replace(b'"health":"ok"', b'"health":"err"')
    first = pulled(None)

    second = pulled(first.cursor, sick, NOTHING)
    third = pulled(second.cursor)
    fourth = pulled(third.cursor, READ["rules"], NOTHING)

    assert (named(second), second.cursor) == ({}, first.cursor)
    assert named(third) == {"AlwaysFiring": "firing", "Broken": "firing"}
    assert set(named(fourth).values()) == {"resolved"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Unreachable("p:9090 cannot be connected to"), Unreachable),
        (Answer(503, {}, b"starting"), Unreachable),
        (Answer(401, {}, b"who"), Refused),
        (Answer(200, {}, b"<html>sign in</html>"), BadPayload),
        (Answer(200, {}, b'{"status":"error","errorType":"timeout","error":"late"}'), BadPayload),
        (Answer(200, {}, b'{"status":"success","data":{"groups":7}}'), BadPayload),
        (Answer(200, {}, b""), BadPayload),
    ],
)
def test_could_not_ask_is_not_the_same_as_no_alerts(answer: Any, error: type[Exception]) -> None:
    for fails_at in (0, 1):
        http = FakeHttp(*[Answer(200, {}, READ["rules"])][:fails_at], answer)
        with pytest.raises(error):
            run(built(Prometheus, http, url="http://p:9090").pull(pulled(None).cursor, NOW))


def test_the_cursor_of_another_version_is_forgotten() -> None:
    assert named(pulled("17", NOTHING, NOTHING)) == {}


def test_the_token_goes_along_and_is_not_shown() -> None:
    http = FakeHttp(Answer(403, {}, b"bad token t0ken"))
    with pytest.raises(Refused, match=r'prometheus "src" answered 403: bad token \*\*\*'):
        run(built(Prometheus, http, url="http://p", token=Secret("t0ken")).pull(None, NOW))
    assert http.sent[0].headers == {"Authorization": "Bearer t0ken"}
    assert http.sent[0].query == {"type": "alert"}


def asked(labels: dict[str, str], body: bytes = READ["range"], **options: Any) -> tuple[list[Any], list[Sent]]:
    http = FakeHttp(Answer(200, {}, body))
    entity = "service/shop/cart"
    records = run(built(Prometheus, http, url="http://p", **options).ask(entity, labels, NOW - 3600, NOW))
    return list(records), http.sent


QUERIES = {
    "service": {"errors": 'rate(errors{service="${name}",namespace="${labels.namespace}"}[5m])'},
    "host": {"load": "node_load1"},
    "*": {"up": 'up{instance="${labels.instance}"}'},
}


def test_evidence_is_asked_for_by_kind_with_the_entity_s_own_names() -> None:
    records, sent = asked({"namespace": 'sh"op\\', "kind": "service"}, queries=QUERIES)

    [question] = sent
    form = dict(parse_qsl((question.data or b"").decode()))
    assert form["query"] == 'rate(errors{service="cart",namespace="sh\\"op\\\\"}[5m])'
    assert (float(form["start"]), float(form["end"]), float(form["step"])) == (NOW - 3600, NOW, 15.0)
    assert question.url == "http://p/api/v1/query_range"
    [record] = records
    assert isinstance(record, SampleRecord)
    assert (record.entity, record.metric, len(record.points)) == ("service/shop/cart", "errors", 4)
    assert record.points[0] == (1795244566.917, 1.0)


def test_without_queries_only_up_is_asked_for() -> None:
    assert asked({})[1] == []
    assert len(asked({"instance": "10.0.0.1:9100"})[1]) == 1


def test_missing_points_are_missing_and_not_zero() -> None:
    series = series_of(
        b'{"status":"success","data":{"resultType":"matrix","result":['
        b'{"metric":{"__name__":"m","a":"1"},"values":[[1,"NaN"],[2,"1e3"],[3,"+Inf"],[4,"-2"]]},'
        b'{"metric":{"a":"2"},"values":[[1,"NaN"]]},{"metric":{},"values":[]}]}}'
    )

    [record] = samples_of(series, "service/a", "m", "src", NOW)

    assert record.points == [(2.0, 1000.0), (4.0, -2.0)]
    assert record.metric == "m{a=1}"


@pytest.mark.parametrize(("text", "value"), [("7e+00", 7.0), ("NaN", None), ("-Inf", None), ("", None), ("x", None)])
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("body", "value", "count"),
    [
        (READ["query"], 1.0, 1),
        (READ["nan"], None, 1),
        (b'{"status":"success","data":{"resultType":"scalar","result":[1,"4.5"]}}', 4.5, 1),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', None, 0),
    ],
)
def test_a_query_gives_the_first_value_and_all_series(body: bytes, value: float | None, count: int) -> None:
    http = FakeHttp(Answer(200, {}, body))
    done = run(built(Prometheus, http, url="http://p").act(Call("k", "query", {"query": "up"}, NOW)))

    assert (done.output["value"], len(done.output["series"])) == (value, count)
    assert done.sentence == f"up is {'unknown' if value is None else f'{value:g}'}"
    msgspec.json.encode(done.output)


def test_a_query_that_prometheus_cannot_read_is_refused() -> None:
    http = FakeHttp(Answer(400, {}, READ["error"]))
    with pytest.raises(Refused, match="unclosed left parenthesis"):
        run(built(Prometheus, http, url="http://p").act(Call("k", "query", {"query": "up("}, NOW)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ALERT = st.fixed_dictionaries(
    {"state": st.just("firing") | JSON},
    optional={name: JSON | st.dictionaries(st.text(), st.text()) for name in ("labels", "annotations", "activeAt")},
)


@given(
    data=st.fixed_dictionaries({}, optional={"groups": JSON, "alerts": st.lists(ALERT) | JSON}) | JSON, raw=st.binary()
)
def test_any_answer_gives_records_or_bad_payload(data: Any, raw: bytes) -> None:
    for body in (msgspec.json.encode({"status": "success", "data": data}), raw):
        http = FakeHttp(Answer(200, {}, body))
        try:
            result = run(built(Prometheus, http, url="http://p").pull(None, NOW))
        except BadPayload:
            continue
        msgspec.msgpack.encode(list(result.records))


@pytest.mark.needs("prometheus")
def test_a_real_prometheus_is_pulled_asked_and_queried(tmp_path: Path) -> None:
    async def work(source: Prometheus, real: RealPrometheus) -> None:
        first = await source.pull(None, time.time())
        assert named(first) == {"AlwaysFiring": "firing"}
        [record] = first.records
        assert isinstance(record, AlertRecord)
        assert (record.value, record.threshold, record.annotations) == (7.0, 5.0, {"summary": "checkout is above 7"})
        assert record.starts_at is not None
        assert abs(record.starts_at - time.time()) < 60

        real.rules("")
        await asyncio.to_thread(real.until, lambda said: b"AlwaysFiring" not in said, "/api/v1/alerts")
        assert named(await source.pull(first.cursor, time.time())) == {"AlwaysFiring": "resolved"}

        now = time.time()
        [samples] = await source.ask("host/self", {"instance": f"127.0.0.1:{real.port}"}, now - 120, now)
        assert isinstance(samples, SampleRecord)
        assert (samples.metric, samples.points[-1][1]) == ("up", 1.0)
        done = await source.act(Call("k", "query", {"query": "sum(up) + 1"}, now))
        assert (done.output["value"], done.sentence) == (2.0, "sum(up) + 1 is 2")
        with pytest.raises(Refused, match="parse error"):
            await source.act(Call("k", "query", {"query": "up("}, now))

    async def ready_queries(http: GuardedHttp, real: RealPrometheus) -> None:
        series = {"series": {"query": "prometheus_tsdb_head_series", "entity": "kpi/${job}"}}
        source = built(Prometheus, http, url=real.url, presets=["kserve", "seldon"], samples=series, alerts=False)
        [sample] = (await source.pull(None, time.time())).records  # and no query that it cannot read
        assert (sample.entity, sample.metric[:6]) == ("kpi/self", "series")
        assert sample.value > 0

    async def served(real: RealPrometheus) -> None:
        http = GuardedHttp(["loopback"])
        try:
            await work(built(Prometheus, http, url=real.url), real)
            await ready_queries(http, real)
        finally:
            await http.close()

    with real_prometheus(tmp_path) as real:
        run(served(real))
        stopped = real.url
    http = GuardedHttp(["loopback"])
    with pytest.raises(Unreachable, match="connection refused"):
        run(closing(built(Prometheus, http, url=stopped).pull("[]", NOW), http))


async def closing(work: Awaitable[object], http: GuardedHttp) -> None:
    try:
        await work
    finally:
        await http.close()


def test_named_queries_become_samples_of_the_entities_their_labels_name() -> None:
    def answer(sent: Sent) -> Answer:
        query = dict(parse_qsl((sent.data or b"").decode())).get("query", "")
        if "bad" in query:
            return Answer(400, {}, READ["error"])
        rows = [({"region": "eu"}, "0.91"), ({"region": "us", "kind": "card"}, "NaN"), ({}, "1"),
                ({"region": "br", "kind": "card"}, "0.5")]  # fmt: skip
        result = [{"metric": labels, "value": [NOW, value]} for labels, value in rows]
        body = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return Answer(200, {}, msgspec.json.encode(body))

    http = FakeHttp(answer)
    watched = {
        "approvals": {"query": "approvals", "entity": "kpi/approvals-${region}", "unit": "share"},
        "broken": {"query": "bad(", "entity": "kpi/x"},
    }
    result = run(built(Prometheus, http, url="http://p:9090/", samples=watched, alerts=False).pull(None, NOW))
    told = [(one.entity, one.metric, one.value) for one in result.records if isinstance(one, SampleRecord)]
    assert told == [("kpi/approvals-eu", "approvals", 0.91), ("kpi/approvals-br", "approvals{kind=card}", 0.5)]
    [broken] = [one for one in result.records if isinstance(one, AlertRecord) and one.status == "firing"]
    assert broken.labels["alertname"] == "InputUnreadable"
    assert broken.annotations["summary"].startswith('query "broken" of source "src": prometheus "src" answered 400')
    assert [sent.url for sent in http.sent] == ["http://p:9090/api/v1/query"] * 2
    del watched["broken"]
    watched["broken"] = {"query": "good", "entity": "kpi/x"}
    made = built(Prometheus, http, url="http://p:9090/", samples=watched, alerts=False)
    well = run(made.pull(result.cursor, NOW + 30))
    assert [(one.status, one.key) for one in well.records if isinstance(one, AlertRecord)] == [("resolved", broken.key)]
    assert not [one for one in run(made.pull(well.cursor, NOW + 60)).records if isinstance(one, AlertRecord)]


def test_mistakes_in_samples_and_presets() -> None:
    with pytest.raises(Misconfigured) as caught:
        built(Prometheus, url="http://p", presets=["kserve", "x"], samples={"a": 7, "b": {"entity": "kpi", "z": 1}})
    said = "\n".join(str(problem) for problem in caught.value.problems)
    for part in ('"x" is not known; there are kserve, seldon', "samples.a: expected a mapping", '"z" is not known',
                 'samples.b: needs "query"', 'samples.b: entity: "kpi" is none'):  # fmt: skip
        assert part in said
