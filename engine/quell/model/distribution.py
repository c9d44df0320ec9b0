"""How the values of one field are distributed: what a record tells, what a profile keeps, and what counting gives.

Counting happens where the values are (`Tally`): what leaves it are counts. Texts are named as long as they are few;
more than ``MOST_TEXTS`` different ones are names, addresses or ids, and are counted by a hash of 64 buckets, which
shows that they are others than before and not which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from math import isfinite, isnan
from typing import Any

import msgspec

from quell.model.records import DistributionRecord, ValueType
from quell.model.sketch import EMPTY, Growing, Sketch, fitted, merged

MOST_TEXTS = 200
HASH_BUCKETS = 64
MOST_LETTERS = 120
MOST_SAMPLES = 5
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")


class Distribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of the values of one field; see `quell.model.records.DistributionRecord` for what they mean."""

    type: ValueType = ""
    count: int = 0
    nulls: int = 0
    bad: int = 0
    numbers: Sketch = EMPTY
    categories: dict[str, int] = {}
    other: int = 0
    hashed: bool = False

    @property
    def known(self) -> int:
        """How many values are neither missing nor bad."""
        return self.numbers.count if self.numeric else sum(self.categories.values()) + self.other

    @property
    def numeric(self) -> bool:
        """Whether it counts numbers (times among them)."""
        return self.type in {"number", "time"} or (not self.type and not self.categories and not self.other)


def of_record(record: DistributionRecord) -> Distribution:
    """What a record tells."""
    numbers = Sketch(
        scale=record.scale,
        zero=record.zero,
        positive=tuple(record.positive),
        negative=tuple(record.negative),
        low=record.low,
        high=record.high,
        total=record.total,
    )
    return Distribution(
        type=record.type or ("text" if record.categories else "number" if numbers.count else ""),
        count=record.count,
        nulls=record.nulls,
        bad=record.bad,
        numbers=fitted(numbers) if numbers.count else EMPTY,
        categories=record.categories,
        other=record.other,
        hashed=record.hashed,
    )


def record_of(
    told: Distribution,
    *,
    entity: str,
    field: str,
    at: float,
    over_s: float = 0.0,
    version: str = "",
    segment: str = "",
    samples: Iterable[str] = (),
    source: str = "",
    id: str = "",  # noqa: A002 - as in the record
) -> DistributionRecord:
    """A record that tells it."""
    return DistributionRecord(
        at=at, source=source, id=id, entity=entity, field=field, over_s=over_s, type=told.type, count=told.count,
        nulls=told.nulls, bad=told.bad, scale=told.numbers.scale, zero=told.numbers.zero,
        positive=list(told.numbers.positive), negative=list(told.numbers.negative), low=told.numbers.low,
        high=told.numbers.high, total=told.numbers.total, categories=dict(told.categories), other=told.other,
        hashed=told.hashed, version=version, segment=segment, samples=list(samples),
    )  # fmt: skip


def together(told: Iterable[Distribution]) -> Distribution:
    """All of them added up. Where types differ, the one with most values stands, and values of the others are bad."""
    parts = [one for one in told if one.count or one.known]
    if len(parts) < 2:
        return parts[0] if parts else Distribution()
    sizes: dict[ValueType, int] = {}
    for one in parts:
        sizes[one.type] = sizes.get(one.type, 0) + one.known
    kind = max(sizes, key=lambda name: (sizes[name], name))
    alike = [one for one in parts if one.type == kind or not one.known]
    strange = sum(one.known for one in parts if one.type != kind)
    hashed = any(one.hashed for one in alike)
    categories: dict[str, int] = {}
    for one in alike:
        counts = hashed_counts(one.categories) if hashed and not one.hashed else one.categories
        for name, count in counts.items():
            categories[name] = categories.get(name, 0) + count
    if not hashed and len(categories) > MOST_TEXTS:
        hashed, categories = True, hashed_counts(categories)
    return Distribution(
        type=kind,
        count=sum(one.count for one in parts),
        nulls=sum(one.nulls for one in parts),
        bad=sum(one.bad for one in parts) + strange,
        numbers=merged(one.numbers for one in alike),
        categories=dict(sorted(categories.items())),
        other=sum(one.other for one in alike),
        hashed=hashed,
    )


def bucket_of(text: str) -> str:
    """Where a text is counted that is not named."""
    return f"#{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=1).digest()[0] % HASH_BUCKETS:02x}"


def hashed_counts(categories: Mapping[str, int]) -> dict[str, int]:
    """Counts of texts by their buckets."""
    counts: dict[str, int] = {}
    for name, count in categories.items():
        bucket = bucket_of(name)
        counts[bucket] = counts.get(bucket, 0) + count
    return counts


def redacted(value: Any) -> str:
    """What a value looks like, without what it is: letters are x, digits 9; of a number two digits are right."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.2g}" if isinstance(value, float) or abs(value) < 1e300 else "9" * MOST_LETTERS
    return _DIGIT.sub("9", _LETTER.sub("x", str(value)[:MOST_LETTERS]))


class Tally:
    """Counts the values of one field, of whatever type; ``kind`` "" takes that of the first value that has one.

    Numbers given as text are texts. With ``named`` false texts are never named.
    """

    def __init__(self, kind: ValueType = "", *, named: bool = True) -> None:
        self._kind = kind
        self._count = self._nulls = self._bad = 0
        self._numbers = Growing()
        self._categories: dict[str, int] = {}
        self._hashed = not named
        self.samples: list[str] = []

    def add(self, value: Any) -> None:
        """Counts one value; None and NaN are missing, what is not of the field's type is bad."""
        self._count += 1
        if value is None or (isinstance(value, float) and isnan(value)):
            self._nulls += 1
            return
        kind = type_of(value)
        self._kind = self._kind or kind
        if kind != self._kind and not (kind == "number" and self._kind == "time"):
            self._bad += 1
        elif kind == "number":
            self._number(value)
        else:
            self._text(str(value).lower() if kind == "bool" else str(value)[:MOST_LETTERS])
        if len(self.samples) < MOST_SAMPLES and (seen := redacted(value)) not in self.samples:
            self.samples.append(seen)

    def told(self) -> Distribution:
        """What was counted so far."""
        return Distribution(
            type=self._kind, count=self._count, nulls=self._nulls, bad=self._bad, numbers=self._numbers.sketch(),
            categories=dict(sorted(self._categories.items())), hashed=self._hashed and bool(self._categories),
        )  # fmt: skip

    def _number(self, value: float) -> None:
        try:
            number = float(value)
        except OverflowError:  # an integer beyond all floats
            self._bad += 1
            return
        if isfinite(number):
            self._numbers.add(number)
        else:
            self._bad += 1

    def _text(self, text: str) -> None:
        name = bucket_of(text) if self._hashed else text
        self._categories[name] = self._categories.get(name, 0) + 1
        if not self._hashed and len(self._categories) > MOST_TEXTS:
            self._hashed, self._categories = True, hashed_counts(self._categories)


def type_of(value: Any) -> ValueType:
    """Of a value that is not missing; whatever is no number and no truth value counts as text."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else "text"
