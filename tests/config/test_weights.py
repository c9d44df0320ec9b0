"""Weights of correlation in rules files: what they replace, their bounds, and where a bad one stands."""

from __future__ import annotations

import pytest

from config.written import loaded_from, problems_of
from quell.config.weight_shapes import PARTS, TravelShape, WeightsShape, field_of
from quell.model.weights import DEFAULT, Passage

FILE = """\
weights:
  trained: {on: [storm-1, storm-2], reported: [storm-3]}
  travel:
    request:
      failing:
        failing: {p: 0.8, lag: 15s}
        data: {p: 0, lag: 0s}
  prices: {opening: 5.5, evidence: 4}
  noise: {slow: 0.4, data: -0.2}
  timing: {late: 4m}
  ranking: {walk: 0.3}
  confidence: {silent: -1.5}
"""


def test_without_a_file_what_ships_holds() -> None:
    assert loaded_from({}).rulebook.correlate.weights == DEFAULT


def test_what_a_file_says_stands_in_the_place_of_what_ships() -> None:
    weights = loaded_from({"rules/weights.yaml": FILE}).rulebook.correlate.weights
    assert (weights.prices.opening, weights.prices.evidence, weights.prices.fold) == (5.5, 4.0, DEFAULT.prices.fold)
    assert (weights.noise.slow, weights.noise.data, weights.timing.late_s) == (0.4, -0.2, 240.0)
    assert (weights.ranking.walk, weights.confidence.silent) == (0.3, -1.5)
    assert Passage("failing", "failing", 0.8, 15.0) in weights.travel.request
    assert {(one.cause, one.symptom) for one in weights.travel.request} == {
        (one.cause, one.symptom) for one in DEFAULT.travel.request if (one.cause, one.symptom) != ("failing", "data")
    }
    assert weights.travel.queue == DEFAULT.travel.queue


def test_a_curve_that_was_trained_before_nats_counted_says_what_it_said() -> None:
    trained, curve = "trained: {on: [storm-1]}", "confidence: {constant: 0.8, margin: 1.02, silent: -0.7}"
    found = loaded_from({"rules/weights.yaml": f"weights:\n  {trained}\n  {curve}\n"}).rulebook.correlate.weights
    assert (found.confidence.constant, found.confidence.nats, found.confidence.entities) == (0.8, 0.0, 0.0)
    assert (found.confidence.silent, found.confidence.path, found.confidence.gaps) == (-0.7, 0.24, -0.91)
    by_hand = loaded_from({"rules/weights.yaml": f"weights:\n  {curve}\n"}).rulebook.correlate.weights
    assert (by_hand.confidence.constant, by_hand.confidence.nats) == (0.8, DEFAULT.confidence.nats)


def test_the_version_of_the_rules_is_another() -> None:
    versions = {loaded_from({"rules/weights.yaml": FILE.replace("5.5", text)}).rulebook.version for text in ("5", "6")}
    assert len(versions) == 2


def test_every_weight_may_stand_in_a_file() -> None:
    shape = WeightsShape()
    assert list(TravelShape.model_fields) == list(DEFAULT.travel.__struct_fields__)
    for part in PARTS:
        names = [field_of(part, name) for name in type(getattr(shape, part)).model_fields]
        assert names == list(getattr(DEFAULT, part).__struct_fields__)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weights: {prices: {openin: 5}}", '1:20: unknown key "openin"; did you mean "opening"?'),
        ("weights: {prices: {opening: -1}}", '"-1" is out of range'),
        ("weights: {prices: {opening: five}}", '1:29: expected a number, found "five"'),
        ("weights: {prices: {opening: .inf}}", "finite"),
        ("weights: {prices: {more_replicas: 1.0e-310}}", "it should be greater than or equal to 0.01"),
        ("weights: {ranking: {temperature: 0.001}}", '"0.001" is out of range'),
        ("weights: {prices: {believed: 1.2}}", '"1.2" is out of range'),
        ("weights: {timing: {late: 0s}}", "it must be longer than nothing"),
        (
            "weights: {travel: {request: {failing: {failing: {p: 1.2, lag: 1s}}}}}",
            '"1.2" is not a probability; write one from 0 to 1',
        ),
        ("weights: {travel: {request: {failing: {failing: {p: 0.2}}}}}", '"failing" needs "lag"'),
        ("weights: {travel: {calls: {}}}", 'unknown key "calls"'),
        ("weights: {travel: {request: {broken: {}}}}", 'unknown key "broken"; known here: data, failing, idle, slow'),
        ("weights: {prices: {opening: 2}}", "opening (2) must be more than changed (2)"),
        ("weights: {trained: {on: [a, b], reported: [b]}}", '"b" is trained on and reported on; report on others'),
    ],
)
def test_a_bad_weight_is_told_with_its_place(text: str, said: str) -> None:
    (problem,) = problems_of({"rules/weights.yaml": text})
    assert str(problem).startswith("rules/weights.yaml:1:")
    assert said in str(problem)


def test_a_weight_stands_once() -> None:
    (problem,) = problems_of(
        {
            "rules/a.yaml": "weights: {prices: {opening: 6}}",
            "rules/b.yaml": "weights: {prices: {opening: 7}}",
        }
    )
    assert 'weight "prices.opening" stands here twice (first in rules/a.yaml:1)' in str(problem)


def test_prices_go_together_over_all_files() -> None:
    dear, cheap = "weights: {prices: {opening: 1.5}}", "weights: {prices: {changed: 1}}"
    prices = loaded_from({"rules/a.yaml": dear, "rules/b.yaml": cheap}).rulebook.correlate.weights.prices
    assert (prices.opening, prices.changed) == (1.5, 1.0)
    (problem,) = problems_of({"rules/a.yaml": dear, "rules/b.yaml": "windows: []", "rules/c.yaml": "mute: []"})
    assert str(problem).startswith("rules/a.yaml:1:20: opening (1.5) must be more than changed (2)")
