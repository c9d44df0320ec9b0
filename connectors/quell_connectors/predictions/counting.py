"""Events to counts: by model, version, segment and minute, what was told of scores, labels, features and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import floor, isfinite
from typing import Any, NamedTuple
from zlib import crc32

from msgspec import UNSET

from quell.model.distribution import MOST_SAMPLES, Distribution, Tally, record_of, together, type_of
from quell.model.prediction import LabelEvent, PredictionEvent, Value, number
from quell.model.records import AnyRecord, CallRecord, ValueType
from quell_connectors.predictions.privacy import DROPPED, Guard

MINUTE_S = 60.0
NUMBERS = ("score", "confidence", "latency_s", "tokens_in", "tokens_out", "cost", "quality")
OWN = frozenset({*NUMBERS, "label", "refusal", "positive", "agreement", "agreement.human", "confusion",
                 "calibration.true", "calibration.false"})  # fmt: skip
"""Fields of a model that are not features; a feature of such a name is called feature.NAME."""
_TRUE = frozenset({"true", "1"})


class Series(NamedTuple):
    """What is counted apart."""

    minute: int
    model: str
    version: str
    segment: str
    field: str


@dataclass(slots=True)
class Latency:
    """Answers of one model in one minute, and the seconds that they took."""

    count: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Counts:
    """All that one delivery tells."""

    guard: Guard
    positive: frozenset[str]
    contexts: float
    most_segments: int
    tallies: dict[Series, dict[str, Tally]] = field(default_factory=dict)
    latencies: dict[tuple[int, str], Latency] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)
    samples: dict[Series, list[str]] = field(default_factory=dict)

    def prediction(self, told: PredictionEvent, at: float) -> None:
        """Counts one prediction."""
        for segment in self._segments(told):
            place = (floor(at / MINUTE_S), told.model, told.version, segment)
            for name in NUMBERS:
                value = getattr(told, name)
                if value is not UNSET:  # null is told: it is missing
                    self._add(Series(*place, name), number(value), "number")
            if told.label is not None:
                self._add(Series(*place, "label"), self._label(told.label), "text")
            if (positive := self._said_positive(told.label, number(told.score))) is not None:
                self._add(Series(*place, "positive"), positive, "bool")
            if told.refusal is not None:
                self._add(Series(*place, "refusal"), told.refusal, "bool")
        place = (floor(at / MINUTE_S), told.model, told.version, "")
        if self._counted(told.request_id):
            for name, value in told.features.items():
                self._feature(place, name, value)
        latency = number(told.latency_s)
        if latency is not None and isfinite(latency) and latency >= 0:
            of = self.latencies.setdefault((place[0], told.model), Latency())
            of.count, of.seconds = of.count + 1, of.seconds + latency

    def label(self, told: LabelEvent, at: float) -> None:
        """Counts what became of one prediction."""
        score, actual = number(told.score), _text(told.label)
        predicted = None if told.predicted is None else _text(told.predicted)
        was = self._is_positive(actual)
        said = self._said_positive(told.predicted, score)
        agrees = predicted == actual if predicted is not None else said == was
        confidence = number(told.confidence)
        chance, right = (score, was) if confidence is None or predicted is None else (confidence, agrees)
        for segment in self._segments(told):
            place = (floor(at / MINUTE_S), told.model, told.version, segment)
            if predicted is not None or said is not None:
                self._add(Series(*place, "agreement"), agrees, "bool")
                if told.by:
                    self._add(Series(*place, f"agreement.{told.by}"), agrees, "bool")
            if said is not None:
                cell = f"{'true' if said == was else 'false'} {'positive' if said else 'negative'}"
                self._add(Series(*place, "confusion"), cell, "text")
            if chance is not None:
                self._add(Series(*place, f"calibration.{'true' if right else 'false'}"), chance, "number")

    def records(self, source: str, key: str, samples: int) -> Iterator[AnyRecord]:
        """The counts, in an order that follows from what they are of. ``key`` tells deliveries apart ("": nobody)."""
        for index, series in enumerate(sorted(self.tallies)):
            kinds = self.tallies[series]
            yield record_of(
                _joined(kinds),
                entity=f"model/{series.model}",
                field=series.field,
                at=series.minute * MINUTE_S,
                over_s=MINUTE_S,
                version=series.version,
                segment=series.segment,
                samples=sorted(self.samples.get(series, []))[: min(samples, MOST_SAMPLES)],
                source=source,
                id=f"{key}/{index}" if key else "",
            )
        for index, ((minute, model), latency) in enumerate(sorted(self.latencies.items())):
            yield CallRecord(
                at=minute * MINUTE_S,
                source=source,
                id=f"{key}/{index}" if key else "",
                entity=f"model/{model}",
                operation="predict",
                count=latency.count,
                over_s=MINUTE_S,
                mean_s=latency.seconds / latency.count,
            )

    def _feature(self, place: tuple[int, str, str, str], name: str, value: Value) -> None:
        kept = self.guard.kept(name, value if isinstance(value, bool) or not isinstance(value, str) else _word(value))
        if kept is DROPPED:
            return
        series = Series(*place, f"feature.{name}" if name in OWN else name)
        tally = self._add(series, kept)
        known = self.samples.setdefault(series, [])
        known += [one for one in tally.samples if one not in known]

    def _add(self, series: Series, value: Any, kind: ValueType = "") -> Tally:
        kinds = self.tallies.setdefault(series, {})
        missing = value is None or value != value  # noqa: PLR0124 - NaN
        # By type apart, so that it does not matter which value came first.
        own = kind or ("" if missing else type_of(value))
        tally = kinds.get(own)
        if tally is None:
            tally = kinds[own] = Tally(own)
        tally.add(value)
        return tally

    def _segments(self, told: PredictionEvent | LabelEvent) -> list[str]:
        """The whole, and each segment that it belongs to."""
        named = {**told.segment, **({"region": told.region} if told.region else {})}
        found = [""]
        known = self.seen.setdefault(told.model, set())
        for name, value in named.items():
            kept = None if value is None else self.guard.kept(name, value)
            if kept is None or kept is DROPPED:
                continue
            segment = f"{name[:64]}={_text(kept)[:64]}"
            if segment in known or len(known) < self.most_segments:
                known.add(segment)
                found.append(segment)
        return found

    def _label(self, label: Value) -> str:
        kept = self.guard.kept("label", label)
        return "(dropped)" if kept is DROPPED else _text(kept)

    def _is_positive(self, label: str) -> bool:
        return label.lower() in _TRUE or label in self.positive

    def _said_positive(self, label: Value, score: float | None) -> bool | None:
        """Whether the positive class was predicted; a score alone says so from a half on."""
        if label is not None:
            return self._is_positive(_text(label))
        return score >= 0.5 if score is not None and isfinite(score) else None

    def _counted(self, request_id: str) -> bool:
        """Whether its features are: by its id, so that it does not matter where it is decided."""
        if self.contexts >= 1.0 or not request_id:
            return self.contexts > 0.0
        return crc32(request_id.encode("utf-8", "replace")) / 2**32 < self.contexts


def _joined(kinds: Mapping[str, Tally]) -> Distribution:
    return together(kinds[kind].told() for kind in sorted(kinds))


def _text(value: Value) -> str:
    """A label as text: 1, 1.0 and "1" are one label, as are true and "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _word(value: str) -> str | float:
    """NaN and infinities are numbers, however they are sent."""
    return float(value) if value in {"NaN", "Infinity", "-Infinity"} else value
