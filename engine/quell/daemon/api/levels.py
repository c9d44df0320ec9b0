"""Service levels: how their budgets stand, and whether a release may go on."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Response

from quell.core.slos import SloView, gate, slo_views
from quell.daemon.api.services import Services, answer

Left = Annotated[float, Query(ge=0.0, lt=1.0)]


def add_reading(router: APIRouter, services: Services) -> None:
    """The routes; they need the scope read."""

    def views(name: str, entity: str) -> list[SloView]:
        return slo_views(services.state, services.loop.rulebook, name, entity, services.clock.now())

    @router.get("/slos", summary="Service levels: what is left of their budgets, and how fast they burn")
    async def slos(name: str = "", entity: str = "") -> Response:
        return answer({"slos": views(name, entity)})

    @router.get("/gates/{slo}", summary="Whether a release may go on: 200, or 409 with the reason")
    async def gates(
        slo: str, entity: str = "", least: Left = 0.0, unknown: Literal["open", "shut"] = "shut"
    ) -> Response:
        found_of = views(slo, entity)
        if not found_of:
            raise HTTPException(404, f'no service level that is on is called "{slo}"')
        found = gate(found_of, slo, least, unknown_opens=unknown == "open")
        told = {name: getattr(found, name) for name in found.__struct_fields__}
        return answer(told, 200 if found.open else 409)
