"""A daemon that was stopped, taken over and woken up performs nothing more; one that dies is followed at once."""

from __future__ import annotations

import signal
import sqlite3
import time
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
WORLD = {"lease_of": LEASE_S, "with_target": ""}


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
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
    first.send(signal.SIGSTOP)
    while in_a_transaction(first.directory / "quell.db"):  # whoever is stopped there keeps everybody out
        first.send(signal.SIGCONT)
        time.sleep(0.02)
        first.send(signal.SIGSTOP)
    target.lie()


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
