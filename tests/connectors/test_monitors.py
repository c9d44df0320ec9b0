"""Great Expectations, Soda, NannyML, SageMaker, Vertex, Arize and Fiddler: real results, and broken ones."""

from __future__ import annotations

import copy
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from connectors.monitors import alarms, alerts, changes, keys, reasons, recorded, scores, told
from quell.errors import BadPayload
from quell.sdk.connector import Connector
from quell.sdk.testkit import NOW, check_connector
from quell_connectors.arize import Arize
from quell_connectors.fiddler import Fiddler
from quell_connectors.great_expectations import GreatExpectations
from quell_connectors.nannyml import NannyML
from quell_connectors.sagemaker import SageMaker
from quell_connectors.soda import Soda
from quell_connectors.vertex import Vertex

ALL: tuple[type[Connector], ...] = (GreatExpectations, Soda, NannyML, SageMaker, Vertex, Arize, Fiddler)
VALIDATION = "great_expectations/validation-1.24.1.json"
ARIZE = {
    "monitorId": "TW9uaXRvcjox",
    "monitorName": "fraud: PSI of amount",
    "status": "Triggered",
    "modelName": "fraud",
    "metric": "psi",
    "value": 0.41,
    "threshold": 0.2,
    "timestamp": "2026-03-01T09:55:00Z",
    "url": "https://app.arize.com/monitors/1",
}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.spec.name)
def test_the_rules_of_the_house_hold(kind: type[Connector]) -> None:
    check_connector(kind)


# Great Expectations


def test_expectations_that_fail_are_alerts_and_those_that_hold_end_them() -> None:
    got = told(GreatExpectations, recorded(VALIDATION))
    assert (got.reply.status, reasons(got)) == (200, [])
    summaries = {one.labels["expectation"] + "/" + one.labels.get("feature", ""): one for one in alerts(got)}
    assert set(summaries) == {
        "expect_column_values_to_not_be_null/country",
        "expect_column_values_to_not_be_null/amount",
        "expect_column_mean_to_be_between/amount",
        "expect_column_values_to_be_in_set/currency",
        "expect_table_columns_to_match_set/",
    }
    null = summaries["expect_column_values_to_not_be_null/amount"]
    assert (null.value, null.threshold, null.entity) == (20.0, 5.0, "dataset/payments")
    assert null.annotations["summary"] == (
        "expect_column_values_to_not_be_null(amount, mostly=0.95): 20 % of the values are unexpected (20 of 100)"
    )
    assert null.labels["severity"] == "error"
    assert summaries["expect_column_mean_to_be_between/amount"].labels["severity"] == "warning"
    assert len({one.key for one in got.records if hasattr(one, "key")}) == len(
        [one for one in got.records if hasattr(one, "key")]
    )


def test_a_column_that_is_gone_is_a_change_of_the_schema() -> None:
    got = told(GreatExpectations, recorded(VALIDATION))
    gone = [one for one in alerts(got) if one.labels["alertname"] == "SchemaChanged"]
    assert len(gone) == 2
    assert {one.type for one in changes(got)} == {"schema"}
    assert {one.entity for one in changes(got)} == {"dataset/payments"}
    assert any("columns missing: country" in one.summary for one in changes(got))
    again = told(GreatExpectations, recorded(VALIDATION), now=NOW + 60)
    assert [one.id for one in changes(again)] == [one.id for one in changes(got)]


def test_values_of_the_data_are_left_out() -> None:
    got = told(GreatExpectations, recorded(VALIDATION))
    assert b"XXX" in recorded(VALIDATION)
    assert b"XXX" not in msgspec.json.encode(got.records)


def test_a_checkpoint_is_described_and_old_versions_name_the_type_otherwise() -> None:
    got = told(GreatExpectations, recorded("great_expectations/checkpoint-1.24.1.json"), options={})
    assert {one.entity for one in alerts(got)} == {"dataset/warehouse-payments"}
    old = golden(VALIDATION)
    for result in old["results"]:
        result["expectation_config"]["expectation_type"] = result["expectation_config"].pop("type")
    old["meta"]["expectation_suite_name"] = old.pop("suite_name")
    runs = {"run_results": {"ValidationResultIdentifier::a": {"validation_result": old}}}
    assert keys(alerts(told(GreatExpectations, runs))) == keys(alerts(told(GreatExpectations, recorded(VALIDATION))))


