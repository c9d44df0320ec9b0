"""The weights by which correlation decides: what ships, each with its bounds, and what a team may put in its place.

Nats are natural logarithms of probabilities. What ships are priors; `quell train` estimates others from storms whose
causes are known, which a team reviews as a file below `rules/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from sys import maxsize
from typing import Literal

import msgspec

Trouble = Literal["failing", "slow", "idle", "data"]
"""What kind of trouble shows: something fails, is slow or full, gets no work, or data are off."""
TROUBLES: tuple[Trouble, ...] = ("failing", "slow", "idle", "data")
_NOTHING = 1e-6
"""Nats that add up to nothing, however many."""


class Passage(msgspec.Struct, frozen=True, gc=False):
    """Trouble passes an edge: with probability ``p`` it shows as ``symptom`` at the dependent, ``lag_s`` later."""

    cause: Trouble
    symptom: Trouble
    p: float
    lag_s: float


Table = tuple[Passage, ...]
"""What is left out does not travel."""


def _table(entries: Mapping[tuple[Trouble, Trouble], tuple[float, float]]) -> Table:
    return tuple(Passage(*kinds, float(p), float(lag_s)) for kinds, (p, lag_s) in entries.items())


F, S, I, D = TROUBLES  # noqa: E741 -- one letter each, as in the tables below


class Travel(msgspec.Struct, frozen=True, kw_only=True):
    """How trouble travels over dependencies, by how one needs the other. They say little on purpose.

    Most trouble keeps its kind, data trouble takes a quarter of an hour and more, the rest is quick.
    """

    request: Table = _table({
        (F, F): (0.75, 12), (S, S): (0.65, 20), (F, S): (0.15, 30), (S, F): (0.15, 45), (I, I): (0.1, 60),
        (D, D): (0.45, 600), (F, D): (0.05, 300), (S, D): (0.05, 300),
    })  # fmt: skip
    placement: Table = _table({
        (F, F): (0.9, 12), (S, S): (0.65, 50), (S, F): (0.1, 60), (F, S): (0.1, 30), (F, D): (0.05, 300),
    })  # fmt: skip
    queue: Table = _table({
        (F, S): (0.7, 70), (S, S): (0.6, 90), (F, F): (0.25, 60), (F, D): (0.1, 600), (I, I): (0.6, 60),
    })  # fmt: skip
    data: Table = _table({
        (F, D): (0.7, 900), (D, D): (0.7, 900), (S, D): (0.5, 1100), (F, F): (0.35, 900), (D, F): (0.2, 1200),
        (S, S): (0.15, 600),
    })  # fmt: skip
    inference: Table = _table({
        (F, F): (0.75, 12), (S, S): (0.65, 20), (F, S): (0.15, 30), (S, F): (0.15, 45), (I, I): (0.1, 60),
        (D, D): (0.6, 600), (F, D): (0.05, 300), (S, D): (0.05, 300),
    })  # fmt: skip
    """As of requests, and what a model makes of bad data is handed on by who asks it."""
    schedule: Table = _table({(F, F): (0.5, 300), (S, S): (0.4, 300), (F, S): (0.2, 300), (F, D): (0.1, 900)})
    tasks: Table = _table({(F, F): (0.9, 60), (S, S): (0.65, 120), (D, D): (0.7, 300), (I, I): (0.5, 300)})
    columns: Table = _table({(D, D): (0.2, 300), (F, D): (0.2, 300)})
    """One of many: that the others show nothing says nothing against their table."""
    measure: Table = _table({(D, D): (0.7, 1000), (F, D): (0.5, 300), (S, D): (0.25, 600), (I, D): (0.3, 300)})


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Nats that explaining symptoms earns, and that causes and ways to them cost; `bounds` says what each may be."""

    evidence: float = 4.2
    """What explaining one alert at an entity earns."""
    more_names: float = 2.0
    """What another rule that fires there adds,"""
    more_replicas: float = 0.5
    """and the same rule on another replica;"""
    more_limit: float = 4.0
    """all of them together at most."""
    aloof: float = 1.0
    """So much less is an alert worth whose rule usually fires for itself."""
    opening: float = 5.0
    """What a cause costs,"""
    silent_opening: float = 1.5
    """more where nothing alerts,"""
    other_family_opening: float = 1.0
    """or something else does,"""
    starved_opening: float = 1.5
    """more where no more than work that does not arrive is told of,"""
    handled_opening: float = 3.0
    """more where data are only used, not made, and nothing is told of them;"""
    made_opening: float = 2.0
    """what others make does not fail by itself,"""
    made_by_itself: float = 0.5
    """unless its own alerts say something else;"""
    absence: float = 0.65
    """for each dependent that should show trouble and does not,"""
    absence_limit: float = 4.0
    """at most;"""
    changed: float = 2.0
    """so much less where something was changed just before."""
    silent: float = 1.3
    """What passing a silent entity costs,"""
    unaware: float = 0.3
    """or one that handles data without being made of them: it hands on what is wrong with them, and notices nothing."""
    believed: float = 0.8
    """The share that is paid of the way to what alerts itself, by who leads through it."""
    other_family_leg: float = 1.2
    """Between two kinds of trouble at one entity,"""
    same_place_leg: float = 0.5
    """and between two spells of one kind there."""
    fold: float = 2.0
    """What folding a cause into another must save beside the way between them."""
    stay: float = 0.5
    """Credit of what is open, so that what people were shown does not flicker."""
    least_net: float = 1.5
    """What an incident that nobody has seen yet must net,"""
    one_name_net: float = 2.0
    """and so much more when one rule alone fires: it may be the rule;"""
    on_the_hour_net: float = 4.0
    """when that began on a full hour, elsewhere as well, it may be a job, as may what usually fires for itself then;"""
    informative_net: float = 4.0
    """when all that fires merely informs, nobody need be told."""

    @property
    def cheapest(self) -> float:
        """No cause costs less to open."""
        return max(0.0, self.opening - self.changed)

    @property
    def enough(self) -> int:
        """So many alerts at an entity are worth all that can be, whatever their rules; any may add next to nothing."""
        each = min(self.more_names, self.more_replicas)
        return 1 + ceil(self.more_limit / each) if each > _NOTHING else maxsize


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """So many nats less is an alert of each kind worth, as more of them belong to nothing (below 0: as fewer do)."""

    failing: float = 0.0
    slow: float = 0.0
    idle: float = 0.0
    data: float = 0.0


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How far times may be off, in seconds, before that speaks against a cause."""

    early_s: float = 45.0
    """A symptom before it was due: rules never run ahead,"""
    late_s: float = 300.0
    """and after it: they hold back for minutes."""
    lag_spread: float = 0.6
    """Both grow by this share of the lag."""
    fold_spread_s: float = 90.0
    """The beginnings of a cause and of one that folds into it."""
    absence_ripe_s: float = 180.0
    """When symptoms that are missing count in full."""


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """How suspects are compared, in nats."""

    walk: float = 0.25
    """What the share of a random walk from the symptoms counts."""
    first: float = 0.5
    """What the solved cause has ahead of its rivals: it was weighed against the whole group, they only here."""
    temperature: float = 2.0
    """Nats that make one suspect e times as likely as another."""
    far: float = 2.0
    """What a change far behind along lineage must be worth to come before what was found in reach."""
    betrayed: float = 3.0
    """Nats of telemetry that make a suspect of an entity that explains no alert."""


class Confidence(msgspec.Struct, frozen=True, kw_only=True):
    """Log odds that there is an outage and the first suspect its cause: what each thing adds.

    Fitted on all incidents of several alerts that were shown on seeds 1 to 5 of the presets easy, overlap,
    incomplete-topology, ml and storm-10k, those of noise among them (see `benchmarks/calibration.py`).
    """

    constant: float = -2.69
    margin: float = 0.78
    """For ln(1 + nats ahead of the second suspect),"""
    silent: float = -0.87
    """when it has no alert of its own,"""
    changed: float = 0.66
    """when a change there is named,"""
    entities: float = -1.13
    """for ln(entities that alert): the nats below grow with them, also where chance brought them together,"""
    path: float = 0.44
    """for each entity on the way to the furthest symptom, of four at most,"""
    itself: float = 1.11
    """when it says that it is broken itself, or gets no work though it is sent,"""
    asks: float = -0.59
    """for ln(1 + how much it asks that does not alert), if it does not say so,"""
    gaps: float = -0.81
    """for each tenth of all dependencies that is not known,"""
    nats: float = 0.0
    """and for ln(1 + the nats of its score); `Weights` has what ships, and a curve of before has none of it."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """All of them. What the default of each is ships with quell."""

    travel: Travel = Travel()
    prices: Prices = Prices()
    noise: Noise = Noise()
    timing: Timing = Timing()
    ranking: Ranking = Ranking()
    confidence: Confidence = Confidence(nats=1.53)


DEFAULT = Weights()
