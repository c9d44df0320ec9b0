"""What parts from an incident that people are shown, and is too little to be one of its own, stays in it.

Weaker evidence alone takes nothing back: an alert that people saw in an incident leaves it for another one, or because
nothing explains it any more, but not because what explains it better is too little to be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quell.core.continuity import Cluster, Member
from quell.core.partings import home_of
from quell.core.steps import Steps
from quell.model.state import State

ASKED_TOGETHER = 10_000
"""Of so many firings it is asked in one piece whether they are told of."""


def remains(
    state: State,
    clusters: Sequence[Cluster],
    story: Sequence[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
) -> Steps[dict[str, list[Member]]]:
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
    placed = yield from _among(left, story)
    found: dict[str, list[Member]] = {}
    for cluster, home in homes:
        if placed.isdisjoint(cluster.members):
            found.setdefault(home, []).extend(member for member in cluster.members if before[member] == home)
    return found


def _among(some: set[Member], story: Sequence[tuple[Cluster, str]]) -> Steps[set[Member]]:
    """Those of some firings that are told of."""
    found: set[Member] = set()
    asked = 0
    for cluster, _ in story if some else ():
        found |= some.intersection(cluster.members)
        asked += len(cluster.members)
        if asked >= ASKED_TOGETHER:
            yield
            asked = 0
    return found
