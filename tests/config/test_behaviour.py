"""Detectors of behaviour in rules files: what they read and become, and what is wrong with them."""

from __future__ import annotations

import pytest

from config.written import loaded_from, problems_of
from quell.model.detect import Behaviour


def rule(behaviour: str, more: str = "") -> str:
    return f"detect:\n  - {{name: A, when: {{behaviour: {{{behaviour}}}}}{more}}}\n"


@pytest.mark.parametrize(
    ("told", "reads", "impact", "becomes"),
    [
        ("of: confidence, below: 0.7, over: 1d", "confidence", "",
         Behaviour(of="confidence", below=0.7, over_s=86_400.0)),
        ("of: calibration, above: 0.1", "calibration.*", "", Behaviour(of="calibration", above=0.1)),
        ("of: fairness, above: 0.1, across: region", "positive", "fairness",
         Behaviour(of="fairness", above=0.1, across="region")),
        ("of: fairness, above: 0.1, across: sex, rate: true_positive", "confusion", "fairness",
         Behaviour(of="fairness", above=0.1, across="sex", rate="true_positive")),
        ("of: tokens, change: 0.5, against: 1d", "tokens_*", "",
         Behaviour(of="tokens", change=0.5, against_s=86_400.0)),
        ("of: missing, above: 0.1", "*", "", Behaviour(of="missing", above=0.1)),
    ],
)  # fmt: skip
def test_what_is_read_follows_from_what_is_asked(told: str, reads: str, impact: str, becomes: Behaviour) -> None:
    (found,) = loaded_from({"rules/b.yaml": rule(told, ", every: 1h")}).rulebook.detect
    assert (found.when, found.distribution, found.impact, found.pooled) == (becomes, reads, impact, True)


def test_another_field_may_be_read() -> None:
    text = rule("of: disagreement, above: 0.1", ", distribution: agreement.human")
    (found,) = loaded_from({"rules/b.yaml": text}).rulebook.detect
    assert found.distribution == "agreement.human"


@pytest.mark.parametrize(
    ("told", "more", "words"),
    [
        ("of: confidence", "", 'one of "above", "below" and "change"'),
        ("of: confidence, above: 1, below: 0", "", 'one of "above", "below" and "change"'),
        ("of: moods, above: 1", "", "moods"),
        ("of: fairness, above: 0.1", "", '"across" says which segments'),
        ("of: refusal, above: 0.1, across: region", "", '"across" says which segments'),
        ("of: fairness, above: 0.1, across: a, segment: b=c", "", '"segment" does not go with'),
        ("of: calibration, below: 0.1", "", '"calibration" is best at 0'),
        ("of: missing, change: 0.1, against: 1h", "", "has a limit of its own"),
        ("of: cost, above: 1, against: 1h", "", '"against" and "profile" go with "change"'),
        ("of: cost, above: 1, over: 10s", "", '"over" is shorter than a window'),
        ("of: cost, above: 1, over: 7d", "", "these are 10080 windows, and 400 are remembered"),
        ("of: cost, above: 1", ", distribution: 'c*'", '"of: cost" reads one field'),
        ("of: cost, above: 1", ", metric: c", '"behaviour" reads no metric'),
        ("of: cost, above: 1", ", per: series", '"behaviour" looks at entities'),
        ("of: cost, above: 1, volume: 3", "", "30"),
        ("of: refusal, above: 5", "", '"refusal" is a share from 0 to 1: with 5 it would say the same of all'),
        ("of: polarised, change: 10, against: 1h", "", '"polarised" is a share from 0 to 1'),
        ("of: refusal, below: 0", "", '"refusal" is a share from 0 to 1'),
        ("of: spend, change: 0.5", "", '"spend" is of a time, which a profile is not'),
        ("of: cost, change: 0.5, against: 1h, profile: model/a", "", "not with both"),
        ("of: polarised, change: 0.1", "", "compares with reference profiles, and there are none"),
    ],
)
def test_what_is_wrong_is_told(told: str, more: str, words: str) -> None:
    found = problems_of({"rules/b.yaml": rule(told, more)})
    assert [problem for problem in found if words in problem], found
