"""The agenda gives what was put, each once, by time, kind and key, however many there are of one kind at one time."""

from __future__ import annotations

import random

import pytest

from quell.core.agenda import ORDER, Agenda, What


@pytest.mark.parametrize("seed", range(30))
def test_what_is_due_comes_once_and_in_order(seed: int) -> None:
    chance, agenda = random.Random(seed), Agenda()
    put: set[tuple[float, What, str]] = set()
    for _ in range(400):
        if chance.random() < 0.2:
            due, what = float(chance.randrange(5)), chance.choice(ORDER[:4])
            keys = [str(chance.randrange(40)) for _ in range(chance.choice((1, 5, 20)))]
            new = [key for key in dict.fromkeys(keys) if (due, what, key) not in put]
            agenda.put_new(due, what, new)
            put.update((due, what, key) for key in new)
        elif chance.random() < 0.7:
            entry = float(chance.randrange(5)), chance.choice(ORDER[:4]), str(chance.randrange(14))
            agenda.put(*entry)
            put.add(entry)
        elif (taken := agenda.take(chance.choice((1.0, 3.0, 9.0)))) is not None:
            assert taken == min(put, key=lambda entry: (entry[0], ORDER.index(entry[1]), entry[2]))
            put.discard(taken)
        assert len(agenda) == len(put)
