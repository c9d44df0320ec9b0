"""The core as the daemon sees it, and what to do when it fails on a record: find that record, set it aside, go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quell.model.decision import AnyDecision
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State


class Ahead(Protocol):
    """`quell.core.ahead.Ahead`: what is quicker done before anybody asks, and is ``put_off`` while many wait."""

    put_off: bool

    def read(self) -> Iterator[list[AnyDecision]]: ...


class Decider(Protocol):
    """`quell.core.engine.Engine`; what explains is read by the API only."""

    @property
    def ahead(self) -> Ahead: ...
    @property
    def state(self) -> State: ...
    def decide(self, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]: ...
    def parts(self, records: Sequence[AnyRecord], now: float) -> Iterator[list[AnyDecision]]: ...
    def next_due(self) -> float | None: ...
    def snapshot(self) -> bytes: ...
    def written(self) -> Iterator[bytes | memoryview]: ...
    def use(self, rulebook: Rulebook) -> None: ...
    def explain(self, incident_id: str) -> Any: ...


Restore = Callable[[Rulebook, bytes | memoryview | None], Decider]
"""Makes a core from a snapshot (None: a fresh one)."""
SLICE = 25
"""Records that the core gets at once: between two slices the event loop serves others, for a few milliseconds at most
as long as nothing large is concluded. Part of what makes a recovery exact: slices must be cut alike then."""


def slices(records: Sequence[AnyRecord]) -> Iterator[Sequence[AnyRecord]]:
    """The records of a group as the core gets them; without records one empty slice, for the passing of time."""
    if len(records) <= SLICE:
        yield records
        return
    for start in range(0, len(records), SLICE):
        yield records[start : start + SLICE]


def decide_all(decider: Decider, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]:
    """Decides over a whole group, slice by slice."""
    out: list[AnyDecision] = []
    for part in slices(records):
        out += decider.decide(part, now)
    return out


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A record on which the core failed, and how; ``index`` is its place among the records that were tried."""

    index: int
    record: AnyRecord
    error: Exception


@dataclass(frozen=True, slots=True)
class Isolated:
    """A core that has decided over all records but the poisoned ones. ``stuck``: it fails even without any record."""

    decider: Decider
    decisions: list[AnyDecision]
    poisoned: list[Poisoned]
    stuck: Exception | None = None


def isolate(restore: Callable[[], Decider], records: Sequence[AnyRecord], now: float) -> Isolated:
    """Decides over the records that can be decided over. ``restore`` gives the core as it was before any of them.

    They are tried one by one, which takes one core more for each that fails; where that leaves something that fails,
    it is halved until single records are left. When the passing of time itself fails, no record is to blame: they are
    decided over at the last good time, so that at least alerts are seen.
    """
    stuck: Exception | None = None
    first = restore()
    try:
        first.decide((), now)
    except Exception as error:  # noqa: BLE001 - what fails is the finding here; it is reported by the caller
        stuck, first = error, restore()
        now = first.state.now
    poisoned: dict[int, Poisoned] = {}
    good = _passing(first, restore, records, now, poisoned)
    halved = False
    while True:
        decider = restore()
        try:
            decisions = decide_all(decider, [record for _, record in good], now)
        except Exception as error:  # noqa: BLE001 - each half was fine alone; the last record is given up until all are
            if not good:
                return Isolated(restore(), [], _sorted(poisoned), stuck or error)
            if not halved:
                halved, good = True, _good(restore, good, now, poisoned)
                continue
            index, record = good.pop()
            poisoned[index] = Poisoned(index, record, error)
        else:
            return Isolated(decider, decisions, _sorted(poisoned), stuck)


def _passing(
    first: Decider,
    restore: Callable[[], Decider],
    records: Sequence[AnyRecord],
    now: float,
    poisoned: dict[int, Poisoned],
) -> list[tuple[int, AnyRecord]]:
    """The records that do not fail when each is given alone, after those since the last that failed."""
    good: list[tuple[int, AnyRecord]] = []
    decider: Decider | None = first
    for index, record in enumerate(records):
        decider = decider or restore()
        try:
            decider.decide([record], now)
        except Exception as error:  # noqa: BLE001 - what fails is the finding here; it is reported by the caller
            poisoned[index] = Poisoned(index, record, error)
            decider = None  # it was left half-way
        else:
            good.append((index, record))
    return good


def _good(
    restore: Callable[[], Decider],
    numbered: list[tuple[int, AnyRecord]],
    now: float,
    poisoned: dict[int, Poisoned],
) -> list[tuple[int, AnyRecord]]:
    if not numbered:
        return []
    error = _failure(restore, [record for _, record in numbered], now)
    if error is None:
        return numbered
    if len(numbered) == 1:
        index, record = numbered[0]
        poisoned[index] = Poisoned(index, record, error)
        return []
    half = len(numbered) // 2
    return _good(restore, numbered[:half], now, poisoned) + _good(restore, numbered[half:], now, poisoned)


def _failure(restore: Callable[[], Decider], records: Sequence[AnyRecord], now: float) -> Exception | None:
    try:
        decide_all(restore(), records, now)
    except Exception as error:  # noqa: BLE001 - what fails is the finding here; it is reported by the caller
        return error
    return None


def _sorted(poisoned: dict[int, Poisoned]) -> list[Poisoned]:
    return [poisoned[index] for index in sorted(poisoned)]
