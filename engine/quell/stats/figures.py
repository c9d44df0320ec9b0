"""The figures of a while, as values: docs/how-to/read-the-numbers.md says what each of them means."""

from __future__ import annotations

from typing import Literal

import msgspec

from quell.core.scores import Score
from quell.stats.spans import Share, Span

Basis = Literal["same rule", "all incidents", "nothing"]
Sureness = Literal["fairly", "hardly", "not at all"]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Firings that did not page at once, by the ``code`` of the reason and how they were handled.

    ``wanted`` of them were wanted after all, each counted once: they ``paged_later`` (``wait`` is how long after they
    were first heard of), people ``acted_on`` their incident though it had called nobody, or a person ``said`` that
    a page was missed. ``text`` is one such reason in words.
    """

    code: str
    handling: str
    text: str
    firings: int
    wanted: int = 0
    paged_later: int = 0
    acted_on: int = 0
    said: int = 0
    wait: Span = Span()


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """From what was sent to who was called.

    ``alerts`` are firings that began in that time, ``events`` the deliveries that told of them. ``incidents`` opened
    and were not ``merged`` into another nor ``withdrawn``; ``pages`` called somebody, ``reminders`` called again.
    Of ``early`` incidents nobody was called: they were early signs, told of quietly or in lists only. ``harms`` counts
    incidents by what they harmed, the gravest first.
    """

    events: int = 0
    alerts: int = 0
    rules: int = 0
    incidents: int = 0
    merged: int = 0
    withdrawn: int = 0
    paged_incidents: int = 0
    pages: int = 0
    reminders: int = 0
    early: int = 0
    firing: int = 0
    folded: int = 0
    harms: dict[str, int] = {}


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What people said of incidents, each counted once.

    ``first_cause``: of those whose first cause was confirmed or denied, how many were right; ``unjudged`` incidents had
    a first cause that nobody judged. ``wrong_merges``: people split them or said that they should be; of the
    ``of_many`` incidents with more than one alert. ``wrong_splits``: people merged them or said so. ``own_splits``
    are those that quell took apart by itself when it knew more.
    """

    first_cause: Share = Share()
    unjudged: int = 0
    wrong_merges: int = 0
    of_many: int = 0
    wrong_splits: int = 0
    own_splits: int = 0
    not_actionable: int = 0
    missed: int = 0


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """From the first abnormal signal of an incident: until it opened, paged, a person took it, it was over.

    ``never_acknowledged`` incidents paged and nobody took them before they were over.
    """

    detect: Span = Span()
    page: Span = Span()
    acknowledge: Span = Span()
    resolve: Span = Span()
    never_acknowledged: int = 0


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes that runs of one playbook saved: of the ``runs`` that can be ``compared``.

    ``minutes`` against the middle of how long such incidents took without one, ``low`` and ``high`` against a quarter
    and three quarters. ``basis`` is what they were compared with, ``with_`` how many, ``sure`` how much that is worth.
    Less than nothing: they took longer.
    """

    playbook: str
    runs: int
    compared: int = 0
    minutes: float | None = None
    low: float | None = None
    high: float | None = None
    basis: Basis = "nothing"
    with_: int = 0
    sure: Sureness = "not at all"


class Noisy(msgspec.Struct, frozen=True, kw_only=True):
    """A rule by what it cost. ``useless_pages`` called somebody, and nobody did anything about it.

    ``change`` is the id of a suggestion about it, ``text`` the same in words or why there is none.
    """

    rule: str
    firings: int
    events: int = 0
    pages: int = 0
    useless_pages: int = 0
    held: int = 0
    not_actionable: int = 0
    change: str = ""
    text: str = ""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything; ``from_time`` to ``to_time``. ``diff`` puts the changes that are suggested into the rules."""

    from_time: float
    to_time: float
    funnel: Funnel = Funnel()
    held: tuple[Held, ...] = ()
    judged: Judged = Judged()
    times: Times = Times()
    playbooks: tuple[Score, ...] = ()
    saved: tuple[Saved, ...] = ()
    noisiest: tuple[Noisy, ...] = ()
    diff: str = ""
