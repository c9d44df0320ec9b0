"""The shapes of the conditions that compare with reference profiles, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from quell.config.complaints import did_you_mean
from quell.config.fields import Duration, Shape
from quell.errors import Problem
from quell.model.detect import Behaviour, Check, DetectRule, Drift, Schema
from quell.model.drift_report import Limits
from quell.model.profile import Profile

Share = Annotated[float, Field(gt=0, le=1)]
NumberTest = Literal["ks", "psi", "js"]
TextTest = Literal["chi2", "psi", "js"]


class ProfiledShape(Shape):
    """What both conditions say."""

    profile: str | None = None
    """The entity whose profile it is, or entity@version; the profile of each entity that is read if left out."""
    without: list[Annotated[str, Field(min_length=1)]] = Field(default=[])
    """Fields that are left alone, as globs: ids and the like."""
    segment: str = ""
    """The segment whose distributions are read, such as region=eu; those of all together if left out."""
    any_version: bool = False
    """That the data has another version than the profile is meant: no alert ProfileOfAnotherVersion tells of it."""


class DriftShape(ProfiledShape):
    """Fields are distributed otherwise than in the profile: far enough, and not by chance."""

    numbers: Annotated[list[NumberTest], Field(min_length=1)] = Field(default=["ks", "psi"])
    """Tests of numbers: Kolmogorov-Smirnov, population stability index, Jensen-Shannon distance; one suffices."""
    texts: Annotated[list[TextTest], Field(min_length=1)] = Field(default=["chi2", "psi"])
    """Tests of texts and booleans: chi², population stability index, Jensen-Shannon distance; one suffices."""
    ks: Share = 0.1
    """The least difference of cumulative shares that counts."""
    psi: Annotated[float, Field(gt=0)] = 0.2
    """The least population stability index that counts."""
    chi2: Share = 0.1
    """The least Cramér's V that counts."""
    js: Share = 0.15
    """The least Jensen-Shannon distance that counts."""
    chance: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """How likely by chance it may be at most, corrected for all tests made (Benjamini and Hochberg)."""
    rows: Annotated[int, Field(ge=1)] = 200
    """Fields with fewer values in a window are not judged."""


class SchemaShape(ProfiledShape):
    """What comes is not what the profile describes."""

    check: Annotated[list[Check], Field(min_length=1)] = Field(default=["columns", "types"])
    """What about it: columns (missing, new, renamed), types, nulls, values (no values of the type), rows, age (of the
    newest row), clock (times ahead of now), version (the data has another than the profile)."""
    nulls: Share = 0.05
    """By how much the share of missing values may grow."""
    values: Share = 0.01
    """By how much the share of values that are none of the type may grow."""
    least: Annotated[float, Field(ge=0)] = 0.5
    """The fewest rows, as a share of what the profile saw in as much time."""
    most: Annotated[float, Field(gt=0)] = 2.0
    """The most rows, likewise."""
    age: Duration | None = None
    """How old the newest row may be."""
    ahead: Duration = 300.0
    """How far ahead of now times may lie."""

    @model_validator(mode="after")
    def _fits(self) -> SchemaShape:
        if ("age" in self.check) != (self.age is not None):
            raise ValueError('"age" is how old the newest row may be: it is needed with "check: [age]", and only there')
        if self.least >= self.most:
            raise ValueError('"least" must be less than "most"')
        return self


def drift(shape: DriftShape, fields: str) -> Drift:
    """The condition; ``fields`` is the glob of what the rule reads."""
    limits = Limits(
        numbers=tuple(dict.fromkeys(shape.numbers)), texts=tuple(dict.fromkeys(shape.texts)), ks=shape.ks,
        psi=shape.psi, chi2=shape.chi2, js=shape.js, chance=shape.chance, rows=shape.rows, fields=(fields,),
        leave=tuple(shape.without), columns=False,
    )  # fmt: skip
    return Drift(profile=shape.profile or "", limits=limits, segment=shape.segment, any_version=shape.any_version)


def schema(shape: SchemaShape, fields: str) -> Schema:
    """The condition; ``fields`` is the glob of what the rule reads."""
    limits = Limits(
        nulls=shape.nulls, bad=shape.values, volume=(shape.least, shape.most), age_s=shape.age, skew_s=shape.ahead,
        fields=(fields,), leave=tuple(shape.without), drift=False,
    )  # fmt: skip
    checks = tuple(dict.fromkeys(shape.check))
    return Schema(
        checks=checks, profile=shape.profile or "", limits=limits, segment=shape.segment, any_version=shape.any_version
    )


def unprofiled(rules: Iterable[DetectRule], profiles: Sequence[Profile]) -> Iterator[Problem]:
    """Rules that would never find anything, as there is no profile to compare with."""
    for rule in rules:
        told = isinstance(rule.when, Behaviour) and rule.when.change is not None and not rule.when.against_s
        if not isinstance(rule.when, (Drift, Schema, Behaviour)) or (isinstance(rule.when, Behaviour) and not told):
            continue
        name = rule.when.profile
        entity, _, version = name.partition("@")
        if not profiles:
            message = f'"{rule.name}" compares with reference profiles, and there are none below profiles/'
            yield Problem(rule.place.file, rule.place.line, 0, message, 'make one with "quell profile"')
        elif name and not any(one.entity == entity and version in {"", one.version} for one in profiles):
            known = {one.entity for one in profiles} | {f"{one.entity}@{one.version}" for one in profiles}
            message = f'there is no profile "{name}" that "{rule.name}" could compare with'
            yield Problem(rule.place.file, rule.place.line, 0, message, did_you_mean(name, known))
