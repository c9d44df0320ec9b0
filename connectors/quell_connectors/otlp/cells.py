"""Where the points of a metric go: a cell for each series, found once for all that are told of it in a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field

from quell_connectors.otlp.gathering import Gathered
from quell_connectors.otlp.homes import Home
from quell_connectors.otlp.series import Labels, named

MOST_SERIES = 64
"""Of one metric of one entity in one delivery."""
MOST_LABELS = 1000
"""Characters of what is kept of a point's attributes: a name that is longer than that is none."""


@dataclass(slots=True, eq=False)
class Cell:
    """Where points of one series go. ``refused``: why they go nowhere, "" if they do."""

    entity: str
    series: str
    labels: Labels
    points: dict[int, list[float]] | None = None
    gathered: dict[int, Gathered] = field(default_factory=dict)
    refused: str = ""


@dataclass(slots=True)
class Metric:
    """The metric that is being read, and what of it came already. ``mean``: what falls together is averaged."""

    home: Home
    name: str
    delta: bool = False
    grows: bool = False
    mean: bool = False
    cells: dict[Labels, Cell] = field(default_factory=dict)


class Cells:
    """Names the series of one delivery, and no more of one metric than it may have."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], dict[str, str]] = {}

    def of(self, metric: Metric, labels: Labels) -> Cell:
        """Where points with these labels go."""
        found = metric.cells.get(labels)
        if found is not None:
            return found
        text, model, _ = labels
        entity = f"model/{model}" if model else metric.home.entity
        known = self._names.setdefault((entity, metric.name), {})
        series, refused = known.get(text, ""), ""
        if not series:
            if len(text) > MOST_LABELS:
                refused = "long_name"
            elif len(known) >= MOST_SERIES:
                refused = "too_many_series"
            else:
                series = known[text] = named(metric.name, text)
        cell = metric.cells[labels] = Cell(entity, series, labels, refused=refused)
        return cell
