"""Places at which a daemon dies: right before and right after every commit, and around every request it makes.

Named by `faults.worlds`, which is how a born process learns of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from faults.target import TargetConnector
from quell.daemon import serve
from quell.model.records import StepFinished
from quell.sdk.connector import Call
from quell.sdk.registry import GROUP, Installed
from quell.store.port import Accepted, Turn
from quell.store.sql import SqlStore


def _has_result(accepted: Accepted) -> bool:
    return any(isinstance(record, StepFinished) for record in accepted.records)


def _has_intent(turn: Turn) -> bool:
    return bool(turn.intents)


_COMMITS: dict[str, tuple[str, Callable[..., bool]]] = {
    "records": ("accept", lambda accepted: not _has_result(accepted)),
    "result": ("accept", _has_result),
    "turn": ("commit", lambda turn: not _has_intent(turn)),
    "intent": ("commit", _has_intent),
    "begin": ("begin_act", lambda _key: True),
    "snapshot": ("save_snapshot", lambda _seq, _state: True),
    "lease": ("renew_lease", lambda: True),
}
PLACES = (
    *(f"{commit} {when}" for commit in _COMMITS for when in ("before", "after")),
    "request before", "request after", "effect after",
)  # fmt: skip
"""``effect after``: the target has done what it was asked, and its answer is not sent."""


def with_target(_unused: str) -> None:
    """The connector of `faults.target` is installed."""
    target = EntryPoint("target", "faults.target:TargetConnector", GROUP)

    def found() -> Installed:
        return Installed([*entry_points(group=GROUP), target])

    serve.installed = found  # type: ignore[assignment, attr-defined]


def dies_at(place: str, times: int) -> None:
    """SIGKILL at that place, when it is passed for the ``times``-th time."""
    left = times

    def passed() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    what, _, when = place.partition(" ")
    if what in _COMMITS:
        _at_commit(*_COMMITS[what], when, passed)
    else:
        _at_request(place, passed)


def _at_commit(verb: str, matters: Callable[..., bool], when: str, passed: Callable[[], bool]) -> None:
    real = getattr(SqlStore, verb)

    def dying(self: SqlStore, *arguments: Any) -> Any:
        now = matters(*arguments) and passed()
        if now and when == "before":
            _die()
        found = real(self, *arguments)
        if now:
            _die()
        return found

    setattr(SqlStore, verb, dying)


def _at_request(place: str, passed: Callable[[], bool]) -> None:
    real = TargetConnector.act

    async def dying(self: TargetConnector, call: Call) -> Any:
        now = call.action != "fail" and passed()
        if now and place == "request before":
            _die()
        TargetConnector.kill = now and place == "effect after"
        found = await real(self, call)
        if now and place == "request after":
            _die()
        return found

    TargetConnector.act = dying  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
