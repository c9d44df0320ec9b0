"""ServiceNow's JSON as typed values."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.ticket_text import Limits
from quell.sdk.tickets import Ticket

LIMITS = Limits(title=160, text=4000)
"""The usual lengths of short_description and description; the table cuts off what is longer, and our marks with it."""
_CODE = re.compile(r"\[(/?)code\]", re.IGNORECASE)
FIELDS = "sys_id,number,short_description,description,correlation_id,state,active"


class Record(msgspec.Struct, frozen=True):
    """A record of a table; everything is text in this API."""

    sys_id: str
    number: str = ""
    short_description: str = ""
    description: str = ""
    correlation_id: str = ""
    state: str = ""
    active: str = "true"
    work_notes: str = ""
    comments: str = ""


class One(msgspec.Struct, frozen=True):
    """An answer with one record."""

    result: Record


class Some(msgspec.Struct, frozen=True):
    """An answer with records."""

    result: list[Record]


class Id(msgspec.Struct, frozen=True):
    """A record of which only the id matters."""

    sys_id: str


class Ids(msgspec.Struct, frozen=True):
    """An answer with such records."""

    result: list[Id]


def ticket_of(record: Record, url: str, table: str, closed: Collection[str]) -> Ticket:
    """A record as a ticket; a resolved one counts as closed although ServiceNow calls it active."""
    is_open = record.active != "false" and record.state not in closed
    said = f"{record.description}\n{record.correlation_id}"
    place = f"{url}/{table}.do?sys_id={record.sys_id}"
    return Ticket(record.number or record.sys_id, place, record.short_description, said, is_open)


def value(text: str) -> str:
    """A value in an encoded query. Raises `Refused` for one that would end its condition, or be run as a script."""
    if "^" in text:
        raise Refused(f'"{text}" cannot be looked for in ServiceNow: it has a ^')
    if "javascript:" in text.casefold():
        raise Refused(f'"{text[:80]}" is not looked for in ServiceNow, which would run it as a script')
    return text


def harmless(text: str) -> str:
    """A work note or comment in which nothing counts as HTML: ServiceNow shows what stands in [code] as such."""
    return _CODE.sub(r"(\1code)", text)


def rank_of(text: str) -> dict[str, Any]:
    """Impact and urgency. Raises `Refused`."""
    if not text:
        return {}
    if text not in {"1", "2", "3"}:
        raise Refused(f'priority "{text}" is not 1, 2 or 3, which ServiceNow takes as impact and urgency')
    return {"impact": text, "urgency": text}
