"""Pictures of how trouble travelled, made beside the loop, one at a time, and only when the way is another.

A card does not wait for its picture: it comes with the next edit. Without a renderer there are none; that is said once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import structlog

from quell.errors import PictureError
from quell.model.incident import Incident
from quell.picture.draw import svg
from quell.picture.png import png
from quell.sdk.chat import Picture

MOST_KEPT = 100
EVERY_S = 60.0
"""Of one incident there is no other picture sooner."""
_BREATH_S = 1.0
"""Between two pictures: drawing takes a fifth of a second of a processor."""
_log = structlog.get_logger("quell.chat")


class Pictures:
    """``explain`` is the core's; ``ready`` is told of an incident whose picture is another now."""

    def __init__(
        self, explain: Callable[[str], Any], ready: Callable[[str], None], steady: Callable[[], float]
    ) -> None:
        self._explain = explain
        self._ready = ready
        self._steady = steady
        self._made: OrderedDict[str, tuple[Picture, float]] = OrderedDict()
        self._wanted: OrderedDict[str, Incident] = OrderedDict()
        self._news = asyncio.Event()
        self._off = False

    def of(self, incident: Incident) -> Picture | None:
        """The latest picture there is, which may be of a while ago; a newer one is made if the way is another."""
        known = self._made.get(incident.id)
        walk = incident.suspects[0].path if incident.suspects else ()
        if len(walk) > 1 and incident.is_open and not self._off and (known is None or known[0].mark != mark(incident)):
            self._wanted[incident.id] = incident
            self._news.set()
        return known[0] if known is not None else None

    async def run(self) -> None:
        """Draws what is wanted until cancelled."""
        while True:
            await self._news.wait()
            name = next((name for name in self._wanted if self._old_enough(name)), None)
            if not self._wanted:
                self._news.clear()
            if name is None:
                await asyncio.sleep(_BREATH_S)
                continue
            incident = self._wanted.pop(name)
            try:
                await self._draw(incident)
            except PictureError as error:
                _log.warning("cards have no pictures", reason=str(error))
                self._off = True
                self._wanted.clear()
            except Exception:  # noqa: BLE001 - reported, and a card does without
                _log.exception("a picture cannot be drawn; the card goes without", incident=name)
            await asyncio.sleep(_BREATH_S)

    def _old_enough(self, name: str) -> bool:
        known = self._made.get(name)
        return known is None or self._steady() - known[1] >= EVERY_S

    async def _draw(self, incident: Incident) -> None:
        explanation = self._explain(incident.id)
        if explanation is None:
            return
        drawn = await asyncio.to_thread(lambda: png(svg(explanation)))
        walk = " → ".join(incident.suspects[0].path)
        picture = Picture(mark=mark(incident), alt=f"How trouble travelled: {walk}"[:1000], png=drawn)
        self._made[incident.id] = (picture, self._steady())
        self._made.move_to_end(incident.id)
        while len(self._made) > MOST_KEPT:
            self._made.popitem(last=False)
        self._ready(incident.id)


def mark(incident: Incident) -> str:
    """The same for as long as the way is the same."""
    told = "|".join((*incident.suspects[0].path, *sorted(incident.entities))) if incident.suspects else ""
    return f"{incident.id}/{blake2b(told.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"
