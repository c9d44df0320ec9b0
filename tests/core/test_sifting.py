"""What was over long ago leaves a group that lives on, and nobody sees it go."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from core.random_story import woven
from core.scene import T0, consistent, rulebook
from quell.core import groups as sifting
from quell.core.continuity import place_of
from quell.core.engine import Engine
from quell.core.nearness import LEG_WITHIN_S
from quell.core.steps import Steps
from quell.core.web import Web
from quell.model.decision import Page
from quell.model.records import AlertRecord, AnyRecord
from quell.model.rulebook import Rulebook
from quell.model.state import Group
from quell.model.topology import Dependency

HOUR_S = 3600.0
EVERY_S = {"service": 150.0, "dataset": 450.0}
KINDS = {"service": "calls", "dataset": "derived_from"}
MOST = 60
HOURS = {"service": 4.0, "dataset": 9.0}
Story = list[tuple[float, list[AnyRecord]]]


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups as small as those of a test are sifted."""
    monkeypatch.setattr(sifting, "SMALL", 4)
    monkeypatch.setattr(sifting, "SIFT_EVERY_S", 600.0)


def estate(chance: Random, kind: str) -> Rulebook:
    """Things that need others, all of them needing one in the end."""
    edges = [(at, chance.randrange(max(0, at - 12), at)) for at in range(1, MOST)]
    return rulebook(
        entities=(),
        dependencies=tuple(Dependency(from_=f"{kind}/s{a}", to=f"{kind}/s{b}", type=KINDS[kind]) for a, b in edges),
    )


def noise(chance: Random, kind: str, hours: float) -> Story:
    """A week in small: something new fires all the time, and now and then a few together; some of it ends."""
    found: list[tuple[float, AnyRecord]] = []
    for number in range(int(hours * HOUR_S / EVERY_S[kind])):
        at = T0 + number * EVERY_S[kind] + chance.uniform(0.0, 60.0)
        together = chance.choice((1, 1, 1, 1, 3))
        for one in range(together):
            labels = {
                "alertname": chance.choice(("Down", "Slow")) if kind == "service" else "DataQuality",
                "severity": chance.choice(("critical", "warning")),
                "n": str(chance.randrange(60)) if chance.random() < 0.2 else f"{number}-{one}",
            }
            entity = f"{kind}/s{chance.randrange(MOST)}"
            began = at + one * 5.0
            found.append((began, AlertRecord(at=began, status="firing", labels=labels, entity=entity, starts_at=began)))
            if chance.random() < 0.6:
                end = began + chance.choice((120.0, 600.0, 5000.0))
                found.append((end, AlertRecord(at=end, status="resolved", labels=labels, entity=entity, ends_at=end)))
    found.sort(key=lambda pair: pair[0])
    return [(at, [record]) for at, record in found]


class Watched:
    """An engine of which it is checked what sifting does each time."""

    def __init__(self, book: Rulebook, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = Engine(book)
        self.left = 0
        self.sifted: set[tuple[str, int]] = set()
        sift = sifting.Groups.sift

        def watch(groups: sifting.Groups, group: Group, now: float) -> Steps[None]:
            state = self.engine.state
            before = dict(state.incidents), dict(state.alerts), dict(state.units)
            yield from sift(groups, group, now)
            assert (state.incidents, state.alerts) == before[:2]
            gone = before[2].keys() - state.units.keys()
            self.sifted.update(member for unit_id in gone for member in before[2][unit_id].alerts)
            self.left += len(gone)
            if gone:
                web = self.engine._chart.correlator.web
                assert woven(web) == woven(Web(web.graph, state))
                self.whole(group)

        monkeypatch.setattr(sifting.Groups, "sift", watch)

    def whole(self, group: Group) -> None:
        """Everything that stands in an incident with something in a group is in a group itself.

        The alerts of a crowd have no known relation, so their groups close one by one; but none of them left before.
        """
        state = self.engine.state
        assert all(state.units[unit_id].group == group.id for unit_id in group.units)
        members = {member for unit in state.units.values() for member in unit.alerts}
        for unit_id in group.units:
            for member in state.units[unit_id].alerts:
                incident = state.incidents.get(state.placed.get(place_of(member), ""))
                if incident is not None and incident.is_open:
                    of_it = [state.alerts[one] for one in incident.alerts if state.alerts[one].incident == incident.id]
                    own = {(one.fingerprint, one.episode) for one in of_it}
                    assert incident.crowd or own <= members
                    assert own.isdisjoint(self.sifted)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", [0, 1, 8, 11])
def test_what_leaves_changes_no_incident_and_no_claim(seed: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(seed)
    watched = Watched(estate(chance, kind), monkeypatch)
    for at, records in noise(chance, kind, HOURS[kind]):
        watched.engine.decide(records, at)
        consistent(watched.engine)
    assert watched.left > 20


@pytest.mark.parametrize("seed", range(2))
def test_a_restart_anywhere_changes_nothing(seed: int) -> None:
    chance = Random(seed)
    book = estate(chance, "service")
    story = noise(chance, "service", 3.0)
    plain, broken = Engine(book), Engine(book)
    for number, (at, records) in enumerate(story):
        if not number % 31:
            broken = Engine.restored(book, broken.snapshot())
        assert broken.decide(records, at) == plain.decide(records, at)
    assert broken.snapshot() == plain.snapshot()


@pytest.mark.parametrize("seed", range(2))
def test_nobody_is_paged_again_for_a_firing_that_left(seed: int) -> None:
    chance = Random(seed)
    engine = Engine(estate(chance, "service"))
    paged: Counter[tuple[str, int]] = Counter()
    for at, records in noise(chance, "service", 3.0):
        for one in engine.decide(records, at):
            if isinstance(one, Page) and not (one.reminder or one.rise):
                paged[one.alert, engine.state.alerts[one.alert].episode] += 1
    assert len(paged) > 4
    assert max(paged.values()) == 1


def test_what_is_alive_follows_what_came_lately_and_not_how_long_a_group_lives() -> None:
    chance = Random(7)
    engine = Engine(estate(chance, "service"))
    oldest = 0.0
    for at, records in noise(chance, "service", 3.5):
        engine.decide(records, at)
        state = engine.state
        for group in state.groups.values():
            firsts = [unit for unit in group.units if _alone(engine, unit)]
            if len(group.units) > 2 * sifting.SMALL and firsts:
                oldest = max(oldest, at - min(state.units[unit].last for unit in firsts))
    assert HOUR_S < oldest <= sifting.OVER_S + sifting.SIFT_EVERY_S + LEG_WITHIN_S  # it is looked at when it has news


def _alone(engine: Engine, unit_id: int) -> bool:
    """Whether a unit shares no incident with others, which might hold it."""
    return all(place_of(member) not in engine.state.placed for member in engine.state.units[unit_id].alerts)
