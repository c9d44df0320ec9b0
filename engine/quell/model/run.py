"""A run of a playbook for one incident, and its steps."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.playbook import Mode

RunState = Literal[
    "proposed", "waiting", "running", "done", "undone", "failed", "stuck", "skipped", "stopped", "in_doubt"
]
RUN_OVER: frozenset[str] = frozenset({"done", "undone", "failed", "stuck", "skipped", "stopped"})
StepState = Literal["planned", "waiting", "acting", "done", "failed", "skipped", "undone", "in_doubt"]


class StepRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one step. ``sentence`` is what is true now, or would be after a dry run."""

    id: str
    do: str
    state: StepState = "planned"
    attempt: int = 0
    key: str = ""
    params: dict[str, Any] = {}
    output: dict[str, Any] = {}
    sentence: str = ""
    error: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    due_at: float | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may say yes, by when, and bound to what: the hash of the run's resolved arguments."""

    step: str
    asked_at: float
    expires_at: float
    need: int = 1
    who: tuple[str, ...] = ()
    bound_to: str = ""
    approved_by: tuple[str, ...] = ()
    rejected_by: str = ""
    text: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution. ``why`` says why it runs (or which guard kept it from running). ``at_step`` indexes ``steps``."""

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
    each: str = ""
    vars: dict[str, Any] = {}
    steps: tuple[StepRun, ...] = ()
    at_step: int = 0
    approval: Approval | None = None
    deadline: float | None = None
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in RUN_OVER