def test_an_expectation_that_raised_was_not_judged() -> None:
    report = golden(VALIDATION)
    report["results"][1]["exception_info"] = {"raised_exception": True, "exception_message": "out of memory\nat x"}
    got = told(GreatExpectations, report)
    [broken] = [one for one in alerts(got) if one.labels["alertname"] == "CheckFailedToRun"]
    assert broken.annotations["summary"].endswith(": out of memory")
    assert len([one for one in alerts(got) if one.labels["alertname"] == "ExpectationFailed"]) == 2


def test_parts_of_a_validation_that_cannot_be_read_are_named() -> None:
    report = golden(VALIDATION)
    report["results"][1]["success"] = "no"
    report["results"][2] = 7
    del report["results"][3]["expectation_config"]["type"]
    assert reasons(told(GreatExpectations, report)) == [
        "results[1].success: expected true or false",
        "results[2]: expected an object, not a number",
        "results[3].expectation_config.type: expected text, not null",
    ]
    with pytest.raises(BadPayload, match="not a result of Great Expectations"):
        told(GreatExpectations, {"checks": []})


# Soda


def test_checks_of_a_scan() -> None:
    got = told(Soda, recorded("soda/scan-3.5.6.json"), options={})
    assert reasons(got) == []
    found = {one.labels["check"]: one for one in alerts(got)}
    assert set(found) == {"Schema Check", "missing_percent(amount) < 5", "currency is known",
                          "avg(amount) warn when > 15 fail when > 100"}  # fmt: skip
    missing = found["missing_percent(amount) < 5"]
    assert (missing.entity, missing.value, missing.threshold) == ("dataset/payments_t", 20.0, 5.0)
    assert found["avg(amount) warn when > 15 fail when > 100"].labels["severity"] == "info"
    assert found["Schema Check"].labels["alertname"] == "SchemaChanged"
    assert found["Schema Check"].annotations["summary"] == (
        "Schema Check: missing column names: country; column type mismatches: amount (varchar → double)"
    )
    assert [one.type for one in changes(got)] == ["schema"]
    assert scores(got)["row_count > 50"].value == 100.0
    scan = golden("soda/scan-3.5.6.json")
    for check in scan["checks"]:
        check["outcome"] = "pass"
    assert keys(alerts(got)) <= keys(alerts(told(Soda, scan, options={}), "resolved"))


def test_a_check_that_could_not_be_evaluated_and_one_that_cannot_be_read() -> None:
    scan = golden("soda/scan-3.5.6.json")
    scan["checks"][0]["outcome"] = None
    scan["checks"][2]["outcome"] = "maybe"
    scan["checks"][3]["name"] = None
    scan["checks"][4]["outcome"] = []
    got = told(Soda, scan, options={})
    [broken] = [one for one in alerts(got) if one.labels["alertname"] == "CheckFailedToRun"]
    assert broken.annotations["summary"] == "could not run: row_count > 50"
    assert "row_count > 50" not in {one.labels.get("check") for one in alerts(got, "resolved")}
    well = told(Soda, recorded("soda/scan-3.5.6.json"), options={})
    assert broken.key in keys(alerts(well, "resolved"))
    assert reasons(got) == ["checks[2].outcome: expected pass, warn, fail or null, not 'maybe'",
                            "checks[3].name: expected text, not null",
                            "checks[4].outcome: expected pass, warn, fail or null, not '[]'"]  # fmt: skip


# NannyML


@pytest.mark.parametrize("form", [".csv", ".json", "-multilevel.csv"])
def test_estimated_performance_is_the_models(form: str) -> None:
    got = told(NannyML, recorded(f"nannyml/estimated-0.13.1{form}"),
               content_type="text/csv" if form.endswith("csv") else "application/json")  # fmt: skip
    assert reasons(got) == []
    found = alarms(got)
    assert set(found) == {("ModelPerformance", "roc_auc"), ("ModelPerformance", "f1")}
    one = found["ModelPerformance", "roc_auc"]
    assert (one.entity, one.value, one.threshold) == ("model/fraud", pytest.approx(0.7124, abs=1e-4),
                                                      pytest.approx(0.9639, abs=1e-4))  # fmt: skip
    points = scores(got)["roc_auc"].points
    assert len(points) == 4
    assert points[0][0] == pytest.approx(1549638112.32)


