"""A playbook as loaded: when it runs, under which guards, which steps. Conditions and templates stay text here."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Mode = Literal["off", "shadow", "propose", "enforce"]
Trigger = Literal["opened", "suspects_changed", "escalated", "resolved"]
Repeat = Literal["state", "keyed", "lookup", "never"]
Effect = Literal["read", "tell", "change"]


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a thing was written."""

    file: str
    line: int
    commit: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Repeat a failed step up to ``times`` more, ``wait_s`` apart, on the named kinds of failure."""

    times: int
    wait_s: float = 10.0
    on: tuple[str, ...] = ("unreachable", "timeout")


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """An action with its parameters, which may hold ``${…}`` references; ``effect`` and ``repeat`` are the action's."""

    do: str
    with_: dict[str, Any] = {}
    effect: Effect = "change"
    repeat: Repeat = "never"


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step. ``do`` is an action ("ticket.open") or a built-in: ``approve``.

    ``check`` is a condition on ``result``; false leads to ``otherwise``: "finish" (no longer needed), "stop" or
    "escalate". ``on_failure`` after the last attempt: "stop", "continue" or "undo".
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


class Guards(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits on a playbook; ``each`` are the expressions whose values make the identity they apply to."""

    each: tuple[str, ...] = ()
    cooldown_s: float = 0.0
    limit_runs: int = 0
    limit_per_s: float = 0.0
    one_at_a_time: tuple[str, ...] = ()


class Playbook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``on`` are incident events, ``if_`` a CEL condition that must hold for ``settled_for_s``."""

    name: str
    place: Place
    on: tuple[Trigger, ...] = ("opened",)
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
