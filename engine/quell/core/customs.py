"""What is remembered of how alerts behave: of each one, and of each rule whichever entity it fires for.

Bounded, part of the state, and changed by nothing but records and time, so that it survives a restart unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple, TypeVar

import msgspec

from quell.core.fold import What
from quell.core.severity import worst
from quell.model.alert import Alert
from quell.model.state import Custom, Hearing, Passing, Triaged

NO_CUSTOM = Custom()
EVERYONE = ""
"""The name under which the firings of every rule of a paging severity are counted."""

_Learned = TypeVar("_Learned", Custom, Hearing, Passing)
KEPT_TIMES = 64
KEPT_DURATIONS = 20
KEPT_CUSTOMS = 2000
LEAST = 5
"""So many firings make a custom."""

LEAST_ALONE = 3
"""So many firings that nothing joined make one for a rule: all that is at stake is to wait a little longer."""

LEAST_OF_ALL = 8
"""So many firings of all rules together make one, for a rule with too few of its own."""

DOUBT_FIRINGS = 4.0
"""So many firings, half of them in company, are thought to have been before the first."""

DOUBT_OCCASIONS = 2.0
"""The same of occasions, each of which is told by many firings."""

SHARE = 0.8
RARELY_ALONE = 0.8
"""A rule is rarely alone when it is thought to have company on so many of the occasions on which it fires."""
OCCASION_S = 900.0
"""What ends in company so soon after the one before is the same occasion, however many tell of it and however long."""
HIGH_SHARE = 0.9
NEVER_S = 10 * 86_400.0
"""Stands for the duration of a firing that people had to end: it did not end by itself, whenever it ended."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How firings that nothing joined usually end: ``ended`` of ``count`` by themselves, nine in ten in ``most_s``."""

    ended: int
    count: int
    most_s: float
    of_all: bool


class End(NamedTuple):
    """How a firing ended, as far as that is known.

    ``acted``: people did something about it, so that it did not end by itself. ``called``: people were called for an
    incident that it was only a part of, and whether they ended it without a word to quell, nobody knows.
    """

    acted: bool = False
    called: bool = False


BY_ITSELF = End()


def observe(
    behaviour: Triaged, what: What | Literal["paged"], alert: Alert, now: float, *, end: End = BY_ITSELF
) -> Triaged:
    """The behaviour after ``alert`` was folded as ``what``, or after it "paged" (say so, or it may page again)."""
    if what == "paged":
        return msgspec.structs.replace(behaviour, paged_at=now)
    if what == "resolved":
        return _ended(behaviour, alert, now, end)
    if what not in {"new", "returned", "flapped"}:
        return behaviour
    at = alert.starts_at
    return msgspec.structs.replace(
        behaviour,
        episodes=behaviour.episodes + (what != "flapped"),
        returns=_noted(behaviour.returns, at) if what == "flapped" else behaviour.returns,
        began=_noted(behaviour.began, at) if behaviour.began else (at,),
    )


def page_over(behaviour: Triaged, *, acted: bool) -> Triaged:
    """The behaviour after the incident that the alert paged for was over, acted on by people or not."""
    return msgspec.structs.replace(behaviour, unheeded=0 if acted else behaviour.unheeded + 1)


def told(behaviour: Triaged, verdict: str, now: float) -> Triaged:
    """The behaviour after a person's verdict: nothing to do about it, or the contrary, which takes all excuses back."""
    if verdict == "not_actionable":
        return msgspec.structs.replace(behaviour, dismissed_at=now)
    if verdict in {"right_cause", "missed"}:
        return msgspec.structs.replace(behaviour, dismissed_at=None, unheeded=0, durations_s=())
    return behaviour


def _ended(behaviour: Triaged, alert: Alert, now: float, end: End) -> Triaged:
    """One more past firing. If it paged unheard (see `observe`) the end of it is the latest time it can have.

    A firing that only stands for the page of its incident did not page. What people had to end once is no healer: what
    was learned of its durations begins anew; what may have been ended with its incident tells nothing of it, nor does
    it make a nuisance of it that it was part of trouble so often.
    """
    paged_at, durations = behaviour.paged_at, behaviour.durations_s
    if end.acted:
        durations = ()
    elif not end.called:
        durations = (*durations, lasted(alert, now))[-KEPT_DURATIONS:]
    if alert.handling == "page" and alert.reason.code != "paged" and (paged_at is None or paged_at < alert.starts_at):
        paged_at = now
    began, called_at = behaviour.began, behaviour.called_at
    if end.called and alert.starts_at in began:
        at = began.index(alert.starts_at)
        began, called_at = (*began[:at], *began[at + 1 :]), max(called_at or 0.0, alert.starts_at)
    return msgspec.structs.replace(
        behaviour,
        began=began,
        called_at=called_at,
        durations_s=durations,
        paged_at=paged_at,
        worst=worst((behaviour.worst, alert.severity)) if behaviour.worst else alert.severity,
    )


