from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from connectors import trackers
from connectors.pretend import TOKEN, at
from connectors.pretend_github import PretendGitHub
from connectors.trackers import KEY, STORIES, Story, Trial
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, check_connector
from quell_connectors.github import GitHub

OPTIONS: dict[str, Any] = {"token": Secret(TOKEN), "repo": "octo/shop", "settle": 5.0}


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: Story) -> None:
    at(GitHub, PretendGitHub(), story, **OPTIONS)


@pytest.mark.parametrize("seed", range(3))
def test_one_ticket_whatever_is_lost(seed: int) -> None:
    at(GitHub, PretendGitHub(), lambda trial: trackers.any_faults(trial, 15, seed), **OPTIONS)


def test_dry_runs() -> None:
    at(GitHub, PretendGitHub(), lambda trial: trackers.said_and_not_done(trial, "octo/shop"), **OPTIONS)


def test_long_texts() -> None:
    at(GitHub, PretendGitHub(), lambda trial: trackers.long_texts(trial, 256, 65_536), **OPTIONS)


@pytest.mark.parametrize("others", [99, 100, 420])
def test_an_issue_is_found_behind_those_of_other_people(others: int) -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        first = await trial.ticket()
        github.add(others)
        trial.restart()
        again = await trial.ticket("R-2/x", if_open="skip")
        assert again.output["id"] == first.output["id"]

    at(GitHub, github, work, **OPTIONS)


def test_where_too_many_are_open_the_user_has_to_be_known() -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        github.add(2000)
        with pytest.raises(Refused, match=r'octo/shop has more than 2000 open issues, .* set the option "user"'):
            await trial.ticket()
        assert len(github.issues) == 2000
        trial.options = {**trial.options, "user": "quell-bot"}
        trial.restart()
        first = await trial.ticket()
        trial.restart()
        assert (await trial.ticket("R-2/x", if_open="skip")).output["id"] == first.output["id"] == "2001"
        trial.options = {**trial.options, "user": "app/quell"}
        trial.restart()
        with pytest.raises(Refused, match='#2002 was opened by "quell-bot": the option "user" is wrong'):
            await trial.ticket("R-3/x")

    at(GitHub, github, work, **OPTIONS)


def test_a_pull_request_with_the_mark_is_no_ticket() -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        await trial.ticket()
        github.issues[0]["pull_request"] = {"url": "x"}
        trial.restart()
        assert (await trial.ticket("R-2/x")).output["id"] == "2"

    at(GitHub, github, work, **OPTIONS)


def test_a_comment_is_found_behind_many() -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        done = await trial.ticket()
        await trial.act("comment", "R-2/say", id="#" + done.output["id"], text="moved on")
        github.issues[0]["_comments"] += [{"body": "chat"}] * 120
        again = await trial.act("comment", "R-2/say", id=done.output["id"], text="moved on")
        assert again.sentence == "#1 has the comment; it was there before"
        assert len(github.issues[0]["_comments"]) == 121

    at(GitHub, github, work, **OPTIONS)


def test_what_a_new_issue_is_made_of() -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        done = await trial.ticket(severity="Critical", labels=["drift"], assign="ana")
        assert done.output["url"] == "https://github.example/octo/shop/issues/1"
        assert done.sentence == f"#1 is open for {KEY}"
        [issue] = github.issues
        assert (issue["labels"], issue["assignees"]) == (["drift", "sev1"], ["ana"])
        text, _, hidden = issue["body"].partition("\n\n")
        assert text == "two columns moved"
        assert hidden.startswith("<!-- quell-")
        assert hidden.endswith(" -->")
        await trial.act("close", key=KEY)
        assert (issue["state"], issue["state_reason"]) == ("closed", "completed")

    at(GitHub, github, work, severity_labels={"critical": "sev1"}, **OPTIONS)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"repo": "octo/none"}, "GitHub (GET /repos/octo/none/issues) answered 404: Not Found"),
        ({"repo": "octo/old"}, "octo/old is archived; nothing can be opened there"),
        ({"repo": "octo/code"}, "octo/code has issues turned off; nothing can be opened there"),
        ({"repo": "shop"}, '"shop" is no repository; write owner/name'),
        ({"repo": "octo/shop/../../user"}, "is no repository"),
        ({"repo": "octo/.."}, '".." is no name'),
        ({"assign": "nobody"}, 'issues of octo/shop cannot be assigned to "nobody"'),
    ],
)
def test_what_github_does_not_know_is_refused_in_a_dry_run_too(params: dict[str, str], said: str) -> None:
    async def work(trial: Trial) -> None:
        for dry in (True, False):
            with pytest.raises(Refused) as caught:
                await trial.ticket(dry=dry, **params)
            assert said in str(caught.value)
        assert trial.http.written == []

    at(GitHub, PretendGitHub(), work, **OPTIONS)


SECONDARY = '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'
DATE = {"Date": formatdate(NOW, usegmt=True)}
LIMITS: dict[str, tuple[tuple[int, dict[str, str], str], float]] = {
    "secondary, with a wait": ((403, {"Retry-After": "37"}, SECONDARY), 37.0),
    "secondary, as 429": ((429, {"Retry-After": "12"}, SECONDARY), 12.0),
    "secondary, without a wait": ((403, {}, SECONDARY), 60.0),
    "primary": (
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 90), **DATE}, "{}"),
        90.0,
    ),
    "primary, of another time": ((429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, "{}"), 60.0),
}


@pytest.mark.parametrize("what", LIMITS)
def test_limits_say_how_long_to_wait(what: str) -> None:
    fault, wait = LIMITS[what]
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        github.faults = ["", "", fault]
        with pytest.raises(Unreachable, match=f"limit.* is reached; again in {wait:.0f} s") as caught:
            await trial.ticket()
        assert caught.value.retry_after == wait
        assert not isinstance(caught.value, NoAnswer)
        assert github.issues == []
        # Nothing was done, so nothing is in doubt: the repeat need not wait for the search.
        before = trial.now
        assert (await trial.ticket()).output["created"] is True
        assert trial.now == before

    at(GitHub, github, work, **OPTIONS)


def test_a_right_that_is_missing_is_no_limit() -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        github.faults = [(403, {}, '{"message": "Resource not accessible by personal access token"}')]
        with pytest.raises(Refused, match="answered 403: Resource not accessible by personal access token"):
            await trial.ticket()

    at(GitHub, github, work, **OPTIONS)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 502, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int) -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        github.faults = [status]
        with pytest.raises(Unreachable if status >= 500 else Refused) as caught:
            await trial.ticket()
        assert str(caught.value) == f"GitHub (GET /repos/octo/shop/issues) answered {status}: no: *** ***"

    at(GitHub, github, work, **OPTIONS)


def test_a_connection_cut_on_the_wire() -> None:
    github = PretendGitHub()

    async def work(trial: Trial) -> None:
        github.faults = ["", "", "cut"]
        with pytest.raises(NoAnswer):
            await trial.ticket()
        assert (await trial.ticket(again=True)).output["created"] is True
        assert len(github.issues) == 1

    at(GitHub, github, work, **OPTIONS)


def test_the_rules_of_the_house() -> None:
    options = {"url": "http://g.example", "token": Secret("quell-canary-5d1f-x"), "repo": "a/b"}
    which = {"key": "k", "text": "t"}
    check_connector(GitHub, options, {"ticket": {"title": "t", "key": "k"}, "comment": which, "close": which,
                                      "find": which})  # fmt: skip
