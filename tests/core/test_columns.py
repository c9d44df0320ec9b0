"""Claims that are kept by cause are those of the units, whatever joined, left or was told of changes meanwhile."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from core.random_story import lived
from core.scene import T0
from core.test_sifting import estate, noise
from quell.core import columns
from quell.core import groups as sifting
from quell.core.engine import Engine
from quell.core.steps import finished


def compare(engine: Engine, chance: Random) -> int:
    """Asks for claims on some causes of each group as a look would, and counts those that were found."""
    web, found = engine._chart.correlator.web, 0
    for group in engine.state.groups.values():
        causes = {cause for unit in group.units for cause in web.claims[unit] if chance.random() < 0.5} | {10**6}
        told = finished(web.claims_on(causes, group.units))
        assert told is not None
        rows = zip(*(part.tolist() for part in (told.cause, told.unit, told.cost, told.lag)), strict=True)
        assert list(rows) == [
            (cause, unit, *web.claims[unit][cause])
            for cause in sorted(causes)
            for unit in sorted(group.units)
            if cause in web.claims[unit]
        ]
        assert np.all(np.diff(told.cause) >= 0)
        found += len(told.unit)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_what_changes_lead_to_is_claimed_as_by_the_units(seed: int) -> None:
    chance = Random(seed)
    found = 0
    for engine, _ in lived(chance):
        found += compare(engine, chance)
    assert found


@pytest.mark.parametrize("kept", [0, 5_000])
def test_what_units_take_along_when_they_leave_is_claimed_no_more(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_KEPT", kept)
    monkeypatch.setattr(sifting, "SMALL", 4)
    monkeypatch.setattr(sifting, "SIFT_EVERY_S", 600.0)
    chance = Random(5)
    engine = Engine(estate(chance, "service"))
    found, most, least = 0, 0, 10**9
    for at, records in noise(chance, "service", 3.0):
        engine.decide(records, at)
        found += compare(engine, chance)
        most = max(most, len(engine.state.units))
    engine.decide([], T0 + 5 * 3600.0)
    least = len(engine.state.units)
    assert found
    assert least < most


def test_what_was_forgotten_is_bounded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_KEPT", 8)
    kept = columns.Columns({1: dict.fromkeys(range(100), (1.0, 0.0))}, {cause: [1] for cause in range(100)})
    for cause in range(100):
        assert kept.of(cause) is not None
        kept.forget(cause, None)
    assert sum(kept.last(cause) is not None for cause in range(100)) <= 8
