"""Likeness of alerts by what they carry and say, for alerts whose entity no dependency graph knows.

Each unit of alerts is a set of hashed tokens: label values whole and in parts, and with a small share the rule's name
and the words of its summary. A token weighs by how rare it is among all units so far; what only one unit ever had
weighs half, and what a crowd of live units shares nothing. So no label is known by name, and what a unit is compared
with is found in an inverted index and is bounded, however many units live.

The likeness of two units is the weight of what they share over that of the one that has less to share. It is the same
from both sides and depends on the units added and dropped, not on their order: all sums are of whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log
from zlib import crc32

from quell.model.alert import Alert
from quell.model.habits import Rarity

LEAST = 0.2
"""Less likeness than this is none."""
ALIKE = 0.25
"""From this likeness on two units that began close together are more likely one trouble than two."""
CROWD = 64
"""A token of more live units than this says nothing about which of them belong together."""
MOST_TOKENS = 48
PLACE, PART, NAME, TEXT = 100, 50, 10, 20
"""What shows where says more than what is said: one rule may fire in many places for many causes. All words of a text
together count `TEXT`."""
_NAT = 1_000_000
LIGHTEST = 2 * PLACE * _NAT
"""A unit that carries next to nothing is not wholly alike to whatever carries that too."""
_NOT_PLACES = frozenset({"alertname", "severity", "priority", "level"})
_SAYING = ("summary", "message", "description")
_PARTS = re.compile(r"[a-z]{2,}\d*(?![a-z0-9])")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]{2,}")

Tokens = dict[int, int]
"""Hashed tokens with the share at which each kind of them counts."""


def tokens(name: str, labels: Mapping[str, str], said: str) -> Tokens:
    """The tokens of one alert: its labels, the name of its rule, and what it says."""
    found: dict[str, int] = {}
    for label, given in labels.items():
        if label in _NOT_PLACES or not given:
            continue
        value = given.lower()
        found[f"is {value}"] = PLACE
        for part in _PARTS.findall(value):
            if part != value:
                found[f"part {part}"] = PART
    found[f"name {name}"] = NAME
    words = {word.lower() for word in _WORDS.findall(f"{name} {said}")}
    found.update(dict.fromkeys((f"word {word}" for word in words), TEXT // max(len(words), 1)))
    kept = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST_TOKENS]
    return {crc32(token.encode("utf-8", "replace")): share for token, share in kept}


def tokens_of(alert: Alert) -> Tokens:
    """The tokens of an alert as the core knows it."""
    said = next((alert.annotations[key] for key in _SAYING if alert.annotations.get(key)), "")
    return tokens(alert.name, alert.labels, said)


@lru_cache(maxsize=65_536)
def _log(count: int) -> int:
    return round(_NAT * log(count))


class Alike:
    """The live units by their tokens. Made anew from ``rarity`` and the alerts of the live units, it is the same."""

    def __init__(self, rarity: Rarity | None = None, units: Iterable[tuple[int, Iterable[Alert]]] = ()) -> None:
        self.rarity = Rarity() if rarity is None else rarity
        self._tokens: dict[int, Tokens] = {}
        self._units_of: dict[int, set[int]] = {}
        for unit_id, alerts in units:
            for alert in alerts:
                self.add(unit_id, alert)

    def __contains__(self, unit_id: int) -> bool:
        return unit_id in self._tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, unit_id: int, alert: Alert) -> None:
        """Adds what an alert carries and says to its unit."""
        self.tell(unit_id, tokens_of(alert))

    def tell(self, unit_id: int, told: Tokens) -> None:
        """Adds tokens to a unit."""
        known = self._tokens.setdefault(unit_id, {})
        for token, share in told.items():
            if token not in known:
                self._units_of.setdefault(token, set()).add(unit_id)
            known[token] = max(share, known.get(token, 0))

    def drop(self, unit_id: int) -> None:
        """Forgets a unit, but not how common its tokens were; nothing happens when it is not known."""
        if unit_id not in self._tokens:
            return
        self.rarity.units += 1
        seen = self.rarity.tokens
        for token in self._tokens.pop(unit_id):
            seen[token] = seen.get(token, 0) + 1
            units = self._units_of[token]
            units.discard(unit_id)
            if not units:
                del self._units_of[token]

    def near(self, unit_id: int) -> list[tuple[int, float]]:
        """The other live units that are alike, with their likeness from `LEAST` to 1, most alike first."""
        weights: dict[int, int] = {}
        shared: dict[int, int] = {}
        mine = self._tokens.get(unit_id, {})
        for token, share in mine.items():
            units = self._units_of[token]
            if 1 < len(units) <= CROWD:
                weight = weights[token] = self._weight(token)
                for other in units:
                    theirs = self._tokens[other][token]
                    shared[other] = shared.get(other, 0) + weight * (share if share < theirs else theirs)
        shared.pop(unit_id, None)
        least = LEAST * LIGHTEST
        own = self._mass(unit_id, weights)
        found = []
        for other, both in shared.items():
            if both < least:
                continue
            likeness = _share(both, own, self._mass(other, weights))
            if likeness >= LEAST:
                found.append((other, likeness))
        return sorted(found, key=lambda each: (-each[1], each[0]))

    def likeness(self, one: int, other: int) -> float:
        """How alike two live units are; 0 when either is not known or they share nothing that tells."""
        mine, theirs = self._tokens.get(one, {}), self._tokens.get(other, {})
        both = sum(self._weight(token) * min(mine[token], theirs[token]) for token in mine.keys() & theirs.keys())
        return _share(both, self._mass(one, {}), self._mass(other, {}))

    def _mass(self, unit_id: int, weights: dict[int, int]) -> int:
        """What a unit has to share; ``weights`` remembers those of tokens."""
        mass = 0
        for token, share in self._tokens.get(unit_id, {}).items():
            weight = weights.get(token)
            if weight is None:
                weight = weights[token] = self._weight(token)
            mass += weight * share
        return mass

    def _weight(self, token: int) -> int:
        """How rare a token is among all units so far; 0 for one that tells nothing."""
        live = len(self._units_of[token])
        count = live + self.rarity.tokens.get(token, 0)
        if live > CROWD:
            return 0
        weight = _log(len(self._tokens) + self.rarity.units + 2) - _log(count)
        return weight if count > 1 else weight // 2


def _share(both: int, one: int, other: int) -> float:
    return min(both / max(min(one, other), LIGHTEST), 1.0)
