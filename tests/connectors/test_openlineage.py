"""OpenLineage events to records: a story that the real client wrote, and whatever else may arrive."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from core.scene import rulebook
from daemon.chatroom import in_a_loop
from daemon.parts import KINDS, loaded, running, source
from quell.config import Loaded
from quell.core.engine import Engine
from quell.errors import BadPayload
from quell.model.provenance import Column
from quell.model.records import (
    AlertRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    SamplesRecord,
    VersionRecord,
)
from quell.model.times import parse_time
from quell.sdk.connector import Received
from quell.sdk.secret import Secret
from quell.sdk.signatures import Bearer
from quell.sdk.testkit import NOW, check_connector
from quell_connectors.openlineage import OpenLineage
from quell_connectors.openlineage.connector import MOST_EVENTS
from quell_connectors.openlineage.event import MOST_DATASETS
from real.lineage import tell_story

STORY = golden("openlineage.json")
RAW, LOADED = "dataset/shop.public.payments", "dataset/warehouse.payments"
LOAD, TRAIN, VIEW = "pipeline/etl.load_payments", "pipeline/train_fraud", "feature/payment_stats"


def taken(body: Any, **options: Any) -> Received:
    received: Received = built(OpenLineage, **options).receive(posted(body, "/api/v1/lineage"), NOW)
    return received


def of(received: Received, kind: type, **wanted: Any) -> list[Any]:
    return [
        one
        for one in received.records
        if isinstance(one, kind) and all(getattr(one, name) == value for name, value in wanted.items())
    ]


def event(**given: Any) -> dict[str, Any]:
    return {
        "eventType": "COMPLETE", "eventTime": "2026-03-01T02:10:00Z", "run": {"runId": "r1"},
        "job": {"namespace": "n", "name": "j"}, **given,
    }  # fmt: skip


def dataset(**facets: Any) -> dict[str, Any]:
    return {"namespace": "s3://b", "name": "/t/", "facets": facets}


def test_the_rules_of_the_house_hold() -> None:
    check_connector(OpenLineage)


def test_the_story_becomes_a_graph_that_points_from_what_needs_to_what_is_needed() -> None:
    received = taken(STORY)
    assert (received.reply.status, list(received.rejected)) == (201, [])
    edges = {(one.from_, one.type, one.to) for one in of(received, DependencyRecord)}
    assert edges == {
        (LOAD, "fed_by", RAW), (LOADED, "produced_by", LOAD), ("pipeline/etl", "has_task", LOAD),
        ("pipeline/feature_view_payment_stats", "fed_by", LOADED),
        (VIEW, "produced_by", "pipeline/feature_view_payment_stats"),
        (TRAIN, "fed_by", LOADED), ("dataset/training.fraud", "produced_by", TRAIN),
        ("column/warehouse.payments.amount", "derived_from", "column/shop.public.payments.amount"),
        ("column/warehouse.payments.amount", "column_of", LOADED),
        ("column/shop.public.payments.amount", "column_of", RAW),
    }  # fmt: skip
    owners = {one.entity: one.owner for one in of(received, EntityRecord) if one.owner}
    assert owners == {
        LOAD: "data-platform", LOADED: "data-platform", "pipeline/feature_view_payment_stats": "features@shop.example",
    }  # fmt: skip
    assert not any("user_id" in one.entity for one in of(received, EntityRecord))


def test_columns_versions_and_what_they_were_made_of_are_told() -> None:
    received = taken(STORY)
    first = of(received, VersionRecord, entity=LOADED)[0]
    assert (first.version, first.by, first.commit) == ("41", LOAD, "8f3c2d1")
    assert (first.inputs, bool(first.run)) == ({RAW: ""}, True)
    raw = [one.columns[1] for one in of(received, VersionRecord, entity=RAW, by=LOAD)]
    assert raw[0] == Column(name="amount", type="double", unit="EUR")
    assert [one.unit for one in raw].count("cents") == 2
    assert [one.version for one in of(received, VersionRecord, entity=LOAD)][-1] == "a41b90c"


def test_runs_that_fail_are_alerts_until_one_goes_well() -> None:
    received = taken(STORY)
    told = [(one.status, one.annotations["summary"]) for one in of(received, AlertRecord, entity=TRAIN)]
    assert told == [
        ("resolved", f"{TRAIN} went well"),
        ("firing", f"{TRAIN} failed: ValueError: amount out of range"),
        ("resolved", f"{TRAIN} went well"),
    ]
    assert {one.key for one in of(received, AlertRecord, entity=TRAIN)} == {"run/shop/train_fraud"}
    (stopped,) = of(taken(event(eventType="ABORT")), AlertRecord)
    assert (stopped.status, stopped.labels["severity"]) == ("firing", "warning")
    assert of(taken(event(eventType="START")), AlertRecord) == []


def test_tests_of_data_are_alerts_with_what_was_expected() -> None:
    alerts = of(taken(STORY), AlertRecord, entity=LOADED)
    assert [one.status for one in alerts] == ["resolved", "firing", "resolved"]
    assert alerts[1].annotations["summary"] == (
        f"between does not hold for {LOADED}, column amount, expected 0..1000, found max 90000"
    )


def test_what_was_measured_becomes_samples() -> None:
    received = taken(STORY)
    (load, *_) = of(received, SamplesRecord, entity=LOAD)
    assert load.values == {"run_failed": [0.0], "run_lateness_s": [600.0]}
    (train, *_) = of(received, SamplesRecord, entity=TRAIN)
    assert train.values == {"run_failed": [0.0], "run_duration_s": [1800.0]}
    raw = of(received, SamplesRecord, entity=RAW)[0].values
    assert (raw["row_count"], raw["amount.null_share"], raw["amount.mean"]) == ([1000.0], [0.02], [50.0])
    assert of(received, SamplesRecord, entity=LOADED)[0].values["rows_written"] == [1000.0]


def test_airflow_tells_how_long_a_task_took_and_its_run_ids_do_not() -> None:
    job = {"namespace": "n", "name": "d.t", "facets": {"jobType": {"integration": "AIRFLOW", "jobType": "TASK"}}}
    run = {"runId": "019ca73b-3040-7000-8000-000000000003", "facets": {"airflow": {"taskInstance": {"duration": 41.5}}}}
    (told,) = of(taken(event(job=job, run=run)), SamplesRecord)
    assert told.values["run_duration_s"] == [41.5]
    (told,) = of(taken(event(job=job, run={"runId": run["runId"]})), SamplesRecord)
    assert "run_duration_s" not in told.values


def test_namespaces_are_left_out_or_set_apart() -> None:
    options = {"namespaces": {"airflow": None, "postgres://db:5432": "prod/"}}
    names = {one.entity for one in of(taken(STORY, **options), EntityRecord)}
    assert "dataset/prod/warehouse.payments" in names
    assert not any("etl" in name for name in names)


def test_columns_are_left_out_on_request() -> None:
    edges = of(taken(STORY, columns=False), DependencyRecord)
    assert not any(one.from_.startswith("column/") for one in edges)


def test_what_befell_a_dataset_is_a_change_unless_the_columns_tell_it() -> None:
    def changes(state: str, **facets: Any) -> list[tuple[str, str]]:
        told = {"lifecycleStateChange": state, "previousIdentifier": {"name": "old", "namespace": "n"}}
        received = taken(event(outputs=[dataset(lifecycleStateChange=told, **facets)]))
        return [(one.type, one.summary) for one in of(received, ChangeRecord)]

    assert changes("TRUNCATE") == [("data", "dataset/t was emptied, before old")]
    assert changes("RENAME") == [("schema", "dataset/t was renamed, before old")]
    assert changes("ALTER") == [("schema", "dataset/t was altered, before old")]
    assert changes("ALTER", schema={"fields": [{"name": "a"}]}) == []
    assert changes("OVERWRITE") == []


def test_a_facet_that_cannot_be_read_spoils_no_other() -> None:
    facets = {"schema": {"fields": "no"}, "version": {"datasetVersion": "v2"}, "ownership": None, "tags": [1]}
    received = taken(event(outputs=[dataset(**facets), {"name": 7}]))
    assert [one.version for one in of(received, VersionRecord)] == ["v2"]
    assert [one.reason.partition(":")[0] for one in received.rejected] == ["output", "facet schema of /t/"]
    assert json.loads(received.reply.body)["rejected"]


def test_columns_within_columns_are_told_by_their_path() -> None:
    fields = [{"name": "a", "type": "struct", "fields": [{"name": "b", "type": "int", "description": "in EUR"}]}]
    (told,) = of(taken(event(outputs=[dataset(schema={"fields": fields})])), VersionRecord)
    assert told.columns == [Column(name="a", type="struct"), Column(name="a.b", type="int", about="in EUR")]


def test_the_source_itself_is_a_version_where_no_commit_is_told() -> None:
    def version(code: str) -> str:
        job = {"namespace": "n", "name": "j", "facets": {"sourceCode": {"language": "python", "sourceCode": code}}}
        (told,) = of(taken(event(job=job)), VersionRecord)
        return str(told.version)

    assert version("a").startswith("source-")
    assert version("a") != version("b")


def test_a_materialization_of_feast_writes_the_feature_view() -> None:
    run = {"runId": "r", "facets": {"feast_materialization": {"feature_views": ["stats"]}}}
    store = {"namespace": "shop", "name": "online_store_stats"}
    received = taken(event(run=run, outputs=[store]))
    assert of(received, DependencyRecord)[0].from_ == "feature/stats"


def test_a_model_among_the_datasets_is_a_model() -> None:
    received = taken(event(outputs=[dataset(datasetType={"datasetType": "MODEL"})]))
    assert of(received, DependencyRecord)[0].from_ == "model/t"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "eventTime"),
        ({"eventTime": "2026-03-01T02:10:00Z"}, "neither a run, a job nor a dataset event"),
        (event(eventTime="soon"), "eventTime: 'soon' is not a time"),
        (event(job={"namespace": "n", "name": ""}), "a name has 1 to 500 characters"),
        (b"[" * 100, "nested deeper"),
        (b"{", "not readable as JSON"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(body: Any, why: str) -> None:
    with pytest.raises(BadPayload, match=why):
        taken(body)


def test_a_batch_keeps_what_can_be_read() -> None:
    received = taken([event(), {"eventTime": 1}])
    assert (received.reply.status, len(received.rejected)) == (201, 1)
    assert taken([{}]).reply.status == 400
    with pytest.raises(BadPayload, match="at most 1000"):
        taken([{}] * (MOST_EVENTS + 1))


def test_an_event_of_very_many_datasets_is_cut_and_says_so() -> None:
    many = [{"namespace": "n", "name": f"t{at}"} for at in range(MOST_DATASETS + 5)]
    received = taken(event(inputs=many))
    assert len(of(received, DependencyRecord)) == MOST_DATASETS
    assert received.rejected[0].reason == f"{MOST_DATASETS + 5} inputs; the first {MOST_DATASETS} are taken"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=5,
)
FACETS = st.dictionaries(
    st.sampled_from((
        "schema", "version", "tags", "ownership", "columnLineage", "dataQualityMetrics", "dataQualityAssertions",
        "lifecycleStateChange", "datasetType", "outputStatistics", "parent", "jobType", "nominalTime", "errorMessage",
        "airflow", "feast_featureView", "sourceCode", "sourceCodeLocation",
    )),
    JSON, max_size=4,
)  # fmt: skip
DATASETS = st.fixed_dictionaries({"namespace": st.text(max_size=4), "name": st.text(max_size=4), "facets": FACETS,
                                  "inputFacets": FACETS, "outputFacets": FACETS})  # fmt: skip


@given(FACETS, FACETS, st.lists(st.one_of(DATASETS, JSON), max_size=3), st.lists(DATASETS, max_size=2),
       st.sampled_from(("COMPLETE", "FAIL", "OTHER", "odd", None)))  # fmt: skip
@settings(max_examples=60)
def test_nothing_that_arrives_makes_it_choke(job: Any, run: Any, inputs: Any, outputs: Any, kind: Any) -> None:
    body = event(eventType=kind, job={"namespace": "n", "name": "j", "facets": job},
                 run={"runId": "r", "facets": run}, inputs=inputs, outputs=outputs)  # fmt: skip
    never_chokes(built(OpenLineage), posted(msgspec.json.encode(body), "/api/v1/lineage"))


def test_a_unit_that_changes_is_found_in_the_state() -> None:
    engine = Engine(rulebook())
    for one in taken(STORY).records:
        engine.decide([one], max(one.at, engine.state.now))
    changes = sorted(engine.state.changes.values(), key=lambda one: one.at)
    assert [(one.type, one.entity, one.summary) for one in changes] == [
        ("schema", RAW, "column amount changed its unit from EUR to cents"),
        ("deploy", LOAD, f"{LOAD} runs a41b90c, before 8f3c2d1"),
        ("schema", RAW, "column amount changed its unit from cents to EUR"),
    ]
    assert changes[0].at == parse_time("2026-03-02T02:05:00Z")


@pytest.mark.long
@in_a_loop
async def test_the_real_client_is_understood(tmp_path: Path) -> None:
    token = "tok-lineage"
    auth = Bearer(secrets=(Secret(token),))
    config = Loaded(loaded(source("ol", "openlineage", auth=auth)).settings, rulebook(routes=()))
    async with running(
        config,
        kinds={**KINDS, "openlineage": OpenLineage},
        restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
    ) as place:
        await asyncio.to_thread(tell_story, place.url, token, tmp_path)
        await place.settled()
        state = place.daemon.loop.decider.state
        assert {VIEW, LOADED, RAW, TRAIN, LOAD} <= state.entities.keys()
        assert [one.version for one in state.provenance[LOADED].versions] == ["41", "42", "43"]
        assert sum(one.type == "schema" for one in state.changes.values()) == 2
