"""What is measured of storms, the goals, and the tables that show both."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Scores = Mapping[str, float | None]
BEGIN, END = "<!-- storm table: written by benchmarks/storm.py --write -->", "<!-- end of storm table -->"


@dataclass(frozen=True, slots=True)
class Measure:
    """``key`` in the scorer's answer, ``short`` for the table's head, ``digits`` after the point."""

    key: str
    short: str
    digits: int = 3


MEASURES = (
    Measure("score", "score"),
    Measure("incident_f1", "incident F1"),
    Measure("pair_f1", "pair F1"),
    Measure("root_top1", "root 1"),
    Measure("root_top3", "root 3"),
    Measure("root_top1_unseen", "silent root 1", 2),
    Measure("missed_share", "missed", 3),
    Measure("median_time_to_incident_s", "median s", 0),
    Measure("p90_time_to_incident_s", "p90 s", 0),
    Measure("change_top1", "change", 2),
    Measure("change_false", "innocent", 2),
    Measure("repeat_consistency", "repeats"),
    Measure("noise_paged", "noise paged"),
    Measure("withdrawn_share", "withdrawn"),
)
_EVERYWHERE = {
    "change_top1": 0.85, "change_false": 0.10, "root_top1_unseen": 0.5, "repeat_consistency": 0.98,
    "noise_paged": 0.03, "withdrawn_share": 0.05,
}  # fmt: skip


def _goals(*given: float | None, **other: float) -> Mapping[str, float]:
    keys = ("score", "incident_f1", "pair_f1", "root_top1", "root_top3", "missed_share",
            "median_time_to_incident_s", "p90_time_to_incident_s")  # fmt: skip
    own = {key: value for key, value in zip(keys, given, strict=True) if value is not None}
    return {**_EVERYWHERE, **own, **other}


GOALS: Mapping[str, Mapping[str, float]] = {
    "easy": _goals(0.96, 0.98, 0.96, 0.94, 0.99, 0.0, 45, 150, noise_paged=0.06),
    "overlap": _goals(0.91, 0.93, 0.90, 0.90, 0.95, 0.05, 45, 150),
    "incomplete-topology": _goals(0.78, 0.82, 0.80, 0.73, 0.85, 0.07, 50, 150),
    "ml": _goals(0.88, 0.90, 0.90, 0.84, 0.94, 0.06, 200, 1400, noise_paged=0.09, change_top1=0.75),
    "storm-10k": _goals(0.91, 0.92, 0.93, 0.88, 0.94, 0.06, 45, 150),
    "storm-100k": _goals(0.82, 0.80, 0.86, 0.82, 0.90, 0.10, 45, 150),
    "soak-1M": _goals(0.92, 0.94, 0.90, 0.92, 0.97, 0.02, 45, 180),
    "itbench": _goals(0.83, 0.95, 0.90, 0.70, 0.90, 0.05, None, None),
}
LESS_IS_BETTER = frozenset({
    "missed_share", "median_time_to_incident_s", "p90_time_to_incident_s", "change_false", "noise_paged",
    "withdrawn_share",
})  # fmt: skip


def values(measure: Measure, rows: Sequence[Scores]) -> list[float]:
    """The measure's values where there are any: a storm without silent roots has none for those."""
    return [value for row in rows if (value := row.get(measure.key)) is not None]


def mean_and_spread(found: Sequence[float]) -> tuple[float | None, float]:
    """The mean (None without values) and the standard deviation between seeds."""
    return (statistics.fmean(found) if found else None), (statistics.stdev(found) if len(found) > 1 else 0.0)


def head() -> str:
    """The first two lines of a table."""
    names = ["preset", "engine", *(measure.short for measure in MEASURES), "events/s"]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def line(preset: str, engine: str, rows: Sequence[Scores], speeds: Sequence[float] = ()) -> str:
    """One row: means over seeds, with the standard deviation where there is more than one seed."""
    cells = []
    for measure in MEASURES:
        mean, spread = mean_and_spread(values(measure, rows))
        shown = "-" if mean is None else f"{mean:.{measure.digits}f}"
        if mean is not None and len(rows) > 1:
            shown += f" ±{spread:.{min(measure.digits, 2)}f}"
        cells.append(shown)
    speed = f"{statistics.fmean(speeds):,.0f}" if speeds else "-"
    return f"| {preset} | {engine} | {' | '.join(cells)} | {speed} |"


def goal_line(preset: str) -> str:
    """What the issue asks of a preset; empty when it asks nothing of one by that name."""
    goals = GOALS.get(preset)
    if goals is None:
        return ""
    cells = []
    for measure in MEASURES:
        goal = goals.get(measure.key)
        sign = "≤" if measure.key in LESS_IS_BETTER else "≥"
        cells.append("" if goal is None else f"{sign} {goal:.{min(measure.digits, 2)}f}")
    return f"| {preset} | *goal* | {' | '.join(cells)} | |"


def short_of(preset: str, rows: Sequence[Scores]) -> list[str]:
    """The measures whose mean is not at its goal, such as "root 1 .83 < .94"."""
    found = []
    for measure in MEASURES:
        goal, (mean, _) = GOALS.get(preset, {}).get(measure.key), mean_and_spread(values(measure, rows))
        if goal is None or mean is None:
            continue
        worse = mean > goal if measure.key in LESS_IS_BETTER else mean < goal
        if worse:
            sign = ">" if measure.key in LESS_IS_BETTER else "<"
            found.append(f"{measure.short} {mean:.{measure.digits}f} {sign} {goal:.{min(measure.digits, 2)}f}")
    return found


def write_between(path: Path, table: str) -> None:
    """Puts a table between the markers of a page. Ends the program when the page has none."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path}: has no lines {BEGIN} and {END}; nothing was written")
    path.write_text(f"{before}{BEGIN}\n\n{table.strip()}\n\n{END}{after}")
