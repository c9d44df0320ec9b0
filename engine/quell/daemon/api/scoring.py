"""How things went over a while, from all that the store has kept."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Response

from quell.core.scores import Score, scores
from quell.daemon.api.services import Services, answer
from quell.model.times import format_duration, parse_duration
from quell.stats import release_text
from quell.stats.text import plain, title
from quell.store.port import Store

LONGEST_S = 3650 * 86_400.0
LONGEST_WINDOW_S = 7 * 86_400.0


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

    @router.get(
        "/releases", summary="Deploys and releases of models: what they broke, when it was seen, what users felt"
    )
    async def releases(since: str = "30d", window: str = "1h") -> Response:
        found = await services.releases.since(_span(since), _span(window, "window", LONGEST_WINDOW_S))
        told = {name: getattr(found, name) for name in found.__struct_fields__}
        return answer({**told, "text": release_text.plain(found)})


def _span(text: str, name: str = "since", longest_s: float = LONGEST_S) -> float:
    """Seconds. Raises the 400 that says what is wrong."""
    try:
        span_s = parse_duration(text)
    except ValueError as error:
        raise HTTPException(400, f"{name}: {error}") from error
    if not 0 < span_s <= longest_s:
        most = "ten years" if longest_s == LONGEST_S else format_duration(longest_s)
        raise HTTPException(400, f'{name}: "{text}" is not between nothing and {most}')
    return span_s


def _scored(store: Store, since: float, names: list[str]) -> list[Score]:
    return scores(store.runs(since), store.incident, names)
