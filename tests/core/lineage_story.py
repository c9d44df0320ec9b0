"""Records of a model from its raw data to a business number, with two versions, as connectors tell them."""

from __future__ import annotations

from core.scene import T0
from quell.model.records import AnyRecord, ChangeRecord, DependencyRecord, EntityRecord, VersionRecord

HOUR = 3600.0
MODEL = "model/fraud"
_EDGES = (
    ("pipeline/load", "fed_by", "dataset/raw", "lineage"),
    ("dataset/payments", "produced_by", "pipeline/load", "lineage"),
    ("pipeline/views", "fed_by", "dataset/payments", "lineage"),
    ("feature/stats", "produced_by", "pipeline/views", "lineage"),
    ("column/payments.amount", "column_of", "dataset/payments", "lineage"),
    (MODEL, "uses_features", "feature/stats", "catalogue"),
    (MODEL, "trained_on", "dataset/payments", "mlflow"),
    (MODEL, "trained_by", "pipeline/train", "mlflow"),
    ("pipeline/train", "fed_by", "dataset/payments", "mlflow"),
    ("endpoint/score", "predicts_with", MODEL, "catalogue"),
    ("service/checkout", "calls", "endpoint/score", "otlp"),
    ("kpi/approvals", "measures", "endpoint/score", "catalogue"),
)


def records() -> list[AnyRecord]:
    """In order of time."""
    told: list[AnyRecord] = [
        DependencyRecord(at=T0, source=source, from_=from_, to=to, type=kind) for from_, kind, to, source in _EDGES
    ]
    owners = {MODEL: "risk", "dataset/payments": "data", "kpi/approvals": "growth"}
    told += [EntityRecord(at=T0, source="catalogue", entity=name, owner=owner) for name, owner in owners.items()]
    told += [
        VersionRecord(at=T0, source="lineage", entity="dataset/raw", version="r1"),
        VersionRecord(
            at=T0 + HOUR, source="lineage", entity="dataset/payments", version="41", by="pipeline/load", run="run-1",
            commit="8f3c2d1", inputs={"dataset/raw": ""},
        ),
        VersionRecord(at=T0 + HOUR, source="mlflow", entity=MODEL, version="6", run="r6", aliases=["champion"]),
        VersionRecord(
            at=T0 + 2 * HOUR, source="mlflow", entity=MODEL, version="7", by="pipeline/train", run="r7",
            commit="a41b90c", inputs={"dataset/payments": "41", "dataset/users": "d42"},
            labels={"metric.auc": "0.91", "param.depth": "6", "code": "train.py"},
        ),
        ChangeRecord(
            at=T0 + 3 * HOUR, source="mlflow", id="m1", type="model", entity=MODEL, revision="7", author="ana",
            labels={"alias": "champion"},
        ),
        ChangeRecord(
            at=T0 + 4 * HOUR, source="mlflow", id="m2", type="model", entity=MODEL, revision="6", author="bea",
            labels={"alias": "champion"},
        ),
    ]  # fmt: skip
    return told
