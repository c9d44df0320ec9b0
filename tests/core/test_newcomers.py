"""What begins beside trouble that still spreads is shown by itself only once it has stood for two minutes."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from quell.core import newcomers as asked
from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member
from quell.core.newcomers import FEW_WAIT_S, KNOWN_S, READ_TOGETHER, SPREADS, SPREADS_S, WAIT_S
from quell.core.steps import finished
from quell.model.state import State
from quell.model.weights import DEFAULT

NOW = 1000.0
WHOLE: list[Member] = [(f"w{number}", 1) for number in range(SPREADS)]
PART: list[Member] = [("x", 1), ("y", 1), ("z", 1)]
BEFORE: dict[Member, str | None] = dict.fromkeys(WHOLE, "INC-1") | dict.fromkeys(PART, None)


def newcomers(
    known: State,
    told: list[tuple[Cluster, str]],
    before: Mapping[Member, str | None],
    since: Mapping[str, float],
    now: float,
) -> tuple[dict[str, float], frozenset[str]]:
    return finished(asked.newcomers(known, told, before, since, now))


def cause(key: int, net: float = DEFAULT.prices.opening - 0.1) -> Cause:
    return Cause(key=key, began=NOW, units=(0,), net=net, folded=(), parts=(), rivals=lambda: ())


def state(*, heard: float = NOW, paged: float | None = 0.0, is_open: bool = True) -> State:
    known = SimpleNamespace(is_open=is_open, crowd=False, paged_at=paged)
    alerts = {mark: SimpleNamespace(onset_seen=heard) for mark, _ in WHOLE}
    return cast("State", SimpleNamespace(incidents={"INC-1": known}, alerts=alerts))


def story(*, part: list[Member] = PART) -> list[tuple[Cluster, str]]:
    return [(Cluster(cause(1), tuple(WHOLE)), "INC-1"), (Cluster(cause(2), tuple(part)), "INC-2")]


def test_a_cause_beside_trouble_that_spreads_is_shown_once_it_has_stood_for_two_minutes() -> None:
    since, waiting = newcomers(state(), story(), BEFORE, {}, NOW)
    assert (since, waiting) == (dict.fromkeys("xyz", NOW), frozenset({"INC-2"}))
    late = state(heard=NOW + WAIT_S - 1.0)
    assert newcomers(late, story(), BEFORE, since, NOW + WAIT_S - 1.0) == (since, waiting)
    assert newcomers(late, story(), BEFORE, since, NOW + WAIT_S) == ({}, frozenset())


def test_it_waits_no_longer_than_the_trouble_spreads() -> None:
    since, _ = newcomers(state(), story(), BEFORE, {}, NOW)
    assert newcomers(state(), story(), BEFORE, since, NOW + SPREADS_S) == ({}, frozenset())


def test_what_says_so_much_that_it_would_pay_for_another_cause_is_shown_at_once() -> None:
    much = (Cluster(cause(2, DEFAULT.prices.opening), tuple(PART)), "INC-2")
    assert newcomers(state(), [story()[0], much], BEFORE, {}, NOW) == ({}, frozenset())


def test_the_faster_trouble_spreads_the_more_must_be_said_beside_it() -> None:
    many: list[Member] = [(f"w{number}", 1) for number in range(5 * SPREADS)]
    known = state()
    known.alerts.update({mark: SimpleNamespace(onset_seen=NOW) for mark, _ in many})  # type: ignore[misc]
    before = BEFORE | dict.fromkeys(many, "INC-1")
    for nats, waits in ((1.5, True), (1.7, False)):  # ln(5) is 1.6
        much = (Cluster(cause(2, DEFAULT.prices.opening + nats), tuple(PART)), "INC-2")
        whole = (Cluster(cause(1), tuple(many)), "INC-1")
        assert bool(newcomers(known, [whole, much], before, {}, NOW)[1]) is waits


def test_nobody_waits_for_what_spreads_no_more_or_called_nobody() -> None:
    for known in (state(heard=NOW - SPREADS_S), state(paged=None), state(is_open=False)):
        assert newcomers(known, story(), BEFORE, {}, NOW) == ({}, frozenset())


def test_what_people_know_already_does_not_wait() -> None:
    stood = BEFORE | {("x", 1): "INC-1", ("y", 1): "INC-1"}
    assert newcomers(state(), story(), stood, {}, NOW) == ({}, frozenset())


def test_an_alert_that_people_know_makes_nothing_known_of_the_others() -> None:
    assert newcomers(state(), story(), BEFORE | {("x", 1): "INC-1"}, {}, NOW)[1] == {"INC-2"}


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=20))
def test_however_often_it_is_looked_at_and_whatever_joins_it_the_wait_is_the_same(steps: list[float]) -> None:
    since: dict[str, float] = {}
    now, part, before = NOW, list(PART), dict(BEFORE)
    for number, step in enumerate([0.0, *steps]):
        now += step
        part = [(f"a{number}", 1), *part]
        before[part[0]] = None
        since, waiting = newcomers(state(heard=now), story(part=part), before, since, now)
        assert bool(waiting) == (now < NOW + WAIT_S)
        if not waiting:
            return


def test_whoever_is_left_when_others_join_the_whole_does_not_wait_anew() -> None:
    before, since, now = dict(BEFORE), dict[str, float](), NOW
    for left in (PART, PART[1:], PART[2:]):
        since, waiting = newcomers(state(heard=now), story(part=left), before, since, now)
        assert bool(waiting) == (now < NOW + WAIT_S)
        before[left[0]] = "INC-1"
        now += 30.0


def test_what_is_too_little_for_a_look_does_not_wait_anew() -> None:
    since, waiting = newcomers(state(), story(), BEFORE, {}, NOW)
    assert waiting
    now = NOW + WAIT_S / 2
    other = (Cluster(cause(3), (("a", 1),)), "INC-3")
    for nothing_new, more in ((story()[:1], {}), ([*story()[:1], other], {"a": now})):
        now = NOW + WAIT_S / 2
        still, waiting = newcomers(state(heard=now), nothing_new, BEFORE | {("a", 1): None}, since, now)
        assert (still, waiting) == (since | more, frozenset({"INC-3"}) if more else frozenset())
        now = NOW + WAIT_S
        assert newcomers(state(heard=now), story(), BEFORE, still, now) == ({}, frozenset())
    assert newcomers(state(), story()[:1], BEFORE, since, NOW + KNOWN_S) == ({}, frozenset())
    assert newcomers(state(), story()[:1], BEFORE | dict.fromkeys(PART, "INC-1"), since, NOW) == ({}, frozenset())


def test_fewer_than_mostly_make_an_incident_wait_a_minute_for_more() -> None:
    few: list[Member] = [("x", 1), ("y", 1)]
    calm = state(heard=NOW - SPREADS_S)
    since, waiting = newcomers(calm, story(part=few), BEFORE, {}, NOW)
    assert waiting == frozenset({"INC-2"})
    assert newcomers(calm, story(part=few), BEFORE, since, NOW + FEW_WAIT_S - 1.0) == (since, waiting)
    assert newcomers(calm, story(part=few), BEFORE, since, NOW + FEW_WAIT_S)[1] == frozenset()
    assert newcomers(calm, story(), BEFORE, since, NOW + 10.0)[1] == frozenset()  # a third has come


def test_beside_trouble_that_spreads_few_wait_as_long_as_others() -> None:
    few: list[Member] = [("x", 1), ("y", 1)]
    since, waiting = newcomers(state(), story(part=few), BEFORE, {}, NOW)
    assert (since, waiting) == (dict.fromkeys("xy", NOW), frozenset({"INC-2"}))


def test_many_are_asked_a_few_at_a_time() -> None:
    many: list[Member] = [(f"w{number}", 1) for number in range(20 * READ_TOGETHER)]
    known = state()
    known.alerts.update({mark: SimpleNamespace(onset_seen=NOW) for mark, _ in many})  # type: ignore[misc]
    whole = Cluster(cause(1), tuple(many)), "INC-1"
    before = BEFORE | dict.fromkeys(many, "INC-1")
    since, waiting = newcomers(known, [whole, story()[1]], before, {}, NOW)
    assert waiting == {"INC-2"}
    for asked_of in ({}, since):
        assert len(list(asked.newcomers(known, [whole, story()[1]], before, asked_of, NOW))) >= 20
