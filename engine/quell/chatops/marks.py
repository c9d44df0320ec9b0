"""What a button carries: which thing it was shown for, and how that stood. A click on what has changed since acts not.

An incident's version grows with every alert that joins, so it alone would make most clicks stale. What counts is
whether people would still mean the same: the status, and who has it.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from quell.model.incident import Incident
from quell.model.run import Run


class Mark(msgspec.Struct, frozen=True):
    """``key`` names the incident or run, ``stood`` how it stood when the button was shown."""

    key: str
    version: int
    stood: str


def mark_of_incident(incident: Incident) -> str:
    """The value of an incident's buttons."""
    return f"{incident.id}|{incident.version}|{standing(incident)}"


def mark_of_run(run: Run) -> str:
    """The value of a run's buttons."""
    return f"{run.id}|{int(run.updated_at * 1000.0)}|{asking(run)}"


def standing(incident: Incident) -> str:
    """What a person who clicks takes for granted."""
    return "snoozed" if incident.is_open and incident.snoozed_until is not None else incident.status


def asking(run: Run) -> str:
    """The same for a run: its state, and what it asks for with which arguments."""
    approval = run.approval
    bound = f"{approval.step}|{approval.bound_to}|{approval.asked_at}" if approval is not None else ""
    state = f"{run.state}-answered" if approval is not None and approval.answered else run.state
    return f"{state}-{blake2b(bound.encode(), digest_size=6).hexdigest()}"


def asked_mark(run: Run) -> str:
    """What a yes in text must name; "" where it asks for none."""
    return run.approval.mark if run.approval is not None and run.asks else ""


def read_mark(value: str) -> Mark | None:
    """What a value says; None when it is none of ours."""
    parts = value.split("|")
    if len(parts) < 3 or not parts[0] or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 18:
        return None
    return Mark(parts[0], int(parts[1]), parts[2])
