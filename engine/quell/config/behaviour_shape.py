"""The shape of the condition "behaviour", and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Annotated

from pydantic import Field, model_validator

from quell.config.fields import Shape, Span
from quell.model.detect import Behaviour, Measure, Rate

MOST_WINDOWS = 400
"""Of each of "over" and "against": a window of counts takes some kilobytes."""
_FIELDS: Mapping[str, str] = {
    "confidence": "confidence",
    "calibration": "calibration.*",
    "polarised": "score",
    "disagreement": "agreement",
    "missing": "*",
    "tokens": "tokens_*",
    "cost": "cost",
    "spend": "cost",
    "refusal": "refusal",
    "quality": "quality",
}
_RATES: Mapping[str, str] = {"true_positive": "confusion", "false_positive": "confusion"}
_MANY = frozenset({"calibration", "missing", "tokens"})
"""What is told from more than one field."""
_SHARES = frozenset({"calibration", "fairness", "disagreement", "missing", "polarised", "refusal"})
"""What lies from 0 to 1."""
_NO_BASELINE = frozenset({"calibration", "fairness", "disagreement", "missing"})
"""What has a value of its own that is right: 0."""


class BehaviourShape(Shape):
    """A number about what a model does lies beyond a limit, and not by chance: read from prediction logs."""

    of: Measure
    """Which number: the mean of confidence, quality, tokens or cost; spend (cost in all); the share of polarised
    scores, of disagreement with labels, of refusals, of missing values; the calibration error; the fairness gap."""
    above: float | None = None
    """It is an alert above this: one of above, below and change."""
    below: float | None = None
    """It is an alert below this."""
    change: Annotated[float, Field(gt=0)] | None = None
    """It is an alert when it differs by more than this from the profile, or from "against"; of tokens, cost and spend
    as a share (0.5 is half as much again)."""
    over: Span | None = None
    """Of the predictions of how long (one window)."""
    against: Span | None = None
    """The time before, with which "change" compares; the profile of the model if left out."""
    across: Annotated[str, Field(min_length=1)] | None = None
    """By what segments differ that fairness compares, such as region."""
    rate: Rate = "positive"
    """Which of their rates: of positive predictions, of agreement with labels, of true or false positives, of
    refusals."""
    segment: str = ""
    """Only predictions of this segment, such as region=eu."""
    ends: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """How near 0 or 1 a score counts as polarised."""
    volume: Annotated[int, Field(ge=30)] = 200
    """So many predictions at least (of each segment), or nothing is said."""
    sure: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95
    """With what confidence it must lie beyond the limit."""
    profile: str | None = None
    """The profile that "change" compares with, as entity or entity@version."""
    any_version: bool = False
    """That the model has another version than the profile is meant: no alert ProfileOfAnotherVersion tells of it."""

    @model_validator(mode="after")
    def _fits(self) -> BehaviourShape:
        if sum(one is not None for one in (self.above, self.below, self.change)) != 1:
            raise ValueError('a behaviour has one of "above", "below" and "change"')
        if self.change is not None and self.of in _NO_BASELINE:
            raise ValueError(f'"{self.of}" has a limit of its own: write "above"')
        if self.below is not None and self.of in _NO_BASELINE:
            raise ValueError(f'"{self.of}" is best at 0: write "above"')
        if self.change is None and (self.against is not None or self.profile is not None):
            raise ValueError('"against" and "profile" go with "change"')
        if self.of == "spend" and self.change is not None and self.against is None:
            raise ValueError('"spend" is of a time, which a profile is not: write "against", the time before')
        if self.against is not None and self.profile is not None:
            raise ValueError('"change" compares with "against" or with "profile", not with both')
        if (self.of == "fairness") != (self.across is not None):
            raise ValueError('"across" says which segments "of: fairness" compares: it is needed there, and only there')
        if self.of == "fairness" and self.segment:
            raise ValueError('"segment" does not go with "of: fairness", which compares all of "across"')
        return self


def fields_of(shape: BehaviourShape) -> str:
    """What is read when a rule does not say."""
    return _RATES.get(shape.rate, shape.rate) if shape.of == "fairness" else _FIELDS[shape.of]


def behaviour(shape: BehaviourShape) -> Behaviour:
    """The condition."""
    return Behaviour(
        of=shape.of,
        above=shape.above,
        below=shape.below,
        change=shape.change,
        over_s=shape.over or 0.0,
        against_s=shape.against or 0.0,
        across=shape.across or "",
        rate=shape.rate,
        segment=shape.segment,
        ends=shape.ends,
        volume=shape.volume,
        sure=shape.sure,
        profile=shape.profile or "",
        any_version=shape.any_version,
    )


def behaviour_misfits(
    shape: BehaviourShape, distribution: str | None, every_s: float
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Parts of the rule that do not go together, and where they stand."""
    for key, limit, possible in (
        ("above", shape.above, shape.above is None or 0.0 <= shape.above < 1.0),
        ("below", shape.below, shape.below is None or 0.0 < shape.below <= 1.0),
        ("change", shape.change, shape.change is None or shape.change < 1.0),
    ):
        if shape.of in _SHARES and not possible:
            message = f'"{shape.of}" is a share from 0 to 1: with {limit:g} it would say the same of all'
            yield ("when", "behaviour", key), message, "write such as 0.05 for 5%"
    if distribution is not None and shape.of not in _MANY and frozenset("*?[") & {*distribution}:
        yield ("distribution",), f'"of: {shape.of}" reads one field', "write its name, without *"
    for key, span_s in (("over", shape.over), ("against", shape.against)):
        if span_s is None:
            continue
        at = ("when", "behaviour", key)
        windows = span_s / every_s
        if windows < 1:
            yield at, f'"{key}" is shorter than a window', "write a shorter every"
        elif windows > MOST_WINDOWS:
            hint = f"write every: {ceil(span_s / MOST_WINDOWS / 60)}m or more"
            yield at, f"these are {windows:.0f} windows, and {MOST_WINDOWS} are remembered", hint
