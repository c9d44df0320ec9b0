"""Verdicts of triage: what becomes of an alert, why in words, and until when that stands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from quell.model.alert import Alert, Handling, Muting, Reason
from quell.model.times import format_duration

DAY_S = 86_400.0


class Judgement(NamedTuple):
    """``hold_until`` is when time alone may change the verdict, whatever it is: judge again then (None: never)."""

    handling: Handling
    reason: Reason
    hold_until: float | None = None


def slow_burn(alert: Alert, now: float, paged: bool) -> Judgement:
    """For the digest: fires for long, and nobody acts. Its reason differs from day to day, so it is mentioned daily."""
    days = int((now - alert.starts_at) // DAY_S)
    if alert.starts_at + (days + 1) * DAY_S <= now:
        days += 1  # the difference was rounded down; the next mention must lie ahead
    for_long = f"has been firing for {format_duration(days * DAY_S) if days else 'hours'}"
    text = f"{for_long} and nobody has acted since it paged" if paged else for_long
    return digest("slow_burn", f"{text}; mentioned once a day", alert.starts_at + (days + 1) * DAY_S)


def span(seconds: float) -> str:
    """A duration after "the last": hour, day, or such as 30m."""
    return {3600.0: "hour", DAY_S: "day"}.get(seconds) or format_duration(seconds)


def hold(code: str, text: str, until: float | None = None) -> Judgement:
    """It waits, for a reason that may change by itself at ``until``."""
    return Judgement("hold", _reason(code, text), until)


def digest(code: str, text: str, until: float | None = None) -> Judgement:
    """It is listed and wakes nobody, for a reason that may change by itself at ``until``."""
    return Judgement("digest", _reason(code, text), until)


@lru_cache(maxsize=1024)
def _reason(code: str, text: str) -> Reason:
    """One object for all that are judged alike: in a storm they are thousands."""
    return Reason(code=code, text=text)


def muted(mutings: Sequence[Muting]) -> Reason:
    """The first muting in words, and how many more there are."""
    muting = mutings[0]
    if muting.kind == "inhibition":
        text = f"muted {muting.reason}"
    else:
        by = {
            "silence": f"silence {muting.by}",
            "window": f'maintenance window "{muting.by}"',
            "rule": f'rule "{muting.by}"',
        }
        text = f"muted by {by[muting.kind]}" + (f" ({muting.reason})" if muting.reason else "")
    more = len(mutings) - 1
    return Reason(code=muting.kind, text=f"{text}, and {more} more" if more else text)
