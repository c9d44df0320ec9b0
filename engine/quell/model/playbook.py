"""A playbook as loaded: when it runs, under which guards, which steps. Conditions and templates stay text here."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.mute import Matcher

Mode = Literal["off", "shadow", "propose", "enforce"]
Trigger = Literal["opened", "suspects_changed", "escalated", "resolved"]
Repeat = Literal["state", "keyed", "lookup", "never"]
Effect = Literal["read", "tell", "change"]


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a thing was written, in which commit, and who signed that."""

    file: str
    line: int
    commit: str = ""
    signer: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Repeat a failed step up to ``times`` more, on the named kinds of failure.

    The first time after ``wait_s``, then each time after ``backoff`` times as long, ``most_s`` at most.
    """

    times: int
    wait_s: float = 10.0
    on: tuple[str, ...] = ("unreachable", "timeout")
    backoff: float = 1.0
    most_s: float = 3600.0


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """An action with its parameters, which may hold ``${…}`` references; ``effect`` and ``repeat`` are the action's.

    ``takes``, of an undo that the act's own action declares: the parameters it takes from the act, those that were read
    before the act first. ``queries`` are the parameters in a query language.
    """

    do: str
    with_: dict[str, Any] = {}
    effect: Effect = "change"
    repeat: Repeat = "never"
    takes: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()


class Wait(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Look every ``every_s`` until the condition was true at every look for ``hold_s``; give up after ``within_s``.

    The answer of ``query``, if there is one, is the ``result`` that the condition sees. ``says`` tells people what is
    waited for.
    """

    until: str
    within_s: float
    hold_s: float = 0.0
    every_s: float = 30.0
    query: Deed | None = None
    says: str = ""


class Each(msgspec.Struct, frozen=True, kw_only=True):
    """A list, or a ``${…}`` that gives one, of ``most`` items; a step is done for one after the other."""

    of: Any
    most: int


class Measure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named reading: ``name(params…)`` in a condition is ``value``, a CEL expression on the ``result`` of a read."""

    name: str
    place: Place
    do: str
    params: tuple[str, ...] = ()
    with_: dict[str, Any] = {}
    value: str = "result.value"
    timeout_s: float = 30.0


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step. ``do`` is an action ("ticket.open") or a built-in: ``approve``.

    ``check`` is a condition on ``result``; false leads to ``otherwise``: "finish" (no longer needed), "stop" or
    "escalate". ``on_failure`` after the last attempt: "stop", "continue" or "undo".

    ``wait`` is there for ``wait`` only. Steps that follow each other with the same ``group`` are reads done at once.
    ``before`` is the read asked for the state before the act, with the ``before_takes`` of its parameters. ``needs`` is
    a step without which, if it was not done, this one is skipped. ``queries`` are the parameters in a query language.
    """

    id: str
    do: str
    place: Place
    with_: dict[str, Any] = {}
    if_: str = ""
    check: str = ""
    otherwise: Literal["finish", "stop", "escalate"] = "finish"
    timeout_s: float = 60.0
    retry: Retry | None = None
    undo: Deed | None = None
    on_failure: Literal["stop", "continue", "undo"] = "stop"
    effect: Effect = "change"
    repeat: Repeat = "never"
    wait: Wait | None = None
    for_each: Each | None = None
    group: str = ""
    before: str = ""
    before_takes: tuple[str, ...] = ()
    needs: str = ""
    queries: tuple[str, ...] = ()


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Begins runs by the clock: at the times of a cron line ``cron`` in ``zone``, or every ``every_s`` seconds.

    ``every_s`` counts from the beginning of 1970 in UTC, so that a restart shifts nothing.
    """

    cron: str = ""
    zone: str = "UTC"
    every_s: float = 0.0


class BlastRadius(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much a run may touch; None: not limited. What is not known counts against the run.

    ``targets`` are expressions for what it touches (empty: what its identity names, and the suspect). ``services``
    counts them, ``dependents`` what depends on them, ``replicas`` their copies; ``share_of_fleet`` (0 to 1) is their
    part of the copies of everything of their fleet; all of them must be of ``tier_at_least`` (0 matters most).
    """

    targets: tuple[str, ...] = ()
    services: int | None = None
    dependents: int | None = None
    replicas: int | None = None
    share_of_fleet: float | None = None
    tier_at_least: int | None = None


class Guards(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits on a playbook; ``each`` are the expressions whose values make the identity they apply to.

    ``unless_open`` names freezes and maintenance windows while which nothing begins, ``unless`` are conditions.
    """

    each: tuple[str, ...] = ()
    cooldown_s: float = 0.0
    limit_runs: int = 0
    limit_per_s: float = 0.0
    one_at_a_time: tuple[str, ...] = ()
    unless_open: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    blast_radius: BlastRadius | None = None


class Playbook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What begins it: incident events ``on``, a matching ``alert``, a ``schedule``, or only a person (``by_hand``).

    ``if_`` is a CEL condition that must hold for ``settled_for_s``. ``measures`` are the readings that the conditions
    of its steps name, as they were when it was loaded.
    """

    name: str
    place: Place
    on: tuple[Trigger, ...] = ("opened",)
    alert: tuple[Matcher, ...] | None = None
    schedule: Schedule | None = None
    by_hand: bool = False
    if_: str = ""
    settled_for_s: float = 0.0
    version: int = 1
    summary: str = ""
    owner: str = ""
    mode: Mode = "propose"
    guards: Guards = Guards()
    timeout_s: float = 3600.0
    vars: dict[str, Any] = {}
    steps: tuple[Step, ...] = ()
    on_failure: tuple[Deed, ...] = ()
    measures: tuple[Measure, ...] = ()
