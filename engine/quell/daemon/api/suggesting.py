"""Routes about what quell suggests: to read it, and to turn it down for good."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from quell.daemon.api.services import Services, answer, need, put
from quell.daemon.auth import Principal
from quell.model.records import FeedbackRecord

Actor = Annotated[Principal, Depends(need("act"))]


class Rejection(BaseModel):
    """Why a suggestion is turned down."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=10_000)


def add_reading(router: APIRouter, services: Services) -> None:
    """The route that reads."""

    @router.get("/suggestions", summary="Rules and dependencies that the past speaks for; none is in force")
    async def suggestions() -> Response:
        found = await services.suggestions.suggested()
        diff = await asyncio.to_thread(services.suggestions.diff, found.suggestions)
        return answer({**{name: getattr(found, name) for name in found.__struct_fields__}, "diff": diff})


def add_acting(router: APIRouter, services: Services) -> None:
    """The route that acts."""

    @router.post("/suggestions/{suggestion_id}/reject", summary="Turn a suggestion down, for good")
    async def reject(suggestion_id: str, why: Rejection, by: Actor) -> Response:
        known = {one.id for one in (await services.suggestions.suggested()).suggestions}
        if suggestion_id in services.state.habits.declined:
            return answer({"rejected": suggestion_id, "text": "it was turned down before"})
        if suggestion_id not in known:
            raise HTTPException(404, f'nothing is suggested under the id "{suggestion_id}"')
        now = services.clock.now()
        record = FeedbackRecord(
            at=now, seen=now, source="api", verdict="not_actionable", suggestion=suggestion_id, by=by.by, note=why.note
        )  # fmt: skip
        if not await put(services, [record]):
            return answer({"accepted": True, "text": "accepted, not decided over yet"}, 202)
        return answer({"rejected": suggestion_id, "text": "it will not be suggested again"})
