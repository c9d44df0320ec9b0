"""What differs between two courses of one history, as plain values in a stable order."""

from __future__ import annotations

from typing import Literal

import msgspec

from quell.model.playbook import Mode

IncidentNews = Literal["opened", "gone", "merged", "split", "other_alerts"]
PageNews = Literal["lost", "new", "later", "earlier", "not_yet"]
RunNews = Literal["new", "gone", "changed"]


class IncidentDifference(msgspec.Struct, frozen=True, kw_only=True):
    """``was`` and ``now`` are ids under either version; ``gained`` and ``lost`` are rules of alerts, with how many.

    merged: ``was`` has several, of which one goes on; split: ``now`` has several.
    """

    what: IncidentNews
    was: tuple[str, ...] = ()
    now: tuple[str, ...] = ()
    title: str
    severity: str
    at: float
    alerts: int
    paged_was: bool = False
    paged_now: bool = False
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class PageDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A page, by the alert that stood for it. ``why``: of a lost one what became of the alert, of a new one its reason.

    not_yet: the history ends while the alert is only put off. ``allowed``: lost, and somebody said that it may be.
    """

    what: PageNews
    alert: str
    mark: str
    labels: dict[str, str]
    severity: str
    was: str = ""
    now: str = ""
    was_at: float | None = None
    now_at: float | None = None
    why: str = ""
    rise: bool = False
    allowed: bool = False

    @property
    def later_s(self) -> float:
        """How much later it comes; negative: earlier."""
        return 0.0 if self.was_at is None or self.now_at is None else self.now_at - self.was_at


class VerdictDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Firings of one rule that are judged otherwise, and why now."""

    alert: str
    was: str
    now: str
    count: int
    was_why: str
    why: str
    labels: dict[str, str]


class CauseDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Another first cause of what is one incident under both; "" is no clear cause."""

    was: str
    now: str
    title: str
    at: float
    was_cause: str
    now_cause: str
    was_confidence: float
    now_confidence: float


class RunDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a playbook that is planned under one version only, or otherwise. Modes and states are None of none."""

    what: RunNews
    playbook: str
    incident: str
    at: float
    was_mode: Mode | None = None
    now_mode: Mode | None = None
    was_state: str | None = None
    now_state: str | None = None
    was_steps: tuple[str, ...] = ()
    now_steps: tuple[str, ...] = ()
    why: str = ""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one version. ``held``: firings that neither paged nor joined what paged, by verdict."""

    incidents: int
    pages: int
    page: int
    hold: int
    digest: int
    muted: int
    runs: dict[str, int]
    took_s: float


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A version. ``rules`` is the hash of its files."""

    name: str
    commit: str
    rules: str
    counts: Counts


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``failed`` says why the gate is closed, one sentence each; empty: it is open."""

    was: Side
    now: Side
    records: int
    from_time: float
    to_time: float
    firings: int
    alarms: int
    left_out: int
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pages: tuple[PageDifference, ...] = ()
    incidents: tuple[IncidentDifference, ...] = ()
    verdicts: tuple[VerdictDifference, ...] = ()
    causes: tuple[CauseDifference, ...] = ()
    runs: tuple[RunDifference, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether both versions make the same of the history."""
        return not (self.pages or self.incidents or self.verdicts or self.causes or self.runs)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What closes the gate, besides a lost page whose alert, fingerprint or incident is not ``allowed``.

    ``later_s``: a page that comes so much later. ``earlier_s``: what was told so much earlier was told of something
    else. ``new_pages`` and ``new_incidents``: more than so many (None: any).
    """

    allowed: frozenset[str] = frozenset()
    later_s: float = 4 * 3600.0
    earlier_s: float = 4 * 3600.0
    new_pages: int | None = None
    new_incidents: int | None = None
