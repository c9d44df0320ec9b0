"""Where ways are missing: a lone alert at what things like a cause need may tell where that cause began.

A database fails over and says so once, and services of its namespace fail, of which none is known to ask it. The one
alert is no cause by itself, and the first service is named for want of a better one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from quell.core.folding import Occurrence
from quell.core.gaps import Gaps
from quell.core.same_spell import AT_ONCE_S, ENDED_S, Span

ENDED_NEAR_S = 2.0 * ENDED_S
"""One alert alone tells less surely when trouble was over than several do."""
_ROUNDING_S = 1.0


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
    began = [one.began for one in left]
    found: dict[Occurrence, list[int]] = {}
    for top, parts in groups.items():
        span = span_of(parts) if left else None
        near = _at_once(began, span.began) if span else range(0)
        fits = [at for at in near if span and _fits(left[at], top, span, gaps, now)]
        if not span or not fits:
            found[top] = parts
            continue
        best = min(fits, key=lambda at: (abs(left[at].began - span.began), left[at].key))
        found[left[best].key, left[best].began] = parts
        del left[best], began[best]
    return found


def _at_once(began: Sequence[float], with_it: float) -> range:
    """Where those are, in order of time, that began when something did, and next to none besides."""
    margin = AT_ONCE_S + _ROUNDING_S
    return range(bisect_left(began, with_it - margin), bisect_right(began, with_it + margin))


def _fits(one: Lone, top: Occurrence, span: Span, gaps: Gaps, now: float) -> bool:
    """Whether a lone unit could be where a cause began."""
    if one.near not in span.near or abs(one.began - span.began) > AT_ONCE_S or not gaps.above(top[0], one.key):
        return False
    return abs(min(one.ended, now) - min(span.ended, now)) <= ENDED_NEAR_S
