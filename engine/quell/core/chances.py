"""Two bounds against taking luck for a habit."""

from __future__ import annotations

from itertools import accumulate
from math import exp, sqrt


def surely(hits: int, of: int) -> float:
    """The lower end of the 95% interval of a share (Wilson)."""
    if not of:
        return 0.0
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    spread = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of)


def by_chance(seen: int, expected: float) -> float:
    """How likely chance alone gives so many or more (Poisson)."""
    if seen <= 0:
        return 1.0
    terms = accumulate(range(1, seen), lambda term, n: term * expected / n, initial=exp(-expected))
    return max(1.0 - sum(terms), 0.0)
