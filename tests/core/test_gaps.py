"""What a graph leaves out is told by what stands nowhere though most of its kind stand somewhere."""

from __future__ import annotations

from collections.abc import Sequence

from quell.core.families import COUNT
from quell.core.gaps import Gaps
from quell.model.topology import Dependency, Entity

KINDS = ("service", "database", "host", "model")


def gaps(stand: int, of: int = 60, *, places: int = 1, calls: bool = True) -> Gaps:
    """Of so many databases those that are known to stand at so many hosts each; a service asks each of them."""
    databases = [Entity(entity=f"database/{at}") for at in range(of)]
    others = [Entity(entity=f"service/{at}") for at in range(of)] + [Entity(entity=f"host/{at}") for at in range(3)]
    told = [
        Dependency(from_=one.entity, to=f"host/{place}", type="runs_on")
        for one in databases[:stand]
        for place in range(places)
    ]
    asks = [Dependency(from_=f"service/{at}", to=f"database/{at}", type="reads") for at in range(of)]
    within = [Dependency(from_=f"service/{at}", to="service/0", type="calls") for at in range(1, of)]
    return Gaps([*databases, *others], [*told, *asks, *(within if calls else ())], KINDS.__getitem__)


def keys(names: Sequence[str]) -> list[int]:
    return [KINDS.index(name) * COUNT for name in names]


def test_what_stands_nowhere_though_most_of_its_kind_stand_somewhere_tells_how_much_is_left_out() -> None:
    assert gaps(60).share == 0.0
    assert not gaps(60).some
    assert gaps(48).share == 0.2
    assert gaps(48).some
    assert gaps(57).share == 0.05
    assert not gaps(57).some


def test_nothing_is_told_where_few_stand_anywhere_or_there_are_few_or_each_stands_in_many_places() -> None:
    assert gaps(20).share == 0.0
    assert gaps(16, of=20).share == 0.0
    assert gaps(48, places=2).share == 0.0


def test_what_needs_others_and_is_not_needed_by_them_is_above_them() -> None:
    seen = gaps(48)
    service, database, host = keys(("service", "database", "host"))
    assert seen.above(service, database)
    assert seen.above(database, host)
    assert not seen.above(database, service)
    assert not seen.above(service, service)
    assert not seen.above(service, host)


def test_only_things_of_which_some_need_others_could_need_one_another() -> None:
    service, database, host, model = keys(KINDS)
    seen = gaps(48)
    assert seen.could_need(service, service)
    assert seen.could_need(database, service)
    assert seen.could_need(service, database)
    assert not seen.could_need(database, database)
    assert not seen.could_need(host, model)
    assert not gaps(48, calls=False).could_need(service, service)
