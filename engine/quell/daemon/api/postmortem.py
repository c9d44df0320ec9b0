"""The route that drafts a post-mortem."""

from __future__ import annotations

from fastapi import APIRouter, Response

from quell.daemon.api.known import known_incident
from quell.daemon.api.services import Services
from quell.postmortem.draft import Material, draft


def add_reading(router: APIRouter, services: Services) -> None:
    """The route; it needs the scope read."""

    @router.get(
        "/incidents/{incident_id}/postmortem", summary="A draft of a post-mortem, as Markdown", response_class=Response
    )
    async def postmortem(incident_id: str) -> Response:
        incident, state = await known_incident(services, incident_id), services.state
        guilty = [one.change for one in incident.suspects[:1] if one.change]
        changes = dict.fromkeys((*guilty, *incident.changes))
        material = Material(
            incident=incident,
            alerts=[state.alerts[each] for each in incident.alerts if each in state.alerts],
            runs=[run for run in state.runs.values() if run.incident == incident.id],
            changes=[state.changes[each] for each in changes if each in state.changes],
            entities=[state.entities[each] for each in incident.entities if each in state.entities],
            explanation=services.loop.decider.explain(incident_id) if incident_id in state.incidents else None,
            now=services.clock.now(),
        )
        return Response(draft(material), media_type="text/markdown; charset=utf-8")
