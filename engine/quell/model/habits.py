"""What the core notices about alerts over weeks, in bounded counts, and what it suggests from them.

Counts are kept in two halves of `HALF_S` each: what is read is both together, and with every half the older one goes.
So the counts are exact and the past is forgotten all the same.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal

import msgspec

HALF_S = 15 * 86400.0
BOUNDS_S = (60.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1800.0, 3600.0)
"""Upper bounds of the classes in which durations are counted; one more class has no bound."""


MOST_REMEMBERED = 50_000
"""So many tokens of alerts at most are remembered."""


class Began(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A firing as it began, until it is counted. ``entity`` is "" when nothing in its labels names one."""

    at: float
    entity: str
    rule: str
    mark: str
    episode: int


class RuleHabit(msgspec.Struct):
    """How the alerts of one rule behaved. ``ended`` resolved by themselves or not, ``lasted`` counts them by duration.

    ``lapsed`` were not heard of any more, ``alone`` ended without company in an incident, ``acted`` counts the times
    that a person or playbook did something about an incident with one of them.
    """

    firings: int = 0
    ended: int = 0
    lapsed: int = 0
    alone: int = 0
    paged: int = 0
    acted: int = 0
    useless: int = 0
    lasted: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    severity: str = ""
    example: dict[str, str] = msgspec.field(default_factory=dict)


class Company(msgspec.Struct):
    """How often a rule fired while another began at the same entity. ``equal`` are labels that were always equal."""

    together: int = 0
    after: int = 0
    equal: list[str] = msgspec.field(default_factory=list)


class Orphan(msgspec.Struct, frozen=True, array_like=True):
    """Trouble at an entity that nothing it is known to depend on explains.

    ``crowd`` is how many entities were in trouble around then; ``near`` are those of them that it may depend on, with
    how many seconds earlier they began.
    """

    at: float
    crowd: int
    near: tuple[tuple[str, float], ...]


class Naming(msgspec.Struct):
    """What the values of one label named, in alerts for which no entity was found: times by kind of entity."""

    asked: int = 0
    named: dict[str, int] = msgspec.field(default_factory=dict)


class Tally(msgspec.Struct):
    """Counts since a time. Keys: rule; ``rule NUL companion``; entity; entity; label."""

    since: float = 0.0
    rules: dict[str, RuleHabit] = msgspec.field(default_factory=dict)
    company: dict[str, Company] = msgspec.field(default_factory=dict)
    troubles: dict[str, int] = msgspec.field(default_factory=dict)
    orphans: dict[str, list[Orphan]] = msgspec.field(default_factory=dict)
    namings: dict[str, Naming] = msgspec.field(default_factory=dict)


class Rarity(msgspec.Struct):
    """How many of ``units`` that are gone had each token: the memory of what live units are compared by."""

    units: int = 0
    tokens: dict[int, int] = msgspec.field(default_factory=dict)

    def fade(self) -> None:
        """Halves all counts when there are too many; what was seen once is forgotten."""
        if len(self.tokens) > MOST_REMEMBERED:
            self.units //= 2
            self.tokens = {token: count // 2 for token, count in self.tokens.items() if count > 1}


class Habits(msgspec.Struct):
    """``open`` are firings under way, ``fresh`` beginnings that are not counted yet.

    A firing is known as ``fingerprint/episode``, a first one by the fingerprint alone.
    ``counted_until`` is the onset up to which they are; ``declined`` are ids of suggestions that a person turned down.
    """

    open: dict[str, float] = msgspec.field(default_factory=dict)
    fresh: list[Began] = msgspec.field(default_factory=list)
    counted_until: float = 0.0
    newer: Tally = msgspec.field(default_factory=Tally)
    older: Tally = msgspec.field(default_factory=Tally)
    declined: dict[str, float] = msgspec.field(default_factory=dict)


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A rule or dependency that the past speaks for. ``rule`` is what would stand in a rules file below ``place``.

    Of a threshold it is the part of the detector of that name that would be otherwise.

    ``id`` names what is suggested, whatever the counts, so that a suggestion that was turned down stays away.
    ``support`` is how often it was seen, ``chance`` how often it would have been by chance, ``confidence`` in [0, 1].
    ``incidents`` are those of which people said what speaks for it.
    """

    id: str
    kind: Literal["dependency", "hold", "digest", "inhibit", "map", "threshold"]
    text: str
    evidence: tuple[str, ...]
    rule: dict[str, Any]
    support: int
    chance: float
    confidence: float
    incidents: tuple[str, ...] = ()


def suggestion_id(*said: str) -> str:
    """A short id of what is suggested."""
    return f"sug-{blake2b(chr(0).join(said).encode('utf-8', 'replace'), digest_size=4).hexdigest()}"
