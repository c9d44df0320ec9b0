"""Jira's JSON as typed values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.ticket_text import Limits
from quell.sdk.tickets import Ticket
from quell_connectors.jira.document import text_of

LIMITS = Limits(title=250, text=30_000)
"""Jira takes 255 and 32,767; the document's form may count."""


class Category(msgspec.Struct, frozen=True):
    """What a status counts as: new, indeterminate or done."""

    key: str = ""


class Status(msgspec.Struct, frozen=True):
    """A status of a workflow."""

    name: str = ""
    category: Category = msgspec.field(default=Category(), name="statusCategory")


class Fields(msgspec.Struct, frozen=True):
    """What is asked of an issue."""

    summary: str = ""
    description: Any = None
    labels: list[str] = []
    status: Status = Status()


class Issue(msgspec.Struct, frozen=True):
    """An issue; one just made has no fields."""

    key: str
    fields: Fields = Fields()


class Found(msgspec.Struct, frozen=True):
    """A page of a search."""

    issues: list[Issue]


class Comment(msgspec.Struct, frozen=True):
    """A comment: a document or a text."""

    body: Any = None


class Comments(msgspec.Struct, frozen=True):
    """A page of comments."""

    comments: list[Comment]
    total: int = 0


class Transition(msgspec.Struct, frozen=True):
    """A way from where an issue stands."""

    id: str
    name: str = ""
    to: Status = Status()


class Transitions(msgspec.Struct, frozen=True):
    """All ways that this user may go."""

    transitions: list[Transition]


class Person(msgspec.Struct, frozen=True, rename="camel"):
    """A user: Cloud has ``accountId``, Data Center ``name``."""

    account_id: str = ""
    name: str = ""
    display_name: str = ""
    email_address: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Everything the person is called, for comparing."""
        given = (self.account_id, self.name, self.display_name, self.email_address)
        return frozenset(name.casefold() for name in given if name)


class Kind(msgspec.Struct, frozen=True):
    """A type of issue."""

    id: str
    name: str = ""


class Kinds(msgspec.Struct, frozen=True, rename="camel"):
    """The types that may be made in a project; Data Center calls the list ``values``."""

    issue_types: list[Kind] = []
    values: list[Kind] = []

    @property
    def all(self) -> list[Kind]:
        """Whatever the list is called."""
        return self.issue_types or self.values


class Wanted(msgspec.Struct, frozen=True, rename="camel"):
    """A field of the form for a new issue."""

    field_id: str = ""
    name: str = ""
    required: bool = False
    has_default_value: bool = False
    allowed_values: list[Any] | None = None

    @property
    def choices(self) -> list[str]:
        """The names of the values that it may have."""
        return [str(one["name"]) for one in self.allowed_values or () if isinstance(one, dict) and "name" in one]


class Form(msgspec.Struct, frozen=True):
    """The form for a new issue of one type; Data Center calls the list ``values``."""

    fields: list[Wanted] = []
    values: list[Wanted] = []

    @property
    def all(self) -> list[Wanted]:
        """Whatever the list is called."""
        return self.fields or self.values


def ticket_of(issue: Issue, url: str) -> Ticket:
    """An issue as a ticket; its labels count as said."""
    fields = issue.fields
    said = "\n".join([text_of(fields.description), *fields.labels])
    return Ticket(issue.key, f"{url}/browse/{issue.key}", fields.summary, said, fields.status.category.key != "done")


def quoted(text: str) -> str:
    """A text in a query (JQL)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def label(text: str) -> str:
    """A label: Jira takes none with spaces."""
    return "-".join(text.split())


def one_of(names: Iterable[str], wanted: str, what: str) -> str:
    """The name as Jira spells it. Raises `Refused` naming what there is."""
    known = list(names)
    for name in known:
        if name.casefold() == wanted.casefold():
            return name
    there = ", ".join(f'"{name}"' for name in known[:20]) or "none"
    raise Refused(f'Jira has no {what} "{wanted}"; there are {there}')
