"""How trouble travels over a dependency: with what probability, after what lag, from which family to which.

The numbers are weights (`quell.model.weights.Travel`); what a team says of a type (`correlate.edges`) comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log

from quell.core.families import COUNT, Family
from quell.model.rulebook import Correlate, EdgeKind
from quell.model.weights import TROUBLES, Table


@dataclass(frozen=True, slots=True)
class Travel:
    """``p[cause][symptom]`` and ``lag_s[cause][symptom]`` over one edge; p 0 means "does not travel".

    ``lineage``: data are made of data there, so that trouble travels on however many steps that takes. ``work``: the
    dependent sends work there, of which less or none arrives when it is in trouble. ``place``: the dependent stands
    there.
    """

    p: tuple[tuple[float, ...], ...]
    lag_s: tuple[tuple[float, ...], ...]
    lineage: bool = False
    work: bool = False
    place: bool = False


def into(how: Travel, symptom: int, weight: float) -> tuple[tuple[int, float, float], ...]:
    """What could bring a symptom about over an edge of this weight: family of the cause, log p, and lag in s."""
    return tuple(
        (cause, log(p), how.lag_s[cause][symptom])
        for cause in range(COUNT)
        if (p := how.p[cause][symptom] * weight) > 0.0
    )


def most_likely(how: Travel, cause: int) -> tuple[float, int]:
    """What a cause brings about most surely over an edge: how surely, and the family of that symptom."""
    return max((how.p[cause][symptom], symptom) for symptom in range(COUNT))


def _travel(
    entries: Mapping[tuple[int, int], tuple[float, float]],
    *,
    lineage: bool = False,
    work: bool = False,
    place: bool = False,
) -> Travel:
    p = [[0.0] * COUNT for _ in range(COUNT)]
    lag = [[0.0] * COUNT for _ in range(COUNT)]
    for (cause, symptom), (probability, lag_s) in entries.items():
        p[cause][symptom] = probability
        lag[cause][symptom] = lag_s
    return Travel(tuple(map(tuple, p)), tuple(map(tuple, lag)), lineage, work, place)


WAYS: Mapping[str, str] = {
    **dict.fromkeys(("runs_on", "in_rack", "in_zone", "in_region", "hosted_on", "part_of", "member_of"), "placement"),
    **dict.fromkeys(("consumes", "subscribes", "consumes_from"), "queue"),
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
        "data",
    ),
    **dict.fromkeys(("predicts_with", "uses_model", "served_by", "infers_with"), "inference"),
    "has_task": "tasks",
    "column_of": "columns",
    **dict.fromkeys(("scheduled_by", "deployed_by", "orchestrated_by"), "schedule"),
    **dict.fromkeys(("measures", "measured_by"), "measure"),
}
"""By type of dependency, the table of `quell.model.weights.Travel` that holds for it."""
USUAL = "request"
"""The table of types that are not known."""
LINEAGE = frozenset({"data", "measure", "tasks", "columns"})
WORK = frozenset({"request", "inference"})


def _told(kind: EdgeKind, way: str) -> Travel:
    same, other = kind.p, kind.p / 4
    return _travel(
        {(cause, symptom): (same if cause == symptom else other, kind.lag_s) for cause in Family for symptom in Family},
        work=way in WORK,
        place=way == "placement",
    )


@lru_cache(maxsize=256)
def _weighed(way: str, table: Table) -> Travel:
    entries = {(TROUBLES.index(one.cause), TROUBLES.index(one.symptom)): (one.p, one.lag_s) for one in table}
    return _travel(entries, lineage=way in LINEAGE, work=way in WORK, place=way == "placement")


def travel(edge_type: str, settings: Correlate) -> Travel:
    """How trouble travels over edges of a type; what the team told comes first, unknown types count as requests."""
    told = settings.edges.get(edge_type)
    way = WAYS.get(edge_type, USUAL)
    if told is not None:
        return _told(told, way)
    return _weighed(way, getattr(settings.weights.travel, way))
