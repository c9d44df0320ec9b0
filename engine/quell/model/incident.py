"""An incident: a group of alerts judged to share a cause, with a life, and the suspects for that cause."""

from __future__ import annotations

from typing import Literal

import msgspec

from quell.model.impact import Impact

IncidentStatus = Literal["open", "acknowledged", "resolved", "merged", "withdrawn"]
OPEN_STATUSES: frozenset[str] = frozenset({"open", "acknowledged"})
POSTMORTEM = "postmortem"
"""What stands in the timeline where a draft of a post-mortem was kept, and where it is."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reason for (``weight`` > 0) or against (< 0) a suspect, in nats; ``text`` is one sentence."""

    code: str
    text: str
    weight: float


class Suspect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A ranked candidate for the cause.

    ``kind`` is the change type for a change suspect, else "entity". ``path`` runs from the cause to the symptom it
    explains best, entity by entity. ``confidence`` is a probability in [0, 1]. ``lost_because`` is set on runners-up.
    """

    entity: str
    change: str | None = None
    kind: str = "entity"
    score: float = 0.0
    confidence: float = 0.0
    onset: float | None = None
    path: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    lost_because: str = ""


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing that happened to an incident. ``by`` is a person, a playbook or "quell"."""

    at: float
    what: str
    text: str
    by: str = "quell"


class Remedy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What may have ended an incident: a run of a playbook, the guilty change taken back, or a person's words."""

    kind: Literal["playbook", "rollback", "note"]
    text: str
    by: str = ""


class Incident(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """``alerts`` are fingerprints in order of onset; ``impact`` entities needed by users that the cause reaches.

    ``symptoms`` say in a few texts what fired, and ``remedies`` what ended it: both outlive the alerts and runs.

    ``version`` grows with every visible difference, ``material_version`` only with one that people decide by: whether
    it is open, how severe it is, what is suspected first, what it reaches, whether it was merged or split.

    ``paged_at`` and ``page_record`` (the record id that stands for the page) are None until it pages; ``reminded_at``
    is when people were last told again, as nobody had acknowledged the page, and ``reminders`` how often.
    ``told_severity`` is the worst severity that people were told of it, by a page or when they acknowledged it (None:
    nobody was told, or a state of before this was kept).
    ``acknowledged_before`` is who had acknowledged it before it became worse than that and paged again.
    ``assigned_to`` is whose it is, by a person's word; ``snoozed_until`` when it wakes whoever is called then.
    ``merged_into`` names the survivor of a merge. ``crowd``: its alerts have nothing in common but that they would have
    paged alone at about one time. ``harm`` is the most that it was seen to harm; see `quell.model.impact`.
    """

    id: str
    title: str
    status: IncidentStatus
    opened_at: float
    updated_at: float
    severity: str = ""
    alerts: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    no_clear_cause: bool = False
    impact: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    paged_at: float | None = None
    page_alert: str | None = None
    page_record: str | None = None
    reminded_at: float | None = None
    reminders: int = 0
    told_severity: str | None = None
    acknowledged_by: str = ""
    acknowledged_before: str = ""
    assigned_to: str = ""
    snoozed_until: float | None = None
    resolved_at: float | None = None
    merged_into: str | None = None
    version: int = 1
    material_version: int = 1
    timeline: tuple[TimelineEntry, ...] = ()
    symptoms: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    crowd: bool = False
    harm: Impact | Literal[""] = ""

    @property
    def is_open(self) -> bool:
        """Open or acknowledged."""
        return self.status in OPEN_STATUSES
