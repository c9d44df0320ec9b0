"""What a change says by itself: much where little is changed, little where something always is.

That something was changed just before trouble began is evidence as far as it would not have been so by chance. By the
rule of Bayes it says more where entities are changed less often anyway: by the logarithm of the rate, in nats.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import log

WITHIN_S = 2 * 86400.0
"""Changes of so long count, which is how long all of them are remembered."""
USUAL_S = 20 * 3600.0
"""Where an entity is changed once in so long, a change says what the weights say that it does,"""
DOUBT_S = 4 * 3600.0
"""as is thought to have been so for so long before the first that was told."""
LEAST, MOST = -1.0, 2.5


class Churn:
    """When something was changed, anywhere. Holds times of the last two days, no more than there are changes."""

    def __init__(self, times: Iterable[float] = ()) -> None:
        self._times = sorted(times)

    def tell(self, at: float, instead_of: float | None) -> None:
        """Something was changed ``at``, of which was thought before that it was ``instead_of``."""
        if instead_of is not None:
            del self._times[bisect_left(self._times, instead_of)]
        insort(self._times, at)

    def more(self, entities: int, now: float) -> float:
        """Nats that a change on one of so many entities says beyond the weight of one; below 0 when it says less."""
        times = self._times
        since, until = bisect_left(times, now - WITHIN_S), bisect_left(times, now)
        if until <= since or not entities:
            return 0.0
        told_s = now - times[since]
        expected = entities * (told_s + DOUBT_S) / USUAL_S
        seen = until - since - 1 + entities * DOUBT_S / USUAL_S  # the first is where the count begins
        return min(MOST, max(LEAST, log(expected / seen)))
