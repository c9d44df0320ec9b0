"""What a draft proposes is what was suggested of this incident, by its id as a whole."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from quell.core.suggest import Suggested
from quell.daemon.api.postmortem import adjustments
from quell.daemon.api.services import Services
from quell.model.habits import Suggestion
from quell.model.incident import Incident
from quell.model.state import State


class _Suggests:
    def __init__(self, *found: Suggestion) -> None:
        self._found = found

    async def suggested(self) -> Suggested:
        return Suggested(from_time=None, suggestions=self._found)


class _Services:
    def __init__(self, *found: Suggestion) -> None:
        self.state = State()
        self.suggestions = _Suggests(*found)


def proposed(name: str, *found: Suggestion) -> list[str]:
    of: Any = _Services(*found)
    incident = Incident(id=name, title="t", status="resolved", opened_at=1.0, updated_at=2.0)
    return [one.id for one in asyncio.run(adjustments(cast("Services", of), incident))]


def test_a_limit_is_proposed_for_the_incidents_it_rests_on() -> None:
    limit = Suggestion(
        id="sug-1", kind="threshold", text="t", evidence=("3 alerts (INC-12) reached 3",), rule={"name": "Slow"},
        support=3, chance=0.0, confidence=0.9, incidents=("INC-12", "INC-3"),
    )  # fmt: skip
    assert proposed("INC-12", limit) == ["sug-1"]
    assert proposed("INC-3", limit) == ["sug-1"]
    assert proposed("INC-1", limit) == [], "it is only the beginning of another id"
