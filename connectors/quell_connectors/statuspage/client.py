"""The calls to the Statuspage API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.json_api import JsonApi, part
from quell.sdk.ticket_text import Draft, cut, said
from quell.sdk.tickets import Ticket
from quell_connectors.statuspage.spec import COMPONENT_STATUSES
from quell_connectors.statuspage.translate import LIMITS, Component, Incident, marked, ticket_of

_PAGE = 100
_MOST_PAGES = 3


class StatuspageDesk:
    """A page, for one call."""

    limits = LIMITS

    def __init__(self, api: JsonApi, options: Mapping[str, Any], params: Mapping[str, Any], timeout_s: float) -> None:
        self._api = api
        self._params = params
        self._timeout_s = timeout_s
        self._components: dict[str, str] = {}
        page = said(params, "page") or str(options.get("page") or "")
        if not page:
            raise Refused('statuspage needs a "page", in the step or as the source\'s option; nothing was asked')
        self.where = f"page {page}"
        self._place = f"/v1/pages/{part(page)}"

    async def ready(self, draft: Draft) -> None:  # noqa: ARG002 -- components stand in the parameters
        """The ids of the components."""
        await self._look_up_components()

    async def find(self, mark: str) -> Ticket | None:
        """Among the incidents that are not over; a page has a hundred at most."""
        for number in range(1, _MOST_PAGES + 1):
            query = {"page": str(number), "per_page": str(_PAGE)}
            path = f"{self._place}/incidents/unresolved"
            page = await self._api.ask("GET", path, list[Incident], timeout_s=self._timeout_s, query=query)
            tickets = [self._ticket(incident) for incident in page if mark in incident.marks[:1]]
            if tickets or len(page) < _PAGE:
                return next((ticket for ticket in tickets if ticket.is_open), None)
        return None

    async def get(self, number: str) -> Ticket | None:
        """By id."""
        found = await self._api.ask_for(self._incident(number), Incident, timeout_s=self._timeout_s)
        return None if found is None else self._ticket(found)

    async def open(self, draft: Draft) -> Ticket:
        """A new incident; its marks stand where the public does not see them."""
        incident = {
            "name": draft.title,
            "status": said(self._params, "status") or "investigating",
            "body": draft.body or draft.title,
            "metadata": marked(None, draft.mark, (draft.step,)),
            **self._more(),
        }
        path = f"{self._place}/incidents"
        made = await self._api.ask("POST", path, Incident, timeout_s=self._timeout_s, json={"incident": incident})
        return self._ticket(made)

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """The name."""
        await self._patch(ticket, {"name": draft.title})

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Whether the act left its mark."""
        found = await self._api.ask("GET", self._incident(ticket.id), Incident, timeout_s=self._timeout_s)
        return mark in found.marks

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:
        """An update, and the act's mark, in one request."""
        before = await self._api.ask("GET", self._incident(ticket.id), Incident, timeout_s=self._timeout_s)
        await self._look_up_components()
        key, *steps = before.marks or ("",)
        body = cut(said(self._params, "body") or said(self._params, "text"), LIMITS.text) or text
        changed = {
            "status": said(self._params, "status") or before.status,
            "body": body,
            "metadata": marked(before.metadata, key, (*steps, mark)),
            **self._more(),
        }
        await self._patch(ticket, changed)

    async def close(self, ticket: Ticket) -> None:
        """Resolves it; Statuspage leaves its components as bad as they were said to be, so they are told as well."""
        body = cut(said(self._params, "text"), LIMITS.text) or "This incident has been resolved."
        well = dict.fromkeys(await self._only_in(ticket), "operational")
        components = {"components": well} if well else {}
        await self._patch(ticket, {"status": "resolved", "body": body, **components, **self._more()})

    async def _only_in(self, ticket: Ticket) -> list[str]:
        """The components that an incident says are not well, and no other that is open."""
        own = await self._api.ask("GET", self._incident(ticket.id), Incident, timeout_s=self._timeout_s)
        bad = [one.id for one in own.components or () if one.status != "operational"]
        others: set[str] = set()
        if bad:
            query = {"page": "1", "per_page": str(_PAGE)}
            path = f"{self._place}/incidents/unresolved"
            unresolved = await self._api.ask("GET", path, list[Incident], timeout_s=self._timeout_s, query=query)
            others = {one.id for each in unresolved if each.id != ticket.id for one in each.components or ()}
        return [component for component in bad if component not in others]

    async def _look_up_components(self) -> None:
        wanted: Mapping[str, Any] = self._params.get("components") or {}
        for name, status in wanted.items():
            if status not in COMPONENT_STATUSES:
                raise Refused(f'"{status}" of component "{name}" is not one of {", ".join(COMPONENT_STATUSES)}')
        known = await self._known_components() if wanted else []
        for name, status in wanted.items():
            fits = (one.id for one in known if name == one.id or name.casefold() == one.name.casefold())
            found = next(fits, None)
            if found is None:
                there = ", ".join(f'"{one.name}"' for one in known[:20]) or "none"
                raise Refused(f'{self.where} has no component "{name}"; there are {there}')
            self._components[found] = str(status)

    async def _known_components(self) -> list[Component]:
        found: list[Component] = []
        for number in range(1, _MOST_PAGES + 1):
            query = {"page": str(number), "per_page": str(_PAGE)}
            path = f"{self._place}/components"
            page = await self._api.ask("GET", path, list[Component], timeout_s=self._timeout_s, query=query)
            found += page
            if len(page) < _PAGE:
                break
        return found

    def _more(self) -> dict[str, Any]:
        more: dict[str, Any] = {"deliver_notifications": self._params.get("notify") is not False}
        if self._components:
            more |= {"components": self._components, "component_ids": list(self._components)}
        if said(self._params, "impact"):
            more["impact_override"] = said(self._params, "impact")
        return more

    async def _patch(self, ticket: Ticket, changed: Mapping[str, Any]) -> None:
        body = {"incident": dict(changed)}
        await self._api.do("PATCH", self._incident(ticket.id), timeout_s=self._timeout_s, json=body)

    def _ticket(self, incident: Incident) -> Ticket:
        return ticket_of(incident, f"{self._api.url}{self._incident(incident.id)}")

    def _incident(self, number: str) -> str:
        return f"{self._place}/incidents/{part(number)}"
