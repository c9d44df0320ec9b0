"""What a start makes of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from quell.daemon.decider import Decider, Restore
from quell.daemon.saved import opened
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.store.port import Group, Recovered

MOST_GROUPS = 50
MOST_RECORDS = 20_000
"""Groups and records per commit while the journal is replayed; a group may hold as many records as one delivery."""
READ_AT_ONCE = 10
"""Groups in one read."""
_UNDECIDED_BEFORE_READY = 10_000
"""Records that no committed turn covers: more are decided over after the daemon is ready."""
_MANY_KNOWN = 10_000
"""Where so many alerts are known, what came due meanwhile may take long: it waits until the daemon is ready."""

_log = structlog.get_logger("quell.loop")


def many_known(state: State) -> bool:
    """Whether the passing of time may take long."""
    return len(state.alerts) >= _MANY_KNOWN


def decided_before_ready(found: Recovered, state: State) -> int:
    """The last group that is decided over before the daemon is ready.

    A few that nobody knows to have been decided over probably were, and led to nothing worth a commit; or they are what
    the former process was at when it ended, which may take long.
    """
    few = found.behind <= _UNDECIDED_BEFORE_READY and not many_known(state)
    return found.last if few else found.decided


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


def differ(then: Rulebook, now: Rulebook) -> bool:
    """Whether other rules are to be taken up; another release may ship other weights with the same files."""
    return then.version != now.version or then.correlate.weights != now.correlate.weights


def say_recovered(found: Recovered, groups: int, state: State) -> None:
    """Logs what a start found, if there was anything."""
    if found.seq or groups:
        _log.info(
            "recovered",
            snapshot_seq=found.seq,
            groups=groups,
            records_left=found.behind,
            alerts=len(state.alerts),
        )
