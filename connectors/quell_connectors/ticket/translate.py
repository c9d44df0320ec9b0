"""A ticket API's JSON to typed tickets, and back, by the field names of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.sdk.payload import decode
from quell.sdk.vocabulary import scalar_text

NAMES = ("key", "title", "body", "severity", "labels", "status", "id", "url", "comment")
_CLOSED = frozenset({"closed", "done", "resolved", "cancelled", "canceled"})


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as far as quell cares. ``key`` and ``status`` are "" when the API does not tell."""

    id: str
    url: str = ""
    key: str = ""
    status: str = ""


class Fields:
    """The API's names: each of `NAMES` stands for itself unless the configuration says otherwise."""

    def __init__(self, given: Mapping[str, Any], closed_status: str, list_field: str) -> None:
        self._names = {name: str(given.get(name) or name) for name in NAMES}
        self._names["comment"] = str(given.get("comment") or "body")
        self._closed_status = closed_status
        self._list_field = list_field

    def written(self, **values: Any) -> dict[str, Any]:
        """A body for the API; what is empty is left out."""
        return {self._names[name]: value for name, value in values.items() if value}

    def closing(self) -> dict[str, Any]:
        """The body that closes a ticket."""
        return {self._names["status"]: self._closed_status}

    def ticket(self, body: bytes) -> Ticket:
        """The ticket that the API answered with. Raises `BadPayload`."""
        return self._ticket(decode(body, dict[str, Any]), body)

    def tickets(self, body: bytes) -> list[Ticket]:
        """The tickets of a list. Raises `BadPayload`."""
        return [self._ticket(raw, body) for raw in self._list(body)]

    def comments(self, body: bytes) -> list[str]:
        """The texts of a list of comments. Raises `BadPayload`."""
        return [scalar_text(raw.get(self._names["comment"])) for raw in self._list(body)]

    def is_open(self, ticket: Ticket) -> bool:
        """Whether it is not closed, as far as the API tells."""
        return ticket.status.lower() not in _CLOSED | {self._closed_status.lower()}

    def _list(self, body: bytes) -> list[dict[str, Any]]:
        """The answer if it is a list, else the named field of it, else the only field that holds a list."""
        answer = decode(body, object)
        listed: object = answer
        if isinstance(answer, dict):
            lists = [value for value in answer.values() if isinstance(value, list)]
            listed = answer.get(self._list_field) if self._list_field else lists[0] if len(lists) == 1 else None
        if not isinstance(listed, list) or not all(isinstance(raw, dict) for raw in listed):
            named = f' "{self._list_field}"' if self._list_field else ""
            raise BadPayload(f"the answer of the ticket API has no list{named} of objects", body, self._list_field)
        return listed

    def _ticket(self, raw: Mapping[str, Any], body: bytes) -> Ticket:
        number = scalar_text(raw.get(self._names["id"]))
        if not number:
            raise BadPayload(f'the ticket has no "{self._names["id"]}"', body, self._names["id"])
        return Ticket(
            id=number,
            url=scalar_text(raw.get(self._names["url"])),
            key=scalar_text(raw.get(self._names["key"])),
            status=scalar_text(raw.get(self._names["status"])),
        )
