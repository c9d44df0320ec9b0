"""When trouble was over: symptoms of one cause end together, as what caused them is mended.

So ends part outages that began together, and noise from symptoms, though only afterwards: they settle what belongs
to which cause, and neither open causes nor close them. When a cause ended is estimated from its symptoms, as its
beginning is. In nats, against a symptom that ends at any time: what ended when its cause did gains; what a symptom
can lose is bounded, since some end by themselves and some are never told to have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from itertools import islice, pairwise
from math import inf, log1p

import numpy as np

from quell.core.problem import Floats, Ints
from quell.core.steps import Steps

STAY = 0.5
"""Nats of credit for the cause that explains a symptom best without its end."""
ROUNDS = 3
ASKED_TOGETHER = 32
"""Of so many causes it is asked in one piece when they were over."""
MOST_TRIALS = 24
"""So many ends are weighed as the end of one cause."""
TOGETHER = 2.0
"""Nats for ending with the cause."""
SPREAD_S = 90.0
MOST_AGAINST = 4.0
"""Nats that an end far from that of the cause speaks against it."""
MOST_APART = 6.0
"""The same of two causes."""
BEFORE_IT = 1.5
"""Nats against a symptom that ended though its cause had not."""
STILL = 2.0
"""Nats against a symptom that went on, at most, though its cause was over."""

LONG_AGO_S = 2.5 * SPREAD_S
"""So long after an end `STILL` is all that a symptom which goes on says against it."""
MOST_KEPT = 20_000
"""Causes whose ends are remembered, at some hundred bytes each, however many symptoms they have."""
_LONG_AGO: dict[bytes, float] = {}
"""When causes were over of which all is long ago, by a digest of the onsets and ends of their symptoms."""

Claims = tuple[Ints, Ints, Floats]
"""What rows explain: row, symptom, and nats without ends; they explain nothing else."""


def worth(onsets: Floats, ends: Floats, ended: Floats, now: float) -> Floats:
    """Nats per cause (row) and symptom that these ends in seconds add: inf is not over yet, NaN that nobody knows.

    What began after the cause was over says nothing: perhaps it was not, perhaps it is back.
    """
    return _each(onsets, ends, ended[:, None], now)


def _each(onsets: Floats, ends: Floats, ended: Floats, now: float) -> Floats:
    """The same for pairs of a symptom and when its cause had ended."""
    over, fires = np.isfinite(ends), np.isposinf(ends)
    since = np.where(over, ends, now)
    known = np.isfinite(ended)
    when = np.where(known, ended, now)
    off = since - when
    misfit = 2.0 * np.log1p((off / SPREAD_S) ** 2 / 3.0)
    went_on = np.where((off > 0.0) & fires, -np.minimum(misfit, STILL), 0.0)
    fits = np.where(over, np.maximum(TOGETHER - misfit, -MOST_AGAINST), went_on)
    early = np.where(over, -BEFORE_IT, 0.0)
    fits = np.where(onsets > when, 0.0, fits)
    return np.where(known, fits, early)


def ended(onsets: Floats, ends: Floats, now: float) -> float:
    """When the cause of these symptoms was over, most likely; inf if it is not.

    The first symptom to end with it gains nothing, as it tells when that was.
    """
    told = ends[np.isfinite(ends)]
    if not len(told):
        return inf
    if len(ends) == 1:
        return float(told[0])
    if now - told.max() >= LONG_AGO_S:
        return _ended_long_ago(onsets, ends, told)
    return _most_likely(onsets, ends, told, now)


def _ended_long_ago(onsets: Floats, ends: Floats, told: Floats) -> float:
    """The same of symptoms that ended long ago: it matters no more when it is asked."""
    key = blake2b(onsets.tobytes() + ends.tobytes(), digest_size=16).digest()  # a cause may have thousands of symptoms
    known = _LONG_AGO.get(key)
    if known is None:
        if len(_LONG_AGO) >= MOST_KEPT:
            for oldest in list(islice(_LONG_AGO, MOST_KEPT // 4)):
                del _LONG_AGO[oldest]
        known = _LONG_AGO[key] = _most_likely(onsets, ends, told, float(told.max()) + LONG_AGO_S)
    return known


def _most_likely(onsets: Floats, ends: Floats, told: Floats, now: float) -> float:
    told = np.unique(told)
    if len(told) > MOST_TRIALS:
        told = told[np.arange(MOST_TRIALS) * (len(told) - 1) // (MOST_TRIALS - 1)]
    trials = np.append(inf, told)
    nats = worth(onsets, ends, trials, now).sum(axis=1)
    nats[1:] -= TOGETHER
    return float(trials[nats.argmax()])


def settled(
    claims: Claims,
    owner: Ints,
    of: Ints,
    onsets: Floats,
    ends: Floats,
    *,
    now: float,
    over: Callable[[Ints], float] | None = None,
) -> Steps[Ints]:
    """For each symptom the row that explains it best with its end; -1 where none pays.

    ``owner`` are the rows without ends, ``of`` the cause that each row is part of, ``over`` remembers when the cause
    of some symptoms `ended`.
    """
    tell = over or (lambda at: ended(onsets[at], ends[at], now))
    row, unit, plain = claims
    order = np.lexsort((row, unit))
    row, unit, plain = row[order], unit[order], plain[order]
    units, starts = np.unique(unit, return_index=True)
    began, ending, whole = onsets[unit], ends[unit], of[row]
    counts = np.diff(np.append(starts, len(unit)))
    for _ in range(ROUNDS):
        whose = np.where(owner >= 0, of[owner], -1)
        told: list[float] = []
        for mine in shares(whose, int(of.max()) + 1):
            told.append(tell(mine))
            if not len(told) % ASKED_TOGETHER:
                yield
        known = np.array(told)
        yield
        nats = plain + _each(began, ending, known[whole], now)
        nats[owner[unit] == row] += STAY
        best = np.maximum.reduceat(nats, starts)
        yield
        first = np.flatnonzero(nats == np.repeat(best, counts))
        first = first[np.searchsorted(first, starts)]
        found = np.full(len(owner), -1)
        found[units] = np.where(best > 0.0, row[first], -1)
        if np.array_equal(found, owner):
            break
        owner = found
    return owner


def shares(owners: Ints, causes: int) -> list[Ints]:
    """For each of so many causes the symptoms that it owns, ascending."""
    order = np.argsort(owners, kind="stable")
    bounds = np.searchsorted(owners[order], np.arange(causes + 1)).tolist()
    return [order[start:end] for start, end in pairwise(bounds)]


def between(child: float, parent: float) -> float:
    """Nats that speak for a cause being part of another by when both ended."""
    if child == inf and parent == inf:
        return 0.0
    if inf in (child, parent):
        return -BEFORE_IT
    return max(TOGETHER - 2.0 * log1p(((child - parent) / SPREAD_S) ** 2 / 3.0), -MOST_APART)
