"""Who is on call at a time."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.core.rota import on_call, until
from quell.model.oncall import Override, Rota

BERLIN = ZoneInfo("Europe/Berlin")
WEEKLY = Rota(
    name="web",
    people=("ana", "bo", "cy"),
    first_day=date(2026, 3, 23).toordinal(),
    minute=9 * 60,
    zone="Europe/Berlin",
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")


def _at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("2026-03-23T08:59:59", "cy"),
        ("2026-03-23T09:00:00", "ana"),
        ("2026-03-30T08:59:59", "ana"),  # the clocks went forward the day before
        ("2026-03-30T09:00:00", "bo"),
        ("2026-04-06T09:00:00", "cy"),
        ("2026-04-13T09:00:00", "ana"),
        ("2020-01-06T12:00:00", "ana"),
    ],
)
def test_people_take_turns_by_the_clock_on_the_wall(when: str, who: str) -> None:
    assert on_call(WEEKLY, _at(when)) == who


def test_the_turn_over_a_clock_change_is_an_hour_shorter() -> None:
    start = _at("2026-03-23T09:00:00")
    assert until(WEEKLY, start) - start == 7 * 86400 - 3600


def test_a_handover_at_an_hour_that_there_is_not_is_an_hour_later() -> None:
    nightly = Rota(
        name="n", people=("ana", "bo"), first_day=date(2026, 3, 28).toordinal(), minute=150, every_days=1,
        zone="Europe/Berlin",
    )  # fmt: skip
    assert on_call(nightly, _at("2026-03-29T01:59:59")) == "ana"
    assert on_call(nightly, _at("2026-03-29T03:29:59")) == "ana"
    assert on_call(nightly, _at("2026-03-29T03:30:00")) == "bo"


def test_the_last_of_the_overrides_counts_and_their_ends_are_edges() -> None:
    start = _at("2026-03-24T00:00:00")
    stood_in = Rota(
        name="w", people=("ana", "bo"), first_day=WEEKLY.first_day, minute=540, zone="Europe/Berlin",
        overrides=(
            Override(from_=start, to=start + 100, who="dora"), Override(from_=start + 50, to=start + 60, who="ed"),
        ),
    )  # fmt: skip
    told = [on_call(stood_in, start + at) for at in (-1, 0, 49, 50, 59, 60, 99, 100)]
    assert told == ["ana", "dora", "dora", "ed", "ed", "dora", "dora", "ana"]
    assert [until(stood_in, start + at) - start for at in (-1, 0, 50, 60)] == [0, 50, 60, 100]


@given(
    zone=st.sampled_from(ZONES),
    people=st.integers(1, 5),
    minute=st.integers(0, 1439),
    every=st.integers(1, 21),
    first=st.dates(date(2019, 1, 1), date(2031, 1, 1)),
    now=st.integers(1_514_764_800, 1_956_528_000).map(float),
)
def test_somebody_is_on_call_until_exactly_the_next_edge(
    zone: str, people: int, minute: int, every: int, first: date, now: float
) -> None:
    names = tuple(f"p{number}" for number in range(people))
    rota = Rota(name="r", people=names, first_day=first.toordinal(), minute=minute, every_days=every, zone=zone)
    who, edge = on_call(rota, now), until(rota, now)
    assert who in names
    assert now < edge <= now + (every + 2) * 86400
    assert on_call(rota, edge - 0.001) == who
    assert on_call(rota, edge) == names[(names.index(who) + 1) % people]
    wall = datetime.fromtimestamp(edge, ZoneInfo(zone))
    assert abs(wall.hour * 60 + wall.minute - minute) <= 60 or zone == "Pacific/Apia"
