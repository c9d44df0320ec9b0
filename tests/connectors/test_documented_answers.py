"""Answers with all the fields that the documentation of each API shows, of which most are none of our business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quell.sdk.payload import decode
from quell_connectors.github import translate as github
from quell_connectors.gitlab import translate as gitlab
from quell_connectors.jira import translate as jira
from quell_connectors.jira.document import text_of
from quell_connectors.servicenow import translate as servicenow
from quell_connectors.statuspage import translate as statuspage

GOLDEN = Path(__file__).parent / "golden"
KEY, STEP, SAID = "quell-3f9c0b7d1a2e4c55", "quell-step-0011223344556677", "quell-step-8899aabbccddeeff"


def answer(name: str, shape: Any) -> Any:
    return decode((GOLDEN / f"{name}.json").read_bytes(), shape)


def test_jira() -> None:
    ticket = jira.ticket_of(answer("jira/issue", jira.Issue), "https://example.atlassian.net")
    assert (ticket.id, ticket.url) == ("OPS-42", "https://example.atlassian.net/browse/OPS-42")
    assert (ticket.title, ticket.is_open) == ("Drift in customers (churn)", True)
    assert "What moved\n two columns: age\nsee the page\nage\nincome\nselect 1\n" in ticket.said
    assert all(mark in ticket.said for mark in (KEY, STEP))
    old = jira.ticket_of(answer("jira/issue_without_description", jira.Issue), "")
    assert (old.is_open, old.said) == (False, "")
    assert [issue.key for issue in answer("jira/search", jira.Found).issues] == ["OPS-42"]
    [comment] = answer("jira/comments", jira.Comments).comments
    assert text_of(comment.body) == f"worse [{SAID}]\n"
    [way] = answer("jira/transitions", jira.Transitions).transitions
    assert (way.id, way.to.category.key) == ("31", "done")
    form = answer("jira/form", jira.Form).all
    assert [field.choices for field in form] == [[], ["Highest", "Medium"], [], []]
    assert [field.name for field in form if field.required and not field.has_default_value] == ["Summary", "Team"]


def test_github() -> None:
    issues = answer("github/issues", list[github.Issue])
    assert [issue.pull_request is None for issue in issues] == [False, True, True]
    ticket = github.ticket_of(issues[2])
    assert (ticket.id, ticket.url, ticket.is_open) == ("42", "https://github.com/octo/shop/issues/42", True)
    assert all(mark in ticket.said for mark in (KEY, STEP))
    assert SAID in answer("github/comments", list[github.Comment])[0].body
    assert answer("github/repository", github.Repo) == github.Repo(has_issues=True, archived=False)


def test_gitlab() -> None:
    first, second = map(gitlab.ticket_of, answer("gitlab/issues", list[gitlab.Issue]))
    assert (first.id, first.url) == ("42", "https://gitlab.example/shop/checkout/-/issues/42")
    assert all(mark in first.said for mark in (KEY, STEP))
    assert (second.said, second.is_open) == ("", True)
    assert SAID in answer("gitlab/notes", list[gitlab.Note])[0].body
    assert answer("gitlab/project", gitlab.Project).issues_enabled


@pytest.mark.parametrize("name", ["made", "found"])
def test_servicenow(name: str) -> None:
    read = answer(f"servicenow/{name}", servicenow.One if name == "made" else servicenow.Some).result
    record = read if name == "made" else read[0]
    ticket = servicenow.ticket_of(record, "https://example.service-now.com", "incident", {"6", "7"})
    assert (ticket.id, ticket.is_open) == ("INC0010042", True)
    assert ticket.url == "https://example.service-now.com/incident.do?sys_id=a9e30c7dc61122760116894de7bcc7bd"
    assert all(mark in ticket.said for mark in (KEY, STEP))
    assert SAID in answer("servicenow/notes", servicenow.One).result.work_notes


def test_statuspage() -> None:
    first, second = answer("statuspage/incidents", list[statuspage.Incident])
    assert first.marks == (KEY, STEP, SAID)
    assert statuspage.ticket_of(first, "u").url == "https://stspg.example/p31z"
    assert (second.marks, statuspage.ticket_of(second, "u").url) == ((), "u")
    told = statuspage.marked(first.metadata, KEY, (STEP,))
    assert told == {"quell": {"key": KEY, "steps": STEP}, "jira": {"issue_id": "OPS-42"}}
    assert answer("statuspage/components", list[statuspage.Component])[0].name == "Checkout"
