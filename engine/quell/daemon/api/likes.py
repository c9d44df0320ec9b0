"""Incidents like one at hand, from the state and from the store's history."""

from __future__ import annotations

import asyncio

from quell.core.similar import Likes, similar
from quell.daemon.api.services import Services
from quell.model.incident import Incident

LOOKED_THROUGH = 5000
"""So many past incidents at most are read for one answer: a few tenths of a second, in a thread of its own."""


async def likes_of(services: Services, asked: Incident) -> Likes:
    """What is like ``asked``; the loop goes on meanwhile."""
    known = tuple(services.state.incidents.values())
    past = await services.writer.call(services.writer.store.resolved, LOOKED_THROUGH)
    return await asyncio.to_thread(similar, asked, (*known, *past))
