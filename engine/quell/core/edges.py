"""How trouble travels over a dependency: with what probability, after what lag, from which family to which.

The numbers are priors for what a team has not told (`correlate.edges` in the rules overrides them). They say little on
purpose: most trouble keeps its family, data trouble takes a quarter of an hour and more, the rest is quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quell.core.families import COUNT, Family
from quell.model.rulebook import EdgeKind

F, S, I, D = Family.FAILING, Family.SLOW, Family.IDLE, Family.DATA  # noqa: E741


@dataclass(frozen=True, slots=True)
class Travel:
    """``p[cause][symptom]`` and ``lag_s[cause][symptom]`` over one edge; p 0 means "does not travel"."""

    p: tuple[tuple[float, ...], ...]
    lag_s: tuple[tuple[float, ...], ...]


def _travel(entries: Mapping[tuple[Family, Family], tuple[float, float]]) -> Travel:
    p = [[0.0] * COUNT for _ in range(COUNT)]
    lag = [[0.0] * COUNT for _ in range(COUNT)]
    for (cause, symptom), (probability, lag_s) in entries.items():
        p[cause][symptom] = probability
        lag[cause][symptom] = lag_s
    return Travel(tuple(map(tuple, p)), tuple(map(tuple, lag)))


REQUEST = _travel({
    (F, F): (0.75, 12), (S, S): (0.65, 20), (F, S): (0.15, 30), (S, F): (0.15, 45), (I, I): (0.1, 60),
    (D, D): (0.45, 600), (F, D): (0.05, 300), (S, D): (0.05, 300),
})  # fmt: skip
PLACEMENT = _travel({(F, F): (0.9, 12), (S, S): (0.65, 50), (S, F): (0.1, 60), (F, S): (0.1, 30), (F, D): (0.05, 300)})
QUEUE = _travel({(F, S): (0.7, 70), (S, S): (0.6, 90), (F, F): (0.25, 60), (F, D): (0.1, 600)})
DATA = _travel({
    (F, D): (0.7, 900), (D, D): (0.7, 900), (S, D): (0.5, 1100), (F, F): (0.35, 900), (D, F): (0.2, 1200),
    (S, S): (0.15, 600),
})  # fmt: skip
INFERENCE = _travel({
    (F, F): (0.75, 12), (S, S): (0.65, 20), (F, S): (0.15, 30), (S, F): (0.15, 45), (I, I): (0.1, 60),
    (D, D): (0.6, 600), (F, D): (0.05, 300), (S, D): (0.05, 300),
})  # fmt: skip
"""As of requests, and what a model makes of bad data is handed on by who asks it."""
SCHEDULE = _travel({(F, F): (0.5, 300), (S, S): (0.4, 300), (F, S): (0.2, 300), (F, D): (0.1, 900)})
TASKS = _travel({(F, F): (0.9, 60), (S, S): (0.65, 120), (D, D): (0.7, 300), (I, I): (0.5, 300)})
COLUMNS = _travel({(D, D): (0.2, 300), (F, D): (0.2, 300)})
"""One of many: that the others show nothing says nothing against their table."""
MEASURE = _travel({(D, D): (0.7, 1000), (F, D): (0.5, 300), (S, D): (0.25, 600), (I, D): (0.3, 300)})

_BY_TYPE: Mapping[str, Travel] = {
    **dict.fromkeys(("runs_on", "in_rack", "in_zone", "in_region", "hosted_on", "part_of", "member_of"), PLACEMENT),
    **dict.fromkeys(("consumes", "subscribes", "consumes_from"), QUEUE),
    **dict.fromkeys(
        (
            "derived_from",
            "uses_features",
            "trained_on",
            "trained_by",
            "built_from",
            "produced_by",
            "version_of",
            "fed_by",
        ),
        DATA,
    ),
    **dict.fromkeys(("predicts_with", "uses_model", "served_by", "infers_with"), INFERENCE),
    "has_task": TASKS,
    "column_of": COLUMNS,
    **dict.fromkeys(("scheduled_by", "deployed_by", "orchestrated_by"), SCHEDULE),
    **dict.fromkeys(("measures", "measured_by"), MEASURE),
}

LINEAGE = (DATA, MEASURE, TASKS, COLUMNS)
"""How trouble travels where data are made of data, however many steps that takes."""


def _told(kind: EdgeKind) -> Travel:
    same, other = kind.p, kind.p / 4
    return _travel(
        {(cause, symptom): (same if cause == symptom else other, kind.lag_s) for cause in Family for symptom in Family}
    )


def travel(edge_type: str, told: Mapping[str, EdgeKind]) -> Travel:
    """How trouble travels over edges of a type; what the team told comes first, unknown types count as requests."""
    if edge_type in told:
        return _told(told[edge_type])
    return _BY_TYPE.get(edge_type, REQUEST)
