"""What the core decided: facts for the store and readers, and deeds for the daemon to perform."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Silence
from quell.model.playbook import Effect, Repeat
from quell.model.run import Run

IncidentEvent = Literal[
    "opened",
    "updated",
    "suspects_changed",
    "escalated",
    "merged",
    "split",
    "acknowledged",
    "reopened",
    "resolved",
    "withdrawn",
]


Quietly = Literal["", "told", "listed"]
"""How people hear of an early sign: where nobody is called, or from lists only; "" for what they are called for."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, tag_field="decision", gc=False):
    """``at`` is the core's time of the decision."""

    at: float


class AlertChanged(Decision, frozen=True, kw_only=True, tag="alert_changed", gc=False):
    """An alert is new, or something a person can see of it differs. ``repeat`` marks a mere re-delivery."""

    alert: Alert
    repeat: bool = False


class IncidentChanged(Decision, frozen=True, kw_only=True, tag="incident_changed", gc=False):
    """An incident as it now is; ``event`` says what happened to it."""

    incident: Incident
    event: IncidentEvent


class Page(Decision, frozen=True, kw_only=True, tag="page", gc=False):
    """A person is to be told now, or told again: as nobody took it (``reminder``), or as it became worse (``rise``).

    Of an early sign they are told ``quietly``: that is no page to anybody. The deeds follow as `Perform`.
    """

    incident: str
    alert: str
    reason: str
    reminder: bool = False
    rise: bool = False
    quietly: Quietly = ""


class SilenceChanged(Decision, frozen=True, kw_only=True, tag="silence_changed", gc=False):
    """A silence was made, changed or expired."""

    silence: Silence


class RunChanged(Decision, frozen=True, kw_only=True, tag="run_changed", gc=False):
    """A playbook's run as it now is."""

    run: Run


class RequestEvidence(Decision, frozen=True, kw_only=True, tag="request_evidence", gc=False):
    """The daemon asks connectors for samples of ``entity`` between two times; the answer enters as records."""

    incident: str
    entity: str
    from_: float
    to: float


class Perform(Decision, frozen=True, kw_only=True, tag="perform", gc=False):
    """One act on the outside world, committed to the ledger before it is tried.

    ``key`` is the ledger key, stable over replays (``run/step/attempt`` or ``page/incident/…``): the same key is
    performed once. ``action`` is ``connector.verb``. The answer enters as `StepFinished` with the same key.
    ``token`` is what the other side is given to recognise a repeat: the same for every attempt at one act.
    ``lane`` is what it is told of and where: of one lane the next is decided only once the one before came to its end.
    """

    key: str
    action: str
    params: dict[str, Any]
    effect: Effect
    repeat: Repeat
    timeout_s: float = 60.0
    dry_run: bool = False
    due_at: float | None = None
    token: str = ""
    lane: str = ""
    run: str = ""
    incident: str = ""


class Audit(Decision, frozen=True, kw_only=True, tag="audit", gc=False):
    """Who did what to what."""

    who: str
    what: str
    target: str
    detail: str = ""


AnyDecision = AlertChanged | IncidentChanged | Page | SilenceChanged | RunChanged | RequestEvidence | Perform | Audit
