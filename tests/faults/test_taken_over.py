"""A daemon that was stopped, taken over and woken up performs nothing more; one that dies is followed at once."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.child import write_config
from faults.nursery import Forked, Nursery
from faults.target import Target, write_playbooks
from faults.waiting import wait_for
from ports import free_port
from postgres_server import Databases

LEASE_S = 1.0
ROUNDS = 12
WORLD = {"lease_of": LEASE_S, "with_target": ""}


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def config(request: pytest.FixtureRequest, tmp_path: Path, target: Target) -> Path:
    written = write_config(tmp_path / "quell", *target.settings(tmp_path / "quell"))
    write_playbooks(tmp_path / "quell")
    if request.param == "postgresql":
        databases: Databases = request.getfixturevalue("postgres")
        written.write_text(written.read_text().replace("sqlite:///quell.db", databases.new_store()))
    return written


@pytest.fixture
def pair(config: Path, nursery: Nursery, tmp_path: Path) -> Iterator[tuple[Forked, Forked]]:
    first, second = (Forked(nursery, config, free_port(), WORLD) for _ in range(2))
    for number, child in enumerate((first, second)):
        (tmp_path / str(number)).mkdir()
        child.logs_in(tmp_path / str(number))
    first.spawn()
    first.wait_ready()
    yield first, second
    first.close()
    second.close()


def stop_in_the_middle_of_an_act(first: Forked, target: Target) -> None:
    """The target has the first request, answers late, and its caller is stopped meanwhile."""
    target.lie(slow=1.0)
    first.alert("taken-over")
    wait_for("the first effect", target.effects)
    time.sleep(0.3)
    stop(first)
    target.lie()


def stop(child: Forked) -> None:
    """SIGSTOP, outside of SQLite's transactions: whoever is stopped within one keeps everybody out."""
    file = child.directory / "quell.db"
    while True:
        child.send(signal.SIGSTOP)
        wait_for("it to stand still", lambda: child.state() == "T")
        if not file.exists() or not in_a_transaction(file):
            return
        child.send(signal.SIGCONT)
        time.sleep(0.02)


def states(child: Forked) -> set[str]:
    return {run["state"] for run in child.runs()}


def in_a_transaction(file: Path) -> bool:
    connection = sqlite3.connect(file, timeout=0.1, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def test_a_paused_owner_that_was_taken_over_performs_nothing_more(
    pair: tuple[Forked, Forked], target: Target, config: Path
) -> None:
    first, second = pair
    stop_in_the_middle_of_an_act(first, target)
    # The lock goes with the process, and a stopped one has it still. Without it there is nothing but the lease.
    (config.parent / "quell.db.lock").unlink(missing_ok=True)
    second.spawn("--standby")
    second.wait_ready()
    wait_for("the second to do it all", lambda: states(second) == {"done", "undone"})
    done = target.requests()
    first.send(signal.SIGCONT)
    assert first.ends_within(20.0)
    assert first.wait() == 4
    assert 'event="lease lost; ending"' in first.log, first.log
    time.sleep(0.3)
    assert target.requests() == done, "the first one sent nothing after it woke up"
    assert target.twice() == []
    wait_for(
        "what was refused in the audit trail",
        lambda: [each for each in second.api("GET", "/audit")["audit"] if each["audit"]["what"] == "refused"],
    )
    assert second.end() == 0
    assert "Traceback" not in first.log + second.log


def test_a_standby_takes_over_when_the_first_one_dies(pair: tuple[Forked, Forked], target: Target) -> None:
    first, second = pair
    second.spawn("--standby")
    wait_for("the second to stand by", lambda: "standing by" in second.log)
    assert not second.is_ready
    first.alert("dies")
    wait_for("a run", first.runs)
    first.kill()
    died = time.monotonic()
    second.wait_ready()
    print(f"\ntaken over {time.monotonic() - died:.1f} s after the owner's death")
    wait_for("it to be done", lambda: states(second) in ({"done", "undone"}, {"in_doubt", "undone"}))
    assert target.twice() == []
    assert second.end() == 0


def test_one_that_is_not_to_wait_says_who_has_the_store(pair: tuple[Forked, Forked]) -> None:
    first, second = pair
    second.spawn()
    assert second.ends_within(20.0)
    assert second.wait() == 1
    assert "another quell" in second.log
    assert first.end() == 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [31])
def test_owners_that_die_or_stop_again_and_again(
    pair: tuple[Forked, Forked], target: Target, config: Path, tmp_path: Path, seed: int
) -> None:
    """One stands by, the other is killed or stopped while it acts; a stopped one wakes up and stands by next."""
    chance = random.Random(seed)
    owner, waiting = pair
    target.lie(slow=0.1, late=0.05, share=0.5, seed=seed)
    ways: Counter[str] = Counter()
    for turn in range(ROUNDS):
        stand_by(waiting, tmp_path / f"turn-{turn}")
        owner.alert(f"turn-{turn}")
        time.sleep(chance.random() * 0.8)
        way = chance.choice(["killed", "stopped"])
        ways[way] += 1
        if way == "killed":
            owner.kill()
        else:
            stop(owner)
            (config.parent / "quell.db.lock").unlink(missing_ok=True)
        waiting.wait_ready()
        if way == "stopped":
            owner.send(signal.SIGCONT)
            assert owner.ends_within(20.0)
            assert owner.wait() == 4, owner.log[-3000:]
        assert "Traceback" not in owner.log, owner.log[-3000:]
        owner, waiting = waiting, owner
    target.lie()
    wait_for("runs to be over or a question", lambda: states(owner) <= {"done", "undone", "in_doubt"})
    effects = target.effects()
    for run in owner.runs():
        name = f"{run['playbook']}-{run['id']}"
        expected = {"on": 1, "job": 1} | ({"off": 1} if run["state"] == "undone" else {"ticket": 1})
        assert {kind: effects.get(f"{kind} {name}", 0) for kind in expected} == expected, run
    assert target.twice() == []
    counts = Counter(f"{run['playbook']} {run['state']}" for run in owner.runs())
    print(f"\nseed {seed}: owners {dict(ways)}; runs {dict(counts)}; nothing twice, nothing missing")
    assert owner.end() == 0


def stand_by(child: Forked, logs: Path) -> None:
    logs.mkdir()
    child.logs_in(logs)
    child.spawn("--standby")
    wait_for("one to stand by", lambda: "standing by" in child.log)
