"""A scenario of a test file, checked: what happens when, what the outside answers, and what should come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from quell.model.playbook import Mode, Place
from quell.model.records import AnyRecord
from quell.model.rulebook import NOWHERE
from quell.model.topology import Dependency, Entity

Failure = Literal["unreachable", "timeout", "refused", "lost"]
"""How an act may fail; ``lost``: it took effect, but nobody heard of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the outside answers, after ``takes_s``. ``fail`` "" is done; ``retry_after_s`` goes with a failure."""

    fail: Failure | Literal[""] = ""
    output: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""
    error: str = ""
    takes_s: float = 0.0
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fake:
    """Answers of one action or measure: in order, the last one for good; or, with ``since``, each from its time on.

    ``since`` are seconds from the scenario's clock, ascending, one for each answer.
    """

    name: str
    answers: tuple[Answer, ...]
    since: tuple[float, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Fed:
    """Something told at ``at`` seconds of Unix time."""

    at: float
    record: AnyRecord
    place: Place


@dataclass(frozen=True, slots=True)
class Person:
    """What a person does at a time. ``target`` is looked up then, unless it is ``exact``.

    ``refused`` is what the refusal should say, None when there should be none.
    """

    at: float
    by: str
    verb: str
    target: str
    place: Place
    roles: tuple[str, ...] | None = None
    note: str = ""
    dry: bool = False
    incident: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    exact: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing of a list that is expected: what is to be true of it, by key of the test file."""

    keys: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Many:
    """All things of a kind: exactly these, or exactly so many."""

    place: Place
    these: tuple[Wanted, ...] = ()
    count: int | None = None


@dataclass(frozen=True, slots=True)
class WantedCall:
    """Calls of an action with some of its parameters; ``times`` None is once or more."""

    action: str
    params: Mapping[str, Any]
    place: Place
    times: int | None = None
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Expect:
    """What should be the case at ``at`` seconds of Unix time. What is None is not looked at.

    ``no_calls`` empty means that nothing but reads and pages may have been called.
    """

    at: float
    place: Place
    incidents: Many | None = None
    pages: Many | None = None
    alerts: Mapping[str, Many] = field(default_factory=dict)
    """By how they are handled: hold, muted, digest; or "firing", however they are."""
    runs: Many | None = None
    calls: tuple[WantedCall, ...] = ()
    no_calls: tuple[str, ...] | None = None
    no_calls_place: Place | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test. ``clock`` and all times are seconds of Unix time; ``playbooks`` and ``rules`` None is all there are.

    ``detect`` None is all detectors that are on.
    """

    name: str
    place: Place
    clock: float
    expects: tuple[Expect, ...]
    playbooks: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    detect: tuple[str, ...] | None = None
    mode: Mode | None = None
    entities: tuple[Entity, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    feed: tuple[Fed, ...] = ()
    fakes: Mapping[str, Fake] = field(default_factory=dict)
    strict: bool = False
    people: tuple[Person, ...] = ()
    crash: bool = False

    @property
    def ends(self) -> float:
        """The time of the last thing that happens or is expected."""
        told, done, looked = ([one.at for one in many] for many in (self.feed, self.people, self.expects))
        return max([self.clock, *told, *done, *looked])
