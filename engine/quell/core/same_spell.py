"""Causes that came and went together are one, where the graph is known to leave dependencies out.

No known way leads between them, so nothing but time and place can tell. What begins within a minute in one namespace,
with the same kind of trouble, at things of which some need others, is told as one trouble from the start, as more of
such is one than two. When one of both is over, that decides: few troubles have the same end by chance as well, and
what does not end with the other parts from it. What people have been shown as two stays two until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor, inf

from quell.core.folding import Occurrence
from quell.core.gaps import Gaps

AT_ONCE_S = 60.0
"""Of what began further apart, as many are two troubles as one."""
BEGAN_S = 240.0
"""What began further apart is not one, whenever it ended."""
ENDED_S = 60.0
"""Nor is what ended further apart: symptoms of one trouble end within a minute or two of each other."""
_SPELL_S = BEGAN_S + 1.0
"""What began within `BEGAN_S` lies in the same or the next stretch of so many seconds."""


@dataclass(frozen=True, slots=True)
class Span:
    """When the first symptom of a cause began, when it was over (inf: not yet), and how many symptoms it has.

    ``near`` are the namespaces of its symptoms with the kinds of trouble there, as numbers; ``shown`` is the how
    manieth incident it has been shown in for a while (-1: in none).
    """

    began: float
    ended: float
    near: frozenset[int]
    size: int
    shown: int = -1


def of_one_spell(
    groups: Mapping[Occurrence, list[int]], span_of: Callable[[list[int]], Span], gaps: Gaps
) -> dict[Occurrence, list[int]]:
    """The groups, those that came and went together under one of them.

    That is the one that the others need by what they are, or that which has the most symptoms.
    """
    spans = {top: span_of(parts) for top, parts in groups.items()}
    homes: list[list[Occurrence]] = []
    beside: dict[tuple[int, int], list[int]] = {}
    """Places in ``homes`` by what is near, and by the stretch of time in which it began."""
    for top in sorted(groups, key=lambda top: (-spans[top].size, top[1], top[0])):
        span = spans[top]
        spell = floor(span.began / _SPELL_S) if span.near else 0
        keys = [(one, at) for one in span.near for at in (spell - 1, spell, spell + 1)]
        maybe = sorted({place for one in keys for place in beside.get(one, ())})
        home = next((at for at in maybe if _one(homes[at][0], spans[homes[at][0]], top, span, gaps)), None)
        if home is not None:
            homes[home].append(top)
            continue
        for one in span.near:
            beside.setdefault((one, spell), []).append(len(homes))
        homes.append([top])
    found: dict[Occurrence, list[int]] = {}
    for together in homes:
        first = together[0]
        for other in together[1:]:
            if gaps.above(first[0], other[0]):
                first = other
        found[first] = sorted(part for top in together for part in groups[top])
    return found


def _one(top: Occurrence, mine: Span, other: Occurrence, theirs: Span, gaps: Gaps) -> bool:
    """Whether two causes are one trouble."""
    apart = abs(mine.began - theirs.began)
    if mine.near.isdisjoint(theirs.near) or apart > BEGAN_S:
        return False
    if mine.ended < inf or theirs.ended < inf:
        return abs(mine.ended - theirs.ended) <= ENDED_S
    two = mine.shown != theirs.shown and min(mine.shown, theirs.shown) >= 0
    return apart <= AT_ONCE_S and not two and gaps.could_need(top[0], other[0])
