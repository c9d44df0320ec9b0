from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from connectors import trackers
from connectors.pretend import TOKEN, at
from connectors.pretend_gitlab import PretendGitLab
from connectors.trackers import KEY, STORIES, Story, Trial
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, check_connector
from quell_connectors.gitlab import GitLab

OPTIONS: dict[str, Any] = {"token": Secret(TOKEN), "project": "shop/checkout", "settle": 2.0}


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: Story) -> None:
    at(GitLab, PretendGitLab(), story, **OPTIONS)


@pytest.mark.parametrize("seed", range(3))
def test_one_ticket_whatever_is_lost(seed: int) -> None:
    at(GitLab, PretendGitLab(), lambda trial: trackers.any_faults(trial, 15, seed), **OPTIONS)


def test_dry_runs() -> None:
    at(GitLab, PretendGitLab(), lambda trial: trackers.said_and_not_done(trial, "shop/checkout"), **OPTIONS)


def test_long_texts() -> None:
    at(GitLab, PretendGitLab(), lambda trial: trackers.long_texts(trial, 255, 80_000), **OPTIONS)


def test_what_a_new_issue_is_made_of() -> None:
    gitlab = PretendGitLab()

    async def work(trial: Trial) -> None:
        done = await trial.ticket(severity="critical", labels=["drift, data", "ml"], assign="@ana", confidential=True)
        assert done.output["url"] == "https://gitlab.example/shop/checkout/-/issues/1"
        [issue] = gitlab.issues
        assert issue["labels"] == "drift  data,ml,severity::1"
        assert (issue["assignee_ids"], issue["confidential"]) == ([7], True)
        assert issue["description"].startswith("two columns moved\n\n<!-- quell-")

    at(GitLab, gitlab, work, severity_labels={"critical": "severity::1"}, **OPTIONS)


@pytest.mark.parametrize("own_only", [False, True])
def test_an_issue_is_found_behind_those_of_other_people(own_only: bool) -> None:
    gitlab = PretendGitLab()
    other = {"title": "other", "description": None, "state": "opened", "_others": True, "_notes": []}

    async def work(trial: Trial) -> None:
        first = await trial.ticket()
        gitlab.issues += [{**other, "iid": number} for number in range(2, 402)]
        trial.restart()
        assert (await trial.ticket("R-2/x", if_open="skip")).output["id"] == first.output["id"]
        gitlab.issues[1:1] = [{**other, "iid": number} for number in range(2, 2002)]
        gitlab.issues.append(gitlab.issues.pop(0) | {"iid": 1, "state": "closed"})
        trial.restart()
        if own_only:
            assert (await trial.ticket("R-3/x")).output["created"] is True
            return
        with pytest.raises(Refused, match=r'has more than 2000 open issues, .* set the option "own_only"'):
            await trial.ticket("R-3/x")

    at(GitLab, gitlab, work, own_only=own_only, **OPTIONS)


def test_what_an_alert_says_is_no_command() -> None:
    gitlab = PretendGitLab()

    async def work(trial: Trial) -> None:
        await trial.ticket(body="/close\nfine\n  /assign @root\r\n/confidential")
        await trial.act("comment", "R-2/say", key=KEY, text="/close")
        [issue] = gitlab.issues
        assert issue["state"] == "opened"
        assert issue["description"].startswith("\\/close\nfine\n  \\/assign @root\n\\/confidential\n\n<!--")

    at(GitLab, gitlab, work, **OPTIONS)


def test_a_comment_is_found_behind_many() -> None:
    gitlab = PretendGitLab()

    async def work(trial: Trial) -> None:
        await trial.ticket()
        await trial.act("comment", "R-2/say", key=KEY, text="moved on")
        gitlab.issues[0]["_notes"] += [{"body": None}] * 120
        assert "there before" in (await trial.act("comment", "R-2/say", key=KEY, text="moved on")).sentence
        assert len(gitlab.issues[0]["_notes"]) == 121

    at(GitLab, gitlab, work, **OPTIONS)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"project": "shop/none"},
            "GitLab (GET /api/v4/projects/shop%2Fnone/issues) answered 404: 404 Project Not Found",
        ),
        ({"project": "shop/old"}, "shop/old is archived; nothing can be opened there"),
        ({"project": ".."}, '".." is no name'),
        ({"assign": "nobody"}, 'GitLab knows no user "nobody"'),
    ],
)
def test_what_gitlab_does_not_know_is_refused_in_a_dry_run_too(params: dict[str, str], said: str) -> None:
    async def work(trial: Trial) -> None:
        for dry in (True, False):
            with pytest.raises(Refused) as caught:
                await trial.ticket(dry=dry, **params)
            assert said in str(caught.value)
        assert trial.http.written == []

    at(GitLab, PretendGitLab(), work, **OPTIONS)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "15"}, 15.0),
        ({"RateLimit-Reset": str(int(NOW) + 40), "Date": formatdate(NOW, usegmt=True)}, 40.0),
        ({}, 60.0),
    ],
)
def test_limits_say_how_long_to_wait(headers: dict[str, str], wait: float) -> None:
    gitlab = PretendGitLab()

    async def work(trial: Trial) -> None:
        gitlab.faults = ["", "", (429, headers, "Retry later\n")]
        with pytest.raises(Unreachable, match=f"rate limit is reached; again in {wait:.0f} s") as caught:
            await trial.ticket()
        assert caught.value.retry_after == wait
        assert gitlab.issues == []

    at(GitLab, gitlab, work, **OPTIONS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int) -> None:
    gitlab = PretendGitLab()

    async def work(trial: Trial) -> None:
        gitlab.faults = [status]
        with pytest.raises(Unreachable if status >= 500 else Refused, match=f"answered {status}: no:  [*]{{3}}"):
            await trial.ticket()

    at(GitLab, gitlab, work, **OPTIONS)


def test_a_connection_cut_on_the_wire() -> None:
    gitlab = PretendGitLab()

    async def work(trial: Trial) -> None:
        gitlab.faults = ["", "", "cut"]
        with pytest.raises(NoAnswer):
            await trial.ticket()
        assert (await trial.ticket(again=True)).output["created"] is True
        assert len(gitlab.issues) == 1

    at(GitLab, gitlab, work, **OPTIONS)


def test_a_project_is_needed() -> None:
    async def work(trial: Trial) -> None:
        with pytest.raises(Refused, match='needs a "project"'):
            await trial.ticket()

    at(GitLab, PretendGitLab(), work, token=Secret(TOKEN))


def test_the_rules_of_the_house() -> None:
    options = {"url": "http://g.example", "token": Secret("quell-canary-5d1f-x"), "project": "a/b"}
    which = {"key": "k", "text": "t"}
    check_connector(GitLab, options, {"ticket": {"title": "t", "key": "k"}, "comment": which, "close": which,
                                      "find": which})  # fmt: skip
