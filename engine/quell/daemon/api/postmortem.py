"""The route that drafts a post-mortem."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from quell.daemon.api.known import known_incident
from quell.daemon.api.services import Services
from quell.model.habits import Suggestion
from quell.model.incident import Incident
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
        proposed = await adjustments(services, incident)
        material = Material(
            incident=incident,
            alerts=[state.alerts[each] for each in incident.alerts if each in state.alerts],
            runs=[run for run in state.runs.values() if run.incident == incident.id],
            changes=[state.changes[each] for each in changes if each in state.changes],
            entities=[state.entities[each] for each in incident.entities if each in state.entities],
            explanation=services.loop.decider.explain(incident_id) if incident_id in state.incidents else None,
            adjustments=proposed,
            diff=await asyncio.to_thread(services.suggestions.diff, proposed),
            now=services.clock.now(),
        )
        return Response(draft(material), media_type="text/markdown; charset=utf-8")


async def adjustments(services: Services, incident: Incident) -> list[Suggestion]:
    """What is suggested about the rules whose alerts are in the incident, and about what depends on its entities."""
    state = services.state
    names = {state.alerts[each].name for each in incident.alerts if each in state.alerts}
    ends = {*incident.entities}
    found = (await services.suggestions.suggested()).suggestions
    return [one for one in found if _concerns(one, names, ends, incident.id)]


def _concerns(one: Suggestion, names: set[str], entities: set[str], incident: str) -> bool:
    if one.kind == "dependency":
        return bool({one.rule.get("from"), *one.rule.get("to", ())} & entities)
    rule = str(one.rule.get("name", ""))
    if one.kind == "threshold":
        return rule in names or incident in one.incidents
    if one.kind == "inhibit":
        return any(rule.endswith(f" hides {name}") for name in names)
    return any(rule.startswith(f"{name} ") for name in names) if one.kind in {"hold", "digest"} else False
