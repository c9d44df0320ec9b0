"""What the benchmark of playbooks measures is what it says: playbooks are asked, some begin, and it ends."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("playbooks")


def test_a_small_world_is_measured(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    words = ["playbooks.py", "--incidents", "5", "--entities", "1500", "--alerts", "5", "--json", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", words)
    assert bench.main() in {0, 1}
    found = json.loads(out.read_text())
    assert found["runs"] == 4.0
    assert found["acts"] > 0
    assert 0 < found["median_ms"] <= found["worst_ms"]
    assert found["playbooks"] == 200
