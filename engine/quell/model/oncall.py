"""Who is called: rotas, escalation chains, and how far along its chain the page of an incident is."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.model.playbook import Place

DAY_S = 86_400.0


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """From a time to another (seconds since 1970) somebody stands in for whoever would be on call."""

    from_: float
    to: float
    who: str


class Rota(msgspec.Struct, frozen=True, kw_only=True):
    """People who take turns.

    The first of them begins on ``first_day`` (a date as its ordinal) at ``minute`` of the day in ``zone``, and hands
    over ``every_days`` later at that time of day; before that day the turns were the same.
    Of overrides that hold at one time the last counts.
    """

    name: str
    people: tuple[str, ...]
    first_day: int
    minute: int = 0
    every_days: int = 7
    zone: str = "UTC"
    overrides: tuple[Override, ...] = ()
    place: Place = Place(file="<default>", line=0)


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a chain: ``action`` with ``params`` for whoever is on call by ``rota`` and for ``people``.

    Without either the action is performed once, as it stands. Nobody took it within ``wait_s``: the next step.
    With a ``source`` what was paged there follows the incident, as it does for a `quell.model.rulebook.Route`.
    """

    action: str
    params: dict[str, Any] = {}
    rota: str = ""
    people: tuple[str, ...] = ()
    wait_s: float = 600.0
    to: str = ""
    source: str = ""
    taken: str = ""
    over: str = ""
    shared: tuple[str, ...] = ()

    @property
    def names_people(self) -> bool:
        """Whether it is for people, and not an act that stands for itself."""
        return self.to.startswith(("rota/", "person/", "role/"))


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that are told one after the other until somebody acknowledges; ``repeat`` more times from the first on.

    An acknowledgement counts for ``ack_lasts_s`` (0: for as long as the incident is open).
    """

    name: str
    stages: tuple[Stage, ...]
    repeat: int = 0
    ack_lasts_s: float = 0.0
    place: Place = Place(file="<default>", line=0)


class Climb(msgspec.Struct, frozen=True, kw_only=True):
    """How far the page of an ``incident`` is along a ``chain``: ``told`` steps, counted on over repeats.

    ``most`` is after how many it ends, and ``over`` that it did; ``due_at`` when it goes on (None: not by itself);
    ``held`` while somebody has the incident, or it is not open. ``place`` begins the ledger keys of its deeds;
    ``route`` is the one that led here, ``text`` what people are told.
    """

    incident: str
    chain: str
    route: str
    place: str
    told: int
    most: int
    alert: str = ""
    text: str = ""
    due_at: float | None = None
    held: bool = False
    over: bool = False
