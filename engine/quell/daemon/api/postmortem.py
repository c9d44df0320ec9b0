"""The routes that draft a post-mortem, and show the draft that was kept."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Response

from quell.daemon.api.known import known_incident
from quell.daemon.api.services import Services

_TYPE = "text/markdown; charset=utf-8"


def add_reading(router: APIRouter, services: Services) -> None:
    """The routes; they need the scope read."""

    @router.get(
        "/incidents/{incident_id}/postmortem", summary="A draft of a post-mortem, as Markdown", response_class=Response
    )
    async def postmortem(incident_id: str) -> Response:
        incident = await known_incident(services, incident_id)
        return Response(await services.drafting.text(incident), media_type=_TYPE)

    @router.get(
        "/incidents/{incident_id}/postmortem/kept",
        summary="The draft that quell kept by itself, as people have edited it since",
        response_class=Response,
    )
    async def kept(incident_id: str) -> Response:
        incident = await known_incident(services, incident_id)
        found = await asyncio.to_thread(services.postmortems.kept, incident.id)
        if found is None:
            raise HTTPException(404, f'no draft of a post-mortem of incident "{incident.id}" was kept')
        try:
            text = await asyncio.to_thread(found.path.read_bytes)
        except OSError as error:
            raise HTTPException(500, f'"{found.shown}" cannot be read: {error.strerror}') from error
        return Response(text, media_type=_TYPE)
