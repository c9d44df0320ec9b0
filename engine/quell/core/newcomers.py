"""What begins beside trouble that still spreads is shown by itself only once it has stood for a while.

When a rack or a zone is lost, what it takes along is heard of piece by piece. For a minute or two a piece may explain
itself better than what is known of the whole does, and would be an incident of its own that is merged away at the
next look. People have been called to the whole by then; what is really another outage is told a minute later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member, place_of
from quell.core.partings import shows
from quell.model.state import State
from quell.model.weights import DEFAULT, Weights

WAIT_S = 60.0
"""So long must a cause stand that begins beside trouble which spreads."""
SPREADS = 10
SPREADS_S = 60.0
"""Trouble spreads as long as so many of its alerts were heard of for the first time so lately."""
KNOWN_S = 600.0
"""So long it is known since when something waits that is too little to be shown for a look or two."""
FITS = 3.0
"""By so many times the spread of beginnings that folding allows may two be off that could be one."""


def newcomers(
    state: State,
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
    since: Mapping[str, float],
    now: float,
    *,
    weights: Weights = DEFAULT,
) -> tuple[dict[str, float], frozenset[str]]:
    """Since when each firing of such a cause waits, by its place; and the names of those that wait.

    ``before`` says where each member stood, ``since`` is what this returned when it was asked last. What has stood
    for long enough is told no more, so that it is shown now whatever becomes of its neighbours. Whoever is left when
    others go to where people were called, or is too little for a look or two, does not wait anew.
    """
    standing = _left_over(story, before, since, now) if since else {}
    fresh = [one for one in story if one[1] not in state.incidents and not any(before[at] for at in one[0].members)]
    if not fresh:
        return standing, frozenset()
    spreading = [cluster.cause for cluster, name in story if _spreads(state, cluster, name, now)]
    known = _by_maker(one for cause in spreading for one in _parts(cause, weights))
    makers = _by_maker(one for cause in spreading for one in _makers(cause, weights).items())
    waiting: set[str] = set()
    for cluster, name in fresh if spreading else ():
        places = [place_of(member) for member in cluster.members]
        first = min((since[place] for place in places if place in since), default=now)
        mine = cluster.cause
        akin = _akin(_makers(mine, weights), makers) or _akin(_makers(mine, weights, any_way=True), known)
        if now < first + WAIT_S and akin:
            standing.update(dict.fromkeys(places, first))
            waiting.add(name)
    return standing, frozenset(waiting)


def _left_over(
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
    since: Mapping[str, float],
    now: float,
) -> dict[str, float]:
    """What waited, and is in no cause that could be shown now, nor in what people know."""
    placed = {member for cluster, _ in story for member in cluster.members}
    places = (place_of(member) for member, name in before.items() if name is None and member not in placed)
    return {place: since[place] for place in places if place in since and now < since[place] + KNOWN_S}


def _by_maker(told: Iterable[tuple[int, tuple[float, float]]]) -> dict[int, list[tuple[float, float]]]:
    found: dict[int, list[tuple[float, float]]] = {}
    for maker, due in told:
        found.setdefault(maker, []).append(due)
    return found


def _spreads(state: State, cluster: Cluster, name: str, now: float) -> bool:
    """Whether people were called to this, and much of it was heard of just now."""
    incident = state.incidents.get(name)
    if incident is None or incident.paged_at is None or not shows(state, name):
        return False
    came = 0
    for member in reversed(cluster.members):
        alert = state.alerts.get(member[0])
        came += alert is not None and alert.onset_seen > now - SPREADS_S
        if came == SPREADS:
            return True
    return False


def _parts(cause: Cause, weights: Weights) -> list[tuple[int, tuple[float, float]]]:
    """The causes that one is made of, as its makers are told."""
    return [(key, (began, FITS * weights.timing.fold_spread_s)) for key, began in cause.parts]


def _makers(cause: Cause, weights: Weights, *, any_way: bool = False) -> dict[int, tuple[float, float]]:
    """What could have made a cause so that it would fold, or by any way: when that was due, how far off it may be."""
    limit, timing = inf if any_way else weights.prices.opening - weights.prices.fold, weights.timing
    found = {
        maker: (cause.began - lag, FITS * (timing.fold_spread_s + timing.lag_spread * lag))
        for maker, cost, lag in zip(*(part.tolist() for part in cause.above()), strict=True)
        if cost < limit
    }
    found[cause.key] = cause.began, FITS * timing.fold_spread_s
    return found


def _akin(mine: Mapping[int, tuple[float, float]], makers: Mapping[int, Sequence[tuple[float, float]]]) -> bool:
    """Whether one thing could have made both at one time."""
    return any(
        abs(due - other) <= max(spread, its)
        for maker, (due, spread) in mine.items()
        for other, its in makers.get(maker, ())
    )
