"""The month's benchmark: its stream is the same every time, and a small one runs to its end."""

import importlib
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from quell.model.records import AlertRecord

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def month(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("month", "month_stream"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("month")


def test_the_same_seed_gives_the_same_month_in_order(month: Any) -> None:
    first, again = (list(islice(month.Month(3, 1, 3_000).deliveries(), 400)) for _ in range(2))
    assert first == again
    assert list(islice(month.Month(4, 1, 3_000).deliveries(), 400)) != first
    times = [now for now, _ in first]
    assert times == sorted(times)


def test_a_day_has_about_as_many_events_as_asked_for_and_most_say_again_what_is_known(month: Any) -> None:
    records = [
        record
        for now, part in month.Month(1, 3, 30_000).deliveries()
        if now >= month.START + 2 * month.DAY_S
        for record in part
    ]
    alerts = [record for record in records if isinstance(record, AlertRecord)]
    assert 20_000 < len(alerts) < 40_000
    assert all(record.arrived >= record.at for record in alerts)
    begun = {(tuple(record.labels.items()), record.starts_at) for record in alerts}
    assert len(alerts) > 4 * len(begun)


def test_a_small_month_runs_and_tells_figures(month, capsys, tmp_path) -> None:
    assert month.main(["--days", "1", "--per-day", "300", "--records", "6h", "--dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    told = json.loads(said[-1])
    assert told["days"] == 1
    assert told["events"] > 300
    assert 0 < told["database_bytes"] <= told["peak_bytes"] < 1_000_000_000
    assert told["alerts_kept"] > 0
    assert told["snapshots"] > 10
    assert list(tmp_path.iterdir()) == []