@pytest.mark.parametrize("form", [".json", "-split.json", "-multilevel.csv"])
def test_drift_of_columns(form: str) -> None:
    got = told(NannyML, recorded(f"nannyml/drift-0.13.1{form}"))
    assert (reasons(got), alarms(got)) == ([], {})
    assert {(one.labels["alertname"], one.entity, one.labels["feature"]) for one in alerts(got, "resolved")} == {
        ("FeatureDrift", "dataset/payments", "car_value"),
        ("FeatureDrift", "dataset/payments", "salary_range"),
        ("PredictionDrift", "model/fraud", "y_pred_proba"),
    }
    assert "chi2{feature=salary_range}" in scores(got)


def test_a_chunk_without_a_number_or_a_verdict_is_named() -> None:
    body = recorded("nannyml/estimated-0.13.1.json").replace(b'"roc_auc_alert": true', b'"roc_auc_alert": null')
    rows = msgspec.json.decode(body)
    rows[1]["f1_value"] = None
    got = told(NannyML, rows)
    assert len(scores(got)["f1"].points) == 3
    assert ("ModelPerformance", "roc_auc") not in alarms(got)
    assert "row 1, f1_value: expected a number, not null or NaN" in reasons(got)
    assert any(reason.endswith("roc_auc_alert: expected True or False, not 'None'") for reason in reasons(got))


@pytest.mark.parametrize(
    "body", [b"a,b\n1,2\n", b"[]", b'{"a": 1}', b"\xff\xfe", b"chunk_key,x_value\n", b'[{"a": 1}]']
)
def test_what_is_no_frame_says_so(body: bytes) -> None:
    with pytest.raises(BadPayload, match=r"not a (frame|result of NannyML)|not readable as"):
        told(NannyML, body)


# SageMaker


def test_violations_name_what_they_are_about() -> None:
    got = told(SageMaker, recorded("sagemaker/constraint_violations.json"))
    found = {(one.labels["alertname"], one.entity) for one in alerts(got)}
    assert found == {
        ("FeatureDrift", "dataset/payments"),
        ("SchemaChanged", "dataset/payments"),
        ("ModelPerformance", "model/fraud"),
        ("FairnessGap", "model/fraud"),
    }
    drift = alarms(got)["FeatureDrift", "amount"]
    assert (drift.value, drift.threshold) == (0.4507, 0.1)
    assert drift.ends_at == NOW + 3 * 3600
    [gap] = [one for one in alerts(got) if one.labels["alertname"] == "FairnessGap"]
    assert gap.labels["impact"] == "fairness"
    assert len(changes(got)) == 2
    typed = alarms(got)["SchemaChanged", "age"]
    assert typed.value is None  # which number is which differs there


def test_no_violations_are_good_news_and_others_are_named() -> None:
    good = told(SageMaker, {"violations": []})
    assert (good.reply.status, list(good.records)) == (200, [])
    odd = {"constraint_check_type": "new_check", "description": "odd", "feature_name": "b"}
    got = told(SageMaker, {"violations": [{"feature_name": "a"}, 7, odd]})
    assert reasons(got) == ["violations[0].constraint_check_type: expected text, not null",
                            "violations[1]: expected an object, not a number"]  # fmt: skip
    assert [one.labels["alertname"] for one in alerts(got)] == ["ConstraintViolated"]
    with pytest.raises(BadPayload, match="violations: expected a list, not null"):
        told(SageMaker, {"version": 1})


# Vertex


def pushed(entry: Any) -> Any:
    data = b64encode(msgspec.json.encode(entry)).decode()
    return {"message": {"data": data, "messageId": "1"}, "subscription": "projects/p/subscriptions/s"}


@pytest.mark.parametrize("wrapped", [False, True])
def test_anomalies_of_vertex(wrapped: bool) -> None:
    entry = golden("vertex/anomaly.json")
    got = told(Vertex, pushed(entry) if wrapped else entry, options={"models": {"1645828169292316672": "fraud"}},
               now=1643918400.0)  # fmt: skip
    found = alarms(got)
    assert set(found) == {("FeatureSkew", "age"), ("FeatureSkew", "education")}
    one = found["FeatureSkew", "age"]
    assert (one.entity, one.value, one.threshold, one.at) == ("model/fraud", 0.9, 0.7, 1643914800.0)
    assert one.labels["job"] == "6680511704087920640"


