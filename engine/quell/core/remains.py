"""What parts from an incident that people are shown, and is too little to be one of its own, stays in it.

Weaker evidence alone takes nothing back: an alert that people saw in an incident leaves it for another one, or because
nothing explains it any more, but not because what explains it better is too little to be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quell.core.continuity import Cluster, Member
from quell.core.partings import home_of
from quell.model.state import State


def remains(
    state: State,
    clusters: Sequence[Cluster],
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
) -> dict[str, list[Member]]:
    """By incident what stays there: most of a cluster that ``story`` does not tell of stood in it, and it goes on.

    No cluster is told of more than once.
    """
    told = {name for _, name in story}
    if not told or len(story) == len(clusters):
        return {}
    shown = {id(cluster) for cluster, _ in story}
    homes = [
        (cluster, home)
        for cluster in clusters
        if id(cluster) not in shown and (home := home_of(state, cluster, before, told)) is not None
    ]
    left = {member for cluster, _ in homes for member in cluster.members}
    placed = _among(left, story)
    found: dict[str, list[Member]] = {}
    for cluster, home in homes:
        if placed.isdisjoint(cluster.members):
            found.setdefault(home, []).extend(member for member in cluster.members if before[member] == home)
    return found


def _among(some: set[Member], story: Sequence[tuple[Cluster, str]]) -> set[Member]:
    """Those of some firings that are told of."""
    found: set[Member] = set()
    for cluster, _ in story if some else ():
        found |= some.intersection(cluster.members)
    return found
