"""The thread on which the store is used: in order, on both sides of a failure, and gone when the process ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quell.daemon.clock import Clock
from quell.daemon.committing import Committing, Put
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.model.records import AlertRecord
from quell.store.memory import MemoryStore
from quell.store.port import Group

NEVER_CLOSED = """
from pathlib import Path
from quell.daemon.writer import Writer
from quell.store.opening import open_store
import sys, time

writer = Writer(open_store("memory:", Path()))
writer.submit(lambda: (time.sleep(0.2), print("done", flush=True)))
"""


def test_calls_are_made_in_order_on_one_thread_and_a_failure_is_the_callers() -> None:
    async def story() -> None:
        writer, made = Writer(MemoryStore()), list[int]()

        def fail() -> None:
            raise StoreError("no")

        waiting = [writer.call(made.append, n) for n in range(100)]
        failed = writer.call(fail)
        threads = {await writer.call(threading.current_thread), await writer.call(threading.current_thread)}
        await asyncio.gather(*waiting)
        assert made == list(range(100))
        assert {thread.name for thread in threads} == {"quell-writer"}
        assert len(threads) == 1
        with pytest.raises(StoreError, match="no"):
            await failed
        assert await asyncio.to_thread(writer.submit(sum, [1, 2]).result) == 3
        await writer.close()
        with pytest.raises(RuntimeError):
            await writer.call(made.append, 1)
        with pytest.raises(RuntimeError):
            writer.submit(made.append, 1)
        (thread,) = threads
        await asyncio.to_thread(thread.join, 10.0)
        assert not thread.is_alive()

    asyncio.run(story())


def test_who_waits_no_more_undoes_nothing() -> None:
    async def story() -> None:
        writer, made, gate = Writer(MemoryStore()), list[str](), threading.Event()
        writer.submit(gate.wait, 10.0)
        waits = asyncio.ensure_future(writer.call(made.append, "all the same"))
        waits.cancel()
        gate.set()
        await writer.call(made.append, "next")
        assert made == ["all the same", "next"]
        await writer.close()

    asyncio.run(story())


def test_no_failure_leaves_anybody_waiting_or_ends_the_thread() -> None:
    async def story() -> None:
        writer, gate = Writer(MemoryStore()), threading.Event()
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(writer.call(next, iter(())), 10.0)
        writer.submit(gate.wait, 10.0)
        given_up = writer.submit(sum, [1, 2])
        assert not given_up.cancel()
        gate.set()
        assert await asyncio.wait_for(writer.call(sum, [3, 4]), 10.0) == 7
        assert given_up.result(10.0) == 3
        await writer.close()

    asyncio.run(story())


def test_a_process_that_never_closes_it_ends_after_what_waits(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NEVER_CLOSED]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_what_is_just_arriving_shares_a_group_though_commits_are_quick() -> None:
    async def story() -> None:
        writer, groups, told = Writer(MemoryStore()), list[Group](), list[int]()
        committing = Committing(
            writer, Clock(), kept=groups.append, over=lambda _records, _refused: None, stir=lambda: None
        )
        running = asyncio.create_task(committing.run())
        for n in range(20):  # each comes a step of the event loop after the last
            record = AlertRecord(at=1.0, status="firing", labels={"alertname": f"a{n}"})
            committing.add(Put([record], (), {}, 1, lambda seq, _error: told.append(seq)))
            await asyncio.sleep(0)
        while len(told) < 20:
            await asyncio.sleep(0.001)
        assert sum(len(group.records) for group in groups) == 20
        assert len(groups) <= 5
        assert told == sorted(told)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await writer.close()

    asyncio.run(story())
