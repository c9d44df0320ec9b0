"""How playbooks do, from all runs that the store has kept."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Response

from quell.core.scores import Score, scores
from quell.daemon.api.services import Services, answer
from quell.model.times import parse_duration
from quell.store.port import Store


def add_reading(router: APIRouter, services: Services) -> None:
    """The route; it needs the scope read."""

    @router.get("/stats/playbooks", summary="How playbooks do: outcomes, guards, approvals, and how right shadow was")
    async def playbooks(since: str = "30d") -> Response:
        try:
            span_s = parse_duration(since)
        except ValueError as error:
            raise HTTPException(400, f"since: {error}") from error
        begin = services.clock.now() - span_s
        names = [playbook.name for playbook in services.loop.rulebook.playbooks]
        found = await services.writer.call(_scored, services.writer.store, begin, names)
        modes = {playbook.name: playbook.mode for playbook in services.loop.rulebook.playbooks}
        return answer({"since_at": begin, "playbooks": found, "modes": modes})


def _scored(store: Store, since: float, names: list[str]) -> list[Score]:
    return scores(store.runs(since), store.incident, names)
