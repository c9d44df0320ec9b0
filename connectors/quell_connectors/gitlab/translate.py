"""GitLab's JSON as typed values, and texts that give it no commands."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import msgspec

from quell.errors import Unreachable
from quell.sdk.http import Answer, retry_after_s
from quell.sdk.ticket_text import Limits
from quell.sdk.tickets import Ticket

LIMITS = Limits(title=255, text=80_000, marks="hidden")
"""GitLab takes a million characters; what has more than these is no ticket any more."""
UNKNOWN_WAIT_S = 60.0
_COMMAND = re.compile(r"^([ \t]*)/(?=[A-Za-z_])", re.MULTILINE)


class Issue(msgspec.Struct, frozen=True):
    """An issue; ``iid`` is its number in the project."""

    iid: int
    web_url: str = ""
    title: str = ""
    description: str | None = None
    state: str = "opened"


class Note(msgspec.Struct, frozen=True):
    """A comment, or what GitLab says itself."""

    body: str | None = None


class User(msgspec.Struct, frozen=True):
    """A user."""

    id: int
    username: str = ""


class Project(msgspec.Struct, frozen=True):
    """What a project can do."""

    archived: bool = False
    issues_enabled: bool = True


def ticket_of(issue: Issue) -> Ticket:
    """An issue as a ticket."""
    return Ticket(str(issue.iid), issue.web_url, issue.title, issue.description or "", issue.state == "opened")


def harmless(text: str) -> str:
    """Lines such as ``/close`` are commands to GitLab; here they are text, whoever wrote them."""
    return _COMMAND.sub(r"\1\\/", text)


def judge(answer: Answer, who: str) -> None:
    """The wait stands in Retry-After or in RateLimit-Reset, or nowhere."""
    if answer.status != 429:
        return
    wait = retry_after_s(answer.headers)
    if wait is None:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            wait = int(headers["ratelimit-reset"]) - parsedate_to_datetime(headers["date"]).timestamp()
            wait = min(max(wait, 1.0), 3600.0)
        except (KeyError, ValueError, OverflowError):
            wait = UNKNOWN_WAIT_S
    raise Unreachable(f"{who} answered 429: its rate limit is reached; again in {wait:.0f} s", wait)
