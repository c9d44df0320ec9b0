"""The backtest's benchmark: the day has as many events as asked for, the versions differ, and a small one ends."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def backtest(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("backtest", "month_stream"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("backtest")
    sys.modules.pop("backtest", None)  # tests have a package of that name


def test_the_day_is_the_same_every_time(backtest: Any, tmp_path: Path) -> None:
    assert backtest.write_day(tmp_path / "a", 2_000, 1) >= 2_000
    backtest.write_day(tmp_path / "b", 2_000, 1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_small_one_runs_to_its_end(
    backtest: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["backtest.py", "--events", "1500", "--runs", "1", "--json"])
    backtest.main()
    found = json.loads(capsys.readouterr().out)
    assert found["events"] >= 1500
    assert len(found["took_s"]) == 1
    assert "No difference" not in found["said"]
