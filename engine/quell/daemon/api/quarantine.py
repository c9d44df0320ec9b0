"""Routes about what could not be read: to look at it, to try it again, to be rid of it."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from quell.daemon import aside
from quell.daemon.api.services import Services, answer, need
from quell.daemon.auth import Principal
from quell.daemon.replaying import Fate
from quell.model.wire import to_wire
from quell.store.port import Quarantined

Actor = Annotated[Principal, Depends(need("act"))]
Limit = Annotated[int, Query(ge=1, le=100_000)]
SHOWN_BYTES = 4096
"""Of each payload in a list, at most; one entry is shown with all of it."""


class Chosen(BaseModel):
    """Which entries."""

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[int], Field(min_length=1, max_length=1000)]


def add_reading(router: APIRouter, services: Services) -> None:
    """The routes that read."""

    @router.get("/quarantine", summary="What could not be read, newest first")
    async def quarantine(
        limit: Limit = 100,
        state: Literal["waiting", "replayed", "dropped", "all"] = "waiting",
        source: str = "",
        payload: Annotated[int, Query(ge=0, le=SHOWN_BYTES)] = SHOWN_BYTES,
    ) -> Response:
        store, asked = services.writer.store, "" if state == "all" else state
        kept = await services.writer.call(store.quarantine, limit, state=asked, source=source)
        waiting = await services.writer.call(store.quarantine_size)
        return answer({"quarantine": [_shown(each, payload) for each in kept], "waiting": waiting})

    @router.get("/quarantine/{entry_id}", summary="One entry with its whole payload")
    async def entry(entry_id: int) -> Response:
        found = await services.writer.call(services.writer.store.quarantined, entry_id)
        if found is None:
            raise HTTPException(404, f"nothing in quarantine has the id {entry_id}")
        return answer({"entry": _shown(found, None)})


def add_acting(router: APIRouter, services: Services) -> None:
    """The routes that act."""

    @router.post("/quarantine/replay", summary="Try entries of the quarantine again")
    async def replay(chosen: Chosen, by: Actor) -> Response:
        return _told(await services.replaying.replay(chosen.ids, by.by))

    @router.post("/quarantine/drop", summary="Put entries of the quarantine away")
    async def drop(chosen: Chosen, by: Actor) -> Response:
        return _told(await services.replaying.drop(chosen.ids, by.by))


def _told(fates: list[Fate]) -> Response:
    return answer({"results": fates})


def _shown(entry: Quarantined, most: int | None) -> dict[str, Any]:
    """An entry; of its payload at most so many bytes."""
    payload = entry.payload if most is None else entry.payload[:most]
    wire: dict[str, Any] = to_wire(msgspec.structs.asdict(entry))
    wire |= {
        "payload": payload.decode("utf-8", "replace"),
        "size": len(entry.payload),
        "replayable": bool(aside.kind_of(entry)) and aside.is_whole(entry),
    }
    del wire["request"]
    if aside.kind_of(entry) == "delivery":
        around = aside.around_of(entry)
        wire["request"] = {"method": around.method, "query": around.query, "headers": around.headers}
    if most is None:
        try:
            entry.payload.decode()
        except UnicodeDecodeError:
            wire["payload_base64"] = b64encode(entry.payload).decode()
    return wire
