"""Where boxes and lines go: steps from top to bottom, rows of four, lines through the gaps between boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quell.picture.cast import Box, Cast, Line

WIDTH = 900.0
MARGIN = 20.0
BOX_WIDTH = 200.0
GAP = 20.0
BETWEEN_ROWS = 20.0
BETWEEN_STEPS = 46.0
COLUMNS = 4
_LANE = 5.0
"""Lines that share a gap keep this distance."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its upper left corner."""

    box: Box
    x: float
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + BOX_WIDTH / 2


@dataclass(frozen=True, slots=True)
class Route:
    """A line through points, from the bottom of one box to the top of another (or the other way round)."""

    line: Line
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything placed; ``bottom`` is where the next part of the picture may begin."""

    boxes: tuple[Placed, ...]
    routes: tuple[Route, ...]
    bottom: float


def lay_out(cast: Cast, heights: Mapping[str, float], top: float) -> Layout:
    """Places a cast below ``top``; ``heights`` by key."""
    rows = _rows(cast)
    placed: dict[str, Placed] = {}
    bands: list[tuple[float, float]] = []
    y, step = top, rows[0][0].step if rows else 0
    for row in rows:
        if bands:
            y += BETWEEN_STEPS if row[0].step != step else BETWEEN_ROWS
        step = row[0].step
        tall = max(heights[box.key] for box in row)
        left = _left(row, cast.lines, placed)
        for at, box in enumerate(row):
            placed[box.key] = Placed(box, left + at * (BOX_WIDTH + GAP), y, heights[box.key])
        bands.append((y, y + tall))
        y += tall
    routes = _routes(cast.lines, placed, bands)
    return Layout(tuple(placed.values()), tuple(routes), y)


def _left(row: Sequence[Box], lines: Sequence[Line], placed: Mapping[str, Placed]) -> float:
    """Where a row begins: under the middle of what its lines come from, as far as the page allows."""
    wide = len(row) * BOX_WIDTH + (len(row) - 1) * GAP
    keys = {box.key for box in row}
    above = [placed[line.source].middle for line in lines if line.target in keys and line.source in placed]
    middle = sum(above) / len(above) if above else WIDTH / 2
    return min(max(MARGIN, middle - wide / 2), WIDTH - MARGIN - wide)


def _rows(cast: Cast) -> list[list[Box]]:
    """Boxes of a step in rows of at most four, each near the box that its line comes from."""
    came = {line.target: line.source for line in cast.lines if not line.link.rival}
    onward = set(came.values())
    leads = {line.source: line.target for line in cast.lines if line.link.rival}
    by_step: dict[int, list[Box]] = {}
    # Of several rows the lowest is for those that lines go on from: they need not be led around the others.
    for box in sorted(cast.boxes, key=lambda box: box.key in onward and not box.crowd):
        by_step.setdefault(box.step, []).append(box)
    where: dict[str, float] = {}
    rows = []
    for step in sorted(by_step):
        boxes = by_step[step]
        count = -(-len(boxes) // COLUMNS)
        size = -(-len(boxes) // count)
        for start in range(0, len(boxes), size):
            row = boxes[start : start + size]
            pull = {box.key: where.get(came.get(box.key, ""), where.get(leads.get(box.key, ""), 0.5)) for box in row}
            row.sort(key=lambda box: (bool(box.crowd), pull[box.key]))
            for at, box in enumerate(row):
                where[box.key] = (at + 0.5) / len(row)
            rows.append(row)
    return rows


def _routes(lines: Sequence[Line], placed: Mapping[str, Placed], bands: Sequence[tuple[float, float]]) -> list[Route]:
    row_of = {
        key: next(at for at, (upper, lower) in enumerate(bands) if upper <= one.y < lower)
        for key, one in placed.items()
    }
    in_row: dict[int, list[Placed]] = {}
    for key, one in placed.items():
        in_row.setdefault(row_of[key], []).append(one)
    used: dict[tuple[int, float], int] = {}
    routes = []
    for line in lines:
        source, target = placed[line.source], placed[line.target]
        first, last = row_of[line.source], row_of[line.target]
        if first == last:
            routes.append(Route(line, _beside(source, target)))
            continue
        down = first < last
        start = (source.middle, source.y + source.height if down else source.y)
        end = (target.middle, target.y if down else target.y + target.height)
        points = [start]
        for row in range(first + 1, last) if down else range(first - 1, last, -1):
            x = _gap(in_row[row], points[-1][0], end[0])
            lane = used[row, x] = used.get((row, x), -1) + 1
            x += _LANE * ((lane + 1) // 2) * (1 if lane % 2 else -1)
            upper, lower = bands[row]
            points += [(x, upper), (x, lower)] if down else [(x, lower), (x, upper)]
        routes.append(Route(line, (*points, end)))
    return routes


def _beside(source: Placed, target: Placed) -> tuple[tuple[float, float], ...]:
    """Between boxes of one row: over their upper edges."""
    lift = min(source.y, target.y) - BETWEEN_ROWS / 2
    return ((source.middle, source.y), (source.middle, lift), (target.middle, lift), (target.middle, target.y))


def _gap(row: Sequence[Placed], here: float, there: float) -> float:
    """The free column of a row that makes the shortest way."""
    ordered = sorted(row, key=lambda one: one.x)
    free = [ordered[0].x - GAP / 2, *(one.x + BOX_WIDTH + GAP / 2 for one in ordered)]
    return min(free, key=lambda x: (abs(x - there) * 2 + abs(x - here), x))
