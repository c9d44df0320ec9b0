"""What a start makes of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from quell.daemon.decider import Decider, Restore
from quell.daemon.saved import opened
from quell.model.rulebook import Rulebook
from quell.store.port import Group, Recovered

MOST_GROUPS = 50
MOST_RECORDS = 20_000
"""Groups and records per commit while the journal is replayed; a group may hold as many records as one delivery."""
READ_AT_ONCE = 10
"""Groups in one read."""

_log = structlog.get_logger("quell.loop")


def next_groups(groups: Iterator[Group]) -> list[Group]:
    """What is decided over next, in one commit."""
    out: list[Group] = []
    records = 0
    while len(out) < MOST_GROUPS and records < MOST_RECORDS and (group := next(groups, None)) is not None:
        out.append(group)
        records += len(group.records)
    return out


def taken_up(found: Recovered, now: Rulebook, restore: Restore) -> tuple[Decider, Rulebook]:
    """The core of a snapshot with the rulebook of then; a fresh one, with that of now, when there is none."""
    if found.damaged:
        _log.warning("snapshots could not be read; replaying from an older one", snapshots=found.damaged)
    if found.state is None:
        return restore(now, None), now
    saved = opened(found.state)
    rulebook = saved.rulebook or now
    if saved.rulebook is None:
        _log.warning("the rules of the snapshot cannot be read; deciding by those of now", why=saved.problem)
    elif rulebook.version != now.version:
        _log.info("rules changed while stopped", then=rulebook.version, now=now.version)
    return restore(rulebook, saved.state), rulebook
