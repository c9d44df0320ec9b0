"""What was told of one alert, put in order of event time: from firings and resolutions to episodes.

Nothing here looks at the order of arrival, so facts may come in any order and the same fact any number of times. The
facts kept are bounded by `KEPT`; a history longer than that forgets its oldest episodes, and records about them are
too old to matter.

Several senders may tell of one alert, such as a pair of Prometheus servers. If one resolves it and the other goes on
telling that it fires, it fires. What tells the two apart from a firing that was merely delivered late is when it was
*sent*. Prometheus, and all that speak its protocol, tell an end that lies a fixed horizon (four evaluations or
resends, whichever are longer) after the moment of sending, so that the end told grows with every resend and

    sent = end told - horizon

holds in event time, whenever it is delivered. The horizon is not told, but the greatest distance between an end and
the arrival of the record that told it comes as near to it as the promptest delivery did; late ones only ever show
less, for which reason it is taken to be `HORIZON_S` at least. A firing sent after a resolution had arrived is news,
and the resolution is no end: as in Alertmanager the newer word counts, but a firing that comes late is not the newer.
(After it *arrived*: a sender may say today what was over yesterday, and have told of the firing in between.) What if
the horizon is wrong? Too long, by a sender whose clock runs ahead or who once chose a far end: news is believed that
much later, but is, as the end told grows on. Too short, as all came late: a firing told just before the resolution is
taken for news, and lapses at its end if nobody repeats it. An end that never grows, and none at all, are no news
however often they are told. An end that we filled in counts from arrival, as there is nothing else to go by:
Alertmanager believes it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import NamedTuple, Self

import msgspec

from quell.model.alert import Heard

KEPT = 6
"""Firings with a start of their own, and resolutions, kept per alert."""

HORIZON_S = 240.0
"""How far ahead an end is told at least: Prometheus does four times its resend delay, which is a minute."""

Late = tuple[tuple[float, float], ...]
"""Resolutions that arrived later than they lie, each with its first arrival."""

PATIENCE_S = 3600.0
PATIENCE_FACTOR = 2.5
PATIENCE_MOST_S = 4 * 3600.0


@dataclass(slots=True)
class Episode:
    """One firing from start to end. ``lapse`` ends it unless ``end`` (a told resolution) does; None: neither yet.

    ``until`` and ``ahead`` as in `quell.model.alert.Heard`. ``silence``: the longest pause, in seconds, that `patience`
    has seen up to ``last``, of earlier episodes as well. ``outlived``: one sender resolved it, and another told
    after that that it fires, until ``until``; what was told without an end did end with the resolution.
    """

    start: float
    last: float
    lapse: float | None
    timeout: bool
    seen: float
    record: str
    until: float | None
    ahead: float
    silence: float
    end: float | None = None
    outlived: bool = False

    @classmethod
    def of(cls, heard: Heard) -> Self:
        """The episode of a single firing."""
        return cls(
            heard.start, heard.last, heard.end, heard.timeout, heard.seen, heard.record, heard.until, heard.ahead,
            heard.silence,
        )  # fmt: skip

    def heard(self) -> Heard:
        """All its firings as one; what ended it is kept apart."""
        return Heard(
            self.start, self.last, self.lapse, self.timeout, self.seen, self.record, self.until, self.ahead,
            self.silence,
        )  # fmt: skip

    @property
    def over_at(self) -> float | None:
        """When it ended or will end on its own; None: not before somebody says so."""
        if self.outlived:
            return self.until
        return self.lapse if self.end is None else self.end

    @property
    def timed_out(self) -> bool:
        """Whether what ends it is that nobody repeated it within the time that we, and not a sender, gave it."""
        return self.timeout and self.end is None and (not self.outlived or self.lapse == self.until)

    def extend(self, heard: Heard) -> None:
        """Join a later firing. As in Alertmanager the newer end counts unless an older chosen one is later."""
        self.last = heard.last
        if self.timeout or not later(self.lapse, heard.end):
            self.lapse, self.timeout = heard.end, heard.timeout
        self.seen, self.record = _earlier((self.seen, self.record), (heard.seen, heard.record))
        self.until, self.ahead = _latest(self.until, heard.until), max(self.ahead, heard.ahead)

    def resolve(self, at: float | None, arrivals: Mapping[float, float]) -> None:
        """End it at a told resolution (None: there is none), unless it was told to fire after that had arrived."""
        self.outlived = (
            at is not None and self.until is not None and self.until - max(HORIZON_S, self.ahead) > arrivals.get(at, at)
        )
        self.end = None if self.outlived else at


class Tally(NamedTuple):
    """How often an alert came back after a true pause, how often quickly since, and how often quickly in all."""

    returns: int
    flaps: int


def later(a: float | None, b: float | None) -> bool:
    """Whether end ``a`` lies after end ``b``; None never comes."""
    return b is not None and (a is None or a > b)


def patience(longest_gap_s: float) -> float:
    """How long an unresolved alert may be silent and still be the same firing when it is told with a new start."""
    return max(PATIENCE_S, min(PATIENCE_FACTOR * longest_gap_s, PATIENCE_MOST_S))


def episodes(heard: tuple[Heard, ...], ended: tuple[float, ...], late: Late) -> list[Episode]:
    """The episodes that ``heard`` (at least one firing) and ``ended`` tell of, in order; both are sorted.

    A firing belongs to the episode before it unless that was resolved before its start, had lapsed by then, or was
    not heard of for longer than `patience` allows. A start at the very instant of a resolution is not after it. Of an
    episode that outlived a resolution somebody was heard all the time.
    """
    current = Episode.of(heard[0])
    found = [current]
    longest = current.silence
    arrivals = dict(late)
    for firing in heard[1:]:
        gap = firing.start - current.last
        current.resolve(_resolution(ended, current.last, firing.start), arrivals)
        over_at = current.over_at
        lapsed = over_at is not None and over_at < firing.start
        if not lapsed and current.outlived:
            current.extend(firing)
            continue
        if current.end is None and not lapsed and gap < patience(longest):
            current.extend(firing)
        else:
            current = Episode.of(firing)
            found.append(current)
        longest = current.silence = max(longest, gap)
    current.resolve(_resolution(ended, current.last, None), arrivals)
    return found


def tally(found: list[Episode], flap_gap_s: float) -> Tally:
    """Count returns and, since the last of them, flaps: starts within ``flap_gap_s`` of the end before."""
    returns = flaps = 0
    for before, after in pairwise(found):
        over = before.over_at
        if over is not None and over <= after.start <= over + flap_gap_s:
            flaps += 1
        else:
            returns, flaps = returns + 1, 0
    return Tally(returns, flaps)


def hear(heard: tuple[Heard, ...], told: Heard) -> tuple[Heard, ...]:
    """``heard`` with ``told`` in its place; the same object if it says nothing new."""
    for index in range(len(heard) - 1, -1, -1):
        at = heard[index]
        if at.start <= told.start <= at.last:
            merged = _merged(at, told)
            return heard if merged == at else (*heard[:index], merged, *heard[index + 1 :])
        if told.start > at.last:
            return (*heard[: index + 1], told, *heard[index + 1 :])
    return (told, *heard)


def hear_end(ended: tuple[float, ...], late: Late, at: float, arrived: float) -> tuple[tuple[float, ...], Late]:
    """``ended`` and ``late`` with a resolution in its place; the same objects if it says nothing new."""
    known = dict(late).get(at, at) if at in ended else inf
    if arrived >= known:
        return ended, late
    others = tuple(pair for pair in late if pair[0] != at)
    if known == inf:
        ended = tuple(sorted((*ended, at)))
    return ended, tuple(sorted((*others, (at, arrived)))) if arrived > at else others


def bounded(
    heard: tuple[Heard, ...], ended: tuple[float, ...], late: Late
) -> tuple[tuple[Heard, ...], tuple[float, ...]]:
    """At most `KEPT` of each: the two oldest firings become one if they are of one episode, else the older goes.

    What is left makes the same episodes as before, except for those that went: an alert counts on from them.
    """
    while len(heard) > KEPT:
        first, second = heard[0], heard[1]
        joined = episodes((first, second), ended, late)
        if len(joined) == 1:
            heard = (joined[0].heard(), *heard[2:])
        else:
            heard = (msgspec.structs.replace(second, silence=joined[1].silence), *heard[2:])
    while len(ended) > KEPT:
        needless = _needless(heard, ended)
        ended = (*ended[:needless], *ended[needless + 1 :])
    return heard, ended


def too_old(heard: tuple[Heard, ...], ended: tuple[float, ...], start: float) -> bool:
    """Whether a firing lies before all that is remembered although something was forgotten already."""
    return bool(heard) and start < heard[0].start and (len(heard) >= KEPT or len(ended) >= KEPT)


def _resolution(ended: tuple[float, ...], since: float, before: float | None) -> float | None:
    """The latest resolution at or after ``since`` and before ``before``."""
    for at in reversed(ended):
        if before is None or at < before:
            return at if at >= since else None
    return None


def _needless(heard: tuple[Heard, ...], ended: tuple[float, ...]) -> int:
    """The index of the oldest resolution with no firing between it and the next; else of the oldest.

    When there is none, more than `KEPT` resolutions stand between at most `KEPT` firings: the oldest precedes all.
    """
    for index, (at, after) in enumerate(pairwise(ended)):
        if not any(at < firing.start <= after for firing in heard):
            return index
    return 0


def _earlier(a: tuple[float, str], b: tuple[float, str]) -> tuple[float, str]:
    """Of two arrivals with record id the first; at one instant one with an id, and the smaller id."""
    return min(a, b, key=lambda arrival: (arrival[0], not arrival[1], arrival[1]))


def _merged(at: Heard, told: Heard) -> Heard:
    """One firing told twice: the later end counts, and a chosen one before one filled in by timeout."""
    end, timeout = at.end, at.timeout
    if later(told.end, end) or (told.end == end and not told.timeout):
        end, timeout = told.end, told.timeout
    seen, record = _earlier((at.seen, at.record), (told.seen, told.record))
    return Heard(
        at.start, at.last, end, timeout, seen, record, _latest(at.until, told.until), max(at.ahead, told.ahead),
        at.silence,
    )  # fmt: skip


def _latest(a: float | None, b: float | None) -> float | None:
    """The later of two ends, of which one that was never told counts for nothing."""
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)
