"""All that detectors and service levels promise: `quell replay` finds what is in trouble from records, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from profiles.data import fine, profile
from profiles.data import records as tables
from quell.cli.main import run
from quell.config.profile_file import profile_text
from quell.model.distribution import Tally, record_of
from quell.model.records import AnyRecord, CallRecord, DistributionRecord, EntityRecord, SampleRecord
from quell.model.sketch import sketch_of

MONDAY = 1_772_409_600.0
"""2026-03-02, 00:00 UTC."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
BEGIN = MONDAY + 7 * DAY
"""From here on everything but the number of orders is told, for twelve hours; after six of them there is trouble."""
RULES = """\
detect:
  - {name: Sustained, metric: cpu, when: {threshold: {above: 0.9}}, for: 3 of 5}
  - {name: DiskFills, metric: disk, when: {forecast: {above: 95, within: 8h, over: 4h}}, every: 10m, for: 2 of 3}
  - {name: Silent, metric: heartbeat, when: {absence: {after: 1h}}, every: 5m}
  - name: OrdersUnusual
    metric: orders
    when: {anomaly: {direction: down, aggregate: sum, share: 0.3, history: 3d}}
    every: 15m
    for: 2 of 3
  - {name: Drifts, distribution: "*", where: ['kind="dataset"'], when: {drift: {}}, every: 30m, for: 2 of 3}
  - {name: Nulls, distribution: "*", where: ['kind="dataset"'], when: {schema: {check: [nulls]}}, every: 30m}
  - {name: Columns, distribution: "*", where: ['kind="dataset"'], when: {schema: {check: [columns, types]}}, every: 30m}
  - {name: Volume, distribution: "*", where: ['kind="dataset"'], when: {schema: {check: [rows], least: 0.5}}, every: 1h}
  - {name: Stale, distribution: "*", where: ['kind="dataset"'], when: {schema: {check: [age], age: 2h}}, every: 10m}
  - {name: ConfidenceLow, when: {behaviour: {of: confidence, below: 0.7, over: 6h}}, every: 1h}
  - {name: NotCalibrated, when: {behaviour: {of: calibration, above: 0.1, over: 3h}}, every: 1h}
  - {name: Polarised, when: {behaviour: {of: polarised, change: 0.2, over: 1h, against: 5h}}, every: 1h}
  - name: PeopleDisagree
    distribution: agreement.human
    when: {behaviour: {of: disagreement, above: 0.1, over: 3h}}
    every: 1h
  - {name: Unfair, when: {behaviour: {of: fairness, across: region, above: 0.1, over: 2h}}, every: 1h}
  - {name: Tokens, when: {behaviour: {of: tokens, change: 0.5, over: 1h, against: 5h}}, every: 1h}
  - {name: Cost, when: {behaviour: {of: cost, above: 0.02, over: 1h}}, every: 1h}
  - {name: Spend, when: {behaviour: {of: spend, change: 0.5, over: 1h, against: 5h}}, every: 1h}
  - {name: Refuses, when: {behaviour: {of: refusal, above: 0.05, over: 1h}}, every: 1h}
  - {name: AnswersWorse, when: {behaviour: {of: quality, below: 0.8, over: 1h}}, every: 1h}
  - name: CanaryFails
    metric: calls.errors
    when:
      compare:
        {canary: ['track="canary"'], baseline: ['track="stable"'], same: [app], of: share, by: calls.count, over: 1h}
    every: 5m
  - name: CanarySlower
    metric: calls.mean_s
    when: {compare: {canary: ['track="canary"'], baseline: ['track="stable"'], same: [app], margin: 0.05, over: 1h}}
    every: 5m
  - name: ChallengerLower
    distribution: score
    when: {compare: {canary: ['version="8"'], baseline: ['version="7"'], of: p90, worse: down, margin: 0.02, over: 2h}}
    every: 10m
    for: 2 of 3
slos:
  - {name: availability, objective: 99%, over: 1d, bad: calls.errors, total: calls.count, where: ['track=""']}
  - {name: counted, objective: 99%, over: 1d, every: 2m, good: paid_total, total: tried_total, counter: true}
  - {name: latency, objective: 95%, over: 1d, every: 5m, metric: calls.mean_s, at_most: 0.3, where: ['track=""']}
  - {name: accuracy, objective: 90%, over: 1d, every: 5m, metric: accuracy, each: point, at_least: 0.92}
  - {name: fairness-gap, objective: 90%, over: 1d, distribution: positive, among: ["true"], gap: 0.05, every: 1h}
  - {name: freshness, objective: 90%, over: 1d, metric: rows_written, age: 1h, every: 5m}
  - name: cost
    metric: spent
    every: 5m
    spend: 24
    per: 1d
    burn: [{rate: 3, over: 2h, confirm: 30m, severity: warning, page: false}]
"""
FOUND = {
    "Sustained": "service/bad", "DiskFills": "host/bad", "Silent": "feature/bad", "OrdersUnusual": "kpi/bad",
    "Drifts": "dataset/payments", "Nulls": "dataset/payments", "Columns": "dataset/payments",
    "Volume": "dataset/payments", "Stale": "dataset/payments", "ConfidenceLow": "model/bad",
    "NotCalibrated": "model/bad", "Polarised": "model/bad", "PeopleDisagree": "model/bad", "Unfair": "model/bad",
    "Tokens": "model/bad", "Cost": "model/bad", "Spend": "model/bad", "Refuses": "model/bad",
    "AnswersWorse": "model/bad", "CanaryFails": "service/bad-canary", "CanarySlower": "service/bad-canary",
    "ChallengerLower": "model/bad", "availability": "service/bad", "counted": "service/bad", "latency": "service/bad",
    "accuracy": "model/bad", "fairness-gap": "model/bad", "freshness": "feature/bad", "cost": "model/bad",
}  # fmt: skip
"""What is found, and of what. Beside each there is one that is as it should be."""


