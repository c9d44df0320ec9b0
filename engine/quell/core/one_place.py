"""Causes at one entity at the same time are one, whatever kinds of trouble they are: nobody mends a place twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quell.core.families import COUNT
from quell.core.folding import Occurrence

Span = tuple[float, float, int]
"""When the first and the last symptom began, and how many there are."""


def at_one_place(
    groups: Mapping[Occurrence, list[int]], span_of: Callable[[list[int]], Span]
) -> dict[Occurrence, list[int]]:
    """The groups, those at one entity whose symptoms began in turns put together under the one that explains most.

    One that had told all that it had to tell before the other began is another occurrence, and stays so.
    """
    places: dict[int, list[Occurrence]] = {}
    for top in groups:
        places.setdefault(top[0] // COUNT, []).append(top)
    if len(places) == len(groups):
        return dict(groups)
    into: dict[Occurrence, Occurrence] = {}
    for tops in places.values():
        if len(tops) > 1:
            into |= _joined({top: span_of(groups[top]) for top in tops})
    found: dict[Occurrence, list[int]] = {}
    for top, parts in groups.items():
        found.setdefault(into.get(top, top), []).extend(parts)
    return {top: sorted(parts) for top, parts in found.items()}


def _joined(spans: Mapping[Occurrence, Span]) -> dict[Occurrence, Occurrence]:
    """Which occurrences of one place are which, by chains of those that overlap."""
    chains: list[list[Occurrence]] = []
    until = float("-inf")
    for top in sorted(spans, key=lambda top: (spans[top][0], top)):
        first, last, _ = spans[top]
        if chains and first <= until:
            chains[-1].append(top)
        else:
            chains.append([top])
        until = max(until, last) if chains[-1][1:] else last
    return {top: max(chain, key=lambda one: (spans[one][2], -one[1], -one[0])) for chain in chains for top in chain}
