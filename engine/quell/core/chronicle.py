"""What an incident's timeline says of runs: that one began, waits, ended, or was kept from beginning."""

from __future__ import annotations

from quell.model.run import Run

BEGUN, HELD, ENDED = "run_begun", "run_held", "run_ended"


def entry(before: Run | None, run: Run) -> tuple[str, str] | None:
    """What happened and a sentence for people, when a run became what it is now; None when it is nothing new."""
    kind = "dry run" if run.dry else "run"
    if before is None:
        if run.state == "skipped":
            return HELD, f"playbook {run.playbook} did not run: {run.why}"
        waits = {"proposed": ", waits for approval as a whole"}.get(run.state, "")
        return BEGUN, f"{kind} {run.id} of {run.playbook} began{waits}: {run.why}"
    if run.over and not before.over:
        why = f": {run.error}" if run.error else ""
        return ENDED, f"{kind} {run.id} of {run.playbook} is {run.state}{why}"
    if run.released_by and not before.released_by:
        return ENDED, f"{run.released_by} released the locks of {kind} {run.id} of {run.playbook}"
    return None
