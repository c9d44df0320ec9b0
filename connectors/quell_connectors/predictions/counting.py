"""Events to counts: by model, version, segment and minute, what was told of scores, labels, features and the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import floor, isfinite
from typing import Any, NamedTuple
from zlib import crc32

from msgspec import UNSET

from quell.model.distribution import MOST_SAMPLES, Tally, record_of, together, type_of
from quell.model.prediction import LabelEvent, PredictionEvent, Value, number
from quell.model.records import AnyRecord, CallRecord, ValueType
from quell_connectors.predictions.privacy import DROPPED, Guard

MINUTE_S = 60.0
NUMBERS = ("score", "confidence", "latency_s", "tokens_in", "tokens_out", "cost", "quality")
OWN = frozenset({*NUMBERS, "label", "refusal", "positive", "agreement", "agreement.human", "confusion",
                 "calibration.true", "calibration.false"})  # fmt: skip
"""Fields of a model that are not features; a feature of such a name is called feature.NAME."""
_TRUE = frozenset({"true", "1"})


class Place(NamedTuple):
    """What is counted apart."""

    minute: int
    model: str
    version: str
    segment: str


Fields = dict[str, dict[str, Tally]]
"""Tallies by field, and by the type of what is counted: so it does not matter which value came first."""


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
    places: dict[Place, Fields] = field(default_factory=dict)
    latencies: dict[tuple[int, str], Latency] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)

    def prediction(self, told: PredictionEvent, at: float) -> None:
        """Counts one prediction."""
        for segment in self._segments(told):
            fields = self.places.setdefault(Place(floor(at / MINUTE_S), told.model, told.version, segment), {})
            for name in NUMBERS:
                value = getattr(told, name)
                if value is not UNSET:  # null is told: it is missing
                    _add(fields, name, number(value), "number")
            if told.label is not None:
                _add(fields, "label", self._label(told.label), "text")
            if (positive := self._said_positive(told.label, number(told.score))) is not None:
                _add(fields, "positive", positive, "bool")
            if told.refusal is not None:
                _add(fields, "refusal", told.refusal, "bool")
        if told.features and self._counted(told.request_id):
            fields = self.places[Place(floor(at / MINUTE_S), told.model, told.version, "")]
            for name, value in told.features.items():
                self._feature(fields, name, value)
        latency = number(told.latency_s)
        if latency is not None and isfinite(latency) and latency >= 0:
            of = self.latencies.setdefault((floor(at / MINUTE_S), told.model), Latency())
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
            fields = self.places.setdefault(Place(floor(at / MINUTE_S), told.model, told.version, segment), {})
            if predicted is not None or said is not None:
                _add(fields, "agreement", agrees, "bool")
                if told.by:
                    _add(fields, f"agreement.{told.by}", agrees, "bool")
            if said is not None:
                cell = f"{'true' if said == was else 'false'} {'positive' if said else 'negative'}"
                _add(fields, "confusion", cell, "text")
            if chance is not None:
                _add(fields, f"calibration.{'true' if right else 'false'}", chance, "number")

    def records(self, source: str, key: str, samples: int) -> Iterator[AnyRecord]:
        """The counts, in an order that follows from what they are of. ``key`` tells deliveries apart ("": nobody)."""
        index = 0
        for place in sorted(self.places):
            for name, kinds in sorted(self.places[place].items()):
                seen = [] if name in OWN else sorted({one for tally in kinds.values() for one in tally.samples})
                yield record_of(
                    together(kinds[kind].told() for kind in sorted(kinds)),
                    entity=f"model/{place.model}",
                    field=name,
                    at=place.minute * MINUTE_S,
                    over_s=MINUTE_S,
                    version=place.version,
                    segment=place.segment,
                    samples=seen[: min(samples, MOST_SAMPLES)],
                    source=source,
                    id=f"{key}/{index}" if key else "",
                )
                index += 1
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

    def _feature(self, fields: Fields, name: str, value: Value) -> None:
        kept = self.guard.kept(name, _word(value) if isinstance(value, str) else value)
        if kept is not DROPPED:
            _add(fields, f"feature.{name}" if name in OWN else name, kept)

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


def _add(fields: Fields, name: str, value: Any, kind: ValueType = "") -> None:
    kinds = fields.get(name)
    if kinds is None:
        kinds = fields[name] = {}
    missing = value is None or value != value  # noqa: PLR0124 - NaN
    own = kind or ("" if missing else type_of(value))
    tally = kinds.get(own)
    if tally is None:
        tally = kinds[own] = Tally(own)
    tally.add(value)


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
