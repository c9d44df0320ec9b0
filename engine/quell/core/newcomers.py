"""What begins beside trouble that still spreads is shown by itself only once it has stood for a while.

When a rack or a zone is lost, what it takes along is heard of piece by piece. For a minute or two a piece may explain
itself better than what is known of the whole does, and would be an incident of its own that is merged away at the
next look. People have been called to the whole by then; what is really another outage is told two minutes later, or
as soon as it says so much that it would pay for another cause beside its own; and what pages alone at its own time.

Fewer alerts than mostly make an incident wait for more for a minute: so people are called to all of it, and not to its
first piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from math import log

from quell.core.continuity import Cluster, Member, place_of
from quell.core.partings import shows
from quell.core.steps import Steps
from quell.model.rulebook import Correlate
from quell.model.state import State

WAIT_S = 120.0
"""So long must a cause stand that begins beside trouble which spreads."""
SPREADS = 10
SPREADS_S = 60.0
"""Trouble spreads as long as so many of its alerts were heard of for the first time so lately."""
FEW_WAIT_S = 60.0
"""So long must a cause stand that has fewer alerts than make an incident, and is one all the same."""
KNOWN_S = 600.0
"""So long it is known since when something waits that is too little to be shown for a look or two."""
READ_TOGETHER = 5_000
"""Of so many firings it is asked in one piece when they came, or whether they wait."""
_SHIPS = Correlate()


def newcomers(
    state: State,
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
    since: Mapping[str, float],
    now: float,
    *,
    settings: Correlate = _SHIPS,
) -> Steps[tuple[dict[str, float], frozenset[str]]]:
    """Since when each firing of such a cause waits, by its place; and the names of those that wait.

    ``before`` says where each member stood, ``since`` is what this returned when it was asked last. What has stood
    for long enough is told no more, so that it is shown now whatever becomes of its neighbours. Whoever is left when
    others go to where people were called, or is too little for a look or two, does not wait anew.
    Some of what waits may stand in an incident that people know; it goes on doing so meanwhile.
    """
    standing = (yield from _left_over(story, before, since, now)) if since else {}
    fresh = [one for one in story if one[1] not in state.incidents and not _known(one[0], before)]
    came = 0
    for cluster, name in story if fresh else ():
        came = max(came, (yield from _came(state, cluster, name, now)))
    if came < SPREADS and all(len(cluster.members) >= settings.least_alerts for cluster, _ in fresh):
        return standing, frozenset()
    much = settings.weights.prices.opening
    much += log(max(came / SPREADS, 1.0))  # the faster it spreads, the more pieces of it look like an outage
    waiting: set[str] = set()
    for cluster, name in fresh:
        beside = came >= SPREADS and cluster.cause.net < much
        if not beside and len(cluster.members) >= settings.least_alerts:
            continue
        places = [place_of(member) for member in cluster.members]
        new = now if beside else now - (WAIT_S - FEW_WAIT_S)  # as if it had waited: no more than FEW_WAIT_S is left
        first = min((since[place] for place in places if place in since), default=new)
        if now < first + WAIT_S:
            standing.update(dict.fromkeys(places, first))
            waiting.add(name)
    return standing, frozenset(waiting)


def _known(cluster: Cluster, before: Mapping[Member, str | None]) -> bool:
    """Whether people know most of this already, from incidents that it stood in."""
    return 2 * cluster.counted(before).get(None, 0) < len(cluster.members)


def _left_over(
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
    since: Mapping[str, float],
    now: float,
) -> Steps[dict[str, float]]:
    """What waited, and is in no cause that could be shown now, nor in what people know."""
    left, waited = iter(before), dict[Member, str]()
    while some := list(islice(left, READ_TOGETHER)):
        places = map(place_of, some)
        told = [(member, place) for member, place in zip(some, places, strict=True) if place in since]
        waited.update((member, place) for member, place in told if now < since[place] + KNOWN_S)
        yield
    if not waited:
        return {}
    placed: set[Member] = set()
    for cluster, _ in story:
        for start in range(0, len(cluster.members), READ_TOGETHER):
            placed.update(filter(waited.__contains__, cluster.members[start : start + READ_TOGETHER]))
            yield
    return {place: since[place] for member, place in waited.items() if member not in placed and before[member] is None}


def _came(state: State, cluster: Cluster, name: str, now: float) -> Steps[int]:
    """How much of what people were called to was heard of just now."""
    incident = state.incidents.get(name)
    if incident is None or incident.paged_at is None or not shows(state, name):
        return 0
    came, lately, known = 0, now - SPREADS_S, state.alerts.get
    for start in range(0, len(cluster.members), READ_TOGETHER):
        alerts = [known(mark) for mark, _ in cluster.members[start : start + READ_TOGETHER]]
        came += sum([alert is not None and alert.onset_seen > lately for alert in alerts])
        yield
    return came