def lasted(alert: Alert, now: float) -> float:
    """How long a firing that is over lasted, in seconds."""
    return max((now if alert.ends_at is None else alert.ends_at) - alert.starts_at, 0.0)


def ended(custom: Custom, alert: Alert, now: float, *, alone: bool, acted: bool) -> Custom:
    """The custom after one more firing was over, which nothing else had joined (``alone``) or other alerts had."""
    if not alone:
        goes_on = custom.occasions > 0 and now < custom.occasion_at + OCCASION_S
        occasions = custom.occasions + (not goes_on)
        return msgspec.structs.replace(custom, joined=custom.joined + 1, occasions=occasions, occasion_at=now, at=now)
    lasted_s = NEVER_S if acted else lasted(alert, now)
    durations = (*custom.alone_s, lasted_s)[-KEPT_DURATIONS:]
    return msgspec.structs.replace(custom, alone_s=durations, alone=custom.alone + 1, at=now)


def rarely_alone(custom: Custom, everyone: Custom) -> bool:
    """Whether a rule mostly fires together with others, so that one firing without says that little came of it.

    Of a rule with few firings it is thought what holds for all rules of a paging severity here, but not of one that was
    never seen with others, nor of one of whose lone firings people ended any: those were worth a call.
    """
    own, all_ = custom.occasions + custom.alone, everyone.occasions + everyone.alone
    if not custom.occasions or NEVER_S in custom.alone_s or (own < LEAST_ALONE and all_ < LEAST_OF_ALL):
        return False
    usually = (everyone.occasions + DOUBT_OCCASIONS / 2) / (all_ + DOUBT_OCCASIONS)
    return custom.occasions + DOUBT_OCCASIONS * usually >= RARELY_ALONE * (own + DOUBT_OCCASIONS)


def aloofness(custom: Custom | None) -> float:
    """0 to 1: how much rather than not the firings of a rule have nothing to do with others; 0 for rules not known."""
    if custom is None:
        return 0.0
    joined = (custom.joined + DOUBT_FIRINGS / 2) / (custom.joined + custom.alone + DOUBT_FIRINGS)
    return max(0.0, 1.0 - 2.0 * joined)


def valued(custom: Custom, alert: Alert, now: float) -> Custom:
    """The custom after one more firing that tells a value and a threshold."""
    if alert.value is None or alert.threshold is None or alert.value == alert.threshold:
        return custom
    above = alert.value > alert.threshold
    return msgspec.structs.replace(custom, above=custom.above + above, below=custom.below + (not above), at=now)


def usual(custom: Custom, everyone: Custom, longest_s: float) -> Usual | None:
    """How lone firings of a rule end, if four in five do within ``longest_s``; None when that is not known of it.

    A rule with few firings of its own is taken for one like all others here, once it was seen to end by itself and
    never to stay. A rule that was never seen to do so is taken for nothing.
    """
    own = _usual(custom.alone_s, longest_s, LEAST_ALONE, of_all=False)
    if own is not None or len(custom.alone_s) >= LEAST_ALONE or not custom.alone_s or max(custom.alone_s) > longest_s:
        return own
    return _usual(everyone.alone_s, longest_s, LEAST_OF_ALL, of_all=True)


def _usual(past: Sequence[float], longest_s: float, least: int, *, of_all: bool) -> Usual | None:
    short = sum(one <= longest_s for one in past)
    if len(past) < least or short < SHARE * len(past):
        return None
    return Usual(short, len(past), min(high(past), longest_s), of_all)


def high(past: Sequence[float]) -> float:
    """Nine in ten lasted no longer."""
    return sorted(past)[ceil(HIGH_SHARE * len(past)) - 1]


def bounded(known: dict[str, _Learned], most: int = KEPT_CUSTOMS) -> None:
    """Of what was learned by rule, forgets the rules heard of longest ago when there are too many."""
    if len(known) > most:
        for name in sorted(known, key=lambda name: (name != EVERYONE, -known[name].at, name))[most:]:
            del known[name]


def _noted(times: tuple[float, ...], at: float) -> tuple[float, ...]:
    return tuple(sorted((*times, at)))[-KEPT_TIMES:]
