"""Confidence is a probability that grows with what speaks for the first suspect, and nobody is surer than the first."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import Scene, outage
from quell.core.confidence import Standing, certainty, shares
from quell.model.weights import Confidence

PLAIN = Standing(margin=1.0, silent=False, changed=False, entities=4, path=2, asks=1.5, nats=8.0)
STANDINGS = st.builds(
    Standing,
    margin=st.floats(-5, 1e6),
    silent=st.booleans(),
    changed=st.booleans(),
    entities=st.integers(0, 100_000),
    path=st.integers(0, 9),
    itself=st.booleans(),
    asks=st.floats(0.0, 10.0),
    gaps=st.floats(0.0, 10.0),
    nats=st.floats(-5.0, 1e6),
)


@given(STANDINGS)
def test_it_is_a_probability(standing: Standing):
    assert 0.0 < certainty(standing) < 1.0


@pytest.mark.parametrize(("odds", "sure"), [(-20.0, 0.0), (20.0, 1.0)])
def test_so_it_is_by_all_weights_that_a_file_may_have(odds: float, sure: float):
    standing = Standing(
        margin=1e6, silent=True, changed=True, entities=100_000, path=4, itself=True, asks=10.0, gaps=10.0
    )
    weights = Confidence(**dict.fromkeys(Confidence.__struct_fields__, odds))
    assert certainty(standing, msgspec.structs.replace(weights, margin=0.0)) == pytest.approx(sure)


@pytest.mark.parametrize(
    "better",
    [{"margin": 4.0}, {"nats": 16.0}, {"changed": True}, {"path": 3}, {"itself": True}],
    ids=lambda one: next(iter(one)),
)
def test_what_speaks_for_it_makes_it_surer(better: dict[str, float]):
    assert certainty(replace(PLAIN, **better)) > certainty(PLAIN)


@pytest.mark.parametrize("worse", [{"silent": True}, {"asks": 2.0}, {"gaps": 2.0}], ids=lambda one: next(iter(one)))
def test_what_may_be_the_cause_unheard_makes_it_less_sure(worse: dict[str, float]):
    assert certainty(replace(PLAIN, **worse)) < certainty(PLAIN)


@given(STANDINGS, st.lists(st.floats(0.0, 1.0), max_size=6))
def test_the_others_share_the_rest_and_none_is_surer(standing: Standing, others: list[float]):
    first = certainty(standing)
    sure = shares(first, [1.0, *others])
    assert sure[0] == first
    assert all(0.0 <= one <= first for one in sure)
    assert sum(sure) <= 1.0 + 1e-9


def test_incidents_tell_it():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    first, *rest = scene.incident.suspects
    assert first.confidence > 0.5
    assert all(one.confidence <= first.confidence for one in rest)
