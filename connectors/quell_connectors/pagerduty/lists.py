"""What stands in PagerDuty: its services, and the incidents that are open there, by the REST API."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.sdk.connector import Call, Done
from quell.sdk.ticket_text import one_line, said
from quell_connectors.pagerduty.client import Rest
from quell_connectors.pagerduty.oncall import Named

_PAGE = 100
_MOST_PAGES = 20
_MOST_TOLD = 12


class Service(msgspec.Struct, frozen=True):
    """A service; ``status`` is active, warning, critical, maintenance or disabled."""

    id: str = ""
    name: str = ""
    status: str = ""
    escalation_policy: Named | None = None
    teams: list[Named] = []


class Open(msgspec.Struct, frozen=True):
    """An incident that is open there."""

    id: str = ""
    title: str = ""
    status: str = ""
    created_at: str = ""
    incident_key: str | None = None
    html_url: str = ""
    service: Named | None = None


class _Services(msgspec.Struct, frozen=True):
    services: list[Service]
    more: bool = False


class _Opened(msgspec.Struct, frozen=True):
    incidents: list[Open]
    more: bool = False


async def services(rest: Rest, call: Call) -> Done:
    """Reads them; ``name`` is a part of the name."""
    asked: dict[str, Any] = {"limit": _PAGE}
    if name := said(call.params, "name"):
        asked["query"] = name
    found: list[Service] = []
    for _ in range(_MOST_PAGES):
        page = await rest.get("/services", {**asked, "offset": len(found)}, _Services, call.timeout_s)
        found += page.services
        if not page.more or not page.services:
            break
    told = [
        {
            "id": one.id,
            "name": one_line(one.name, 200),
            "status": one.status,
            "policy": one_line(one.escalation_policy.summary if one.escalation_policy else "", 200),
            "teams": [one_line(team.summary, 200) for team in one.teams],
        }
        for one in found
    ]
    names = [f"{one['name']} ({one['status']})" for one in told]
    return Done(_sentence(names) or "PagerDuty has no such service", {"services": told, "found": bool(told)})


async def incidents(rest: Rest, call: Call) -> Done:
    """Reads those that are open, of one service or of all; those of quell carry the incident's id as ``key``."""
    asked: dict[str, Any] = {"statuses[]": ["triggered", "acknowledged"], "limit": _PAGE}
    if service := said(call.params, "service"):
        asked["service_ids[]"] = [service]
    found: list[Open] = []
    for _ in range(_MOST_PAGES):
        page = await rest.get("/incidents", {**asked, "offset": len(found)}, _Opened, call.timeout_s)
        found += page.incidents
        if not page.more or not page.incidents:
            break
    told = [
        {
            "id": one.id,
            "key": one.incident_key or "",
            "title": one_line(one.title, 250),
            "status": one.status,
            "service": one_line(one.service.summary if one.service else "", 200),
            "since": one.created_at,
            "url": one.html_url,
        }
        for one in found
    ]
    lines = [f"{one['id']} {one['title']} ({one['status']})" for one in told]
    return Done(_sentence(lines) or "no incident is open in PagerDuty", {"incidents": told, "found": bool(told)})


def _sentence(lines: list[str]) -> str:
    more = len(lines) - _MOST_TOLD
    return "; ".join([*lines[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])