def test_a_push_that_cannot_be_read_is_kept_and_not_asked_for_again() -> None:
    for message in ({"data": "!"}, {"data": b64encode(b'{"jsonPayload": {"@type": "other"}}').decode()}, {}):
        got = told(Vertex, {"message": message}, options={})
        assert (got.reply.status, len(got.rejected), list(got.records)) == (200, 1, [])
    entry = golden("vertex/anomaly.json")
    entry["jsonPayload"]["featureAnomalies"][0]["deviation"] = None
    got = told(Vertex, entry)
    assert reasons(got) == ["jsonPayload.featureAnomalies[0].deviation: expected a number, not null or NaN"]
    with pytest.raises(BadPayload, match='expected ModelMonitoringAnomaliesLogEntry, not "other"'):
        told(Vertex, {"jsonPayload": {"@type": "other"}})


# Arize and Fiddler


def test_a_monitor_of_arize_fires_goes_silent_and_is_well() -> None:
    first = told(Arize, ARIZE, options={})
    [one] = alerts(first)
    assert (one.entity, one.value, one.threshold, one.at) == ("model/fraud", 0.41, 0.2, NOW - 300)
    assert one.labels["alertname"] == "fraud: PSI of amount"
    assert scores(first)["psi"].value == 0.41
    silent = told(Arize, {**ARIZE, "status": "No data", "value": None}, options={})
    assert [one.labels["alertname"] for one in alerts(silent)] == ["NoData"]
    assert alerts(silent, "resolved") == []  # it may drift still
    well = told(Arize, {**ARIZE, "status": "Healthy", "value": 0.05}, options={})
    assert keys(alerts(first)) | keys(alerts(silent)) == keys(alerts(well, "resolved"))


def test_fields_are_found_wherever_they_stand() -> None:
    nested = {"event": "monitor.triggered", "monitor": {"id": "9", "name": "bias of approvals", "type": "fairness"},
              "model": {"name": "fraud"}, "evaluation": {"current_value": "0.7", "threshold": "0.8"}}  # fmt: skip
    [one] = alerts(told(Arize, nested, options={}))
    assert (one.labels["alertname"], one.labels["impact"], one.value) == ("bias of approvals", "fairness", 0.7)
    listed = {"model": "fraud", "alerts": [{"name": "a", "status": "triggered"}, {"name": "b"}, 7]}
    got = told(Arize, listed, options={})
    assert [one.labels["alertname"] for one in alerts(got)] == ["a"]
    assert reasons(got)[0].startswith('alerts[1]: the status "" is not known (looked for in monitorstatus, status')
    assert reasons(got)[1] == "alerts[2]: expected an object, not a number"


def test_a_rule_of_fiddler_has_its_severity() -> None:
    body = {"alert_rule_name": "drift of amount", "alert_rule_id": 5, "model_name": "fraud", "severity": "CRITICAL",
            "metric_name": "jsd", "metric_value": 0.6, "critical_threshold": 0.5, "alert_time": 1772359000}  # fmt: skip
    [one] = alerts(told(Fiddler, body, options={}))
    assert (one.labels["severity"], one.value, one.threshold, one.at) == ("critical", 0.6, 0.5, 1772359000.0)
    with pytest.raises(BadPayload):
        told(Fiddler, b"7")
    got = told(Fiddler, {"severity": "critical"}, options={"model": "fraud"})
    assert "nothing names the alert; Fiddler should send one of alertrulename" in reasons(got)[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EXAMPLES: dict[type[Connector], Any] = {
    GreatExpectations: golden(VALIDATION),
    Soda: golden("soda/scan-3.5.6.json"),
    NannyML: golden("nannyml/drift-0.13.1.json"),
    SageMaker: golden("sagemaker/constraint_violations.json"),
    Vertex: golden("vertex/anomaly.json"),
    Arize: ARIZE,
    Fiddler: ARIZE,
}


@given(data=st.data())
def test_none_of_them_chokes(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(ALL))
    report = copy.deepcopy(EXAMPLES[kind])
    target: Any = report
    while isinstance(target, (dict, list)) and target:
        choices = sorted(target) if isinstance(target, dict) else range(len(target))
        key = data.draw(st.sampled_from(choices))
        if not isinstance(target[key], (dict, list)) or data.draw(st.integers(0, 4)) == 0:
            target[key] = data.draw(VALUES)
            break
        target = target[key]
    try:
        body = msgspec.json.encode(report)
    except (UnicodeEncodeError, OverflowError):
        return
    never_chokes(built(kind, model="fraud"), posted(body))
