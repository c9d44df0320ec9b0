"""What a run touches, in words, as those read who are asked for a yes."""

from __future__ import annotations

import pytest

from quell.core.blast import Estate, reach
from quell.core.graph import Graph
from quell.model.rulebook import Correlate
from quell.model.topology import Dependency, Entity

FLEET = [
    Entity(entity="service/db", labels={"replicas": "3", "fleet": "stores"}, tier=1),
    Entity(entity="service/cache", labels={"replicas": "9", "fleet": "stores"}, tier=2),
    Entity(entity="service/one", labels={"replicas": "1"}),
]
NEEDS = [("service/web", "service/api"), ("service/api", "service/db"), ("service/jobs", "service/db")]


def estate() -> Estate:
    drawn = Graph(FLEET, [Dependency(from_=one, to=other, type="calls") for one, other in NEEDS], Correlate())
    return Estate(lambda: drawn)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (("service/db",), "service/db (3 replicas, 25% of the fleet stores, tier 1); 3 need it"),
        (("service/api",), "service/api; 1 needs it"),
        (("service/one",), "service/one (1 replica); nothing is known to need it"),
        (("service/who",), "service/who (not in the dependency graph); nothing is known to need it"),
        ((), "what it touches is not known"),
    ],
)
def test_what_a_run_touches(targets: tuple[str, ...], said: str) -> None:
    assert reach(targets, estate()) == said


def test_of_many_the_rest_is_counted() -> None:
    said = reach(tuple(f"service/s{number}" for number in range(9)), estate())
    assert said.count("not in the dependency graph") == 6
    assert "and 3 more" in said
