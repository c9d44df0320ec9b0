"""Who is on call: a function of a rota and a time, and nothing else.

Turns change at a time of day on the wall clock of the rota's zone, also when that changes to or from summer time: one
turn is then an hour shorter or longer. A time that the clock skips is an hour later, one that comes twice the first.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from math import inf
from zoneinfo import ZoneInfo

from quell.model.oncall import Rota


def on_call(rota: Rota, at: float) -> str:
    """Who is called by a rota at a time."""
    for override in reversed(rota.overrides):
        if override.from_ <= at < override.to:
            return override.who
    return rota.people[_turn(rota, at) % len(rota.people)]


def until(rota: Rota, at: float) -> float:
    """The next time after ``at`` at which somebody else may be called."""
    edges = [edge for one in rota.overrides for edge in (one.from_, one.to) if edge > at]
    return min([*edges, _begins(rota, _turn(rota, at) + 1)], default=inf)


def _turn(rota: Rota, at: float) -> int:
    """The number of the turn that a time lies in; that of ``first_day`` is 0."""
    today = datetime.fromtimestamp(at, ZoneInfo(rota.zone)).date()
    turn = (today.toordinal() - rota.first_day) // rota.every_days
    while _begins(rota, turn) > at:
        turn -= 1
    while _begins(rota, turn + 1) <= at:
        turn += 1
    return turn


def _begins(rota: Rota, turn: int) -> float:
    day = date.fromordinal(rota.first_day) + timedelta(days=turn * rota.every_days)
    at = time(rota.minute // 60, rota.minute % 60)
    return datetime.combine(day, at, ZoneInfo(rota.zone)).timestamp()
