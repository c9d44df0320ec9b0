"""The lease on a store: a number that only grows, and nothing is kept in the name of a smaller one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postgres_server import execute
from quell.errors import Fenced, InUse, StoreError
from quell.store.lease import ended, this_process
from quell.store.opening import open_for_reading, open_store
from quell.store.port import Holder, Store, Turn
from store.values import accepted, audit, finished, perform


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Two who have the same file open, the second of whom has taken it over."""
    first, second = open_store("sqlite:///quell.db", tmp_path), open_store("sqlite:///quell.db", tmp_path)
    first.take_lease(first.lease())
    first.accept(accepted(1))
    first.commit(Turn(seq=1, intents=[perform("r/a/1"), perform("r/b/1")], audits=[audit(1.0)]))
    first.begin_act("r/b/1")
    assert second.take_lease(second.lease()).number == 2
    yield first, second
    first.close()
    second.close()


def test_numbers_grow_also_over_restarts(url: str, tmp_path: Path) -> None:
    numbers = []
    store = open_store(url, tmp_path)
    for _ in range(3):
        if url != "memory:":
            store.close()
            store = open_store(url, tmp_path)
        seen = store.lease()
        assert seen is None or store.lapsed(seen), "it was this very process, which has it no more"
        numbers.append(store.take_lease(seen).number)
        store.renew_lease()
    store.give_up_lease()
    assert numbers == [1, 2, 3]
    left = store.lease()
    assert left is not None
    assert (left.number, left.holder, store.lapsed(left)) == (3, None, True)
    store.close()


def test_numbers_go_on_behind_those_of_acts_that_a_backup_brought(tmp_path: Path) -> None:
    store = open_store("sqlite:///quell.db", tmp_path)
    store.commit(Turn(seq=1, intents=[perform("r/a/1")]))
    store.close()
    connection = sqlite3.connect(tmp_path / "quell.db")
    connection.execute("UPDATE ledger SET lease = 7, state = 'acting'")
    connection.commit()
    connection.close()
    store = open_store("sqlite:///quell.db", tmp_path)
    assert store.take_lease(store.lease()).number == 8
    store.begin_act("r/a/1")
    store.close()


def test_a_lease_that_was_renewed_meanwhile_is_not_to_be_had(tmp_path: Path) -> None:
    first, second = open_store("sqlite:///quell.db", tmp_path), open_store("sqlite:///quell.db", tmp_path)
    first.take_lease(None)
    seen = second.lease()
    first.renew_lease()
    with pytest.raises(InUse, match=r'another quell uses it \("quell .* process \d+"\)'):
        second.take_lease(seen)
    assert second.take_lease(second.lease()).number == 2
    first.close()
    second.close()


@pytest.mark.parametrize(
    "verb",
    [
        "accept",
        "commit",
        "begin_act",
        "finish_act",
        "save_snapshot",
        "renew_lease",
        "give_up_lease",
        "keep_quarantined",
    ],
)
def test_everything_in_the_name_of_an_older_number_is_refused(pair: tuple[Store, Store], verb: str) -> None:
    first, second = pair
    before = msgspec.msgpack.encode((list(second.groups_after(0)), second.ledger(), second.lease()))
    given: dict[str, tuple[Any, ...]] = {
        "accept": (accepted(2),),
        "commit": (Turn(seq=2, intents=[perform("r/c/1")]),),
        "begin_act": ("r/a/1",),
        "finish_act": (finished("r/b/1"),),
        "save_snapshot": (1, b"state"),
        "keep_quarantined": ([],),
    }
    with pytest.raises(Fenced, match=r'another quell \("quell .*", lease 2\) has taken the store over from this one'):
        getattr(first, verb)(*given.get(verb, ()))
    assert msgspec.msgpack.encode((list(second.groups_after(0)), second.ledger(), second.lease())) == before


def test_what_was_refused_comes_into_the_audit_trail_of_the_present_owner(pair: tuple[Store, Store]) -> None:
    first, second = pair
    for refused in (lambda: first.begin_act("r/a/1"), lambda: first.finish_act(finished("r/b/1"))):
        with pytest.raises(Fenced):
            refused()
    assert [entry.audit.what for entry in second.audit()] == ["ack"]
    second.renew_lease()
    second.renew_lease()
    told = [entry.audit for entry in second.audit() if entry.audit.what == "refused"]
    assert [each.detail for each in told] == [
        'could not keep the result of "r/b/1"',
        'could not mark "r/a/1" as being tried',
    ]
    assert {(each.who, each.target) for each in told} == {(this_process().name, "lease 1")}
    assert second.verify_audit() is None


def test_an_act_says_under_which_lease_it_was_begun(pair: tuple[Store, Store], tmp_path: Path) -> None:
    _, second = pair
    second.begin_act("r/a/1")
    assert {entry.perform.key: entry.lease for entry in second.ledger()} == {"r/a/1": 2, "r/b/1": 1}
    reading = open_for_reading("sqlite:///quell.db", tmp_path)
    assert [entry.lease for entry in reading.ledger()] == [2, 1]
    reading.close()


def test_who_took_over_goes_on_in_the_journal_where_the_former_one_stopped(tmp_path: Path) -> None:
    first, second = open_store("sqlite:///quell.db", tmp_path), open_store("sqlite:///quell.db", tmp_path)
    first.take_lease(None)
    first.accept(accepted(1))
    second.take_lease(second.lease())
    assert second.accept(accepted(2)).seq == 2
    first.close()
    second.close()


def test_postgresql_tells_who_was_taken_over_when_it_connects_again(postgres_url: str) -> None:
    first = open_store(postgres_url, Path())
    first.take_lease(None)
    first.commit(Turn(seq=1, intents=[perform("r/a/1")]))
    execute(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'quell %' "
        "AND datname = current_database()",
    )
    second = open_store(postgres_url, Path())
    second.take_lease(second.lease())
    for _ in range(2):
        with pytest.raises(Fenced, match="has taken the store over from this one"):
            first.begin_act("r/a/1")
    second.renew_lease()
    assert [entry.audit.detail for entry in second.audit()] == ['could not mark "r/a/1" as being tried'] * 2
    second.begin_act("r/a/1")
    with pytest.raises(StoreError):
        first.ledger()
    first.close()
    second.close()


def test_a_process_is_known_to_have_ended_only_on_its_machine() -> None:
    sleeper = subprocess.Popen(
        [sys.executable, "-c", ("from quell.store.lease import this_process as p; import msgspec, sys; "
         "print(msgspec.json.encode(p()).decode(), flush=True); sys.stdin.read()")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert sleeper.stdout is not None
    other = msgspec.json.decode(sleeper.stdout.readline(), type=Holder)
    assert other.pid == sleeper.pid
    assert not ended(other)
    sleeper.kill()
    sleeper.wait()
    sleeper.stdout.close()
    assert sleeper.stdin is not None
    sleeper.stdin.close()
    assert ended(other)
    assert ended(None)
    assert ended(msgspec.structs.replace(this_process(), began="0")), "its number was given to another since"
    assert not ended(msgspec.structs.replace(other, machine="another")), "who knows"
    assert not ended(Holder("quell elsewhere process 1")), "it could not say where it ran"
