"""What a start makes of acts that a former process left: which are still waited for, and which answers were lost."""

from __future__ import annotations

from collections.abc import Iterator

from quell.core.stand import awaiting, current, each_under_way
from quell.daemon.writer import Writer
from quell.model.decision import Perform
from quell.model.records import StepFinished
from quell.model.run import Run
from quell.model.state import State


def awaited(state: State, deed: Perform) -> bool:
    """Whether the core waits for this very attempt.

    A run may have gone on without it: a later attempt took its place, or it is over. Where the run is in doubt about
    it, trying it is an answer if it may be repeated; else people look already. Pages are always waited for.
    """
    if not deed.run or not deed.key.startswith(f"{deed.run}/"):
        return True
    run = state.runs.get(deed.run)
    there = awaiting(run, deed.key) if run is not None and not run.over else None
    act = current(there) if there is not None else None
    if act is None:
        return False
    return act.state != "in_doubt" or deed.repeat != "never"


async def lost_answers(writer: Writer, state: State) -> list[StepFinished]:
    """Results that the ledger has, but of which a run still waits: possible only if a journal was cut short."""
    keys = waiting(state)
    results: list[StepFinished] = []
    for run_id in sorted(set(keys.values())):
        entries = await writer.call(writer.store.ledger, run_id)
        ended = (entry for entry in entries if entry.perform.key in keys and entry.state in {"done", "failed"})
        results += [entry.result for entry in ended if entry.result is not None]
    return results


def waiting(state: State) -> dict[str, str]:
    """The keys of all acts and reads that runs wait for, each with its run's id."""
    return {key: run.id for run in state.runs.values() if not run.over for key in _keys(run)}


def _keys(run: Run) -> Iterator[str]:
    for there in each_under_way(run):
        act = current(there)
        assert act is not None, "only acts are under way"
        if act.state == "acting" and act.key:
            yield act.key
        yield from (reading.key for reading in act.readings if reading.state == "asked")
