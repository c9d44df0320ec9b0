"""Things by their name, or the 404 that says which is not known."""

from __future__ import annotations

from fastapi import HTTPException

from quell.daemon.api.services import Services
from quell.model.incident import Incident


async def known_incident(services: Services, incident_id: str) -> Incident:
    """An incident of the state, or one that only the store still has. Raises the 404."""
    found = services.state.incidents.get(incident_id)
    if found is None:
        found = await services.writer.call(services.writer.store.incident, incident_id)
    if found is None:
        raise HTTPException(404, f'no incident has the id "{incident_id}"')
    return found
