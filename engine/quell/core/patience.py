"""How long an alert that is on its own may wait before it pages: what is known around it, and what that is worth."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from typing import NamedTuple

from quell.core.customs import NO_CUSTOM, rarely_alone, usual
from quell.core.doubts import Doubt
from quell.core.hearings import NOTHING_HEARD
from quell.core.neighbours import ALONE, Company
from quell.core.passings import NOTHING_PASSED, outlasted_s, rate
from quell.model.alert import Alert
from quell.model.impact import burns, impact_of
from quell.model.rulebook import Triage
from quell.model.state import Custom, Hearing, Passing
from quell.model.times import format_duration

NEAR_SHARE = 0.5
"""Beside an incident that has paged, a lone alert waits for this share of the longest wait."""
ALONE_SHARE = 0.5
"""An alert of a rule that is rarely alone waits for this share of the longest wait when it is."""
PASSING_SHARE = 2.0
"""An alert of a rule of which very many come to nothing waits for this share of the longest wait at most; for the
longest wait itself if it tells of harm."""


class Around(NamedTuple):
    """What is known around an alert, besides its own behaviour.

    ``owner`` says who has already taken this in hand, which counts until ``owned_until``; ``custom`` is that of its
    rule, ``everyone`` that of all rules; ``hearing`` is how soon firings of its rule are told of again,
    ``passing`` how they end that nothing joins.
    ``company`` is only asked when it matters, as it takes a look at all that is near.
    """

    in_incident: bool = False
    owner: str | None = None
    owned_until: float = inf
    custom: Custom = NO_CUSTOM
    everyone: Custom = NO_CUSTOM
    hearing: Hearing = NOTHING_HEARD
    passing: Passing = NOTHING_PASSED
    company: Callable[[], Company] = lambda: ALONE


NOTHING_AROUND = Around()


class Wait(NamedTuple):
    """A reason to wait until a time."""

    until: float
    code: str
    text: str


def longest_s(triage: Triage) -> float:
    """How long what is on its own may be held at most, in seconds from its beginning."""
    return max(triage.lone_page_most_s, triage.lone_page_after_s)


def reasons_to_wait(alert: Alert, found: tuple[Doubt, ...], around: Around, triage: Triage) -> list[Wait]:
    """All that lets an alert wait for longer than `Triage.lone_page_after_s`, each with its time."""
    began, most_s = alert.starts_at, longest_s(triage)
    waits = [Wait(began + most_s, doubt.code, doubt.text) for doubt in found]
    company = around.company()
    if company.incident:
        text = f"{company.count} of what fires near it began with it, and incident {company.incident} has paged"
        waits.append(Wait(began + NEAR_SHARE * most_s, "near_incident", text))
    if not triage.learn:
        return waits
    custom, everyone = around.custom, around.everyone
    known = usual(custom, everyone, most_s)
    if known is not None and not company.count:
        until = began + min(known.most_s + triage.lone_page_after_s, most_s)
        whose = "alerts of its severity" if known.of_all else alert.name
        text = f"nothing else fires near it, and {known.ended} of the last {known.count} such firings of {whose} "
        waits.append(Wait(until, "self_healing", f"{text}went away by themselves"))
    lasting_s = outlasted_s(around.passing, began)
    if lasting_s is not None and not company.count and not company.incident:
        share = 1.0 if _grave(alert) else PASSING_SHARE
        until = began + min(lasting_s + triage.lone_page_after_s, share * most_s)
        often = f"{alert.name} fires alone {rate(around.passing, began):.0f} times a day"
        after = format_duration(ceil(lasting_s))
        text = f"{often} and goes away by itself, less than one a day of them after {after}"
        waits.append(Wait(until, "comes_to_nothing", text))
    if not company.count and not company.incident and not _grave(alert) and rarely_alone(custom, everyone):
        times = custom.occasions + custom.alone
        larger = f"was part of something larger {custom.occasions} of {times} times"
        text = f"nothing else fires near it, though {alert.name} {larger}"
        waits.append(Wait(began + ALONE_SHARE * most_s, "without_company", text))
    return waits


def _grave(alert: Alert) -> bool:
    """Whether an alert tells of harm itself, whoever else fires: a budget that burns, a business number, unfairness."""
    harm = impact_of(alert.labels, alert.entity or "")
    return burns(alert.labels) or harm in {"business", "fairness"}
