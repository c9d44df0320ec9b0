"""``chat:`` of quell.yaml and people.yaml: where incidents are shown, and who the people are who talk there."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from quell.config.asking import rooms as rooms_of
from quell.config.complaints import shaped
from quell.config.fields import Shape
from quell.config.nodes import Document
from quell.config.oncall_shapes import RoomShape
from quell.config.settings import Chat, Person, Scope
from quell.errors import Problem

_ROLES = ("role", "team", "owner")


def as_role(value: str) -> str:
    """A role as approvals ask for it. Raises ValueError."""
    kind, colon, name = value.partition(":")
    if any(letter.isspace() for letter in value) or not value or (colon and (kind not in _ROLES or not name)):
        raise ValueError(f'"{value}" is not a role; write a name such as sre, or team:NAME or owner:NAME')
    return value if colon else f"role:{value}"


class ChatShape(Shape):
    """Where incidents are shown, and how much of it."""

    rooms: list[RoomShape] = Field(default=[])
    """An incident is shown in every room that it matches."""
    digest_above: Annotated[int, Field(ge=0, le=10_000)] = 20
    """With more open incidents in a room, new ones are told of in one message instead of a message each."""
    link: str = ""
    """The address at which people reach quell; cards lead there. Without it they lead nowhere."""


class PersonShape(Shape):
    """One person."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """Their name in the audit trail."""
    name: str = ""
    """Their full name."""
    email: str = ""
    """Their address."""
    scopes: list[Scope] = Field(default=["read"])
    """What they may do."""
    roles: list[Annotated[str, AfterValidator(as_role)]] = Field(default=[])
    """Whose approval theirs is, as playbooks ask for it: sre stands for role:sre; team:NAME and owner:NAME too."""
    slack: str = ""
    """Their member ID in Slack."""
    pagerduty: str = ""
    """Their user ID in PagerDuty."""
    ids: dict[str, str] = Field(default={})
    """What other connectors, or single sources by their id, call them."""


class PeopleShape(Shape):
    """The file of people."""

    people: list[PersonShape] = Field(default=[])


def read_chat(document: Document, shape: ChatShape, sources: Sequence[str], problems: list[Problem]) -> Chat:
    """Where incidents are shown."""
    rooms = rooms_of(document, ("chat", "rooms"), shape.rooms, sources, problems)
    return Chat(rooms=rooms, digest_above=shape.digest_above, link=shape.link.rstrip("/"))


def read_people(document: Document, problems: list[Problem]) -> tuple[Person, ...]:
    """The people of a file; each id, and each name that a vendor knows somebody by, is one person's."""
    shape = shaped(PeopleShape, document, problems, value=document.value if document.value is not None else {})
    found: dict[str, Person] = {}
    taken: dict[tuple[str, str], str] = {}
    for index, one in enumerate(shape.people if shape else ()):
        ids = {"slack": one.slack, "pagerduty": one.pagerduty, "email": one.email.lower(), **one.ids}
        person = Person(
            id=one.id,
            name=one.name,
            email=one.email,
            scopes=frozenset(one.scopes),
            roles=frozenset(one.roles),
            ids={kind: name for kind, name in ids.items() if name},
        )
        if one.id in found:
            problems.append(document.problem(("people", index, "id"), f'the person "{one.id}" stands here twice'))
        for kind, name in person.ids.items():
            other = taken.setdefault((kind, name), one.id)
            if other != one.id:
                text = f'"{name}" is {other} in {kind} already; somebody can be one person only'
                problems.append(document.problem(("people", index, kind if kind in _OWN_KEYS else "ids"), text))
        found[one.id] = person
    return tuple(found.values())


_OWN_KEYS = frozenset({"slack", "pagerduty", "email"})


def people_path(settings_document: Document | None) -> tuple[pathlib.PurePath, bool]:
    """The file of people, relative to the directory, and whether it must exist."""
    raw = settings_document.value if settings_document else None
    named = raw.get("people") if isinstance(raw, dict) else None
    return pathlib.PurePath(named if isinstance(named, str) else "people.yaml"), isinstance(named, str)
