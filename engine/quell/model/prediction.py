"""What an endpoint tells of its predictions: events as `quell.emit` and any other sender post them.

These never enter the core: the receiver makes counts of them, and what it cannot count is left behind.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Number = float | Literal["NaN", "Infinity", "-Infinity"] | None
"""JSON has no word for NaN: it is sent as text, or as null. Neither is ever counted as 0."""
Told = Number | msgspec.UnsetType
"""What is left out was not told; what is null is missing, and counted as that."""
Value = str | bool | int | float | None
Moment = str | float | None
"""RFC 3339 text or seconds since 1970; when it arrived if left out."""
Segments = Annotated[dict[str, Value], msgspec.Meta(max_length=8)]


class _Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    at: Moment = None


class PredictionEvent(_Event, frozen=True, kw_only=True, tag="prediction"):
    """One prediction. ``score`` is the chance of the positive class, ``confidence`` that of ``label``, 0 to 1.

    ``request_id`` is what a label finds its prediction by; quell does not keep it.
    """

    model: Name
    version: Annotated[str, msgspec.Meta(max_length=256)] = ""
    request_id: str = ""
    score: Told = UNSET
    label: Value = None
    confidence: Told = UNSET
    segment: Segments = {}
    region: str = ""
    features: Annotated[dict[str, Value], msgspec.Meta(max_length=1000)] = {}
    latency_s: Told = UNSET
    tokens_in: Told = UNSET
    tokens_out: Told = UNSET
    cost: Told = UNSET
    refusal: bool | None = None
    quality: Told = UNSET


class LabelEvent(_Event, frozen=True, kw_only=True, tag="label"):
    """What a prediction should have been (``label``), beside what it was: ``predicted`` or ``score``, or both.

    ``at`` is when the label became known. ``by`` "human": a person judged it.
    """

    model: Name
    label: Value
    version: Annotated[str, msgspec.Meta(max_length=256)] = ""
    request_id: str = ""
    predicted: Value = None
    score: Number = None
    confidence: Number = None
    segment: Segments = {}
    region: str = ""
    by: Literal["", "human"] = ""


class OutcomeEvent(_Event, frozen=True, kw_only=True, tag="outcome"):
    """A business outcome, or a figure of it: a point of the series ``kpi`` of the entity kpi/KPI."""

    kpi: Name
    value: float
    unit: str = ""


Event = PredictionEvent | LabelEvent | OutcomeEvent


def number(value: Told) -> float | None:
    """What a sender wrote as a number; NaN and the infinities as such."""
    if isinstance(value, str):
        return float(value)
    return None if isinstance(value, msgspec.UnsetType) else value


def schema() -> dict[str, Any]:
    """The JSON Schema of one event."""
    told = msgspec.json.schema(Event)
    return {**told, "title": "An event of a prediction log for quell"}
