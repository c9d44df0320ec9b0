"""Pages that only read: what is asked for is gathered in the loop, and written by a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from quell.core.explain import Explanation
from quell.core.similar import Likes
from quell.daemon.api.likes import likes_of
from quell.daemon.api.services import Services
from quell.daemon.auth import Principal
from quell.daemon.pages.answers import page, picture
from quell.errors import QuellError
from quell.model.incident import Incident
from quell.picture.draw import svg
from quell.sdk.connector import Reply
from quell.web import views

MOST_KEPT = 64
"""Of so many incidents what is costly to tell is remembered, as pages ask for it every few seconds."""
TOLD_S = 10.0
"""An explanation is asked for anew after so long, though its incident is what it was: others may have changed."""
_RESTS = 50.0
"""One of an incident that changes all the time is asked for anew after so many times as long as it took: the loop has
more to do, and with thousands of alerts a telling takes a tenth of a second."""
GROWN_S, ALIKE_S = 20.0, 300.0
"""What is like an incident is asked for anew after so long, if it has changed meanwhile and if not: thousands of past
ones are read for it."""

LIKES_WAIT_S = 1.0
"""A page waits no longer for that."""


class Nothing(Exception):
    """There is no such page; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class _Told:
    """An explanation of a version of an incident, when it was told, and for how long it will do for the next.

    ``edition`` counts those that differed, so that a browser that has the picture of one asks for the next.
    """

    version: int
    at: float
    rests_s: float
    explanation: Explanation | None
    edition: int


class Shown:
    """What the pages show, for whoever may read."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._likes: dict[str, tuple[int, float, asyncio.Future[Likes]]] = {}
        self._told: dict[str, _Told] = {}

    async def at(self, path: str, query: Mapping[str, str], by: Principal) -> Reply:
        """The page at a path. Raises `Nothing`."""
        first, _, rest = path.removeprefix("/").partition("/")
        rest = unquote(rest)
        match first:
            case "incidents":
                return await (self._incident(rest, by) if rest else self._incidents(query, by))
            case "alerts":
                return await (self._alert(rest, by) if rest else self._alerts(query, by))
            case "runs":
                return await (self._run(rest, by) if rest else self._runs(by))
        raise Nothing("no page has this address")

    async def _incidents(self, query: Mapping[str, str], by: Principal) -> Reply:
        everything = query.get("status") == "all"
        listed = views.incidents(self._services.state, all_of_them=everything)
        return await self._made("incidents", by, "incidents", listed=listed, all=everything)

    async def _incident(self, name: str, by: Principal) -> Reply:
        name, _, part = name.partition("/")
        services = self._services
        found = services.state.incidents.get(name) or await services.writer.call(services.writer.store.incident, name)
        if found is None or part not in {"", "walk.svg"}:
            raise Nothing(f'no incident has the id "{name}"; it may have been forgotten')
        told = self._explained(found)
        if part:
            if told.explanation is None:
                raise Nothing("its explanation is forgotten")
            return picture(await asyncio.to_thread(svg, told.explanation))
        likes = await self._alike(found)
        await asyncio.sleep(0)  # of thousands of alerts that was much, and the next is: others have their turn between
        whole = views.whole(services.state, found, told.explanation, likes, told.edition)
        return await self._made("incidents", by, "incident", whole=whole, may_act=by.may("act"))

    async def _alerts(self, query: Mapping[str, str], by: Principal) -> Reply:
        handling = query.get("handling", "")
        asked = handling if handling in views.HANDLINGS else ""
        known, everything = tuple(self._services.state.alerts.values()), query.get("status") == "all"
        listed = await asyncio.to_thread(views.alerts, known, handling=asked, all_of_them=everything)
        return await self._made("alerts", by, "alerts", listed=listed)

    async def _alert(self, mark: str, by: Principal) -> Reply:
        found = self._services.state.alerts.get(mark)
        if found is None:
            raise Nothing(f'no alert has the fingerprint "{mark}"; it may have been forgotten')
        return await self._made("alerts", by, "alert", one=views.one_alert(self._services.state, found))

    async def _runs(self, by: Principal) -> Reply:
        return await self._made("runs", by, "runs", runs=views.runs(self._services.state))

    async def _run(self, name: str, by: Principal) -> Reply:
        found = self._services.state.runs.get(name)
        if found is None:
            raise Nothing(f'no run has the id "{name}"; it may have been forgotten')
        one = views.one_run(self._services.state, found)
        return await self._made("runs", by, "run", one=one, may_approve=by.may("approve"))

    async def _made(self, here: str, by: Principal, template: str, **values: Any) -> Reply:
        now = views.now_of(self._services.state, self._services.status())
        return await asyncio.to_thread(page, 200, template, {**values, "now": now, "here": here, "live": True}, by)

    async def _alike(self, incident: Incident) -> Likes:
        now = asyncio.get_running_loop().time()
        known = self._likes.get(incident.id)
        if known is None or now > known[1] + (ALIKE_S if known[0] == incident.version else GROWN_S):
            # One asks for all who look: what commits deliveries waits while thousands are read.
            known = incident.version, now, asyncio.ensure_future(likes_of(self._services, incident))
            _keep(self._likes, incident.id, known)
        try:
            return await asyncio.wait_for(asyncio.shield(known[2]), LIKES_WAIT_S)
        except (QuellError, TimeoutError):
            return Likes()  # the rest of the page is worth more than what was like it; the next look has it

    def _explained(self, incident: Incident) -> _Told:
        now = asyncio.get_running_loop().time()
        known = self._told.get(incident.id)
        if known is None or now > known.at + (TOLD_S if known.version == incident.version else known.rests_s):
            began = time.thread_time()
            told = self._services.loop.decider.explain(incident.id)
            rests_s = _RESTS * (time.thread_time() - began)
            edition = 0 if known is None else known.edition + (told != known.explanation)
            known = _Told(incident.version, now, rests_s, told, edition)
            _keep(self._told, incident.id, known)
        return known


def _keep(kept: dict[str, Any], name: str, what: object) -> None:
    """Keeps it as the newest of so many."""
    kept.pop(name, None)
    kept[name] = what
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
