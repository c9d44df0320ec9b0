"""What a start makes of acts that a former process left: which are still waited for, and which answers were lost."""

from __future__ import annotations

from quell.core.desk import current
from quell.model.decision import Perform
from quell.model.state import State


def awaited(state: State, deed: Perform) -> bool:
    """Whether the core waits for this very attempt.

    A run may have gone on without it: a later attempt took its place, or it is over. Where the run is in doubt about
    it, trying it is an answer if it may be repeated; else people look already. Pages are always waited for.
    """
    if not deed.run or not deed.key.startswith(f"{deed.run}/"):
        return True
    run = state.runs.get(deed.run)
    act = current(run) if run is not None and not run.over else None
    if act is None or act.key != deed.key:
        return False
    return act.state == "acting" or (act.state == "in_doubt" and deed.repeat != "never")


def waiting(state: State) -> dict[str, str]:
    """The keys of all acts that runs wait for, each with its run's id."""
    return {
        act.key: run.id
        for run in state.runs.values()
        if not run.over
        for act in (*run.steps, *run.deeds)
        if act.state == "acting" and act.key
    }
