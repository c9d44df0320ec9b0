"""A number that fell leads back to the column of a table that changed its unit, through everything in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.deliveries import golden
from quell.cli.main import run

RAW, CHANGE = "dataset/shop.public.payments", "column amount changed its unit from EUR to cents"
CONFIG = """\
sources:
  lineage: {use: openlineage, auth: {open: true}}
  catalogue: {use: topology, auth: {open: true}}
"""
CATALOGUE = {
    "entities": [{"entity": "model/fraud", "owner": "risk"}, {"entity": "kpi/approvals", "owner": "growth", "tier": 1}],
    "dependencies": [
        {"from": "model/fraud", "to": "feature/payment_stats", "type": "uses_features"},
        {"from": "endpoint/score", "to": "model/fraud", "type": "predicts_with"},
        {"from": "kpi/approvals", "to": "endpoint/score", "type": "measures"},
    ],
}
WAY = [
    RAW, "pipeline/etl.load_payments", "dataset/warehouse.payments", "pipeline/feature_view_payment_stats",
    "feature/payment_stats", "model/fraud", "endpoint/score", "kpi/approvals",
]  # fmt: skip


def delivery(at: str, path: str, body: Any) -> dict[str, Any]:
    return {"kind": "delivery", "at": at, "path": path, "body": body}


def fell(at: str, name: str = "ApprovalsFell", entity: str = "kpi/approvals") -> dict[str, Any]:
    labels = {"alertname": name, "severity": "critical"}
    return {"kind": "alert", "at": at, "id": name, "status": "firing", "entity": entity, "labels": labels}


def story(until: str, *more: dict[str, Any], tested: bool = False) -> list[dict[str, Any]]:
    """The catalogue, the recorded events up to a time, and what else is given."""
    lines = [delivery("2026-03-01T00:00:00Z", "/in/catalogue", CATALOGUE)]
    for event in golden("openlineage.json"):
        for output in [] if tested else event.get("outputs", []):
            output.get("facets", {}).pop("dataQualityAssertions", None)
        if event["eventTime"] < until:
            lines.append(delivery(event["eventTime"], "/api/v1/lineage", event))
    return [*lines, *more, {"kind": "tick", "at": "2026-03-02T06:00:00Z"}]


def incidents(folder: Path, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `quell replay` says of them."""
    (folder / "quell.yaml").write_text(CONFIG)
    (folder / "records.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    out = folder / "result.jsonl"
    assert run(["replay", str(folder / "records.jsonl"), "--config", str(folder), "--out", str(out), "--strict"]) == 0
    results = [json.loads(line) for line in out.read_text().splitlines()]
    return [one for one in results if one["kind"] == "incident_result" and not one["withdrawn"]]


@pytest.mark.parametrize("at", ["2026-03-02T02:30:00Z", "2026-03-02T03:40:00Z", "2026-03-02T05:50:00Z"])
def test_a_number_that_fell_leads_to_the_column_that_changed(at: str, tmp_path: Path) -> None:
    (incident,) = incidents(tmp_path, story("2026-03-02T02:25", fell(at)))
    first = incident["suspects"][0]
    assert (first["entity"], first["path"], incident["no_clear_cause"]) == (RAW, WAY, False)
    assert first["change"].startswith(f"schema/{RAW}/")
    assert CHANGE in first["evidence"][0]["text"]
    assert "2026-03-02T02:05:00" in first["evidence"][0]["text"]


def test_where_nothing_changed_nothing_is_blamed(tmp_path: Path) -> None:
    (incident,) = incidents(tmp_path, story("2026-03-01T20:00", fell("2026-03-01T20:10:00Z")))
    assert incident["no_clear_cause"]
    assert [one["change"] for one in incident["suspects"]] == [None]


def test_a_change_after_the_number_fell_is_not_blamed(tmp_path: Path) -> None:
    early = fell("2026-03-02T01:50:00Z")
    lines = story("2026-03-02T02:25")
    lines.insert(next(at for at, line in enumerate(lines) if line["at"] > "2026-03-02"), early)
    (incident,) = incidents(tmp_path, lines)
    assert [one["change"] for one in incident["suspects"]] == [None]


def test_several_symptoms_lead_there_too(tmp_path: Path) -> None:
    lines = story(
        "2026-03-02T02:25", fell("2026-03-02T02:40:00Z", "FeatureDrift", "feature/payment_stats"),
        fell("2026-03-02T03:00:00Z", "PredictionsShifted", "model/fraud"), fell("2026-03-02T03:20:00Z"),
    )  # fmt: skip
    (incident,) = incidents(tmp_path, lines)
    assert incident["suspects"][0]["entity"] == RAW
    assert CHANGE in incident["suspects"][0]["evidence"][0]["text"]
    assert incident["suspects"][0]["path"][0] == RAW


def test_a_failed_test_of_data_and_the_number_are_one_incident(tmp_path: Path) -> None:
    lines = story("2026-03-02T02:25", fell("2026-03-02T03:40:00Z"), tested=True)
    (incident,) = incidents(tmp_path, lines)
    first = incident["suspects"][0]
    assert (first["entity"], first["path"], incident["no_clear_cause"]) == (RAW, WAY, False)
    assert CHANGE in first["evidence"][0]["text"]
    assert incident["opened_at"] < "2026-03-02T02:30"


def test_numbers_without_lineage_in_common_stay_apart(tmp_path: Path) -> None:
    lines = story(
        "2026-03-02T02:25", fell("2026-03-02T03:40:00Z", entity="kpi/shipping", name="ShippingFell"), tested=True
    )
    assert len(incidents(tmp_path, lines)) == 2
