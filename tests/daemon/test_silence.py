"""A receiver that hangs is told from one that only waits for a processor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from daemon.parts import loaded, running
from daemon.test_receiver import go, receiver_of
from quell.daemon.receiving import silence
from quell.daemon.receiving.silence import HUNG_AFTER, LOST_AFTER, Silence, Working, working

SPIN = "while True: pass"


def looks(monkeypatch: pytest.MonkeyPatch, found: Sequence[Working | None]) -> int | None:
    """At which look a process is given up that is as it was ``found``, and goes on so."""
    states = [*found, *[found[-1]] * LOST_AFTER]
    monkeypatch.setattr(silence, "working", lambda _process: states.pop(0))
    one = Silence(1)
    return next((number for number in range(1, LOST_AFTER + 1) if one.hangs()), None)


@pytest.mark.parametrize("state", ["S", "T", "t"])
def test_who_sleeps_though_there_is_something_to_read_hangs(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, [Working(state, 1.0)]) == HUNG_AFTER


@pytest.mark.parametrize("state", ["R", "D"])
def test_who_waits_for_a_processor_or_a_disk_is_waited_for(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, [Working(state, 1.0)]) == LOST_AFTER


def test_who_works_on_and_on_and_says_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Working("R", 1.0), Working("R", 1.2), Working("R", 1.4), Working("R", 1.6)]
    assert looks(monkeypatch, found) == len(found) + HUNG_AFTER - 1


def test_what_a_process_had_before_it_was_heard_last_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([Working("R", at) for at in (1.0, 1.4, 9.0, 9.4)])
    monkeypatch.setattr(silence, "working", lambda _process: next(used))
    one = Silence(1)
    assert [one.hangs(), one.hangs()] == [False, False]
    one.heard()
    assert [one.hangs(), one.hangs()] == [False, False]
    assert one._idle == 0


def test_where_the_kernel_says_nothing_the_longer_time_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, [None]) == LOST_AFTER


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_kernel_tells_who_is_stopped_and_who_works() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN]) as spinning:
        try:
            until = time.monotonic() + 30.0
            while (now := working(spinning.pid)) is None or now.used_s < 0.05:
                assert time.monotonic() < until
                time.sleep(0.01)
            spinning.send_signal(signal.SIGSTOP)
            while (now := working(spinning.pid)) is None or now.state != "T":
                assert time.monotonic() < until
                time.sleep(0.01)
        finally:
            spinning.kill()
    assert working(spinning.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="there is a receiver on Linux alone")
def test_a_receiver_that_gets_little_of_a_busy_machine_is_not_ended() -> None:
    """Others keep all processors busy, and it comes last of all."""

    async def story() -> None:
        async with running(loaded(receiver=True)) as quell:
            process = receiver_of(quell)
            os.setpriority(os.PRIO_PROCESS, process, 19)
            others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(2 * (os.cpu_count() or 1))]
            try:
                began = time.monotonic()
                while time.monotonic() < began + 3.0:
                    assert (await quell.get("/health"))[0] == 200
                assert (receiver_of(quell), quell.daemon.status()["receiver"]["lost"]) == (process, 0)
            finally:
                for other in others:
                    other.kill()
                    other.wait()

    go(story())
