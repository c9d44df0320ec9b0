"""Routes that only read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from heapq import nsmallest
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from quell.chatops.drift_card import reported
from quell.core.detect.drift_text import drift_lines
from quell.core.explain import Explanation, why_not
from quell.core.lineage import Lineage, lineage
from quell.core.similar import lines
from quell.daemon.api import levels, postmortem, quarantine, scoring
from quell.daemon.api.known import known_incident
from quell.daemon.api.likes import likes_of
from quell.daemon.api.listed import USUAL, Newest
from quell.daemon.api.services import Services, answer, need, shown
from quell.daemon.api.suggesting import add_reading
from quell.errors import PictureError
from quell.model.alert import Alert
from quell.model.drift_report import DriftReport, report_of
from quell.model.incident import Incident
from quell.model.topology import Dependency
from quell.model.wire import to_wire
from quell.picture.draw import svg
from quell.picture.drift import svg as drift_svg
from quell.picture.lineage import dot
from quell.picture.lineage import svg as lineage_svg
from quell.picture.png import png

Limit = Annotated[int, Query(ge=1, le=100_000)]


def reading(services: Services, newest: Newest) -> APIRouter:
    """The routes; they need the scope read."""
    router = APIRouter(dependencies=[Depends(need("read"))])
    _incidents(router, services, newest)
    _alerts(router, services)
    _runs(router, services)
    _estate(router, services)
    add_reading(router, services)
    quarantine.add_reading(router, services)
    scoring.add_reading(router, services)
    postmortem.add_reading(router, services)
    levels.add_reading(router, services)
    return router


def _incidents(router: APIRouter, services: Services, newest: Newest) -> None:
    @router.get("/incidents", summary="Incidents, newest first")
    async def incidents(status: Literal["open", "all"] = "open", limit: Limit = USUAL) -> Response:
        return Response(newest.told(status, limit), media_type="application/json")

    @router.get("/incidents/{incident_id}", summary="One incident with its alerts, runs, changes and what is like it")
    async def incident(incident_id: str) -> Response:
        found = await known_incident(services, incident_id)
        state = services.state
        alerts = [shown(state.alerts[each]) for each in found.alerts if each in state.alerts]
        runs = [run for run in state.runs.values() if run.incident == found.id]
        changes = [state.changes[each] for each in found.changes if each in state.changes]
        likes = await likes_of(services, found)
        return answer({
            "incident": to_wire(found), "alerts": alerts, "runs": runs, "changes": changes, "similar": likes,
            "postmortem": await asyncio.to_thread(_kept, services, found),
            "drift": [
                {"alert": alert.fingerprint, "text": "\n".join(drift_lines(report))}
                for alert, report in _reports(services, found)
            ],
        })  # fmt: skip

    @router.get("/incidents/{incident_id}/why", summary="Why this cause and not the others")
    async def why(incident_id: str) -> Response:
        told = _with_text(await _explained(services, incident_id))
        known = services.state.incidents[incident_id]
        likes = await likes_of(services, known)
        drifts = [line for _, report in _reports(services, known) for line in ("", *drift_lines(report))]
        told["text"] = "\n".join((told["text"], *drifts, *lines(likes))).strip()
        return answer({**told, "similar": likes})

    @router.get("/incidents/{incident_id}/why.svg", summary="The same as a picture", response_class=Response)
    async def drawn(incident_id: str) -> Response:
        return Response(svg(await _explained(services, incident_id)), media_type="image/svg+xml")

    @router.get(
        "/incidents/{incident_id}/why.png", summary="The same as PNG; needs quell[png]", response_class=Response
    )
    async def painted(incident_id: str) -> Response:
        picture = svg(await _explained(services, incident_id))
        try:
            return Response(await asyncio.to_thread(png, picture), media_type="image/png")
        except PictureError as error:
            raise HTTPException(501, str(error)) from error

    @router.get(
        "/incidents/{incident_id}/drift.svg", summary="What drifted furthest, as a picture", response_class=Response
    )
    async def drifted(incident_id: str) -> Response:
        return Response(drift_svg(await _furthest(services, incident_id)), media_type="image/svg+xml")

    @router.get(
        "/incidents/{incident_id}/drift.png", summary="The same as PNG; needs quell[png]", response_class=Response
    )
    async def drift_painted(incident_id: str) -> Response:
        picture = drift_svg(await _furthest(services, incident_id))
        try:
            return Response(await asyncio.to_thread(png, picture), media_type="image/png")
        except PictureError as error:
            raise HTTPException(501, str(error)) from error


def _kept(services: Services, incident: Incident) -> dict[str, str] | None:
    """The draft of its post-mortem that was kept, if one stands there now."""
    found = services.postmortems.kept(incident.id)
    return None if found is None else {"file": found.shown}


def _reports(services: Services, incident: Incident) -> list[tuple[Alert, DriftReport]]:
    """The drift reports that alerts of the incident carry, the furthest first."""
    alerts = reported(services.state, incident)
    return [(alert, found) for alert in alerts if (found := report_of(alert.annotations)) is not None]


async def _furthest(services: Services, incident_id: str) -> DriftReport:
    """The first of these. Raises the 404."""
    found = await known_incident(services, incident_id)
    reports = _reports(services, found)
    if not reports:
        raise HTTPException(404, f'no alert of incident "{found.id}" carries a drift report')
    return reports[0][1]


async def _explained(services: Services, incident_id: str) -> Explanation:
    """The explanation of an incident. Raises the 404."""
    explanation: Explanation | None = services.loop.decider.explain(incident_id)
    if explanation is None:
        found = await known_incident(services, incident_id)
        raise HTTPException(404, f'incident "{found.id}" is over and its explanation forgotten')
    return explanation


def _newest(known: Iterable[Alert], status: str, handling: str | None, limit: int) -> list[Alert]:
    """Those that began last of the alerts that are asked for."""
    asked = (one for one in known if (status == "all" or one.firing) and (handling is None or one.handling == handling))
    return nsmallest(limit, asked, key=lambda one: (-one.starts_at, one.fingerprint))


def _alerts(router: APIRouter, services: Services) -> None:
    @router.get("/alerts", summary="Alerts, those that began last first")
    async def alerts(
        status: Literal["firing", "all"] = "firing",
        handling: Literal["page", "hold", "digest", "muted"] | None = None,
        limit: Limit = 100,
    ) -> Response:
        known = tuple(services.state.alerts.values())  # which never change: others are decided over meanwhile
        found = await asyncio.to_thread(_newest, known, status, handling, limit)
        return answer({"alerts": [shown(one) for one in found]})

    @router.get("/alerts/{fingerprint}", summary="One alert")
    async def alert(fingerprint: str) -> Response:
        found = services.state.alerts.get(fingerprint)
        if found is None:
            raise HTTPException(404, f'no alert has the fingerprint "{fingerprint}"')
        return answer({"alert": shown(found)})

    @router.get(
        "/alerts/{fingerprint}/drift.svg",
        summary="What drifted, before and after, as a picture; of alerts of drift detectors",
        response_class=Response,
    )
    async def drifted(fingerprint: str) -> Response:
        found = services.state.alerts.get(fingerprint)
        report = None if found is None else report_of(found.annotations)
        if report is None:
            raise HTTPException(404, f'no alert with a drift report has the fingerprint "{fingerprint}"')
        return Response(drift_svg(report), media_type="image/svg+xml")

    @router.get("/alerts/{fingerprint}/why-not", summary="Why an alert did not page")
    async def did_not_page(fingerprint: str) -> Response:
        found = services.state.alerts.get(fingerprint)
        if found is None:
            raise HTTPException(404, f'no alert has the fingerprint "{fingerprint}"')
        text = why_not(services.state, found)
        return answer({
            "alert": shown(found), "handling": found.handling, "reason": to_wire(found.reason), "text": text,
        })  # fmt: skip


def _runs(router: APIRouter, services: Services) -> None:
    @router.get("/runs", summary="Runs of playbooks, newest first")
    async def runs(incident: str = "", playbook: str = "", limit: Limit = 1000) -> Response:
        found = [
            run
            for run in services.state.runs.values()
            if (not incident or run.incident == incident) and (not playbook or run.playbook == playbook)
        ]
        found.sort(key=lambda run: (-run.started_at, run.id))
        return answer({"runs": found[:limit]})

    @router.get("/runs/{run_id:path}", summary="One run with its steps")
    async def run(run_id: str) -> Response:
        found = services.state.runs.get(run_id)
        if found is None:
            raise HTTPException(404, f'no run has the id "{run_id}"')
        return answer({"run": found})

    @router.get("/playbooks", summary="The playbooks that are loaded")
    async def playbooks() -> Response:
        return answer({"playbooks": services.loop.rulebook.playbooks, "paused_by": services.state.paused_by})

    @router.get("/ledger", summary="Acts on the outside world, newest first")
    async def ledger(run: str = "", limit: Limit = 1000) -> Response:
        return answer({"ledger": await services.writer.call(services.writer.store.ledger, run, limit)})


def _estate(router: APIRouter, services: Services) -> None:
    @router.get("/status", summary="How the daemon is")
    async def status() -> Response:
        return answer({**services.status(), "quarantine": {"waiting": await services.replaying.waiting()}})

    @router.get("/graph", summary="What depends on what; with an entity, its neighbourhood")
    async def graph(entity: str = "", hops: Annotated[int, Query(ge=0, le=20)] = 2) -> Response:
        state, rulebook = services.state, services.loop.rulebook
        known = {one.entity: one for one in rulebook.entities} | state.entities
        edges = [*rulebook.dependencies, *state.dependencies.values()]
        if entity and entity not in known and not any(entity in {edge.from_, edge.to} for edge in edges):
            raise HTTPException(404, f'nothing is known of the entity "{entity}"')
        names = _near(edges, entity, hops) if entity else None
        entities = [one for one in known.values() if names is None or one.entity in names]
        kept = [edge for edge in edges if names is None or (edge.from_ in names and edge.to in names)]
        return answer({"entities": entities, "dependencies": [_edge(edge) for edge in kept]})

    @router.get("/lineage", summary="What an entity is made from and what needs it; where a version of it came from")
    async def lineage_of(entity: str, version: str = "") -> Response:
        found = _lineage(services, entity, version)
        return answer({**to_wire(found), "links": [_edge(edge) for edge in found.links]})

    @router.get("/lineage.svg", summary="The same as a picture", response_class=Response)
    async def lineage_drawn(entity: str, version: str = "") -> Response:
        return Response(lineage_svg(_lineage(services, entity, version)), media_type="image/svg+xml")

    @router.get("/lineage.dot", summary="The same for Graphviz", response_class=Response)
    async def lineage_dotted(entity: str, version: str = "") -> Response:
        return Response(dot(_lineage(services, entity, version)), media_type="text/vnd.graphviz")

    @router.get("/audit", summary="Who did what, newest first")
    async def audit(limit: Limit = 1000) -> Response:
        return answer({"audit": await services.writer.call(services.writer.store.audit, limit)})

    @router.get("/audit/verify", summary="Whether the audit trail is whole; if not, its first broken row")
    async def verify() -> Response:
        broken = await services.audit_break()
        newest = await services.writer.call(services.writer.store.audit, 1)
        told = {"whole": broken is None, "rows": newest[0].n if newest else 0, "head": newest[0].hash if newest else ""}
        return answer(told if broken is None else {**told, "row": broken.n, "text": broken.text})


def _lineage(services: Services, entity: str, version: str) -> Lineage:
    """The lineage of an entity. Raises the 404."""
    found = lineage(services.state, services.loop.rulebook, entity, version)
    if found is None:
        raise HTTPException(404, f'nothing is known of the entity "{entity}"')
    if version and found.origin is None:
        raise HTTPException(404, found.text)
    return found


def _with_text(told: object) -> dict[str, Any]:
    """An explanation as JSON types, with its ``text``."""
    wire = to_wire(told)
    fields: dict[str, Any] = wire if isinstance(wire, dict) else {}
    return {"text": "", **fields}


def _edge(edge: Dependency) -> dict[str, Any]:
    wire: dict[str, Any] = to_wire(edge)
    return {"from": wire.pop("from_"), **wire}


def _near(edges: list[Dependency], entity: str, hops: int) -> set[str]:
    """Entities within so many dependencies of ``entity``, in either direction."""
    links: dict[str, set[str]] = {}
    for edge in edges:
        links.setdefault(edge.from_, set()).add(edge.to)
        links.setdefault(edge.to, set()).add(edge.from_)
    near, rim = {entity}, {entity}
    for _ in range(hops):
        rim = {other for name in rim for other in links.get(name, ())} - near
        near |= rim
    return near
