"""Many matchers asked at once answer as each of them does."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from quell.expressions.matchers import Matching, parse_matchers
from quell.expressions.sieve import MOST, Sieve

TEXTS = ('a="1"', 'a!="1"', 'b=~"x|y"', 'b!~"x.*",c="2"', 'd=""', 'e=~".*"')


def _held(holds: Sequence[bool], _labels: Mapping[str, str]) -> tuple[bool, ...]:
    return tuple(holds)


def test_the_answers_are_those_of_the_matchers() -> None:
    chance = random.Random(5)
    matchings = [Matching(parse_matchers(text)) for text in TEXTS]
    sieve = Sieve(matchings, _held)
    for _ in range(2000):
        labels = {name: chance.choice(("", "1", "2", "x", "xy", "y")) for name in "abcdef" if chance.random() < 0.7}
        assert sieve.of(labels) == tuple(matching.matches(labels) for matching in matchings)


def test_without_matchers_everything_is_alike() -> None:
    assert Sieve([], _held).of({"a": "1"}) == ()
    assert Sieve([Matching(())], _held).of({"a": "1"}) == (True,)


def test_values_without_end_are_forgotten_again() -> None:
    sieve = Sieve([Matching(parse_matchers('a="1"'))], lambda holds, _: any(holds))
    for value in range(2 * MOST + 10):
        assert sieve.of({"a": str(value)}) is (value == 1)
    assert len(sieve._known) <= MOST


def test_labels_that_no_matcher_looks_at_count_where_they_are_named() -> None:
    sieve = Sieve([Matching(parse_matchers('a="1"'))], lambda holds, labels: (*holds, labels.get("s", "")), ("s", "a"))
    assert sieve.of({"a": "1", "s": "x", "c": "3"}) == (True, "x")
    assert sieve.of({"a": "1", "s": "y"}) == (True, "y")
    assert sieve.of({"a": "2"}) == (False, "")
