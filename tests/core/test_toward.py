"""What could have made an open cause is kept, and is what it would be made anew, whatever joined or left meanwhile."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from core.random_story import lived
from quell.core import hubs, toward
from quell.core.engine import Engine
from quell.core.reach import key
from quell.core.toward import Toward


def compare(engine: Engine) -> int:
    """Asks for what is kept and for the same made anew, of every cause at which something fires; how many these are."""
    correlator, units = engine._chart.correlator, engine.state.units
    web, found = correlator.web, 0
    anew = Toward(web, units)
    for unit in units.values():
        for cause in (key(web.graph.node(unit.entity), unit.family), *list(web.claims[unit.id])[:3]):
            kept, made = correlator._toward.of(cause), anew.of(cause)
            assert all(np.array_equal(one, other) for one, other in zip(kept, made, strict=True))
            assert np.all(np.diff(kept[0]) > 0)
            found += 1
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [2, 2_000])
def test_what_is_kept_is_what_would_be_made_anew(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toward, "MOST_KEPT", most)
    monkeypatch.setattr(hubs, "MANY", 3)
    found = 0
    for engine, _ in lived(Random(seed)):
        found += compare(engine)
    assert found
