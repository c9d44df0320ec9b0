"""Where ways are missing: a lone alert at what things like a cause need may tell where that cause began.

A database fails over and says so once, and services of its namespace fail, of which none is known to ask it. The one
alert is no cause by itself, and the first service is named for want of a better one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from quell.core.folding import Occurrence
from quell.core.gaps import Gaps
from quell.core.same_spell import AT_ONCE_S, ENDED_S, Span

ENDED_NEAR_S = 2.0 * ENDED_S
"""One alert alone tells less surely when trouble was over than several do."""


@dataclass(frozen=True, slots=True)
class Lone:
    """A unit that no open cause explains: its own cause, when it began and was over (inf: not yet), its `Span.near`."""

    key: int
    began: float
    ended: float
    near: int


def with_origins(
    groups: Mapping[Occurrence, list[int]],
    span_of: Callable[[list[int]], Span],
    lone: Iterable[Lone],
    gaps: Gaps,
    now: float,
) -> dict[Occurrence, list[int]]:
    """The groups, those told as what began with them, near them, at what things like their own place need."""
    left = sorted(lone, key=lambda one: (one.began, one.key))
    found: dict[Occurrence, list[int]] = {}
    for top, parts in groups.items():
        span = span_of(parts) if left else None
        fits = [one for one in left if span is not None and _fits(one, top, span, gaps, now)]
        best = min(fits, key=lambda one: (abs(one.began - span.began), one.key), default=None) if span else None
        if best is None:
            found[top] = parts
        else:
            left.remove(best)
            found[best.key, best.began] = parts
    return found


def _fits(one: Lone, top: Occurrence, span: Span, gaps: Gaps, now: float) -> bool:
    """Whether a lone unit could be where a cause began."""
    if one.near not in span.near or abs(one.began - span.began) > AT_ONCE_S or not gaps.above(top[0], one.key):
        return False
    return abs(min(one.ended, now) - min(span.ended, now)) <= ENDED_NEAR_S
