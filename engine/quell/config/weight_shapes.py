"""The shapes of weights in rules files, each with its bounds, and the weights that they make of those that ship."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from pydantic import Field, model_validator

from quell.config.fields import Duration, Shape, Span
from quell.config.nodes import Path
from quell.config.rule_shapes import Probability
from quell.model.weights import DEFAULT, TROUBLES, Passage, Table, Trouble, Weights

Nats = Annotated[float, Field(ge=0, le=20)]
More = Annotated[float, Field(ge=0.01, le=20)]
Odds = Annotated[float, Field(ge=-20, le=20)]
Share = Annotated[float, Field(ge=0, le=1)]


class PassageShape(Shape):
    """Trouble passes a dependency."""

    p: Probability
    """With what probability it shows at the dependent; 0: never."""
    lag: Duration
    """After how long."""


class RowShape(Shape):
    """What shows at the dependent."""

    failing: PassageShape | None = None
    slow: PassageShape | None = None
    idle: PassageShape | None = None
    data: PassageShape | None = None


class TableShape(Shape):
    """What shows at what is depended on."""

    failing: RowShape | None = None
    """Something fails there."""
    slow: RowShape | None = None
    """Something is slow or full."""
    idle: RowShape | None = None
    """Something gets no work."""
    data: RowShape | None = None
    """Data, or what is made of them, are off."""


class TravelShape(Shape):
    """How trouble travels: by what shows at what is depended on, then by what shows at the dependent."""

    request: TableShape | None = None
    """Calls and all types of dependencies that are not known."""
    placement: TableShape | None = None
    """runs_on, in_zone, part_of and the like."""
    queue: TableShape | None = None
    """consumes, subscribes."""
    data: TableShape | None = None
    """derived_from, uses_features, trained_on and the like."""
    inference: TableShape | None = None
    """predicts_with, uses_model, served_by."""
    schedule: TableShape | None = None
    """scheduled_by, deployed_by."""
    tasks: TableShape | None = None
    """has_task."""
    columns: TableShape | None = None
    """column_of."""
    measure: TableShape | None = None
    """measures, measured_by."""


class PricesShape(Shape):
    """Nats that explaining alerts earns, and that causes and ways to them cost."""

    evidence: More | None = None
    """What explaining one alert at an entity earns (4.2)."""
    more_names: Nats | None = None
    """What another rule that fires there adds (2.0)."""
    more_replicas: More | None = None
    """What the same rule on another replica adds (0.5)."""
    more_limit: Nats | None = None
    """What all of them add at most (4.0)."""
    aloof: Nats | None = None
    """So much less is an alert worth whose rule usually fires for itself (1.0)."""
    opening: More | None = None
    """What a cause costs (5.0); more than "changed"."""
    silent_opening: Nats | None = None
    """What it costs more where nothing alerts (1.5)."""
    other_family_opening: Nats | None = None
    """The same where something else does (1.0)."""
    starved_opening: Nats | None = None
    """What it costs more where work that does not arrive is all that is told of (1.5)."""
    handled_opening: Nats | None = None
    """What data that go wrong cost more where they are only used, not made, and nothing is told of them (3.0)."""
    made_opening: Nats | None = None
    """What a feature, a KPI or whatever others make costs more (2.0)."""
    made_by_itself: Nats | None = None
    """The same where its own alerts speak of something else than lateness (0.5)."""
    absence: Nats | None = None
    """For each dependent that should show trouble and does not (0.5)."""
    absence_limit: Nats | None = None
    """For all of them at most (3.0)."""
    changed: Nats | None = None
    """So much less where something was changed just before (2.0)."""
    silent: Nats | None = None
    """What passing a silent entity costs (1.3)."""
    unaware: Nats | None = None
    """The same of one that handles data without being made of them (0.3)."""
    believed: Share | None = None
    """The share that is paid of the way to what alerts itself, by who leads through it (0.8)."""
    other_family_leg: Nats | None = None
    """The way between two kinds of trouble at one entity (1.2)."""
    same_place_leg: Nats | None = None
    """The way between two spells of one kind there (0.5)."""
    fold: Nats | None = None
    """What folding a cause into another must save beside the way between them (2.0)."""
    stay: Nats | None = None
    """Credit of what is open (0.5)."""
    least_net: Nats | None = None
    """What an incident that nobody has seen yet must net (1.5)."""
    one_name_net: Nats | None = None
    """The same, in addition, when one rule alone fires (2.0)."""
    on_the_hour_net: Nats | None = None
    """The same, besides, when that began on a full hour and elsewhere at once, as jobs do (4.0)."""
    informative_net: Nats | None = None
    """The same when all that fires merely informs (4.0)."""


class NoiseShape(Shape):
    """So many nats less is an alert of each kind worth; below 0: more."""

    failing: Odds | None = None
    slow: Odds | None = None
    idle: Odds | None = None
    data: Odds | None = None


class TimingShape(Shape):
    """How far times may be off before that speaks against a cause."""

    early: Span | None = None
    """A symptom before it was due (45s)."""
    late: Span | None = None
    """A symptom after it was due (5m)."""
    lag_spread: Nats | None = None
    """Both grow by this share of the lag (0.6)."""
    fold_spread: Span | None = None
    """The beginnings of a cause and of one that folds into it (90s)."""
    absence_ripe: Span | None = None
    """When symptoms that are missing count in full (3m)."""


class RankingShape(Shape):
    """How suspects are compared, in nats."""

    walk: Nats | None = None
    """What the share of a random walk from the symptoms counts (0.25)."""
    first: Nats | None = None
    """What the solved cause has ahead of its rivals (0.5)."""
    temperature: More | None = None
    """Nats that make one suspect e times as likely as another (2.0)."""
    far: Nats | None = None
    """What a change far behind along lineage must be worth to come first (2.0)."""
    betrayed: Nats | None = None
    """Nats of telemetry that make a suspect of an entity that explains no alert (3.0)."""


class ConfidenceShape(Shape):
    """Log odds that there is an outage and the first suspect its cause: what each thing adds."""

    constant: Odds | None = None
    margin: Nats | None = None
    """For ln(1 + nats ahead of the second suspect)."""
    silent: Odds | None = None
    """When it has no alert of its own."""
    changed: Odds | None = None
    """When a change there is named."""
    entities: Odds | None = None
    """For ln(entities that alert)."""
    path: Odds | None = None
    """For each entity on the way to the furthest symptom, of four at most."""
    itself: Odds | None = None
    """When it says that it is broken itself, or gets no work though it is sent."""
    asks: Odds | None = None
    """For ln(1 + how much it asks that does not alert), if it does not say that it is broken itself."""
    gaps: Odds | None = None
    """For each tenth of all dependencies that is not known."""
    nats: Nats | None = None
    """For ln(1 + the nats of its score)."""


class TrainedShape(Shape):
    """Where the weights come from; said for those who review them."""

    on: list[str] = Field(default=[])
    """The storms or records that they were estimated from."""
    reported: list[str] = Field(default=[])
    """Those on which they were held against the weights that ship; none of them may be among the former."""

    @model_validator(mode="after")
    def _apart(self) -> TrainedShape:
        both = sorted(set(self.on) & set(self.reported))
        if both:
            raise ValueError(f'"{both[0]}" is trained on and reported on; report on others')
        return self


class WeightsShape(Shape):
    """The weights by which correlation decides, in the place of those that ship. "quell train" estimates them."""

    trained: TrainedShape | None = None
    travel: TravelShape = TravelShape()
    prices: PricesShape = PricesShape()
    noise: NoiseShape = NoiseShape()
    timing: TimingShape = TimingShape()
    ranking: RankingShape = RankingShape()
    confidence: ConfidenceShape = ConfidenceShape()


PARTS = ("prices", "noise", "timing", "ranking", "confidence")
Told = tuple[Path, Any]
"""Where a weight stands below ``weights``, and what it is."""
_BEFORE_NATS = {
    "margin": 1.13, "silent": -0.92, "changed": 0.39, "entities": 0.0, "path": 0.24, "itself": 1.62, "asks": -0.99,
    "gaps": -0.91, "nats": 0.0,
}  # fmt: skip
"""The curve that shipped before nats were counted: one that was trained then leaves out what it left as it was."""


def told(shape: WeightsShape) -> Iterator[Told]:
    """Every weight of a file, with where it stands."""
    for way in TravelShape.model_fields:
        table = getattr(shape.travel, way) or TableShape()
        for cause in TROUBLES:
            row = getattr(table, cause) or RowShape()
            for symptom in TROUBLES:
                passage = getattr(row, symptom)
                if passage is not None:
                    yield ("travel", way, cause, symptom), Passage(cause, symptom, passage.p, passage.lag)
    curve = shape.confidence
    trained_before = shape.trained is not None and curve.constant is not None and curve.nats is None
    for part in PARTS:
        inner, left_out = getattr(shape, part), _BEFORE_NATS if part == "confidence" and trained_before else {}
        for name in type(inner).model_fields:
            value = getattr(inner, name)
            if value is None:
                value = left_out.get(name)
            if value is not None:
                yield (part, name), value


def weights(found: list[Told]) -> Weights:
    """Those that ship, with these in their places."""
    tables: dict[str, dict[tuple[Trouble, Trouble], Passage]] = {}
    parts: dict[str, dict[str, Any]] = {}
    for path, value in found:
        if path[0] == "travel":
            way = str(path[1])
            table = tables.setdefault(way, {(one.cause, one.symptom): one for one in _shipped(way)})
            table[value.cause, value.symptom] = value
        else:
            parts.setdefault(str(path[0]), {})[field_of(str(path[0]), str(path[1]))] = value
    whole: dict[str, Any] = {
        part: msgspec.structs.replace(getattr(DEFAULT, part), **values) for part, values in parts.items()
    }
    if tables:
        ways = {way: tuple(one for one in table.values() if one.p > 0.0) for way, table in tables.items()}
        whole["travel"] = msgspec.structs.replace(DEFAULT.travel, **ways)
    return msgspec.structs.replace(DEFAULT, **whole)


def field_of(part: str, name: str) -> str:
    """The field of a weight: times are in seconds there, and durations in files."""
    return f"{name}_s" if f"{name}_s" in getattr(DEFAULT, part).__struct_fields__ else name


def _shipped(way: str) -> Table:
    table: Table = getattr(DEFAULT.travel, way)
    return table
