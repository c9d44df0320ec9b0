"""Maintenance windows on the wall clock: weekdays, midnight, and the two nights when clocks change."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.windows import active, next_edge
from quell.model.mute import Matcher
from quell.model.rulebook import Window

BERLIN = "Europe/Berlin"
DAY_S = 86_400.0
EVERYTHING = (Matcher(name="alertname", value=".*", is_regex=True),)


def window(**more: Any) -> Window:
    return Window(name="w", matchers=EVERYTHING, **more)


def berlin(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN), fold=fold).timestamp()


def nightly(**more: Any) -> Window:
    settings = {"minute": 22 * 60, "duration_s": 8 * 3600.0, "zone": BERLIN} | more
    return window(**settings)


def test_once():
    once = window(starts_at=100.0, ends_at=200.0)
    assert [active(once, now) for now in (99, 100, 199, 200)] == [False, True, True, False]
    assert [next_edge(once, now) for now in (99, 100, 199, 200)] == [100, 200, 200, None]


def test_once_without_an_end_or_a_start():
    assert active(window(starts_at=100.0), 1e12)
    assert next_edge(window(starts_at=100.0), 100) is None
    assert active(window(ends_at=100.0), -1e12)
    assert next_edge(window(ends_at=100.0), 0) == 100
    assert active(window(), 0)
    assert next_edge(window(), 0) is None


def test_past_midnight():
    night = nightly()
    assert not active(night, berlin("2026-01-14T21:59:59"))
    assert active(night, berlin("2026-01-14T22:00"))
    assert active(night, berlin("2026-01-15T05:59:59"))
    assert not active(night, berlin("2026-01-15T06:00"))
    assert next_edge(night, berlin("2026-01-14T12:00")) == berlin("2026-01-14T22:00")
    assert next_edge(night, berlin("2026-01-14T23:00")) == berlin("2026-01-15T06:00")


def test_the_weekday_is_that_of_the_day_on_which_it_opens():
    friday = nightly(weekdays=("friday",))
    assert active(friday, berlin("2026-01-16T23:00"))
    assert active(friday, berlin("2026-01-17T05:00")), "Saturday morning belongs to Friday's night"
    assert not active(friday, berlin("2026-01-16T05:00")), "Friday morning belongs to Thursday's night"
    assert next_edge(friday, berlin("2026-01-17T06:00")) == berlin("2026-01-23T22:00")


def test_the_weekday_is_that_of_the_zone():
    monday = window(weekdays=("monday",), minute=0, duration_s=3600.0, zone="Pacific/Auckland")
    opening = datetime(2026, 1, 19, 0, 0, tzinfo=ZoneInfo("Pacific/Auckland")).timestamp()
    assert next_edge(monday, opening - DAY_S) == opening
    assert active(monday, opening)


def test_longer_than_a_day():
    weekend = window(weekdays=("saturday",), minute=0, duration_s=2 * DAY_S, zone=BERLIN)
    assert active(weekend, berlin("2026-01-18T23:59:59"))
    assert not active(weekend, berlin("2026-01-19T00:00"))
    fortnight = window(weekdays=("saturday",), minute=0, duration_s=14 * DAY_S, zone=BERLIN)
    assert active(fortnight, berlin("2026-01-21T12:00"))


@pytest.mark.parametrize(
    ("day", "lasts_until"),
    [("2026-03-28T22:00", "2026-03-29T07:00"), ("2026-10-24T22:00", "2026-10-25T05:00")],
    ids=["spring", "autumn"],
)
def test_duration_is_real_time_in_the_night_of_a_clock_change(day, lasts_until):
    night = nightly()
    start = berlin(day)
    assert next_edge(night, start) == start + 8 * 3600 == berlin(lasts_until)
    assert active(night, start + 8 * 3600 - 1)
    assert not active(night, start + 8 * 3600)


@pytest.mark.parametrize("days", [("2026-03-27", "2026-03-30"), ("2026-10-23", "2026-10-26")], ids=["spring", "autumn"])
def test_opens_at_the_same_wall_time_on_both_sides_of_a_clock_change(days):
    early = nightly(minute=7 * 60, duration_s=1800.0)
    for day in days:
        assert not active(early, berlin(f"{day}T06:59:59"))
        assert active(early, berlin(f"{day}T07:00"))
        assert not active(early, berlin(f"{day}T07:30"))


def test_a_wall_time_that_spring_skips_is_an_hour_later():
    small_hours = nightly(minute=2 * 60 + 30, duration_s=600.0)
    before = berlin("2026-03-29T00:00")
    assert next_edge(small_hours, before) == berlin("2026-03-29T03:30")


def test_a_wall_time_that_autumn_repeats_is_the_first():
    small_hours = nightly(minute=2 * 60 + 30, duration_s=600.0)
    first, second = berlin("2026-10-25T02:30"), berlin("2026-10-25T02:30", fold=1)
    assert second - first == 3600
    assert active(small_hours, first)
    assert not active(small_hours, second)
    assert next_edge(small_hours, first + 600) == berlin("2026-10-26T02:30")


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@settings(max_examples=200, deadline=None)
@given(
    weekdays=st.sets(st.sampled_from(WEEKDAYS)),
    minute=st.integers(0, 1439),
    duration_s=st.sampled_from([60.0, 3600.0, 8 * 3600.0, 30 * 3600.0]),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    now=st.floats(1_740_000_000, 1_800_000_000),
    share=st.floats(0, 1, exclude_max=True),
)
def test_nothing_changes_before_the_next_edge(weekdays, minute, duration_s, zone, now, share):
    recurring = window(weekdays=tuple(sorted(weekdays)), minute=minute, duration_s=duration_s, zone=zone)
    edge = next_edge(recurring, now)
    assert edge is not None
    assert now < edge <= now + 8 * DAY_S
    assert active(recurring, now + share * (edge - now) * 0.999) == active(recurring, now)
