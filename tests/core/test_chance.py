"""A few alerts that gathered slowly where much begins are no company: chance brings as much about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.core.chance import ONE_NEAR_IN, by_chance
from quell.core.conclude import Cause
from quell.core.continuity import Cluster, continued
from quell.core.steps import finished
from quell.model.alert import Alert
from quell.model.rulebook import Correlate
from quell.model.state import State


def alert(mark: str, at: float) -> Alert:
    return Alert(
        fingerprint=mark, source="test", labels={"alertname": mark}, status="firing", starts_at=at, updated_at=at,
        onset_seen=at, severity="critical",
    )  # fmt: skip


def told(beside_noise: float, net: float = 9.0) -> Cause:
    return Cause(
        key=0, began=0.0, units=(0, 1, 2), net=net, folded=(), parts=(), rivals=lambda: (), beside_noise=beside_noise
    )


def state(alerts: list[Alert], onsets: list[float], entities: int = 0) -> State:
    units = {number: SimpleNamespace(onset=onset) for number, onset in enumerate(onsets)}
    return cast(
        "State", SimpleNamespace(units=units, alerts={one.fingerprint: one for one in alerts}, incidents={}, customs={},
        entities=dict.fromkeys(range(entities)), declared={})
    )  # fmt: skip


def three(span: float) -> list[Alert]:
    return [alert("a", 600.0), alert("b", 600.0 + span / 2), alert("c", 600.0 + span)]


def shown(alerts: list[Alert], onsets: list[float], cause: Cause) -> bool:
    cluster = Cluster(cause, tuple((one.fingerprint, 1) for one in alerts))
    before = dict.fromkeys(cluster.members)
    known = state(alerts, onsets)
    return bool(finished(continued(known, [cluster], before, settings=Correlate(), now=9000.0, merged=())))


def test_where_nothing_else_began_company_is_believed_as_it_is() -> None:
    alerts = three(1800.0)
    assert by_chance(state(alerts, [600.0, 1500.0, 2400.0]), told(9.0), alerts) == 0.0
    assert by_chance(state([], [600.0]), told(9.0), []) == 0.0


def test_what_began_before_or_after_says_nothing() -> None:
    alerts = three(60.0)
    assert by_chance(state(alerts, [float(at) for at in (*range(500), *range(700, 2000))]), told(9.0), alerts) == 0.0


@pytest.mark.parametrize(("others", "is_shown"), [(0, True), (int(ONE_NEAR_IN), True), (400, False)])
def test_company_that_gathered_while_much_else_began_must_be_worth_more(others: int, is_shown: bool) -> None:
    onsets = [600.0, 1500.0, 2400.0] + [601.0 + at * 4.0 for at in range(others)]
    assert shown(three(1800.0), onsets, told(3.5)) is is_shown
    assert shown(three(1800.0), onsets, told(9.0))


def test_the_same_within_a_minute_is_company_however_much_begins() -> None:
    onsets = [600.0 + at * 4.0 for at in range(400)]
    assert shown(three(60.0), onsets, told(3.5))


def test_what_another_cause_explains_nearly_as_well_is_no_chance() -> None:
    onsets = [600.0 + at * 4.0 for at in range(400)]
    assert shown(three(1800.0), onsets, told(40.0, net=2.0))


@given(st.lists(st.floats(0.0, 3000.0), max_size=60), st.floats(0.0, 1800.0), st.floats(600.0, 2400.0))
def test_the_more_begins_the_more_is_asked(onsets: list[float], span: float, more: float) -> None:
    alerts = three(span)
    less = by_chance(state(alerts, onsets), told(9.0), alerts)
    assert 0.0 <= less <= by_chance(state(alerts, [*onsets, more]), told(9.0), alerts)


def test_on_a_large_estate_a_neighbourhood_is_one_of_more() -> None:
    onsets = [600.0] * 203
    asked = [by_chance(state(three(60.0), onsets, size), told(9.0), three(60.0)) for size in (0, 2_500, 25_000)]
    assert asked[0] == asked[1] > asked[2] > 0.0
