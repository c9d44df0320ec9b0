"""GitHub's JSON as typed values, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from quell.errors import Refused, Unreachable
from quell.sdk.http import Answer, retry_after_s
from quell.sdk.ticket_text import Limits
from quell.sdk.tickets import Ticket

LIMITS = Limits(title=256, text=65_000, marks="hidden")
"""GitHub takes 65,536 characters."""
UNKNOWN_WAIT_S = 60.0
"""GitHub: wait a minute at least when a secondary limit names no time."""


class User(msgspec.Struct, frozen=True):
    """Whoever did something."""

    login: str = ""


class Issue(msgspec.Struct, frozen=True):
    """An issue; a pull request is one too."""

    number: int
    html_url: str = ""
    title: str = ""
    body: str | None = None
    state: str = "open"
    comments: int = 0
    user: User | None = None
    pull_request: dict[str, Any] | None = None


class Comment(msgspec.Struct, frozen=True):
    """A comment."""

    body: str | None = None


class Repo(msgspec.Struct, frozen=True):
    """What a repository can do."""

    has_issues: bool = True
    archived: bool = False


def ticket_of(issue: Issue) -> Ticket:
    """An issue as a ticket."""
    return Ticket(str(issue.number), issue.html_url, issue.title, issue.body or "", issue.state == "open")


def judge(answer: Answer, who: str) -> None:
    """GitHub answers 403 as well as 429 for its limits; the wait stands in one of two headers, or nowhere."""
    if answer.status not in {403, 429}:
        return
    headers = {name.lower(): value for name, value in answer.headers.items()}
    wait = retry_after_s(answer.headers)
    told = answer.body[:2000].decode("utf-8", "replace").lower()
    spent = headers.get("x-ratelimit-remaining") == "0"
    if wait is None and spent:
        wait = _until(headers)
    if wait is None and (answer.status == 429 or "rate limit" in told or "abuse" in told):
        wait = UNKNOWN_WAIT_S
    if wait is not None:
        kind = "limit of requests" if spent else "secondary rate limit"
        raise Unreachable(f"{who} answered {answer.status}: its {kind} is reached; again in {wait:.0f} s", wait)


def _until(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limit is over, by the answer's own clock."""
    try:
        reset, now = int(headers["x-ratelimit-reset"]), parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None
    return min(max(reset - now, 1.0), 86_400.0)


def repo_of(name: str) -> tuple[str, str]:
    """Owner and name. Raises `Refused`."""
    owner, slash, repo = name.strip("/").partition("/")
    if not slash or not owner or not repo or "/" in repo:
        raise Refused(f'"{name}" is no repository; write owner/name, in the step or as the source\'s option "repo"')
    return owner, repo
