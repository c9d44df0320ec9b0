"""Weights that are counted: how often trouble shows on at a dependent, after what lag, and how much is noise.

What was seen a few times says little, so every share is drawn towards what ships: as if that had been seen `PRIOR`
times. An effect is laid to a dependency only where nothing else nearer to the cause alerted that it depends on.

Not every effect alerts, and silence has a price of its own. So shares are relative: the share of effects that alert is
taken to be one and the same, at which all of them together come to what the table that ships expects.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log
from statistics import median

import msgspec

from quell.core.edges import USUAL, WAYS
from quell.core.families import COUNT, Family
from quell.core.graph import Graph
from quell.core.nearness import window
from quell.model.weights import DEFAULT, TROUBLES, Noise, Passage, Table, Travel, Weights
from quell.training.storms import Truth
from quell.training.trying import Course, Seen, sightings

PRIOR = 10.0
LEAST_TRIALS = 20
MOST_P = 0.95
LEAST_ALERTS = 50
MOST_NATS = 1.5
BELIEVED = 0.5
"""Half of the log odds counts: noise comes in crowds, and one alert of a crowd says little more than the others."""
HOPS = 6
EARLY_S = 60.0
"""An effect may be told so much sooner than what brought it about."""
Told = dict[tuple[str, ...], tuple[int, int]]
Way = tuple[str, int]
"""A table of travel, and the family of trouble at what is depended on."""


@dataclass(slots=True)
class Counts:
    """Of each way how often trouble could have shown on; of each family of effects the lags when it did (s).

    ``noise`` and ``signal`` are alerts by family.
    """

    trials: defaultdict[Way, int] = field(default_factory=lambda: defaultdict(int))
    lags: defaultdict[tuple[Way, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    noise: list[int] = field(default_factory=lambda: [0] * COUNT)
    signal: list[int] = field(default_factory=lambda: [0] * COUNT)


def counted(told: Course, truth: Truth) -> Counts:
    """What one storm shows."""
    counts = Counts()
    incidents: defaultdict[str, list[Seen]] = defaultdict(list)
    for seen in sightings(told, truth):
        if seen.incident is None:
            counts.noise[seen.family] += 1
        else:
            counts.signal[seen.family] += 1
            incidents[seen.incident].append(seen)
    for name, alerts in incidents.items():
        roots = truth.roots.get(name, frozenset())
        if roots:
            _travelled(counts, told, roots, alerts)
    return counts


def _travelled(counts: Counts, told: Course, roots: Iterable[str], alerts: Sequence[Seen]) -> None:
    graph = told.graph
    onsets: defaultdict[int, dict[int, float]] = defaultdict(dict)
    for seen in alerts:
        node = graph.number.get(seen.entity)
        if node is not None:
            known = onsets[node].get(seen.family)
            onsets[node][seen.family] = seen.onset if known is None else min(known, seen.onset)
    far = _distances(graph, [graph.number[root] for root in roots if root in graph.number])
    for node, hops in far.items():
        causes = {other for other, _, _ in graph.out[node] if far.get(other, HOPS) < hops and other in onsets}
        if len(causes) != 1:
            continue
        (cause,) = causes
        kinds = told.types.get((graph.name(node), graph.name(cause)), ())
        if len(kinds) != 1 or kinds[0] in told.rulebook.correlate.edges:
            continue
        for kind, began in onsets[cause].items():
            way = WAYS.get(kinds[0], USUAL), kind
            counts.trials[way] += 1
            for shown, onset in onsets.get(node, {}).items():
                if -EARLY_S <= onset - began <= window(shown):
                    counts.lags[way, shown].append(max(0.0, onset - began))


def _distances(graph: Graph, starts: Iterable[int]) -> dict[int, int]:
    """Of nodes that depend on these, over how many dependencies at least."""
    far = dict.fromkeys(starts, 0)
    queue = deque(far)
    while queue:
        node = queue.popleft()
        if far[node] < HOPS:
            for other, _, _ in graph.inn[node]:
                if other not in far:
                    far[other] = far[node] + 1
                    queue.append(other)
    return far


def together(parts: Iterable[Counts]) -> Counts:
    """All that several storms show."""
    whole = Counts()
    for part in parts:
        for way, count in part.trials.items():
            whole.trials[way] += count
        for key, lags in part.lags.items():
            whole.lags[key] += lags
        for at in range(COUNT):
            whole.noise[at] += part.noise[at]
            whole.signal[at] += part.signal[at]
    return whole


def travel(counts: Counts, *, shares: bool = True, lags: bool = True) -> tuple[Travel, Told]:
    """How trouble travels; and by place what was counted anew: how often it could have shown, and did."""
    alerts = _alert_share(counts)
    tables: dict[str, Table] = {}
    told: Told = {}
    for way in Travel.__struct_fields__:
        table: list[Passage] = []
        for one in getattr(DEFAULT.travel, way):
            key, shown = _key(way, one)
            trials, seen = counts.trials.get(key, 0), counts.lags.get((key, shown), [])
            p, lag_s = one.p, one.lag_s
            if trials >= LEAST_TRIALS:
                if shares:
                    p = round(min(MOST_P, (len(seen) / alerts + PRIOR * one.p) / (trials + PRIOR)), 3)
                if lags and seen:
                    lag_s = float(round((len(seen) * median(seen) + PRIOR * one.lag_s) / (len(seen) + PRIOR)))
                told["travel", way, one.cause, one.symptom] = trials, len(seen)
            table.append(Passage(one.cause, one.symptom, p, lag_s))
        tables[way] = tuple(table)
    return Travel(**tables), told


def _alert_share(counts: Counts) -> float:
    """The share of effects that alert, were what ships right on the whole."""
    expected = shown = 0.0
    for way in Travel.__struct_fields__:
        for one in getattr(DEFAULT.travel, way):
            key, symptom = _key(way, one)
            expected += counts.trials.get(key, 0) * one.p
            shown += len(counts.lags.get((key, symptom), ()))
    return min(1.0, shown / expected) if shown else 1.0


def _key(way: str, one: Passage) -> tuple[Way, int]:
    return (way, TROUBLES.index(one.cause)), TROUBLES.index(one.symptom)


def noise(counts: Counts) -> tuple[Noise, Told]:
    """How much less alerts of each kind are worth; and by place how many there were, and of them noise."""
    of, false = sum(counts.noise) + sum(counts.signal), sum(counts.noise)
    if of < LEAST_ALERTS:
        return DEFAULT.noise, {}
    usual = (false + 1.0) / (of + 2.0)
    found: dict[str, float] = {}
    told: Told = {}
    for kind in Family:
        alerts = counts.noise[kind] + counts.signal[kind]
        if alerts >= LEAST_ALERTS:
            share = (counts.noise[kind] + PRIOR * usual) / (alerts + PRIOR)
            nats = BELIEVED * (log(share / (1.0 - share)) - log(usual / (1.0 - usual)))
            found[TROUBLES[kind]] = round(max(-MOST_NATS, min(MOST_NATS, nats)), 2)
            told["noise", TROUBLES[kind]] = alerts, counts.noise[kind]
    return Noise(**found), told


PARTS = ("lags", "travel", "noise")
"""What is counted, in the order in which it is tried."""


def estimated(counts: Counts, parts: Iterable[str]) -> Weights:
    """The weights that ship, with these of `PARTS` counted."""
    wanted = set(parts)
    found = DEFAULT
    if wanted & {"lags", "travel"}:
        ways = travel(counts, shares="travel" in wanted, lags="lags" in wanted)[0]
        found = msgspec.structs.replace(found, travel=ways)
    return msgspec.structs.replace(found, noise=noise(counts)[0]) if "noise" in wanted else found


def seen_of(counts: Counts, part: str) -> Told:
    """What a part is counted from."""
    return noise(counts)[1] if part == "noise" else travel(counts)[1]
