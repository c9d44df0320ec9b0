"""What a draft proposes is what was suggested of this incident, by its id as a whole."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from quell.core.suggest import Suggested
from quell.daemon.drafting import adjustments
from quell.daemon.past_limits import PastLimits
from quell.model.habits import Suggestion
from quell.model.incident import Incident
from quell.model.state import State


class _Suggests:
    def __init__(self, *found: Suggestion) -> None:
        self._found = found

    async def suggested(self) -> Suggested:
        return Suggested(from_time=None, suggestions=self._found)


def proposed(name: str, *found: Suggestion) -> list[str]:
    suggests: Any = _Suggests(*found)
    incident = Incident(id=name, title="t", status="resolved", opened_at=1.0, updated_at=2.0)
    return [one.id for one in asyncio.run(adjustments(cast("PastLimits", suggests), State(), incident))]


def test_a_limit_is_proposed_for_the_incidents_it_rests_on() -> None:
    limit = Suggestion(
        id="sug-1", kind="threshold", text="t", evidence=("3 alerts (INC-12) reached 3",), rule={"name": "Slow"},
        support=3, chance=0.0, confidence=0.9, incidents=("INC-12", "INC-3"),
    )  # fmt: skip
    assert proposed("INC-12", limit) == ["sug-1"]
    assert proposed("INC-3", limit) == ["sug-1"]
    assert proposed("INC-1", limit) == [], "it is only the beginning of another id"
