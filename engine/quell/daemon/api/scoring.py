"""How things went over a while, from all that the store has kept."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Response

from quell.core.scores import Score, scores
from quell.daemon.api.services import Services, answer
from quell.model.times import parse_duration
from quell.stats.text import plain, title
from quell.store.port import Store

LONGEST_S = 3650 * 86_400.0


def add_reading(router: APIRouter, services: Services) -> None:
    """The route; it needs the scope read."""

    @router.get("/stats/playbooks", summary="How playbooks do: outcomes, guards, approvals, and how right shadow was")
    async def playbooks(since: str = "30d") -> Response:
        begin = services.clock.now() - _span(since)
        names = [playbook.name for playbook in services.loop.rulebook.playbooks]
        found = await services.writer.call(_scored, services.writer.store, begin, names)
        modes = {playbook.name: playbook.mode for playbook in services.loop.rulebook.playbooks}
        return answer({"since_at": begin, "playbooks": found, "modes": modes})

    @router.get("/stats", summary="From events to pages, what was held, times, first causes, minutes saved, noise")
    async def stats(since: str = "7d") -> Response:
        figures = await services.figures.since(_span(since))
        told = {name: getattr(figures, name) for name in figures.__struct_fields__}
        return answer({**told, "title": title(figures), "text": plain(figures)})


def _span(text: str) -> float:
    """Seconds. Raises the 400 that says what is wrong."""
    try:
        span_s = parse_duration(text)
    except ValueError as error:
        raise HTTPException(400, f"since: {error}") from error
    if not 0 < span_s <= LONGEST_S:
        raise HTTPException(400, f'since: "{text}" is not between nothing and ten years')
    return span_s


def _scored(store: Store, since: float, names: list[str]) -> list[Score]:
    return scores(store.runs(since), store.incident, names)
