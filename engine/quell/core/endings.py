"""When trouble was over: symptoms of one cause end together, as what caused them is mended.

So ends part outages that began together, and noise from symptoms, though only afterwards: they settle what belongs
to which cause, and neither open causes nor close them. When a cause ended is estimated from its symptoms, as its
beginning is. In nats, against a symptom that ends at any time: what ended when its cause did gains; what a symptom
can lose is bounded, since some end by themselves and some are never told to have ended.
"""

from __future__ import annotations

from math import inf, log1p

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STAY = 0.5
"""Nats of credit for the cause that explains a symptom best without its end."""
ROUNDS = 3
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


def worth(onsets: Floats, ends: Floats, ended: Floats, now: float) -> Floats:
    """Nats per cause (row) and symptom that these ends in seconds add: inf is not over yet, NaN that nobody knows.

    What began after the cause was over says nothing: perhaps it was not, perhaps it is back.
    """
    over, fires = np.isfinite(ends), np.isposinf(ends)
    since = np.where(over, ends, now)
    known = np.isfinite(ended)
    off = since - np.where(known, ended, now)[:, None]
    misfit = 2.0 * np.log1p((off / SPREAD_S) ** 2 / 3.0)
    went_on = np.where((off > 0.0) & fires, -np.minimum(misfit, STILL), 0.0)
    fits = np.where(over, np.maximum(TOGETHER - misfit, -MOST_AGAINST), went_on)
    early = np.where(over, -BEFORE_IT, 0.0)
    fits = np.where(onsets > np.where(known, ended, now)[:, None], 0.0, fits)
    return np.where(known[:, None], fits, early)


def ended(onsets: Floats, ends: Floats, now: float) -> float:
    """When the cause of these symptoms was over, most likely; inf if it is not.

    The first symptom to end with it gains nothing, as it tells when that was.
    """
    told = ends[np.isfinite(ends)]
    if not len(told):
        return inf
    if len(ends) == 1:
        return float(told[0])
    told = np.unique(told)
    if len(told) > MOST_TRIALS:
        told = told[np.arange(MOST_TRIALS) * (len(told) - 1) // (MOST_TRIALS - 1)]
    trials = np.append(inf, told)
    nats = worth(onsets, ends, trials, now).sum(axis=1)
    nats[1:] -= TOGETHER
    return float(trials[nats.argmax()])


def settled(plain: Floats, owner: Ints, of: Ints, onsets: Floats, ends: Floats, *, now: float) -> Ints:
    """For each symptom (column) the row of ``plain`` that explains it best with its end; -1 where none pays.

    ``plain`` are nats without ends, ``owner`` the rows without them, ``of`` the cause that each row is part of.
    """
    columns = np.arange(len(ends))
    for _ in range(ROUNDS):
        whose = np.where(owner >= 0, of[owner], -1)
        over = np.array([ended(onsets[whose == at], ends[whose == at], now) for at in range(int(of.max()) + 1)])
        nats = plain + worth(onsets, ends, over, now)[of]
        nats[owner, columns] += np.where(owner >= 0, STAY, 0.0)
        best = nats.argmax(axis=0)
        found = np.where(nats[best, columns] > 0.0, best, -1)
        if np.array_equal(found, owner):
            break
        owner = found
    return owner


def between(child: float, parent: float) -> float:
    """Nats that speak for a cause being part of another by when both ended."""
    if child == inf and parent == inf:
        return 0.0
    if inf in (child, parent):
        return -BEFORE_IT
    return max(TOGETHER - 2.0 * log1p(((child - parent) / SPREAD_S) ** 2 / 3.0), -MOST_APART)
