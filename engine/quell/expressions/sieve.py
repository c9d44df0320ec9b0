"""Which of many matchers hold for labels: answered once for all labels that are alike where the matchers look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from quell.expressions.matchers import Matching

MOST = 4096
"""So many answers are remembered: the labels that matchers look at mostly have few values."""

T = TypeVar("T")


class Sieve(Generic[T]):
    """``make`` makes the answer of whether each of ``matchings`` holds, in their order, and of the labels themselves.

    Of those it may read what matchers look at, and the labels called ``besides``.
    """

    __slots__ = ("_known", "_make", "_matchings", "_missing", "names")

    def __init__(
        self,
        matchings: Sequence[Matching],
        make: Callable[[Sequence[bool], Mapping[str, str]], T],
        besides: Sequence[str] = (),
    ) -> None:
        self._matchings = tuple(matchings)
        asked = [matcher.name for matching in matchings for matcher in matching.matchers]
        self.names = tuple(dict.fromkeys((*asked, *besides)))
        self._missing = ("",) * len(self.names)
        self._make = make
        self._known: dict[tuple[str, ...], T] = {}

    def of(self, labels: Mapping[str, str]) -> T:
        """The answer for these labels."""
        looked_at = tuple(map(labels.get, self.names, self._missing))
        known = self._known.get(looked_at)
        if known is None:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[looked_at] = self._made(labels)
        return known

    def _made(self, labels: Mapping[str, str]) -> T:
        return self._make([matching.matches(labels) for matching in self._matchings], labels)
