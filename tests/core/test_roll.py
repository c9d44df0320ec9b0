"""Firings of large groups are kept in columns from look to look: what comes out is as if each were asked for itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.scene import T0, ends, fires, matcher, rulebook, says
from core.test_engine_properties import BOUNDED, Play, Story, named, stories
from quell.core import standing
from quell.core.continuity import TELLS_APART, new_name
from quell.core.engine import Engine
from quell.core.roll import Roll
from quell.core.said import UNREAD, Codes, Said
from quell.core.steps import finished
from quell.model.records import AnyRecord, DependencyRecord
from quell.model.rulebook import Triage, TriageRule
from quell.model.state import State

NEVER = 10**9


@BOUNDED
@given(stories())
def test_columns_come_to_what_asking_each_comes_to(numbered: Story) -> None:
    story = named(numbered)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing, "FEW", NEVER)
        asked = Play(answers=False).story(story)
        patch.setattr(standing, "FEW", 0)
        kept = Play(answers=False).story(story)
        patch.setattr(standing, "AHEAD", 1)
        read = Play(answers=False).story(story)
    assert read.decisions == kept.decisions == asked.decisions
    assert read.engine.snapshot() == kept.engine.snapshot() == asked.engine.snapshot()


def crowd(first: int, count: int, at: float) -> list[AnyRecord]:
    names = ("HighErrorRate", "SlowRequests", "Down")
    places = ("ledger", "payments", "checkout", "frontend")
    return [
        fires(places[number % 4], at, names[number % 3], labels={"instance": f"i{number}"})
        for number in range(first, first + count)
    ]


def _course(engine: Engine, turns: Sequence[tuple[float, list[AnyRecord]]], *, restart: bool = False) -> list[str]:
    found = []
    for at, records in turns:
        found += [repr(one) for one in engine.decide(records, T0 + at)]
        if restart:
            engine = Engine.restored(engine.rulebook, engine.snapshot())
    return [*found, str(engine.snapshot())]


def _turns() -> list[tuple[float, list[AnyRecord]]]:
    over = [ends("payments", 60.0, "SlowRequests", labels={"instance": f"i{number}"}) for number in range(1, 200, 12)]
    again = [fires("payments", 400.0, "SlowRequests", labels={"instance": f"i{number}"}) for number in range(1, 60, 12)]
    return [
        (1.0, crowd(0, 300, 1.0)),
        (12.0, crowd(300, 200, 11.0)),
        (45.0, crowd(500, 50, 30.0)),
        (61.0, list(over)),
        (200.0, []),
        (400.0, list(again)),
        (500.0, crowd(550, 20, 499.0)),
        *[(510.0 + 60.0 * minute, []) for minute in range(10)],
    ]


def test_a_large_group_is_settled_as_a_small_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FEW", NEVER)
    asked = _course(Play().engine, _turns())
    monkeypatch.setattr(standing, "FEW", 256)
    assert _course(Play().engine, _turns()) == asked
    assert _course(Play().engine, _turns(), restart=True) == asked


def test_it_is_made_anew_when_units_left() -> None:
    engine = Play().engine
    engine.decide(crowd(0, 20, 1.0), T0 + 1.0)
    (group,) = engine.state.groups.values()
    roll = Roll(engine.state)
    assert finished(roll.renew(group))
    assert finished(roll.renew(group))
    assert len(roll.members) == 20
    group.units = group.units[1:]
    assert not finished(roll.renew(group))


def test_what_joins_is_read_before_anybody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "AHEAD", 100)
    engine, read = Play().engine, []
    for number in range(20):
        engine.decide(crowd(40 * number, 40, 1.0), T0 + 1.0)
        (group,) = engine.state.groups.values()
        roll = engine._standing._kept.get(group.id)
        read.append(0 if roll is None else len(roll.members))
    assert read[:6] == [0, 0, 120, 120, 120, 240]
    assert read == sorted(read)
    assert read[-1] >= 700
    group.units = group.units[1:]
    engine.decide(crowd(2_000, 200, 1.0), T0 + 1.0)
    assert group.id not in engine._standing._kept
    engine.state.alerts.clear()
    assert not engine._standing.behind
    monkeypatch.setattr(standing, "LESS", 500)
    assert engine._standing.behind


def test_what_is_read_ahead_may_be_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "AHEAD", 20)
    before = _course(Play().engine, _turns())
    for put_off in ({0, 1, 2, 3, 4, 5, 6}, {1, 3}, {0, 2, 4}):
        engine, found = Play().engine, []
        for number, (at, records) in enumerate(_turns()):
            engine.ahead.put_off = number in put_off
            found += [repr(one) for one in engine.decide(records, T0 + at)]
            engine.ahead.put_off = False
            if number % 2:
                assert not any(engine.ahead.read())
        assert [*found, str(engine.snapshot())] == before


@pytest.mark.parametrize("gives_up", [True, False])
def test_what_failed_while_it_was_read_ahead_is_read_anew(monkeypatch: pytest.MonkeyPatch, *, gives_up: bool) -> None:
    monkeypatch.setattr(standing, "AHEAD", 20)
    before = _course(Play().engine, _turns())
    engine, found = Play().engine, []
    engine.ahead.put_off = True
    for number, (at, records) in enumerate(_turns()):
        found += [repr(one) for one in engine.decide(records, T0 + at)]
        if not number:
            engine.ahead.put_off = False
            reading = engine.ahead.read()
            if gives_up:
                next(reading)
                del reading
            else:
                with monkeypatch.context() as patch:
                    patch.setattr(Said, "tell", lambda *_: 1 // 0)
                    with pytest.raises(ZeroDivisionError):
                        list(reading)
            engine.ahead.put_off = True
    assert [*found, str(engine.snapshot())] == before


def test_nothing_is_read_while_that_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "AHEAD", 100)
    engine = Play().engine
    engine.ahead.put_off = True
    for number in range(10):
        engine.decide(crowd(40 * number, 40, 1.0), T0 + 1.0)
    assert not engine._standing._kept
    engine.ahead.put_off = False
    assert not any(engine.ahead.read())
    (roll,) = engine._standing._kept.values()
    assert len(roll.members) == 400


def test_rolls_of_groups_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FEW", 0)
    monkeypatch.setattr(standing, "MOST_KEPT", 1)
    monkeypatch.setattr(standing, "IDLE_S", float(NEVER))
    engine = Play().engine
    engine.decide([fires("ledger", 1.0), fires("disk", 1.0)], T0 + 1.0)
    engine.decide([], T0 + 60.0)
    assert len(engine.state.groups) == 2
    assert len(engine._standing._kept) == 1
    engine.decide([], T0 + 90_000.0)
    engine.decide([fires("cart", 90_001.0)], T0 + 90_001.0)
    engine.decide([], T0 + 90_100.0)
    assert set(engine._standing._kept) == set(engine.state.groups)


def test_an_earlier_firing_that_moves_leaves_open_where_the_present_one_is() -> None:
    engine = Play().engine
    engine.decide(crowd(0, 20, 1.0), T0 + 1.0)
    (group,) = engine.state.groups.values()
    roll = Roll(engine.state)
    again, *_ = marks = list(engine.state.alerts)
    engine.state.alerts[again] = replace(engine.state.alerts[again], episode=2)
    assert finished(roll.renew(group))
    assert sorted(roll.nowhere()) == sorted(marks)
    finished(finished(roll.placed((), {"INC-1": list(roll.members)})).moves(()))
    assert list(roll.nowhere()) == [again]


def test_the_roll_of_a_group_that_another_took_in_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FEW", 20)
    monkeypatch.setattr(standing, "AHEAD", 50)

    def many(service: str, at: float, count: int) -> list[AnyRecord]:
        return [fires(service, at, "Slow", labels={"instance": f"{service}{number}"}) for number in range(count)]

    def calls(caller: str, called: str) -> DependencyRecord:
        return DependencyRecord(at=T0 + 2.0, from_=f"service/{caller}", to=f"service/{called}", type="calls")

    engine = Play().engine
    engine.decide([*many("ledger", 1.0, 100), *many("disk", 1.0, 100)], T0 + 1.0)
    assert len(engine._standing._kept) == 2
    engine.decide([calls("payments", "warehouse"), calls("warehouse", "ledger")], T0 + 2.0)
    engine.decide([*many("payments", 3.0, 10), *many("warehouse", 3.0, 10)], T0 + 3.0)
    assert len(engine.state.groups) == 1
    engine.decide([], T0 + 12.0)
    assert set(engine._standing._kept) == set(engine.state.groups)


def test_a_roll_is_given_up_once_its_group_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def course() -> tuple[list[str], list[int]]:
        engine, found, kept = Play().engine, [], []
        for at, records in _turns():
            found += [repr(one) for one in engine.decide(records, T0 + at)]
            kept.append(len(engine._standing._kept))
        return [*found, str(engine.snapshot())], kept

    told, kept = course()
    monkeypatch.setattr(standing, "IDLE_S", float(NEVER))
    assert course()[0] == told
    assert kept[1:4] == [1, 1, 1]
    assert kept[4] == 0


def test_what_a_look_replaced_is_not_held_on_to() -> None:
    engine = Play().engine
    engine.decide(crowd(0, 300, 1.0), T0 + 1.0)
    engine.decide([], T0 + 12.0)
    (roll,) = engine._standing._kept.values()
    assert any(alert.incident is not None for alert in engine.state.alerts.values())
    for mark, held in zip(roll.said.marks, roll.said.alerts, strict=True):
        assert held is UNREAD or held is engine.state.alerts[mark]


def test_an_incident_with_much_in_it_is_merged_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    def course(few: int) -> list[str]:
        monkeypatch.setattr(standing, "FEW", few)
        engine = Play().engine
        engine.decide([*crowd(0, 300, 1.0), fires("disk", 1.0), fires("warehouse", 2.0)], T0 + 2.0)
        found = [repr(one) for one in engine.decide([], T0 + 60.0)]
        names = list(engine.state.incidents)
        split = says("split", names[0], 61.0, alerts=list(engine.state.incidents[names[0]].alerts[5:9]))
        words = [split, *([says("merge", names[0], 62.0, incident=names[1])] if len(names) > 1 else [])]
        for number, word in enumerate(words):
            found += [repr(one) for one in engine.decide([word], T0 + 61.0 + number)]
        for minute in range(2, 12):
            found += [repr(one) for one in engine.decide(crowd(300 + minute, 1, 60.0 * minute), T0 + 60.0 * minute)]
        return [*found, str(engine.snapshot())]

    assert course(0) == course(NEVER)


def test_codes_are_numbers_for_values() -> None:
    codes = Codes(None)
    assert [codes[None], codes["a"], codes["b"], codes["a"]] == [0, 1, 2, 1]
    assert codes.named([2, 0]) == ["b", None]


GRAVE = ("info", "warning", "critical", "none", "p1", "")
TEAM = rulebook(
    triage=Triage(
        lone_page_after_s=300.0,
        rules=tuple(
            TriageRule(name=verdict, matchers=(matcher("hand", verdict),), verdict=verdict, hold_s=hold_s)
            for verdict, hold_s in (("hold", 90.0), ("digest", 0.0), ("page", 0.0))
        ),
    )
)
PART = st.tuples(st.sampled_from(GRAVE), st.sampled_from(("", "", "hold", "digest", "page")), st.integers(1, 12))


@BOUNDED
@given(st.lists(st.tuples(st.integers(1, 200), PART), min_size=1, max_size=6), st.booleans())
def test_who_can_stand_for_a_page_is_told_alike_of_few_and_of_many(
    parts: list[tuple[int, tuple[str, str, int]]], restart: bool
) -> None:
    turns: list[tuple[float, list[AnyRecord]]] = []
    for number, (at, (severity, hand, count)) in enumerate(sorted(parts)):
        places = ("ledger", "payments", "checkout", "frontend")
        told = {"hand": hand, **({"impact": "model"} if number % 3 == 1 else {})}
        records: list[AnyRecord] = [
            fires(
                places[one % 4], float(at), f"Rule{one % 3}", severity, labels={"instance": f"{number}-{one}", **told}
            )
            for one in range(count)
        ]
        turns.append((float(at), records))
    turns += [(300.0, []), (2_000.0, [])]

    def course(few: int) -> list[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(standing, "FEW", few)
            return _course(Play(TEAM).engine, turns, restart=restart)

    assert course(0) == course(NEVER)


def test_an_incident_is_told_from_others_by_the_first_of_very_many() -> None:
    many = [(f"{number:016x}", 1) for number in range(TELLS_APART + 5)]
    assert new_name(State(), many, T0) == new_name(State(), many[:-1], T0)
    assert new_name(State(), many, T0) != new_name(State(), many[1:], T0)
    assert new_name(State(), many[:9], T0) == new_name(State(), many[8::-1], T0)
    assert new_name(State(), many[:9], T0) != new_name(State(), many[:8], T0)
