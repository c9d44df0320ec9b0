"""How soon what fires is told of again, by rule and sender: what is told of no more, though it would be, has ended.

The end of a firing may be lost, and what nothing else ends fires on for ever then. Senders that remind of what fires
give that away: where every firing of a rule is heard of again within ten minutes, one of which nothing is heard for
twenty is over. That is learned and never assumed: a sender that reminds of nothing, or seldom, tells nothing by it.
What one sender does, or one site, says nothing of another: a site that is cut off tells of nothing, and is not calm.
"""

from __future__ import annotations

from statistics import median

import msgspec

from quell.core.fold import What
from quell.model.alert import Alert
from quell.model.state import Hearing

LEAST = 20
"""So many must have been told of again, and none later, before silence says anything."""
KEPT = 32
"""So many spells are remembered of each rule, by how often a firing had been told of before: once, twice and so on,"""
SPELLS = 4
"""the last for so many times and more."""
LISTENED = 8
"""What was told of more often in one firing teaches nothing new."""
MARGIN = 1.25
"""So much longer than the longest spell that is remembered must a silence be."""
NOTHING_HEARD = Hearing()
SITES = ("cluster", "region", "zone", "datacenter", "dc", "site", "environment", "env", "tenant")
"""Labels by which the sites of one estate differ, each of which may tell in its own way, or be cut off."""


def speaker(alert: Alert) -> str:
    """The rule of an alert as its sender tells of it from its site."""
    labels = alert.labels
    return "\n".join((alert.name, alert.source, *[f"{site}={labels[site]}" for site in SITES if site in labels]))


def times_told(alert: Alert) -> int:
    """How often the present firing of an alert was told of."""
    return alert.count - alert.before


def teaches(known: Alert, what: What) -> bool:
    """Whether news of an alert that fires say how long silence lasts while it does: nothing but news ends it."""
    return known.ends_at is None and what in {"repeat", "updated", "resolved"} and times_told(known) <= LISTENED


def heard(hearing: Hearing, known: Alert, alert: Alert, what: What) -> Hearing:
    """What is known of a rule after news of a firing: that it fires on, or that it did until it was resolved."""
    spell_s = alert.updated_at - known.updated_at
    if spell_s <= 0.0:
        return hearing  # it came late, or came twice
    slot = _slot(known)
    spells = [*hearing.spells, *([()] * (slot + 1 - len(hearing.spells)))]
    before = spells[slot]
    again = what != "resolved"
    if again:
        spells[slot] = (*before, spell_s)[-KEPT:]
    elif before and spell_s >= median(map(abs, before)):  # that it fired for less without a word says nothing
        spells[slot] = (*before, -spell_s)[-KEPT:]
    elif not before:
        return hearing
    at = max(hearing.at, alert.updated_at) if again else hearing.at
    return msgspec.structs.replace(hearing, spells=tuple(spells), at=at)


def longest_s(hearing: Hearing, alert: Alert) -> float | None:
    """How long at most firings of its rule were not heard of, told of as often as this one; None: that is not known."""
    slot = _slot(alert)
    known = hearing.spells[slot] if slot < len(hearing.spells) else ()
    if sum(spell > 0.0 for spell in known) < LEAST:
        return None
    return max(map(abs, known))


def usual_s(hearing: Hearing, alert: Alert) -> float:
    """After how long half of them were told of again."""
    return median(spell for spell in hearing.spells[_slot(alert)] if spell > 0.0)


def silent_at(hearing: Hearing, alert: Alert) -> float | None:
    """From when on an alert that is told of no more has probably ended; None where that says nothing of it."""
    longest = None if alert.ends_at is not None else longest_s(hearing, alert)
    return None if longest is None else alert.updated_at + MARGIN * longest


def others_heard(hearing: Hearing, alert: Alert) -> bool:
    """Whether others of its rule were told of again when it would have been: else whoever tells of them may be gone."""
    return hearing.at > alert.updated_at + (longest_s(hearing, alert) or 0.0)


def _slot(alert: Alert) -> int:
    return min(max(times_told(alert), 1), SPELLS) - 1
