"""A run of a playbook for one incident, and its steps."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.incident import Suspect
from quell.model.playbook import Mode, Place, Schedule

RunState = Literal[
    "proposed", "waiting", "running", "done", "undone", "failed", "stuck", "skipped", "stopped", "in_doubt"
]
RUN_OVER: frozenset[str] = frozenset({"done", "undone", "failed", "stuck", "skipped", "stopped"})
StepState = Literal[
    "planned", "reading", "waiting", "acting", "verifying", "done", "failed", "skipped", "undone", "in_doubt"
]
Purpose = Literal["if", "before", "check", "look"]


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One read that a step needs before it goes on: for its condition, the state before it acts, its check, or a look.

    ``name`` is what it answers: a call in a condition such as ``metrics.error_rate("checkout")``, "before" or "query".
    ``due_at`` is when it is asked again while "waiting", the backstop while "asked".
    """

    name: str
    purpose: Purpose
    do: str
    key: str = ""
    params: dict[str, Any] = {}
    state: Literal["asked", "waiting", "told", "failed"] = "asked"
    attempt: int = 1
    output: dict[str, Any] = {}
    value: Any = None
    sentence: str = ""
    error: str = ""
    asked_at: float = 0.0
    due_at: float | None = None


class StepRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one step. ``sentence`` is what is true now, or would be after a dry run.

    ``params`` are resolved, and so are ``undo`` parameters, which are kept before the step acts; empty: not yet.
    ``due_at`` is when something happens without news: a retry while "waiting", the backstop while "acting", the next
    look while "verifying".

    ``before`` is what was read before it acted (None: nothing); ``left`` says that the wanted state was there already,
    so that nothing was done and nothing is to be taken back. ``readings`` are those it needs where it stands, ``asked``
    counts all it ever asked for. ``looks`` counts the looks of a wait, ``since`` is when its condition began to hold.
    ``unknown`` says of a failed one that it may have taken effect all the same, so that it is taken back too.
    ``attempt`` counts the intents, ``held`` those of them that were not begun because everything was paused by then.
    ``items`` are the acts of a ``for_each``, one for each item, and ``at_item`` is where it stands. Steps next to each
    other with the same ``group`` are under way at once.
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
    place: Place | None = None
    group: str = ""
    before: dict[str, Any] | None = None
    left: bool = False
    unknown: bool = False
    readings: tuple[Reading, ...] = ()
    asked: int = 0
    looks: int = 0
    since: float | None = None
    item: Any = None
    items: tuple[StepRun, ...] = ()
    at_item: int = 0
    held: int = 0

    @property
    def tries(self) -> int:
        """How often it was tried."""
        return self.attempt - self.held


MARK = 4
"""Hex digits of an approval's mark."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may say yes, by when, and bound to what: the hash of the run's resolved arguments.

    ``step`` is the approving step's id, "" when the whole run was proposed. Nobody's answer is never taken for a yes.
    ``incident_version`` is the incident's material version as it was shown to those who were asked; ``channel`` where
    they are asked.
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
    channel: str = ""
    incident_version: int = 0

    @property
    def answered(self) -> bool:
        """Whether as many as it needs said yes, or somebody no."""
        return bool(self.rejected_by) or len(self.approved_by) >= self.need

    @property
    def mark(self) -> str:
        """What stands beside it where people read it, and what whoever says yes in text names: they have read this."""
        return self.bound_to[:MARK]


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution. ``why`` says why it runs (or which guard kept it from running).

    ``at_step`` indexes ``steps``, or ``deeds`` once ``phase`` is past "steps": the undo of completed steps
    backwards, then what the playbook does on failure; ``ends_as`` is the state after them. ``trigger`` is the
    incident event that began it ("command": a person); ``suspect`` (without evidence) and ``vars`` are what its
    references mean, and so does ``drift`` (what a drift alert tells); ``locks`` are held while it
    `holds`. ``place`` is where its playbook was written, with commit and signer. ``released_by`` is who released the
    locks of a stuck run. ``event`` tells apart what began runs without an incident: the firing
    (``fingerprint/episode``) of an ``alert``, or the time of a schedule. ``targets`` are the entities it touches, as
    far as they are known.
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
    event: str = ""
    alert: str = ""
    targets: tuple[str, ...] = ()
    place: Place | None = None
    drift: dict[str, str] = {}
    released_by: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in RUN_OVER

    @property
    def asks(self) -> bool:
        """Whether it waits for a yes; one that has it may wait for something else, such as the end of a freeze."""
        return self.state in {"proposed", "waiting"} and self.approval is not None and not self.approval.answered

    @property
    def holds(self) -> bool:
        """Whether it keeps its locks: while it is not over, and if it is stuck until a person releases them."""
        return not self.over or (self.state == "stuck" and not self.released_by)

    @property
    def target(self) -> str:
        """The lock on what the run is about, held by a stuck run whatever locks it declared; "" without a suspect."""
        return f"target:{self.suspect.entity}" if self.suspect is not None else ""


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that was triggered but whose condition must hold for a while first.

    ``since`` is when the condition began to hold, None while it does not; ``due_at`` when it has held long enough.
    ``alert`` is the fingerprint of the alert that triggered it, if it was one.
    """

    playbook: str
    incident: str
    trigger: str
    since: float | None = None
    due_at: float | None = None
    alert: str = ""


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """When a schedule begins its playbook next; ``schedule`` is the one it was worked out from.

    ``missed_at`` is the time it stands for, when that came while the daemon was down.
    """

    schedule: Schedule
    due_at: float
    missed_at: float | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How often a playbook, as it is written now (a hash of it), has run to a good end since it came in a commit."""

    version: str
    done: int = 0
