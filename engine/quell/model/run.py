"""A run of a playbook for one incident, and its steps."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.incident import Suspect
from quell.model.playbook import Mode

RunState = Literal[
    "proposed", "waiting", "running", "done", "undone", "failed", "stuck", "skipped", "stopped", "in_doubt"
]
RUN_OVER: frozenset[str] = frozenset({"done", "undone", "failed", "stuck", "skipped", "stopped"})
StepState = Literal["planned", "waiting", "acting", "done", "failed", "skipped", "undone", "in_doubt"]


class StepRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one step. ``sentence`` is what is true now, or would be after a dry run.

    ``params`` are resolved, and so are ``undo`` parameters, which are kept before the step acts; empty: not yet.
    ``due_at`` is when something happens without news: a retry while "waiting", the backstop while "acting".
    """

    id: str
    do: str
    state: StepState = "planned"
    attempt: int = 0
    key: str = ""
    params: dict[str, Any] = {}
    undo: dict[str, Any] = {}
    output: dict[str, Any] = {}
    sentence: str = ""
    error: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    due_at: float | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may say yes, by when, and bound to what: the hash of the run's resolved arguments.

    ``step`` is the approving step's id, "" when the whole run was proposed. Nobody's answer is never taken for a yes.
    """

    step: str
    asked_at: float
    expires_at: float
    need: int = 1
    who: tuple[str, ...] = ()
    not_requester: bool = False
    bound_to: str = ""
    approved_by: tuple[str, ...] = ()
    rejected_by: str = ""
    text: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution. ``why`` says why it runs (or which guard kept it from running).

    ``at_step`` indexes ``steps``, or ``deeds`` once ``phase`` is past "steps": the undo of completed steps
    backwards, then what the playbook does on failure; ``ends_as`` is the state after them. ``trigger`` is the
    incident event that began it ("command": a person); ``suspect`` (without evidence) and ``vars`` are what its
    references mean; ``locks`` are held while it is not over.
    """

    id: str
    playbook: str
    incident: str
    state: RunState
    mode: Mode
    why: str
    started_at: float
    updated_at: float
    by: str = "quell"
    dry: bool = False
    trigger: str = ""
    playbook_version: int = 1
    each: str = ""
    suspect: Suspect | None = None
    locks: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    steps: tuple[StepRun, ...] = ()
    deeds: tuple[StepRun, ...] = ()
    phase: Literal["steps", "undo", "deeds"] = "steps"
    ends_as: RunState | None = None
    at_step: int = 0
    approval: Approval | None = None
    deadline: float | None = None
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in RUN_OVER


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that was triggered but whose condition must hold for a while first.

    ``since`` is when the condition began to hold, None while it does not; ``due_at`` when it has held long enough.
    """

    playbook: str
    incident: str
    trigger: str
    since: float | None = None
    due_at: float | None = None
