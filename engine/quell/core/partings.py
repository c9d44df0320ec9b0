"""What parts from an incident that people are shown does so only once it has stood apart for a while.

Where two causes are about as good as one, every alert and every end may tip the scales. Whoever looks at an incident
should not see it fall into two and grow together again a minute later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from quell.core.continuity import Cluster, Member, place_of
from quell.model.state import State

APART_S = 120.0
"""So long must a part of an incident stand apart before it is one of its own."""


def partings(
    state: State,
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
    since: Mapping[str, float],
    now: float,
) -> tuple[dict[str, float], dict[str, str]]:
    """Since when what parts stands apart, by the place of its first firing; and of that, what is to wait: name → home.

    ``before`` says where each member stood, ``since`` is what this returned when it was asked last. What stood in
    several waits where it stood; the home is for what stood in none.
    """
    told = {name for _, name in story}
    parting: dict[str, float] = {}
    waiting: dict[str, str] = {}
    for cluster, name in story:
        known = state.incidents.get(name)
        back = known is None or known.status == "merged"
        home = home_of(state, cluster, before, told) if back else None
        if home is None:
            continue
        places = [place_of(member) for member in cluster.members]
        parting[places[0]] = first = min((since[place] for place in places if place in since), default=now)
        if now < first + APART_S:
            waiting[name] = home
    return parting, waiting


def home_of(state: State, cluster: Cluster, before: Mapping[Member, str | None], told: Collection[str]) -> str | None:
    """The incident in which most of it stood, if more than half stood in such as are open and go on; else None."""
    counted = cluster.counted(before).items()
    stood = {name: count for name, count in counted if name is not None and name in told and shows(state, name)}
    if 2 * sum(stood.values()) <= len(cluster.members):
        return None
    return max(stood.items(), key=lambda one: (one[1], one[0]))[0]


def shows(state: State, name: str | None) -> bool:
    """Whether people are shown what stands in an incident as something that belongs together."""
    incident = state.incidents.get(name) if name is not None else None
    return incident is not None and incident.is_open and not incident.crowd
