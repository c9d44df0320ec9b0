"""What a comparison of the present with a profile found: per field how far by which test, and what else is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Test = Literal["ks", "psi", "chi2", "js"]
Code = Literal[
    "drifted", "missing", "new", "renamed", "retyped", "nulls", "bad", "too_few", "rows", "stale", "skew", "version",
    "no_data",
]  # fmt: skip
"""Kinds of trouble; see `Trouble`."""
NUMBER_TESTS: tuple[Test, ...] = ("ks", "psi")
TEXT_TESTS: tuple[Test, ...] = ("chi2", "psi")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as drift: at least such an effect, and less than this ``chance`` after the correction for many tests.

    ``numbers`` and ``texts`` are the tests for each; one of them suffices. Fields with less than ``rows`` values are
    not judged. ``nulls`` and ``bad`` are by how much the share of such values may grow. ``volume`` is the least and the
    most rows, as a share of what the profile saw in as much time. ``age_s`` is how old the newest row may be,
    ``skew_s`` how far ahead of now. ``fields`` and ``leave`` are globs: which fields, and which of them not. ``drift``
    says whether drift is judged, ``columns`` whether missing, new and retyped fields are, ``versions`` whether another
    version than the profile's is.
    """

    numbers: tuple[Test, ...] = NUMBER_TESTS
    texts: tuple[Test, ...] = TEXT_TESTS
    ks: float = 0.1
    psi: float = 0.2
    chi2: float = 0.1
    js: float = 0.15
    chance: float = 0.01
    rows: int = 200
    nulls: float = 0.05
    bad: float = 0.01
    volume: tuple[float, float] | None = None
    age_s: float | None = None
    skew_s: float = 300.0
    fields: tuple[str, ...] = ("*",)
    leave: tuple[str, ...] = ()
    drift: bool = True
    columns: bool = True
    versions: bool = True

    def least(self, test: Test) -> float:
        """The least effect that counts."""
        return {"ks": self.ks, "psi": self.psi, "chi2": self.chi2, "js": self.js}[test]


class Distance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one test says of one field.

    ``effect`` is how far apart, ``most`` its upper bound where the counts leave some room, ``least`` the effect that
    counts; ``chance`` how likely that is by chance, ``adjusted`` the same after the correction for all tests made.
    """

    test: Test
    effect: float
    most: float
    least: float
    chance: float
    adjusted: float = 1.0
    drifted: bool = False


class Bars(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two histograms over the same bars, as shares: of numbers between ``edges`` (one more than bars), or of ``names``.

    ``log`` says that the edges grow by a factor, so that they are to be drawn evenly.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    log: bool = False

    @property
    def sound(self) -> bool:
        """Whether they can be drawn: as many of each, and names or edges for all."""
        bars = len(self.before)
        return bars > 0 and bars == len(self.after) and (len(self.names) == bars or len(self.edges) == bars + 1)


class FieldReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field. ``size`` is the largest effect as a multiple of what counts; ``said`` what became of its values."""

    field: str
    type: str
    drifted: bool
    size: float = 0.0
    distances: tuple[Distance, ...] = ()
    said: str = ""
    rows: int = 0
    then_rows: int = 0
    bars: Bars | None = None
    samples: tuple[str, ...] = ()

    @property
    def strongest(self) -> Distance | None:
        """The test with the largest effect for what it asks, of those that found drift if any did."""
        found = [one for one in self.distances if one.drifted] or list(self.distances)
        return max(found, key=lambda one: one.effect / one.least if one.least else one.effect, default=None)


class Trouble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, in a sentence. ``code`` names its kind: a program may tell by it.

    ``value`` was found where ``limit`` was allowed. ``like`` is the other field that a renamed one seems to be.
    """

    code: Code
    text: str
    field: str = ""
    value: float | None = None
    limit: float | None = None
    like: str = ""


class DriftReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole comparison. ``profile`` and ``hash`` name what it was compared with, ``version`` the present's.

    ``judged`` fields had enough values; ``others`` drifted, too, and are left out here.
    """

    entity: str
    profile: str
    hash: str = ""
    version: str = ""
    from_time: float | None = None
    to_time: float | None = None
    rows: int = 0
    judged: int = 0
    others: int = 0
    fields: tuple[FieldReport, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    @property
    def drifted(self) -> tuple[FieldReport, ...]:
        """Fields that drifted, the furthest first."""
        return tuple(sorted((one for one in self.fields if one.drifted), key=lambda one: (-one.size, one.field)))

    def of(self, *codes: Code) -> tuple[Trouble, ...]:
        """Troubles of these kinds."""
        return tuple(one for one in self.troubles if one.code in codes)


ANNOTATION = "drift_report"
"""Under this name an alert of a drift detector carries its report."""
_DECODER = msgspec.json.Decoder(DriftReport)


def report_of(annotations: Mapping[str, str]) -> DriftReport | None:
    """The report that an alert of a drift detector carries; None when it carries none that can be read."""
    text = annotations.get(ANNOTATION)
    if not text:
        return None
    try:
        told = _DECODER.decode(text)
    except msgspec.DecodeError:
        return None
    drawable = tuple(field for field in told.fields if field.bars is None or field.bars.sound)
    return msgspec.structs.replace(told, fields=drawable)
