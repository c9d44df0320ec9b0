"""Evidently: reports as real versions wrote them, and what no version should have written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from connectors.monitors import alarms, alerts, keys, reasons, recorded, scores, told
from quell.errors import BadPayload
from quell.sdk.testkit import NOW, check_connector
from quell_connectors.evidently import Evidently
from quell_connectors.evidently.methods import drifted, kind_of


def test_the_rules_of_the_house_hold() -> None:
    check_connector(Evidently)


@pytest.mark.parametrize("version", ["0.7.14", "0.7.23"])
def test_a_small_p_value_is_drift(version: str) -> None:
    got = told(Evidently, recorded(f"evidently/run-{version}-p-values.json"))
    assert (got.reply.status, reasons(got)) == (200, [])
    found = alarms(got)
    assert set(found) == {("FeatureDrift", "amount"), ("FeatureDrift", "currency")}
    one = found["FeatureDrift", "amount"]
    assert (one.entity, one.threshold) == ("dataset/payments", 0.05)
    assert one.value == pytest.approx(1.06e-239, rel=0.01)
    assert one.annotations["summary"] == "amount drifted: K-S p_value 1.064e-239, limit 0.05"
    assert one.labels == {"alertname": "FeatureDrift", "severity": "warning", "feature": "amount",
                          "model": "fraud", "dataset": "payments"}  # fmt: skip
    assert (one.at, one.ends_at, one.timeout) == (NOW, NOW + 26 * 3600, True)
    well = {alert.labels.get("feature") for alert in alerts(got, "resolved")}
    assert {"age", "score", "channel"} <= well
    assert scores(got)["drift_p_value{feature=age}"].value == pytest.approx(0.367, abs=0.001)
    assert scores(got)["drifted_share"].value == 0.4


@pytest.mark.parametrize("version", ["0.7.14", "0.7.23"])
def test_a_large_distance_is_drift(version: str) -> None:
    got = told(Evidently, recorded(f"evidently/run-{version}-distances.json"))
    assert set(alarms(got)) == {("FeatureDrift", "amount"), ("FeatureDrift", "currency")}
    assert alarms(got)["FeatureDrift", "currency"].threshold == 0.1
    assert scores(got)["drift_distance{feature=amount}"].value == pytest.approx(16.779, abs=0.001)


def test_reports_before_0_7() -> None:
    got = told(Evidently, recorded("evidently/report-0.6.7-preset.json"))
    found = alarms(got)
    assert set(found) == {("FeatureDrift", "amount"), ("FeatureDrift", "currency"), ("DatasetDrift", "")}
    assert found["DatasetDrift", ""].annotations["summary"] == (
        "50% of the columns drifted, limit 50%: amount, currency"
    )
    before_and_now = msgspec.json.decode(found["FeatureDrift", "amount"].annotations["histogram"])
    assert set(before_and_now) == {"reference", "current"}
    assert max(before_and_now["reference"]["x"]) < min(before_and_now["current"]["x"])
    assert "histogram" not in found["FeatureDrift", "currency"].annotations  # its values are texts
    assert found["FeatureDrift", "amount"].annotations["evidently"] == "0.6.7"
    assert found["FeatureDrift", "amount"].at == NOW  # the report's time has no zone
    mixed = told(Evidently, recorded("evidently/report-0.6.7-columns.json"))
    assert scores(mixed).keys() == {"drift_distance{feature=amount}", "drift_p_value{feature=age}", "drifted_share"}


def test_test_suites_before_0_7() -> None:
    got = told(Evidently, recorded("evidently/suite-0.6.7.json"))
    found = {(one.labels["alertname"], one.labels.get("test") or one.labels["feature"]) for one in alerts(got)}
    assert found == {("DataTestFailed", "Share of Missing Values"), ("DataTestFailed", "Share of Drifted Columns"),
                     ("FeatureDrift", "amount"), ("FeatureDrift", "currency")}  # fmt: skip
    [missing] = [one for one in alerts(got) if one.labels.get("test") == "Share of Missing Values"]
    assert (missing.value, missing.threshold) == (0.063125, 0.01)
    assert "SchemaChanged" in {one.labels["alertname"] for one in alerts(got, "resolved")}


def test_a_later_report_ends_what_an_earlier_one_told() -> None:
    report = golden("evidently/run-0.7.23-distances.json")
    first = told(Evidently, report)
    for metric in report["metrics"][1:]:
        metric["value"] = 0.01
    report["metrics"][0]["value"] = {"count": 0.0, "share": 0.0}
    later = told(Evidently, report, now=NOW + 3600)
    assert alerts(later) == []
    assert keys(alerts(first)) <= keys(alerts(later, "resolved"))


def test_what_is_said_of_predictions_is_the_models() -> None:
    got = told(Evidently, recorded("evidently/run-0.7.23-p-values.json"),
               options={"model": "fraud", "dataset": "payments", "predictions": ["amount"]})  # fmt: skip
    assert alarms(got)["PredictionDrift", "amount"].entity == "model/fraud"


@pytest.mark.parametrize(
    ("query", "options", "metadata", "entity"),
    [
        ({"dataset": "a"}, {"dataset": "b"}, {"dataset": "c"}, "dataset/a"),
        ({}, {"dataset": "b"}, {"dataset": "c"}, "dataset/c"),
        ({}, {"dataset": "b"}, None, "dataset/b"),
        ({"model": "churn", "version": "7"}, {}, None, "model/churn"),
    ],
)
def test_the_address_says_what_it_is_about_then_the_report_then_the_options(
    query: dict[str, str], options: dict[str, Any], metadata: Any, entity: str
) -> None:
    report = {**golden("evidently/run-0.7.23-p-values.json"), "metadata": metadata}
    one = alarms(told(Evidently, report, query=query, options=options))["FeatureDrift", "amount"]
    assert one.entity == entity
    assert one.labels.get("version", "") == query.get("version", "")


def test_a_report_about_nothing_is_refused() -> None:
    with pytest.raises(BadPayload, match=r"nothing says which model or data set this is about; write \?model=NAME"):
        told(Evidently, recorded("evidently/run-0.7.23-p-values.json"), options={})
    with pytest.raises(BadPayload, match="is no name"):
        told(Evidently, recorded("evidently/run-0.7.23-p-values.json"), query={"model": "a\nb"})


def test_a_score_whose_direction_nobody_tells_is_not_guessed() -> None:
    report = golden("evidently/run-0.7.14-p-values.json")
    got = told(Evidently, {**report, "tests": []})
    assert alarms(got) == {}
    assert len(reasons(got)) == 5
    assert reasons(got)[0].startswith("metrics[1]: the report does not say by which method the drift of amount was")
    odd = golden("evidently/run-0.7.23-distances.json")
    odd["metrics"][1]["config"]["method"] = "custom function 'ours'"
    got = told(Evidently, odd)
    assert set(alarms(got)) == {("FeatureDrift", "currency")}
    assert "is not known, so nobody knows whether a large or a small score" in reasons(got)[0]


@pytest.mark.parametrize(("value", "said"), [("NaN", "not null or NaN"), ('"0"', "not text"), ("{}", "not an object")])
def test_what_is_no_number_is_said_and_is_not_zero(value: str, said: str) -> None:
    body = recorded("evidently/run-0.7.23-distances.json").replace(b"16.77931766064766", value.encode())
    got = told(Evidently, body)
    assert got.reply.status == 200
    assert reasons(got) == [f"metrics[1].value: expected a number, {said}"]
    assert "drift_distance{feature=amount}" not in scores(got)
    assert all(one.labels.get("feature") != "amount" for one in alerts(got) + alerts(got, "resolved"))


def test_a_renamed_field_and_an_unknown_version_say_so() -> None:
    report = golden("evidently/report-0.6.7-preset.json")
    table = report["metrics"][1]["result"]["drift_by_columns"]
    table["age"]["score"] = table["age"].pop("drift_score")
    assert reasons(told(Evidently, report)) == [
        "metrics[1].result.drift_by_columns.age.drift_score: expected a number, not null or NaN"
    ]
    with pytest.raises(BadPayload, match=r'not a report of Evidently as versions 0.2 to 0.7 write it, version "2.0"'):
        told(Evidently, {"version": "2.0", "metrics": [{"name": "x"}]})
    got = told(Evidently, {"metrics": [{"metric_name": "drift of amount", "value": 1}]})
    assert (got.reply.status, len(reasons(got))) == (400, 1)
    assert "a version that is not known?" in reasons(got)[0]


def test_a_test_that_could_not_run_is_an_alert_of_its_own() -> None:
    suite = golden("evidently/suite-0.6.7.json")
    suite["tests"][0]["status"] = "ERROR"
    suite["tests"][1]["status"] = "WARNING"
    suite["tests"][2]["status"] = "PERHAPS"
    got = told(Evidently, suite)
    named = {one.labels.get("test", one.labels["alertname"]): one for one in alerts(got)}
    assert "Share of Missing Values" not in {one.labels.get("test") for one in got.records if hasattr(one, "labels")}
    assert named["CheckFailedToRun"].annotations["summary"].startswith("could not run: Share of Missing Values: The ")
    assert named["CheckFailedToRun"].key in keys(alerts(told(Evidently, recorded("evidently/suite-0.6.7.json")),
                                                        "resolved"))  # fmt: skip
    assert named["Number of Columns"].labels["severity"] == "info"
    assert reasons(got) == ['tests[2].status: expected one of SUCCESS, FAIL, WARNING, ERROR, SKIPPED, not "PERHAPS"']


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("K-S p_value", "p_value"), ("ks", "p_value"), ("Anderson-Darling", "p_value"), ("t_test", "p_value"),
        ("Total-Variation-Distance", "p_value"), ("TVD", "p_value"), ("empirical_mmd", "p_value"),
        ("Fisher's Exact test", "p_value"), ("chi-square p_value", "p_value"), ("a new one p_value", "p_value"),
        ("PSI", "distance"), ("Wasserstein distance (normed)", "distance"), ("Energy-distance", "distance"),
        ("Jensen-Shannon distance", "distance"), ("kl_div", "distance"), ("Hellinger distance", "distance"),
        ("Absolute text content drift", "distance"), ("", None), ("ours", None),
    ],
)  # fmt: skip
def test_the_direction_of_each_method(method: str, kind: str | None) -> None:
    assert kind_of(method) == kind


def test_the_limit_itself_is_drift() -> None:
    assert drifted("p_value", 0.05, 0.05)
    assert not drifted("p_value", 0.051, 0.05)
    assert drifted("distance", 0.1, 0.1)
    assert not drifted("distance", 0.099, 0.1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_it_never_chokes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["run-0.7.23-p-values", "run-0.7.14-p-values", "report-0.6.7-preset",
                                      "suite-0.6.7"]))  # fmt: skip
    report = golden(f"evidently/{name}.json")
    part = data.draw(st.sampled_from([one for one in (report.get("metrics"), report.get("tests")) if one]))
    target: Any = part[data.draw(st.integers(0, len(part) - 1))]
    while isinstance(target, dict) and target:
        key = data.draw(st.sampled_from(sorted(target)))
        if not isinstance(target[key], dict) or data.draw(st.booleans()):
            target[key] = data.draw(VALUES)
            break
        target = target[key]
    try:
        body = msgspec.json.encode(report)
    except (UnicodeEncodeError, OverflowError):
        return
    never_chokes(built(Evidently, model="fraud"), posted(body))
