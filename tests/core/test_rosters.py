"""What is remembered of the alerts of causes is bounded by how many alerts that are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from quell.core import rosters
from quell.core.rosters import Rosters
from quell.model.state import State


def test_a_cause_that_grows_for_long_is_remembered_as_it_was_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MOST_ALERTS", 1000)
    units = {number: SimpleNamespace(alerts=[(f"a{number}", 1)]) for number in range(300)}
    known = Rosters(cast("State", SimpleNamespace(units=units, alerts={})))
    for size in range(1, 301):
        whole = tuple(range(size))
        assert len(known.of(whole).members) == size
        assert known.of(whole) is known.of(whole)
        assert sum(len(one.raw) for one in known._kept.values()) <= 1000
    units[5].alerts.append(("again", 1))
    assert known.of(tuple(range(300))).raw.count(("again", 1)) == 1
    assert sum(len(one.raw) for one in known._kept.values()) == known._alerts <= 1000
