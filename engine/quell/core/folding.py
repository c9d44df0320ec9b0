"""Causes that another cause explains are folded into it: paid once per cause and not per symptom.

A host that fails takes ten services with it. Each of these explains its own symptoms best, and is a cause by itself;
that they began when the host would have made them is what tells. The host need not be open, nor alert, to take them
in: it is opened when what it saves pays for it. All quantities are in nats.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, log1p
from typing import NamedTuple

import numpy as np

from quell.core.endings import TOGETHER, between
from quell.core.reach import Rows
from quell.core.steps import Steps
from quell.model.weights import DEFAULT, Prices, Timing

LEAST = 1e-9
_ROUNDING = 1e-6
ASKED_TOGETHER = 32
"""Of so many open causes it is asked in one piece what could have caused them."""
TRIED_TOGETHER = 200
"""So many offers, and what they come to at"""
ALONE_TOGETHER = 8
"""so many times that a parent may have begun, are weighed in one piece."""
AGAIN_S = 3600.0
"""A cause that shows again so long after its last symptom is another occurrence, and another incident."""
APART = 2.0
"""Nats against joining what people have been shown as two incidents for `HELD_S`: they work on both by then."""
HELD_S = 120.0
EARLY = 0.5
"""Of the time that a part may be off, so much holds where it began before the whole: nothing is made ahead of time."""
OVER_S = 900.0
"""One that shows again so long after it was over is another as well; what is back sooner only flapped."""
Occurrence = tuple[int, float]
"""A cause and when it began: the same cause hours later is another."""
Offer = tuple[Occurrence, float, float, float]
"""A cause that could fold: which, nats saved at best, when its parent would have begun, how far off
that may be in seconds."""


class Own:
    """What the own alerts of causes that are not open are worth beyond what others explain of them, in nats."""

    def most(self, _key: int) -> float:
        """At most, whenever it began; here nothing is known of any."""
        return 0.0

    def gain(self, _key: int, _began: float) -> float:
        """If it began then."""
        return 0.0


NOTHING = Own()

Trial = tuple[float, Occurrence, list[Occurrence]]
"""Nats saved by a parent, and the causes that would fold into it."""


class Spell(NamedTuple):
    """When a cause ended (inf: not yet), which incident it is shown in (-1: none), and whether that is open."""

    end: float = inf
    incident: int = -1
    live: bool = False


def occurrences(opened: Sequence[tuple[int, float, float]], spells: Sequence[Spell] = ()) -> list[Occurrence]:
    """What each open cause, told as its key, its beginning and its last symptom, is an occurrence of.

    That is itself, or, if it came again before all had been quiet for `AGAIN_S`, its own first beginning. `OVER_S`
    after that had ended it is another, too, unless people have its incident open and are shown no other.
    """
    found = [(key, began) for key, began, _ in opened]
    heard: dict[int, tuple[Occurrence, float, Spell]] = {}
    for at in sorted(range(len(opened)), key=lambda at: opened[at][1]):
        key, began, last = opened[at]
        spell = spells[at] if spells else Spell()
        if key in heard:
            first, until, former = heard[key]
            joins = former.live and spell.incident in {-1, former.incident}
            if began <= until + AGAIN_S and (joins or began <= former.end + OVER_S):
                found[at], last = first, max(last, until)
                spell = former._replace(end=max(spell.end, former.end))
        heard[key] = found[at], last, spell
    return found


def folded(
    opened: Mapping[Occurrence, float],
    claims_of: Callable[[int], Rows],
    opening: Callable[[int, float], float],
    over: Mapping[Occurrence, float] | None = None,
    *,
    floor: Callable[[int], float] | None = None,
    own: Own = NOTHING,
    held: Mapping[Occurrence, int] | None = None,
    waves: Mapping[Occurrence, Sequence[float]] | None = None,
    prices: Prices = DEFAULT.prices,
    timing: Timing = DEFAULT.timing,
) -> Steps[dict[Occurrence, Occurrence]]:
    """For every open cause that folds, the cause that it folds into. ``opened`` has their prices in nats.

    ``claims_of(key)`` gives what could have caused that cause (keys, costs in nats, lags in s), ``opening(key, began)``
    prices a cause that is not open yet, ``floor(key)`` is the least that can be, ``own`` says what its own alerts are
    worth beside that, ``over`` has when each ended, if it did, ``held`` the incident in which people have been shown it
    for a while, ``waves`` when what shows in several began each time. What saves most folds first; a promise still
    best when renewed is kept.
    """
    over, held, waves = over or {}, dict(held or {}), waves or {}
    there: dict[int, list[Occurrence]] = {}
    for one in sorted(opened):
        there.setdefault(one[0], []).append(one)
    offers = yield from _offers(opened, claims_of, own, prices, timing)
    yield
    parents: dict[Occurrence, Occurrence] = {}
    heap = [
        (-most, key)
        for key in offers
        if (most := sum(offer[1] for offer in offers[key]) + (0.0 if key in there else own.most(key)))
        > (0.0 if key in there else prices.cheapest)
    ]
    heapq.heapify(heap)
    tried = 0
    while heap:
        if tried >= TRIED_TOGETHER:
            yield
            tried = 0
        promised, key = heapq.heappop(heap)
        left = [offer for offer in offers[key] if offer[0] not in parents]
        tried += 1 + len(left)
        if key in there:
            trials = [
                _saving(one, _free(parents, one, left), over, held, ended=over.get(one, inf), began=waves.get(one))
                for one in there[key]
            ]
        elif floor is not None and _most(left, over) + own.most(key) <= floor(key):
            continue
        else:
            trials = []
            for at, (one, _, due, _) in enumerate(left, start=1):
                end, price = over.get(one, inf), opening(key, due) - own.gain(key, due)
                trials.append(_saving((key, due), left, over, held, ended=end, price=price + _first(end)))
                if at * len(left) >= TRIED_TOGETHER and not at % ALONE_TOGETHER:
                    yield
        total, parent, children = max(trials, key=lambda trial: trial[0], default=(0.0, (key, 0.0), []))
        if total <= LEAST:
            continue
        if heap and -total > heap[0][0] and -total > promised + LEAST:
            heapq.heappush(heap, (-total, key))
            continue
        parents.update(dict.fromkeys(children, parent))
        there.setdefault(key, [parent])
        if parent not in held and (home := _home([(one, 1.0) for one in children], held)) is not None:
            held[parent] = home
        heapq.heappush(heap, (-sum(offer[1] for offer in left), key))
    return parents


def _offers(
    opened: Mapping[Occurrence, float], claims_of: Callable[[int], Rows], own: Own, prices: Prices, timing: Timing
) -> Steps[dict[int, list[Offer]]]:
    """By key of a parent, the open causes that it might take in; without those that could not save their own price."""
    offers: dict[int, list[Offer]] = {}
    if not opened:
        return offers
    ways: list[Rows] = []
    for key, _ in opened:
        ways.append(claims_of(key))
        if not len(ways) % ASKED_TOGETHER:
            yield
    margins = [price - prices.fold for price in opened.values()]
    lengths = [len(keys) for keys, _, _ in ways]
    parents = np.concatenate([keys for keys, _, _ in ways])
    child = np.repeat(np.arange(len(ways)), lengths)
    saved = np.repeat(np.array(margins), lengths) - np.concatenate([costs for _, costs, _ in ways])
    here = np.array([key for key, _ in opened])
    some = np.flatnonzero((saved > 0.0) & (parents != here[child]))
    keys, place = np.unique(parents[some], return_inverse=True)
    listed, open_already = keys.tolist(), {key for key, _ in opened}
    more = np.array([own.most(key) for key in listed])
    enough = np.bincount(place, saved[some], minlength=len(keys)) + more > prices.cheapest - _ROUNDING
    some = some[(enough | np.array([key in open_already for key in listed], dtype=np.bool_))[place]]
    yield
    lags = np.concatenate([lags for _, _, lags in ways])[some].tolist()
    known = list(opened)
    for at, parent, nats, lag in zip(*(part[some].tolist() for part in (child, parents, saved)), lags, strict=True):
        one = known[at]
        offer = one, nats, one[1] - lag, timing.fold_spread_s + timing.lag_spread * lag
        offers.setdefault(parent, []).append(offer)
    return offers


def _saving(
    parent: Occurrence,
    offers: Sequence[Offer],
    over: Mapping[Occurrence, float],
    held: Mapping[Occurrence, int],
    *,
    ended: float,
    price: float = 0.0,
    began: Sequence[float] | None = None,
) -> Trial:
    """Nats saved by folding into a parent the causes that fit its beginning and end, less its price; and which.

    What shows in waves, of which it has those that ``began`` then, may have made others at each.

    Who is shown in another incident than the parent for a while costs `APART`; a parent that people do not know yet
    would be shown with most of what it explains.
    """
    times = began or (parent[1],)
    fits: dict[Occurrence, float] = {}
    for one, saved, due, spread_s in offers:
        nats = saved - _misfit(due, times, spread_s) + between(over.get(one, inf), ended)
        if nats > fits.get(one, -inf):  # several ways may lead to it: it folds once, by the best
            fits[one] = nats
    home = held[parent] if parent in held else _home(fits.items(), held)
    total, children = 0.0, []
    for one, saved in fits.items():
        left = saved - APART if held.get(one, home) != home else saved
        if left > 0.0:
            total += left
            children.append(one)
    return total - price, parent, children


def _misfit(due: float, times: Sequence[float], spread_s: float) -> float:
    """Nats against a cause that should have begun then being made by one that began at these times."""
    return min([_astray(due - at, spread_s) for at in times])


def _astray(off: float, spread_s: float) -> float:
    """Nats against being so much later than was due, or earlier, if below 0."""
    return 2.0 * log1p((off / (spread_s if off >= 0.0 else EARLY * spread_s)) ** 2 / 3.0)


def _home(fits: Iterable[tuple[Occurrence, float]], held: Mapping[Occurrence, int]) -> int | None:
    """Where people would be shown a cause that they do not know yet: with most of what it explains."""
    known: dict[int, float] = {}
    for one, saved in fits:
        if saved > 0.0 and one in held:
            known[held[one]] = known.get(held[one], 0.0) + saved
    return max(known, key=lambda incident: (known[incident], -incident), default=None)


def _most(offers: Sequence[Offer], over: Mapping[Occurrence, float]) -> float:
    """What `_saving` could find at most, and a little more than that."""
    return sum(saved + TOGETHER * (over.get(one, inf) < inf) for one, saved, _, _ in offers) + _ROUNDING


def _first(end: float) -> float:
    """What it costs a cause that is not open yet to have ended when one of its parts did: that part tells it."""
    return TOGETHER if end < inf else 0.0


def _free(parents: Mapping[Occurrence, Occurrence], parent: Occurrence, offers: Sequence[Offer]) -> list[Offer]:
    """Those that the parent is not part of itself."""
    above = {parent}
    while parent in parents:
        parent = parents[parent]
        above.add(parent)
    return [offer for offer in offers if offer[0] not in above]
