"""Alerts of which no topology is known: those that carry the same rare things at about the same time stand together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, consistent, rulebook
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.topology import Dependency

NOTHING = Rulebook()


def fires(at: float, name: str, **labels: str) -> AlertRecord:
    given = {"alertname": name, "severity": "warning", "cluster": "prod", **labels}
    return AlertRecord(at=T0 + at, starts_at=T0 + at, status="firing", labels=given, source="t")


def past() -> list[AlertRecord]:
    """What was seen long before, so that it is known what is rare."""
    return [fires(n * 4_000.0, f"Old{n}", service=f"old{n}", tier=f"t{n % 5}") for n in range(12)]


def trouble(at: float, tier: str, *services: str) -> list[AlertRecord]:
    names = ("HighErrors", "SlowRequests", "PodCrash", "QueueGrows")
    return [
        fires(at + 15.0 * n, names[n % 4], service=service, tier=tier, pod=f"{tier}-{service}")
        for n, service in enumerate(services)
    ]


def services(scene: Scene) -> list[set[str]]:
    return sorted((scene.services(incident) for incident in scene.open), key=min)


def test_what_shares_something_rare_is_one_incident_and_two_troubles_at_once_are_two() -> None:
    scene = Scene(NOTHING)
    scene.tell(*past())
    scene.tell(
        *trouble(60_000.0, "checkout", "a1", "a2", "a3", "a4"), *trouble(60_005.0, "search", "b1", "b2", "b3", "b4")
    )
    scene.wait(60_120.0)
    assert services(scene) == [{"a1", "a2", "a3", "a4"}, {"b1", "b2", "b3", "b4"}]
    consistent(scene.engine)


@pytest.mark.parametrize("why", ["nothing rare is shared", "it was an hour apart"])
def test_what_shares_nothing_rare_or_was_long_ago_does_not_stand_together(why: str) -> None:
    scene = Scene(NOTHING)
    scene.tell(*past())
    apart = 3_600.0 if why == "it was an hour apart" else 0.0
    tiers = ["checkout"] * 4 if apart else ["one", "two", "three", "four"]
    for n, tier in enumerate(tiers):
        scene.tell(*trouble(60_000.0 + n * apart, tier, f"a{n}"))
    scene.wait(60_000.0 + 4 * apart + 120.0)
    assert scene.incidents == []


def test_where_dependencies_are_known_likeness_ties_nothing() -> None:
    known = tuple(Dependency(from_=f"service/a{n}", to=f"database/d{n}") for n in range(4))
    scene = Scene(rulebook(entities=(), dependencies=known))
    scene.tell(*past(), *trouble(60_000.0, "checkout", "a0", "a1", "a2", "a3"))
    scene.wait(60_120.0)
    assert all(not unit.kin and not unit.tokens for unit in scene.engine.state.units.values())


_told = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["checkout", "search"]), st.sampled_from(["a", "b", "c", "d"])),
    max_size=14,
)


def _records(told: list[tuple[int, str, str]]) -> list[AlertRecord]:
    return [record for at, tier, name in sorted(told) for record in trouble(60_000.0 + 20.0 * at, tier, name)]


@given(_told, st.integers(0, 14))
def test_a_restart_anywhere_changes_nothing(told: list[tuple[int, str, str]], cut: int) -> None:
    whole, parted = Scene(NOTHING), Scene(NOTHING)
    for scene in (whole, parted):
        scene.tell(*past()[:6])
    for at, record in enumerate(_records(told)):
        whole.tell(record)
        if at == cut:
            parted.restart()
        parted.tell(record)
    for scene in (whole, parted):
        scene.wait(64_000.0)
    assert msgspec.msgpack.encode(parted.incidents) == msgspec.msgpack.encode(whole.incidents)
    assert parted.engine.state.rarity == whole.engine.state.rarity


@given(_told, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_at_once_changes_nothing(told: list[tuple[int, str, str]], shuffle: Any) -> None:
    one, other = Scene(NOTHING), Scene(NOTHING)
    records = _records(told)
    shuffled = list(records)
    shuffle.shuffle(shuffled)
    one.tell(*records, at=61_000.0)
    other.tell(*shuffled, at=61_000.0)
    for scene in (one, other):
        scene.wait(61_200.0)
    assert msgspec.msgpack.encode(other.incidents) == msgspec.msgpack.encode(one.incidents)
    consistent(one.engine)


def test_what_is_over_is_remembered_only_by_how_common_it_was() -> None:
    scene = Scene(NOTHING)
    scene.tell(*past())
    scene.wait(200_000.0)
    state = scene.engine.state
    assert state.units == {}
    assert state.rarity.units == 12
    assert max(state.rarity.tokens.values()) == 12
