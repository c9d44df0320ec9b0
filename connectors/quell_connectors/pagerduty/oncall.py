"""Who is on call, by the REST API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from quell.sdk.connector import Call, Done
from quell.sdk.ticket_text import one_line, said
from quell_connectors.pagerduty.client import Rest

_PAGE = 100
_MOST_PAGES = 20
_MOST_TOLD = 12


class User(msgspec.Struct, frozen=True):
    """A person, or a reference to one, which has no e-mail."""

    id: str = ""
    summary: str = ""
    name: str = ""
    email: str = ""


class Named(msgspec.Struct, frozen=True):
    """A schedule or an escalation policy."""

    id: str = ""
    summary: str = ""


class OnCall(msgspec.Struct, frozen=True):
    """A person who is called at a level of a policy; without ``end`` always."""

    user: User
    escalation_level: int = 0
    escalation_policy: Named | None = None
    schedule: Named | None = None
    end: str | None = None


class _Page(msgspec.Struct, frozen=True):
    oncalls: list[OnCall]
    more: bool = False


async def on_call(rest: Rest, call: Call) -> Done:
    """Reads it; the output lists ``people`` in the order in which they are called, level by level."""
    asked: dict[str, Any] = {"include[]": ["users"], "earliest": "true", "limit": _PAGE}
    for name, param in (("schedule_ids", "schedule"), ("escalation_policy_ids", "policy")):
        if value := said(call.params, param):
            asked[f"{name}[]"] = [value]
    found: list[OnCall] = []
    for _ in range(_MOST_PAGES):
        page = await rest.get("/oncalls", {**asked, "offset": len(found)}, _Page, call.timeout_s)
        found += page.oncalls
        if not page.more or not page.oncalls:
            break
    team = said(call.params, "team").strip().lower()
    fitting = [one for one in found if not team or any(team in name.lower() for name in _names(one))]
    fitting.sort(key=lambda one: (_policy(one), one.escalation_level, one.user.summary))
    people = [_told(one) for one in fitting]
    if not people:
        return Done(f"nobody is on call{f' for {team}' if team else ''} in PagerDuty", {"people": []})
    return Done("; ".join(_sentences(people)), {"people": people, "first": people[0]})


def _names(one: OnCall) -> Iterable[str]:
    return [named.summary for named in (one.schedule, one.escalation_policy) if named is not None]


def _policy(one: OnCall) -> str:
    return one.escalation_policy.summary if one.escalation_policy else ""


def _told(one: OnCall) -> dict[str, str | int]:
    return {
        "name": one_line(one.user.name or one.user.summary, 200),
        "email": one.user.email,
        "id": one.user.id,
        "level": one.escalation_level,
        "policy": one_line(_policy(one), 200),
        "schedule": one_line(one.schedule.summary if one.schedule else "", 200),
        "until": one.end or "",
    }


def _sentences(people: list[dict[str, str | int]]) -> list[str]:
    lines = []
    for one in people[:_MOST_TOLD]:
        until = f" until {one['until']}" if one["until"] else ""
        lines.append(f"{one['policy'] or one['schedule']} level {one['level']}: {one['name']}{until}")
    more = len(people) - len(lines)
    return [*lines, *([f"and {more} more"] if more else [])]
