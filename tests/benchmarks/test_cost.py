"""What the cost benchmark counts, on a stream of a few lines."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("cost", "storm_folders"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("cost")


def _envelope(number: int, status: str) -> str:
    labels = {"alertname": "Down", "service": "cart", "namespace": "shop", "severity": "warning"}
    alert = {"status": status, "labels": labels, "startsAt": "2026-03-02T06:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    told = {"version": "4", "status": status, "alerts": [alert]}
    at = f"2026-03-02T06:{number:02}:00.000Z"
    return json.dumps({"t": at, "to": "/ingest/alertmanager", "event_ids": [f"e{number}"], "body": told}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    nodes = [
        {"id": f"service/shop/{name}", "kind": "service", "name": name, "namespace": "shop", "cluster": "eu"}
        for name in ("cart", "stock")
    ]
    edges = [{"src": "service/shop/cart", "dst": "service/shop/stock", "type": "calls"}]
    (tmp_path / "topology.json").write_text(json.dumps({"nodes": nodes, "edges": edges}))
    statuses = ["firing"] * 8 + ["resolved"] * 2
    (tmp_path / "stream.jsonl").write_text("".join(_envelope(number, one) for number, one in enumerate(statuses)))
    (tmp_path / "meta.json").write_text(json.dumps({"events": len(statuses)}))
    return tmp_path


def test_events_turns_and_the_estate_are_counted_apart(cost: Any, folder: Path) -> None:
    found = cost.measured(folder, 10)
    assert (found["events"], found["turns"], found["alerts"]) == (10, 10, 1)
    assert found["estate"]["records"] == 3
    assert set(found["stage_us"]) == {"read", "translate", "decide"}
    assert len(found["slices_events_per_s"]) == cost.SLICES
    text = "\n".join(cost.lines_of("few", found))
    assert text.startswith("few: 10 events")
    assert "3 records" in text


def test_a_replay_may_stop_early(cost: Any, folder: Path) -> None:
    assert cost.measured(folder, 4)["events"] == 4


def test_the_processors_clock_counts_what_this_process_was_given(cost: Any, folder: Path) -> None:
    found = cost.measured(folder, 10, "processor")
    assert found["took_s"] <= found["cpu_s"]
    assert len(found["resident_mib"]) == cost.SLICES
    assert all(0.0 < size <= found["peak_mib"] + 32.0 for size in found["resident_mib"])
