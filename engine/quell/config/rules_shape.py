"""The shape of a whole rules file."""

from __future__ import annotations

from pydantic import Field

from quell.config.detect_shapes import DetectShape
from quell.config.drill_file import DrillShape
from quell.config.fields import Shape
from quell.config.oncall_shapes import EscalationShape, RoomShape, RotaShape, RouteShape
from quell.config.rule_shapes import (
    CorrelateShape,
    FreezeShape,
    InhibitShape,
    MapShape,
    MeasureShape,
    MuteShape,
    TopologyShape,
    TriageShape,
    WindowShape,
)
from quell.config.slo_shapes import SloShape
from quell.config.weight_shapes import WeightsShape


class RulesShape(Shape):
    """A rules file: any of these kinds."""

    map: list[MapShape] = Field(default=[])
    mute: list[MuteShape] = Field(default=[])
    inhibit: list[InhibitShape] = Field(default=[])
    windows: list[WindowShape] = Field(default=[])
    freezes: list[FreezeShape] = Field(default=[])
    triage: TriageShape = TriageShape()
    correlate: CorrelateShape = CorrelateShape()
    weights: WeightsShape = WeightsShape()
    routes: list[RouteShape] = Field(default=[])
    """Where pages go, beside those of quell.yaml."""
    escalations: list[EscalationShape] = Field(default=[])
    """Chains along which a page goes on until somebody acknowledges it."""
    rotas: list[RotaShape] = Field(default=[])
    """Who is on call when."""
    rooms: list[RoomShape] = Field(default=[])
    """Where people talk and incidents are shown, beside those of quell.yaml."""
    detect: list[DetectShape] = Field(default=[])
    """Detectors: what quell itself finds in metrics, logs and distributions."""
    slos: list[SloShape] = Field(default=[])
    """Service levels: how much is to be good over how long, and alerts when the budget for the rest goes too fast."""
    drills: list[DrillShape] = Field(default=[])
    """Fire drills: made-up signals, and what quell is to make of them."""
    topology: TopologyShape = TopologyShape()
    measures: dict[str, MeasureShape] = Field(default={})
    """Named readings, by name: two words with a dot."""
