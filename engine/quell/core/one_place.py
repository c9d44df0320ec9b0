"""Causes at one entity at the same time are one, whatever kinds of trouble they are: nobody mends a place twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from quell.core.families import COUNT
from quell.core.folding import Occurrence

Onsets = NDArray[np.float64]
"""When the symptoms of a cause began, in order."""


def at_one_place(
    groups: Mapping[Occurrence, list[int]], onsets_of: Callable[[list[int]], Onsets]
) -> dict[Occurrence, list[int]]:
    """The groups, those at one entity that came about together put under the one that explains most.

    Together means that half or more of the symptoms of each began while those of the other did: what smoulders at a
    place for hours is another matter than an outage that comes upon it.
    """
    places: dict[int, list[Occurrence]] = {}
    for top in groups:
        places.setdefault(top[0] // COUNT, []).append(top)
    if len(places) == len(groups):
        return dict(groups)
    into: dict[Occurrence, Occurrence] = {}
    for tops in places.values():
        if len(tops) > 1:
            into |= _joined({top: onsets_of(groups[top]) for top in tops})
    found: dict[Occurrence, list[int]] = {}
    for top, parts in groups.items():
        found.setdefault(into.get(top, top), []).extend(parts)
    return {top: sorted(parts) for top, parts in found.items()}


def _joined(onsets: Mapping[Occurrence, Onsets]) -> dict[Occurrence, Occurrence]:
    """Which occurrences at one place are which: each goes with all that any of its own came about with."""
    sets = {top: {top} for top in onsets}
    for a, b in combinations(sorted(onsets), 2):
        if sets[a] is not sets[b] and _while(onsets[a], onsets[b]) and _while(onsets[b], onsets[a]):
            sets[a] |= sets[b]
            for top in sets[b]:
                sets[top] = sets[a]
    return {top: max(ours, key=lambda one: (len(onsets[one]), -one[1], -one[0])) for top, ours in sets.items()}


def _while(these: Onsets, those: Onsets) -> bool:
    """Whether half or more of these began from the first to the last of those."""
    if not len(these) or not len(those):
        return False
    among = np.searchsorted(these, those[-1], "right") - np.searchsorted(these, those[0], "left")
    return bool(2 * among >= len(these))
