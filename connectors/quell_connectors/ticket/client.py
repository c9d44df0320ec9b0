"""The calls to a ticket API, each checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quell.sdk.http import Answer, Http, checked, path_part
from quell.sdk.secret import Secret
from quell_connectors.ticket.translate import Fields, Ticket


class Client:
    """Raises `Unreachable`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options["url"]).rstrip("/")
        self._token: Secret | None = options.get("token")
        self._open_path = str(options.get("open_path") or "/tickets")
        self._search_path = str(options.get("search_path") or "/tickets?key={key}")
        self._comment_path = str(options.get("comment_path") or "/tickets/{id}/comments")
        self._close_path = str(options.get("close_path") or "/tickets/{id}")
        self.fields = Fields(
            options.get("fields") or {},
            str(options.get("closed_status") or "closed"),
            str(options.get("list_field") or ""),
        )

    async def open_ticket(self, key: str, timeout_s: float) -> Ticket | None:
        """The open ticket of that very key; the API's search may find more."""
        answer = await self._call("GET", _filled(self._search_path, key=key), timeout_s)
        found = self.fields.tickets(answer.body)
        return next(
            (self._placed(ticket) for ticket in found if ticket.key in ("", key) and self.fields.is_open(ticket)), None
        )

    async def post_ticket(self, body: Mapping[str, Any], key: str, timeout_s: float) -> Ticket:
        """A new ticket."""
        return self._placed(self.fields.ticket((await self._call("POST", self._open_path, timeout_s, body, key)).body))

    async def comments(self, number: str, timeout_s: float) -> list[str]:
        """What has been said on a ticket."""
        return self.fields.comments((await self._call("GET", _filled(self._comment_path, id=number), timeout_s)).body)

    async def post_comment(self, number: str, text: str, key: str, timeout_s: float) -> None:
        """One more comment."""
        await self._call("POST", _filled(self._comment_path, id=number), timeout_s, self._comment(text), key)

    async def close(self, number: str, key: str, timeout_s: float) -> None:
        """Sets the status to closed, whatever it was."""
        await self._call("PATCH", _filled(self._close_path, id=number), timeout_s, self.fields.closing(), key)

    def _comment(self, text: str) -> dict[str, Any]:
        return self.fields.written(comment=text)

    def _placed(self, ticket: Ticket) -> Ticket:
        if ticket.url:
            return ticket
        url = f"{self._url}{_filled(self._close_path, id=ticket.id)}"
        return Ticket(id=ticket.id, url=url, key=ticket.key, status=ticket.status)

    async def _call(
        self, method: str, path: str, timeout_s: float, body: Mapping[str, Any] | None = None, key: str = ""
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        if key:
            headers["Idempotency-Key"] = key
        answer = await self._http.request(method, f"{self._url}{path}", headers=headers, json=body, timeout_s=timeout_s)
        return checked(answer, f"ticket API ({method} {path.partition('?')[0]})", (self._token,))


def _filled(path: str, **values: str) -> str:
    """Raises `Refused` for an id such as ``..``, which would lead to another place of the API."""
    place, mark, query = path.partition("?")
    for name, value in values.items():
        hole = f"{{{name}}}"
        place = place.replace(hole, path_part(value)) if hole in place else place
        query = query.replace(hole, quote(value, safe=""))
    return f"{place}{mark}{query}"