def both() -> Iterator[tuple[str, bool]]:
    yield from (("bad", True), ("good", False))


def orders() -> Iterator[AnyRecord]:
    """Fewer by night and at weekends; on the second Monday half of them from six o'clock on."""
    chance = Random(1)
    for quarter in range(int((7.5 * DAY) // 900)):
        at = MONDAY + quarter * 900.0
        day, hour = quarter // 96 % 7, quarter // 4 % 24
        usual = (40.0 if day >= 5 else 100.0) * (0.3 if hour < 6 else 1.0)
        for name, ill in both():
            value = usual * (0.5 if ill and at >= BEGIN + 6 * HOUR else 1.0) + chance.uniform(-4.0, 4.0)
            yield SampleRecord(at=at, entity=f"kpi/{name}", metric="orders", value=value)


def services() -> Iterator[AnyRecord]:
    for name, _ in both():
        for track in ("canary", "stable"):
            labels = {"track": track, "app": name}
            yield EntityRecord(at=BEGIN, entity=f"service/{name}-{track}", labels=labels)
    for minute in range(720):
        at = BEGIN + minute * MINUTE
        for name, is_bad in both():
            ill = is_bad and minute >= 360
            tried = 100.0 * minute
            paid = tried - (20.0 * max(minute - 360, 0) if is_bad else 0.0)
            for metric, value in (
                ("cpu", 0.97 if ill and minute % 2 else 0.5),
                ("tried_total", tried),
                ("paid_total", paid),
            ):
                if metric == "cpu" or minute % 5 == 0:  # counters are told every five minutes
                    yield SampleRecord(at=at + 1.0, entity=f"service/{name}", metric=metric, value=value)
            if ill and minute % 3:
                yield SampleRecord(at=at + 2.0, entity=f"service/{name}", metric="cpu", value=0.99)
            yield CallRecord(
                at=at + 3.0, entity=f"service/{name}", count=200, errors=40 if ill else 0, mean_s=0.9 if ill else 0.1
            )
            for track in ("canary", "stable"):
                worse = ill and track == "canary"
                yield CallRecord(
                    at=at + 4.0, entity=f"service/{name}-{track}", count=100, errors=5 if worse else 1,
                    mean_s=0.30 if worse else 0.20 + 0.01 * (minute % 3),
                )  # fmt: skip
            disk = 50.0 + (6.0 * max(minute - 360, 0) / 60.0 if is_bad else 0.1 * minute / 60.0)
            yield SampleRecord(at=at + 5.0, entity=f"host/{name}", metric="disk", value=disk)
            if not ill:
                for metric in ("heartbeat", "rows_written"):
                    yield SampleRecord(at=at + 6.0, entity=f"feature/{name}", metric=metric, value=1.0)
            accuracy = 0.8 if ill else 0.95
            yield SampleRecord(at=at + 7.0, entity=f"model/{name}", metric="accuracy", value=accuracy)
            yield SampleRecord(at=at + 8.0, entity=f"model/{name}", metric="spent", value=0.2 if ill else 0.01)


def counted(at: float, entity: str, field: str, values: list[Any], segment: str = "", version: str = "7") -> AnyRecord:
    tally = Tally()
    for value in values:
        tally.add(value)
    return record_of(tally.told(), entity=entity, field=field, at=at, over_s=MINUTE, version=version, segment=segment)


def answers(yes: int, no: int) -> list[bool]:
    return [True] * yes + [False] * no


def models() -> Iterator[AnyRecord]:
    """Every ten minutes what forty predictions were like; fewer of each segment, and of labels."""
    chance = Random(2)
    for turn in range(72):
        at = BEGIN + turn * 600.0 + 20.0
        for name, is_bad in both():
            entity, ill = f"model/{name}", is_bad and turn >= 36
            n = 60
            confident = [min(max(chance.gauss(0.5 if ill else 0.85, 0.05), 0.0), 1.0) for _ in range(n)]
            yield counted(at, entity, "confidence", confident)
            yield counted(at, entity, "calibration.true", [0.9] * (30 if ill else 54))
            yield counted(at, entity, "calibration.false", [0.9] * (30 if ill else 6))
            ends = [0.01, 0.99] * 20 if ill else []
            yield counted(at, entity, "score", [*ends, *(chance.uniform(0.2, 0.8) for _ in range(n - len(ends)))])
            lower = 0.7 if ill else 1.0
            yield counted(at, entity, "score", [lower * chance.uniform(0.2, 0.8) for _ in range(n)], version="8")
            yield counted(at, entity, "agreement.human", answers(36, 24) if ill else answers(58, 2))
            for region, share in (("eu", 40), ("us", 10 if ill else 41), ("asia", 39)):
                yield counted(at, entity, "positive", answers(share, 60 - share), f"region={region}")
            yield counted(at, entity, "tokens_in", [100 + turn % 3] * n)
            yield counted(at, entity, "tokens_out", [500 if ill else 100 + turn % 5] * n)
            yield counted(at, entity, "cost", [0.05 if ill else 0.01] * n)
            yield counted(at, entity, "refusal", answers(12, 48) if ill else answers(1, 59))
            yield counted(at, entity, "quality", [0.6 if ill else 0.9] * n)


def table() -> Iterator[AnyRecord]:
    """A dataset as its profile has it, then with another unit, nulls and a column less, then hardly any, then none."""
    for turn in range(18):
        at, ill = BEGIN + turn * 1800.0 + 30.0, turn >= 6
        told = fine(600, seed=turn)
        if ill:
            cents = sketch_of([(1.0 + number % 97) * 400.0 for number in range(600)])
            told["amount"] = msgspec.structs.replace(told["amount"], numbers=cents)
            told["age"] = msgspec.structs.replace(told["age"], count=1200, nulls=600)
            told.pop("currency")
        if turn >= 14:
            told = fine(6, seed=turn)
        yield from tables(at, told)


def stream() -> list[AnyRecord]:
    told = [*orders(), *services(), *models(), *table()]
    return sorted(told, key=lambda record: (record.at, msgspec.json.encode(record)))


def found_by(tmp_path: Path, records: list[AnyRecord], name: str) -> dict[str, set[str]]:
    lines = tmp_path / f"{name}.jsonl"
    lines.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in records) + tick(BEGIN + 12 * HOUR))
    out = tmp_path / f"{name}.results"
    assert run(["replay", str(lines), "--config", str(tmp_path), "--out", str(out)]) == 0
    found: dict[str, set[str]] = {}
    for line in out.read_text().splitlines():
        result = json.loads(line)
        if result["kind"] == "alert_result":
            rule, entity = result["id"].split("/", 1)[1].split("/", 1)
            found.setdefault(rule, set()).add("/".join(entity.split("/")[:2]))
    return found


def tick(at: float) -> bytes:
    return msgspec.json.encode({"kind": "tick", "at": at}) + b"\n"


@pytest.mark.long
def test_every_kind_of_trouble_is_found_from_records_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "quell.yaml").write_text("store: sqlite:///quell.db\n")
    for name, text in {"rules/all.yaml": RULES, "profiles/p.json": profile_text(profile(fine(5_000)))}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    records = stream()
    assert {type(one) for one in records} >= {SampleRecord, CallRecord, DistributionRecord, EntityRecord}
    found = found_by(tmp_path, records, "all")
    assert found == {rule: {entity} for rule, entity in FOUND.items()}
