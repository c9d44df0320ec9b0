"""One version of the rules over a history, in a process of its own: two versions take two processors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from quell.backtest.answers import Answers, read_deeds
from quell.backtest.course import Course, Task
from quell.backtest.follow import Follower
from quell.config.loading import MAIN_FILE, Loaded, RulesAt, load
from quell.errors import BacktestError, Misconfigured
from quell.model.rulebook import Rulebook
from quell.replay.collector import seldom_collected
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.sdk.registry import Installed, installed

LEAST_BYTES = 1_000_000
"""A smaller history is replayed sooner than another process has begun."""
_PROBLEMS_KEPT = 20


def rules_in(directory: Path, config: Path | None = None) -> Loaded:
    """The checked rules of a directory with its quell.yaml, or with that in ``config``; no secret is read.

    Raises `Misconfigured`, and `BacktestError` when there is no quell.yaml at all.
    """
    specs = _connectors().specs
    if config is not None:
        return load(config, specs, os.environ, secrets_needed=False, rules=RulesAt(directory))
    if not (directory / MAIN_FILE).is_file():
        raise BacktestError(
            f"no {MAIN_FILE} is there; name the one that its rules are read with: --config FILE; nothing was compared"
        )
    return load(directory, specs, os.environ, secrets_needed=False)


@cache
def _connectors() -> Installed:
    return installed()


def course_of(task: Task) -> Course:
    """Replays in this process."""
    began = time.perf_counter()
    try:
        config = Path(task.config) if task.config else None
        rules = rules_in(Path(task.directory), config) if task.directory else None
        decoding = rules
        if task.decode_as != task.directory:
            decoding = rules_in(Path(task.decode_as), config) if task.decode_as else None
        rulebook = rules.rulebook if rules else Rulebook()
        deliveries = deliveries_for(
            decoding.settings.sources if decoding else (),
            _connectors(),
            resolve_timeout_s=decoding.settings.resolve_timeout_s if decoding else rulebook.resolve_timeout_s,
        )
        reader = Reader(deliveries, strict=task.strict)
        history = [Path(file) for file in task.history]
        follower = Follower(rulebook, task.span, Answers(history, read_deeds(task.deeds)))
        with seldom_collected():
            follower.run(reader.read_all(history), task.settle_s)
            course = follower.course()
    except Misconfigured as error:
        return Course(refused=tuple(error.problems))
    return msgspec.structs.replace(
        course,
        left_out=len(reader.problems),
        problems=tuple(reader.problems[:_PROBLEMS_KEPT]),
        took_s=time.perf_counter() - began,
    )


def courses_of(tasks: Sequence[Task]) -> list[Course]:
    """Replays at one time, each task in a process of its own, unless that would take longer than the replay.

    Raises `BacktestError` when one of them ends badly.
    """
    if len(tasks) == 1 or max(map(_bytes, tasks)) < LEAST_BYTES:
        return [course_of(task) for task in tasks]
    running = [_Process(task) for task in tasks]
    try:
        return [process.course() for process in running]
    finally:
        for process in running:
            process.end()


def _bytes(task: Task) -> int:
    """How much there is to read; packed lines are about a tenth as long."""
    total = 0
    for file in task.history:
        with suppress(OSError):
            total += Path(file).stat().st_size * (10 if file.endswith(".gz") else 1)
    return total


class _Process:
    """``python -m quell.backtest``; modules that lie where it is started are not imported, whatever they are called."""

    def __init__(self, task: Task) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "quell.backtest"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the command, which ends this
        )
        with suppress(BrokenPipeError):  # what it said before it ended is on stderr
            assert self._process.stdin is not None
            self._process.stdin.write(msgspec.msgpack.encode(task))
            self._process.stdin.close()

    def course(self) -> Course:
        assert self._process.stdout is not None
        answer = self._process.stdout.read()
        code = self._process.wait()
        if code != 0:
            raise BacktestError(f"a replay ended with code {code}; nothing was compared")
        return msgspec.msgpack.decode(answer, type=Course)

    def end(self) -> None:
        """Ends it if it still runs, as after an interruption."""
        if self._process.poll() is None:
            self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
