"""What became of what was sent: nothing acknowledged is lost, nothing is there twice, the state is that of a replay."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from faults.load import Told
from quell.core.engine import Engine
from quell.daemon.decider import decide_all
from quell.daemon.saved import opened
from quell.model.records import AlertRecord
from quell.model.state import State
from quell.store.opening import open_store
from quell.store.port import Group


@dataclass(frozen=True, slots=True)
class Found:
    """Counts for people to read."""

    groups: int
    records: int
    alerts: int
    incidents: int


def keep_what_is_trimmed(database: Path) -> None:
    """From now on the file remembers journal rows that are removed, so that all of them can be replayed in the end."""
    with sqlite3.connect(database) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(journal)")]
        values = ", ".join(f"OLD.{name}" for name in names)
        connection.execute(f"CREATE TABLE trimmed ({', '.join(names)}, UNIQUE (seq))")
        connection.execute(
            f"CREATE TRIGGER kept BEFORE DELETE ON journal BEGIN INSERT INTO trimmed VALUES ({values}); END"
        )
    connection.close()


def journal_and_state(database: Path, work: Path) -> tuple[list[Group], bytes]:
    """All groups that were ever accepted, in order, and the last snapshot; of a daemon that ended in order."""
    copy = work / "copy.db"
    copy.unlink(missing_ok=True)
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        if target.execute("SELECT 1 FROM sqlite_master WHERE name = 'trimmed'").fetchone():
            target.execute("DROP TRIGGER kept")
            target.execute("INSERT INTO journal SELECT * FROM trimmed")
    source.close()
    target.close()
    store = open_store(f"sqlite:///{copy}", work)
    try:
        groups = list(store.groups_after(0))
        recovered = store.recover()
    finally:
        store.close()
    assert recovered.state is not None
    assert recovered.seq == (groups[-1].seq if groups else 0), "the last snapshot covers the whole journal"
    return groups, recovered.state


def judge(groups: list[Group], snapshot: bytes, told: Told, *, aged: bool = False) -> Found:
    """Raises AssertionError with what is wrong. ``aged``: so much time passed that alerts may be forgotten."""
    assert [group.seq for group in groups] == list(range(1, len(groups) + 1)), "a hole in the journal"
    assert all(one.now <= other.now for one, other in pairwise(groups)), "time went back"
    state = same_as_undisturbed(groups, snapshot)
    counts = {alert.name: alert.count for alert in state.alerts.values()}
    delivered = Counter(
        record.labels["alertname"] for group in groups for record in group.records if isinstance(record, AlertRecord)
    )
    for place in (set(delivered), *(() if aged else (set(counts),))):
        lost = told.acknowledged - place
        assert lost == set(), f"{len(lost)} acknowledged alerts are lost: {sorted(lost)[:5]}"
        unknown = {name for name in place if name.startswith(("once", "again"))} - told.sent
        assert unknown == set(), "nobody sent these"
        kept = told.refused & place
        assert kept == set(), f"{len(kept)} refused alerts were kept all the same"
    assert [name for name in told.sent - told.again if delivered[name] > 1] == [], "in the journal twice"
    assert [name for name in told.sent if counts.get(name, 1) != 1] == [], "counted twice"
    marks = {(alert.source, *sorted(alert.labels.items())) for alert in state.alerts.values()}
    assert len(marks) == len(state.alerts), "there twice"
    records = sum(len(group.records) for group in groups)
    return Found(len(groups), records, len(state.alerts), len(state.incidents))


def same_as_undisturbed(groups: list[Group], snapshot: bytes) -> State:
    """The state of a snapshot, which is to the byte what a core has that decides over the journal without a pause."""
    saved = opened(snapshot)
    assert saved.rulebook is not None, saved.problem
    kept = Engine.restored(saved.rulebook, saved.state)
    replayed = Engine(saved.rulebook)
    for group in groups:
        decide_all(replayed, group.records, group.now)
    replayed.decide((), kept.state.now)
    assert replayed.state.now == kept.state.now
    for name in State.__struct_fields__:
        assert getattr(replayed.state, name) == getattr(kept.state, name), f"state.{name} differs from a replay"
    assert replayed.snapshot() == kept.snapshot()
    return kept.state
