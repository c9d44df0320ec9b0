"""Pictures of how trouble travelled and of what drifted, made beside the loop, one at a time, and only new ones.

A card does not wait for its picture: it comes with the next edit. Without a renderer there are none; that is said once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import structlog

from quell.chatops.drift_card import mark_of
from quell.errors import PictureError
from quell.model.alert import Alert
from quell.model.drift_report import report_of
from quell.model.incident import Incident
from quell.picture.draw import svg
from quell.picture.drift import svg as drift_svg
from quell.picture.png import png
from quell.sdk.chat import Picture

MOST_KEPT = 100
EVERY_S = 60.0
"""Of one incident there is no other picture sooner."""
_BREATH_S = 1.0
"""Between two pictures: drawing takes a fifth of a second of a processor."""
_log = structlog.get_logger("quell.chat")


class _Wanted(NamedTuple):
    """A picture that is to be: its mark, what it says to who cannot see it, and how it is drawn (None: not at all)."""

    mark: str
    alt: str
    draw: Callable[[], str | None]


class Pictures:
    """``explain`` is the core's; ``ready`` is told of what has another picture now: an incident, or a drift report."""

    def __init__(
        self, explain: Callable[[str], Any], ready: Callable[[str], None], steady: Callable[[], float]
    ) -> None:
        self._explain = explain
        self._ready = ready
        self._steady = steady
        self._made: OrderedDict[str, tuple[Picture, float]] = OrderedDict()
        self._wanted: OrderedDict[str, _Wanted] = OrderedDict()
        self._news = asyncio.Event()
        self._off = False

    def of(self, incident: Incident) -> Picture | None:
        """The latest picture there is, which may be of a while ago; a newer one is made if the way is another."""
        walk = incident.suspects[0].path if incident.suspects else ()
        if len(walk) > 1 and incident.is_open:
            alt = f"How trouble travelled: {' → '.join(walk)}"
            self._want(incident.id, _Wanted(mark(incident), alt, partial(self._walk, incident.id)))
        return self._latest(incident.id)

    def drift(self, key: str, alert: Alert) -> Picture | None:
        """The latest picture of a drift report that stands under ``key``; a newer one is made if there is another."""
        report = report_of(alert.annotations)
        if report is not None and any(field.bars is not None for field in report.drifted):
            alt = f"Drift of {report.entity}, before and after: {', '.join(one.field for one in report.drifted)}"
            self._want(key, _Wanted(mark_of(alert), alt, partial(drift_svg, report)))
        return self._latest(key)

    def _latest(self, name: str) -> Picture | None:
        known = self._made.get(name)
        return known[0] if known is not None else None

    def _want(self, name: str, wanted: _Wanted) -> None:
        known = self._made.get(name)
        if not self._off and (known is None or known[0].mark != wanted.mark):
            self._wanted[name] = wanted
            self._news.set()

    def _walk(self, incident_id: str) -> str | None:
        explanation = self._explain(incident_id)
        return None if explanation is None else svg(explanation)

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
            wanted = self._wanted.pop(name)
            try:
                await self._draw(name, wanted)
            except PictureError as error:
                _log.warning("cards have no pictures", reason=str(error))
                self._off = True
                self._wanted.clear()
            except Exception:  # noqa: BLE001 - reported, and a card does without
                _log.exception("a picture cannot be drawn; the card goes without", about=name)
            await asyncio.sleep(_BREATH_S)

    def _old_enough(self, name: str) -> bool:
        known = self._made.get(name)
        return known is None or self._steady() - known[1] >= EVERY_S

    async def _draw(self, name: str, wanted: _Wanted) -> None:
        drawn = wanted.draw()
        if drawn is None:
            return
        picture = Picture(mark=wanted.mark, alt=wanted.alt[:1000], png=await asyncio.to_thread(png, drawn))
        self._made[name] = (picture, self._steady())
        self._made.move_to_end(name)
        while len(self._made) > MOST_KEPT:
            self._made.popitem(last=False)
        self._ready(name)


def mark(incident: Incident) -> str:
    """The same for as long as the way is the same."""
    told = "|".join((*incident.suspects[0].path, *sorted(incident.entities))) if incident.suspects else ""
    return f"{incident.id}/{blake2b(told.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"
