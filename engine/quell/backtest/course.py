"""What one version of the rules makes of a history: its firings, incidents, pages and runs, as plain values."""

from __future__ import annotations

import msgspec

from quell.errors import Problem
from quell.model.alert import Handling
from quell.model.incident import IncidentStatus
from quell.model.playbook import Mode
from quell.model.run import RunState


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared: from ``since`` until before ``until``, in seconds since 1970.

    What happened in the ``warm_up_s`` before is replayed too, so that what was under way is known; of the time before
    that only what lasts: the estate and silences.
    """

    since: float = 0.0
    until: float = float("inf")
    warm_up_s: float = 6 * 3600.0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process of its own replays. ``directory`` "": no rules; deliveries are read as ``decode_as`` says.

    ``config`` is the directory of the quell.yaml that the rules are read with; "": their own. ``deeds`` is a file with
    what was recorded of acts (`quell.backtest.answers`); "": only what the history holds.
    """

    directory: str
    decode_as: str
    config: str = ""
    deeds: str = ""
    history: tuple[str, ...]
    span: Span = Span()
    settle_s: float = 15.0
    strict: bool = False


class Firing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One firing of one alert, from its first record on, and what became of it. ``mark`` is the fingerprint.

    ``lasts``: it fires still where the history ends. ``held_until`` is set when it is then only put off.
    """

    mark: str
    at: float
    name: str
    labels: dict[str, str]
    severity: str = ""
    incident: str | None = None
    verdict: Handling = "hold"
    code: str = ""
    why: str = ""
    lasts: bool = False
    held_until: float | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A page. ``firing`` indexes the firings; ``rise``: told once more, as it became worse. Reminders are no pages."""

    at: float
    incident: str
    firing: int
    severity: str
    why: str
    rise: bool = False


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it last was. ``cause`` is its first suspect in few words, "" when none is clear."""

    id: str
    title: str
    status: IncidentStatus
    at: float
    severity: str
    cause: str
    confidence: float
    firings: tuple[int, ...]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a playbook; nothing of it was done. ``mode`` is the playbook's own. ``steps`` have id, action, state."""

    id: str
    playbook: str
    incident: str
    mode: Mode
    state: RunState
    why: str
    at: float
    steps: tuple[tuple[str, str, str], ...] = ()


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``heard`` are the firing records in order: fingerprint, arrival, index of the firing it belongs to.

    ``alarms`` counts firings of severities that page: what would have woken somebody without any rules. ``took_s`` is
    in seconds of real time. ``problems`` are lines of the history that could not be read; ``refused`` are problems of
    the rules, without which nothing was replayed.
    """

    rules: str = ""
    records: int = 0
    from_: float | None = None
    to: float | None = None
    firings: tuple[Firing, ...] = ()
    heard: tuple[tuple[str, float, int], ...] = ()
    pages: tuple[Told, ...] = ()
    cases: tuple[Case, ...] = ()
    runs: tuple[Planned, ...] = ()
    alarms: int = 0
    left_out: int = 0
    problems: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    took_s: float = 0.0
