"""What an entity's own late alerts say against its having been in trouble long before.

Rules hold back for minutes, not longer. If an entity alerts, but only well after it is supposed to have begun to fail,
nothing of it was seen then; nor do those count as shown which depend on it and were well until later. Else the outage
of a rack would explain, for the price of one that alerts, what failed ten minutes before it was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from quell.core.families import COUNT, Family
from quell.core.itself import JOBS
from quell.core.reach import key
from quell.core.web import Web
from quell.model.state import Unit

Expected = tuple[Sequence[int], Sequence[float]]
"""The dependents at which a cause should show, and how surely at each."""


def quiet(
    web: Web, units: Mapping[int, Unit], cause: int, latest: float, expected: Callable[[], Expected]
) -> tuple[float, bool]:
    """How many of those at which a cause should show do not, and whether it alerts itself only later than that."""
    if tardy(web, units, cause, latest):
        return missing_then(web, units, zip(*expected(), strict=True), latest), True
    known = web.missing.get(cause)
    if known is None:
        known = sum(p for node, p in zip(*expected(), strict=True) if not web.alerting(node))
        web.missing[cause] = known
    return known, False


def tardy(web: Web, units: Mapping[int, Unit], cause: int, latest: float) -> bool:
    """Whether a cause alerts itself, but only later than that. Data take hours to show, and jobs until they end."""
    node, kind = divmod(cause, COUNT)
    if kind == Family.DATA or web.graph.kind(node) in JOBS:
        return False
    return latest < _first(web, units, node) < inf


def missing_then(web: Web, units: Mapping[int, Unit], expected: Iterable[tuple[int, float]], latest: float) -> float:
    """How many of those at which a cause should show were well until then, told with how surely it should."""
    return sum(p for node, p in expected if _first(web, units, node) > latest)


def _first(web: Web, units: Mapping[int, Unit], node: int) -> float:
    """When trouble at an entity began, of what is live; inf if there is none."""
    found = (units[unit].onset for kind in range(COUNT) for unit in web.units_at(key(node, kind)))
    return min(found, default=inf)
