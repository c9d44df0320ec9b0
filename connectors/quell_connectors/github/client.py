"""The calls to GitHub's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.json_api import JsonApi, part
from quell.sdk.ticket_text import Draft
from quell.sdk.tickets import Ticket
from quell_connectors.github.translate import LIMITS, Comment, Issue, Repo, repo_of, ticket_of

_PAGE = 50
"""Issues can be long, and an answer has 8 MB at most."""
_MOST_PAGES = 40
_MOST_COMMENT_PAGES = 3


class GitHubDesk:
    """A repository, for one call."""

    limits = LIMITS

    def __init__(self, api: JsonApi, options: Mapping[str, Any], params: Mapping[str, Any], timeout_s: float) -> None:
        self._api = api
        self._timeout_s = timeout_s
        self._severity_labels: Mapping[str, Any] = options.get("severity_labels") or {}
        self._user = str(options.get("user") or "")
        owner, repo = repo_of(str(params.get("repo") or options.get("repo") or ""))
        self.where = f"{owner}/{repo}"
        self._place = f"/repos/{part(owner)}/{part(repo)}"

    async def ready(self, draft: Draft) -> None:
        """Whether the repository takes issues, and whether it knows whom they are assigned to."""
        repo = await self._api.ask("GET", self._place, Repo, timeout_s=self._timeout_s)
        if repo.archived or not repo.has_issues:
            why = "is archived" if repo.archived else "has issues turned off"
            raise Refused(f"{self.where} {why}; nothing can be opened there")
        if draft.assign:
            path = f"{self._place}/assignees/{part(draft.assign)}"
            if not await self._api.is_there(path, timeout_s=self._timeout_s):
                raise Refused(f'issues of {self.where} cannot be assigned to "{draft.assign}"')

    async def find(self, mark: str) -> Ticket | None:
        """Looks through the open issues, newest first. GitHub's search does not see what is hidden, and lags behind."""
        own = {"creator": self._user} if self._user else {}
        for page in range(1, _MOST_PAGES + 1):
            query = {"state": "open", "sort": "created", "direction": "desc", "per_page": str(_PAGE), "page": str(page)}
            path = f"{self._place}/issues"
            issues = await self._api.ask("GET", path, list[Issue], timeout_s=self._timeout_s, query={**query, **own})
            found = _marked(issues, mark)
            if found is not None or len(issues) < _PAGE:
                return found
        raise Refused(
            f"{self.where} has more than {_PAGE * _MOST_PAGES} open issues, too many to look for the one of this key; "
            'set the option "user"; nothing was opened'
        )

    async def get(self, number: str) -> Ticket | None:
        """By number."""
        issue = await self._api.ask_for(self._issue(number), Issue, timeout_s=self._timeout_s)
        return None if issue is None else ticket_of(issue)

    async def open(self, draft: Draft) -> Ticket:
        """A new issue."""
        own = self._severity_labels.get(draft.severity)
        labels = [*draft.labels, *([str(own)] if own and str(own) not in draft.labels else [])]
        body: dict[str, Any] = {"title": draft.title, "body": draft.body}
        body |= {"labels": labels} if labels else {}
        body |= {"assignees": [draft.assign]} if draft.assign else {}
        made = await self._api.ask("POST", f"{self._place}/issues", Issue, timeout_s=self._timeout_s, json=body)
        opener = made.user.login if made.user is not None else ""
        if self._user and opener and opener.casefold() != self._user.removeprefix("app/").casefold() + _bot(self._user):
            raise Refused(f'#{made.number} was opened by "{opener}": the option "user" is wrong, and would not find it')
        return ticket_of(made)

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """Title and text."""
        await self._patch(ticket, {"title": draft.title, "body": draft.body})

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Looks through the newest comments; GitHub lists the oldest first."""
        issue = await self._api.ask("GET", self._issue(ticket.id), Issue, timeout_s=self._timeout_s)
        last = max(-(-issue.comments // _PAGE), 1)
        path = f"{self._issue(ticket.id)}/comments"
        # One page more than counted: the count may be older than the comments.
        for page in range(last + 1, max(last - _MOST_COMMENT_PAGES, 0), -1):
            query = {"per_page": str(_PAGE), "page": str(page)}
            comments = await self._api.ask("GET", path, list[Comment], timeout_s=self._timeout_s, query=query)
            if any(mark in (comment.body or "") for comment in comments):
                return True
        return False

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:  # noqa: ARG002 -- the text has it
        """One more comment."""
        await self._api.do("POST", f"{self._issue(ticket.id)}/comments", timeout_s=self._timeout_s, json={"body": text})

    async def close(self, ticket: Ticket) -> None:
        """As completed."""
        await self._patch(ticket, {"state": "closed", "state_reason": "completed"})

    async def _patch(self, ticket: Ticket, changed: Mapping[str, str]) -> None:
        await self._api.do("PATCH", self._issue(ticket.id), timeout_s=self._timeout_s, json=dict(changed))

    def _issue(self, number: str) -> str:
        return f"{self._place}/issues/{part(number)}"


def _bot(user: str) -> str:
    """What GitHub writes behind the name of an app that opened something."""
    return "[bot]" if user.startswith("app/") else ""


def _marked(issues: list[Issue], mark: str) -> Ticket | None:
    tickets = (ticket_of(issue) for issue in issues if issue.pull_request is None)
    return next((ticket for ticket in tickets if mark in ticket.said and ticket.is_open), None)
