"""Redmine's JSON as typed values, and what it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.ticket_text import Draft, Limits
from quell.sdk.tickets import Ticket

LIMITS = Limits(title=255, text=60_000, size="bytes")
"""Redmine's subject, and what the smallest of its databases takes as text."""


class Named(msgspec.Struct, frozen=True):
    """Anything with a number and a name: a status, a priority, a tracker."""

    id: int
    name: str = ""
    is_closed: bool | None = None


class Field(msgspec.Struct, frozen=True):
    """A custom field of an issue."""

    id: int
    value: Any = None


class Journal(msgspec.Struct, frozen=True):
    """An entry in an issue's history; most have no notes."""

    notes: str | None = None


class Issue(msgspec.Struct, frozen=True):
    """An issue. Where the status does not say whether it is a closed one, ``closed_on`` does, until it is reopened."""

    id: int
    subject: str = ""
    description: str | None = None
    status: Named = Named(0)
    closed_on: str | None = None
    custom_fields: list[Field] = []
    journals: list[Journal] = []


class One(msgspec.Struct, frozen=True):
    """An answer with one issue."""

    issue: Issue


class Page(msgspec.Struct, frozen=True):
    """A page of a list of issues."""

    issues: list[Issue]
    total_count: int = 0


class Statuses(msgspec.Struct, frozen=True):
    """The statuses of all issues."""

    issue_statuses: list[Named]


class Priorities(msgspec.Struct, frozen=True):
    """The priorities of all issues."""

    issue_priorities: list[Named]


class Trackers(msgspec.Struct, frozen=True):
    """The trackers of all projects."""

    trackers: list[Named]


class User(msgspec.Struct, frozen=True):
    """A user, as administrators see one."""

    id: int
    login: str = ""


class Users(msgspec.Struct, frozen=True):
    """Users that a search found."""

    users: list[User]


class Membership(msgspec.Struct, frozen=True):
    """A member of a project: a user or a group."""

    user: Named | None = None
    group: Named | None = None


class Memberships(msgspec.Struct, frozen=True):
    """Who works in a project."""

    memberships: list[Membership]


def ticket_of(issue: Issue, url: str, key_field: int | None) -> Ticket:
    """An issue as a ticket; the marks of its custom field count as said."""
    closed = bool(issue.closed_on) if issue.status.is_closed is None else issue.status.is_closed
    own = [str(field.value) for field in issue.custom_fields if field.id == key_field]
    return Ticket(
        str(issue.id),
        f"{url}/issues/{issue.id}",
        issue.subject,
        "\n".join([issue.description or "", *own]),
        not closed,
    )


def numbered(names: Iterable[Named], wanted: str, what: str) -> int:
    """The number of what is called ``wanted`` (or has that number). Raises `Refused` naming what there is."""
    known = list(names)
    for one in known:
        if wanted.casefold() == one.name.casefold() or wanted == str(one.id):
            return one.id
    there = ", ".join(f'"{one.name}"' for one in known[:20]) or "none"
    raise Refused(f'Redmine knows no {what} "{wanted}"; there are {there}')


def body_of(draft: Draft, known: Mapping[str, Any], key_field: int | None) -> dict[str, Any]:
    """The issue of a draft; ``known`` are the numbers that were looked up, and fields of the step's own."""
    issue: dict[str, Any] = {"subject": draft.title, "description": draft.body, **known}
    if key_field is not None:
        issue["custom_fields"] = [*issue.get("custom_fields", []), {"id": key_field, "value": draft.mark}]
    return {"issue": issue}
