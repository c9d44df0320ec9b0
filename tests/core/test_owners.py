"""Who owns which symptom comes out the same whether causes open and close one by one, or all are there at once."""

from __future__ import annotations

import random

import numpy as np
import pytest

from quell.core import owners as many
from quell.core.owners import TOGETHER, Owners
from quell.core.steps import finished


def same(one: Owners, other: Owners) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("owner", "best", "next")
    )


@pytest.mark.parametrize("large", [many.LARGE, 0])
@pytest.mark.parametrize("seed", range(40))
def test_one_by_one_is_as_all_at_once(seed: int, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "LARGE", large)
    dice = random.Random(seed)
    symptoms = dice.choice([1, 5, 60])
    worths = [-2.0, -0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 3.0]  # so few that many explain a symptom alike

    def line() -> np.ndarray:
        return np.array([dice.choice(worths) for _ in range(symptoms)])

    lines = [line() for _ in range(dice.randrange(4))]
    owners = Owners(symptoms)
    finished(owners.anew(lines))
    for _ in range(60):
        before = owners.owner, owners.best, owners.next
        copies = [each.copy() for each in before]
        if lines and dice.random() < 0.45:
            at = dice.randrange(len(lines))
            gone = lines.pop(at)
            finished(owners.closed(gone, at + 1, lines))
        else:
            lines.append(line())
            owners.opened(lines[-1], len(lines))
        anew = Owners(symptoms)
        finished(anew.anew(lines))
        assert same(owners, anew)
        assert all(map(np.array_equal, before, copies)), "what was handed out changed"


def test_many_causes_are_taken_a_few_at_a_time() -> None:
    dice = np.random.default_rng(1)
    lines = list(np.maximum(dice.normal(size=(5 * TOGETHER, 1000)), 0.0))
    owners, asked = Owners(1000), Owners(1000)
    assert len(list(owners.anew(lines))) == 5
    for at, line in enumerate(lines, start=1):
        asked.opened(line, at)
    assert same(owners, asked)
