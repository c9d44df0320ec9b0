from __future__ import annotations

from typing import Any

import pytest

from connectors import trackers
from connectors.pretend import TOKEN, at
from connectors.pretend_jira import PretendJira
from connectors.trackers import KEY, STORIES, Story, Trial
from quell.errors import BadPayload, NoAnswer, Refused, Unreachable
from quell.sdk.pictures import Png
from quell.sdk.secret import Secret
from quell.sdk.testkit import check_connector
from quell_connectors.jira import Jira
from quell_connectors.jira.document import document, text_of

CLOUD: dict[str, Any] = {"user": "ana@example.org", "token": Secret(TOKEN), "project": "OPS", "settle": 10.0}
SERVER: dict[str, Any] = {"edition": "data_center", "token": Secret(TOKEN), "project": "OPS", "settle": 10.0}


@pytest.mark.parametrize("cloud", [True, False])
@pytest.mark.parametrize("story", STORIES)
def test_stories(story: Story, cloud: bool) -> None:
    at(Jira, PretendJira(cloud=cloud), story, **(CLOUD if cloud else SERVER))


@pytest.mark.parametrize("seed", range(3))
def test_one_ticket_whatever_is_lost_although_the_search_lags_behind(seed: int) -> None:
    at(Jira, PretendJira(), lambda trial: trackers.any_faults(trial, 15, seed), **CLOUD)


@pytest.mark.parametrize("restarted", [True, False])
def test_the_wait_counts_from_the_end_of_a_try_that_took_long(restarted: bool) -> None:
    """Jira opens the ticket just before the call is given up; its search then still lags behind."""

    async def work(trial: Trial) -> None:
        trial.http.faults = ["lost"]
        with pytest.raises(NoAnswer):
            await trial.ticket()
        trial.now += 20.0  # the call took that long, and the ticket was made at the end of it
        if restarted:
            trial.restart()
        await trial.ticket(again=True)
        assert len(await trial.about()) == 1

    at(Jira, PretendJira(), work, **CLOUD)


def test_without_the_wait_the_lag_would_make_two() -> None:
    async def work(trial: Trial) -> None:
        trial.http.faults = ["lost"]
        with pytest.raises(NoAnswer):
            await trial.ticket()
        trial.restart()
        await trial.ticket(again=True)
        assert len(await trial.about()) == 2

    at(Jira, PretendJira(), work, **{**CLOUD, "settle": 0.0})


def test_dry_runs() -> None:
    at(Jira, PretendJira(), lambda trial: trackers.said_and_not_done(trial, "OPS"), **CLOUD)


@pytest.mark.parametrize("cloud", [True, False])
def test_long_texts(cloud: bool) -> None:
    jira = PretendJira(cloud=cloud)
    at(Jira, jira, lambda trial: trackers.long_texts(trial, 250, 32_767), **(CLOUD if cloud else SERVER))


@pytest.mark.parametrize("cloud", [True, False])
def test_what_a_new_issue_is_made_of(cloud: bool) -> None:
    jira = PretendJira(cloud=cloud)

    async def work(trial: Trial) -> None:
        done = await trial.ticket(
            severity="critical", labels=["data drift", "ml"], assign="ana@example.org", type="bug",
            fields={"components": [{"name": "web"}]}, body="see https://quell.example/i/1, then act\nnow",
        )  # fmt: skip
        assert done.output["url"] == f"{jira.url}/browse/OPS-1"
        assert done.sentence == f"OPS-1 is open for {KEY}"
        issue = jira.issues["OPS-1"]
        assert issue["issuetype"] == {"name": "Bug"}
        assert issue["priority"] == {"name": "Highest"}
        assert issue["assignee"] == ({"accountId": "a1"} if cloud else {"name": "a1"})
        assert issue["labels"][1:] == ["data-drift", "ml"]
        assert issue["labels"][0].startswith("quell-")
        assert text_of(issue["description"]).startswith("see https://quell.example/i/1, then act\nnow")
        assert f"quell, for {KEY} [{issue['labels'][0]}] [quell-step-" in text_of(issue["description"])

    at(Jira, jira, work, priorities={"critical": "highest"}, **(CLOUD if cloud else SERVER))


@pytest.mark.parametrize("cloud", [True, False])
def test_a_drift_report_stands_in_the_ticket_and_its_picture_beside_it(cloud: bool) -> None:
    jira = PretendJira(cloud=cloud)
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    report = Png("drift-dataset/payments", "before and after", "amount: values ×100", png).told()

    async def work(trial: Trial) -> None:
        done = await trial.ticket(body="look at this", pictures=[report])
        assert done.sentence == f"OPS-1 is open for {KEY}, with 1 picture"
        issue = jira.issues["OPS-1"]
        assert text_of(issue["description"]).replace("\n\n", "\n").startswith("look at this\namount: values")
        assert issue["files"] == {"drift-dataset-payments.png": ("image/png", png)}
        again = await trial.ticket("R-2/ticket", body="again", pictures=[report])
        assert again.sentence.endswith("it was open before and has a comment, with 1 picture")
        assert "amount: values ×100" in text_of(issue["comments"][-1])
        bare = await trial.ticket("R-3/ticket", body="words", pictures=[{**report, "png": ""}])
        assert "picture" not in bare.sentence, "where none could be drawn the words do"
        jira.takes_files = False
        without = await trial.ticket("R-4/ticket", body="more", pictures=[report])
        assert "it was open before and has a comment; a picture could not be attached: Jira" in without.sentence
        assert without.output["commented"], "the ticket counts, not the picture"

    at(Jira, jira, work, **(CLOUD if cloud else SERVER))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"project": "NOPE"}, "project NOPE) answered 400: The value 'NOPE' does not exist for the field 'project'."),
        ({"type": "Epic"}, 'no type of issue for OPS "Epic"; there are "Task", "Bug"'),
        ({"type": "Bug"}, 'OPS wants more of a new Bug: Components; give them in "fields"'),
        ({"priority": "P1"}, 'no priority for OPS "P1"; there are "Highest", "High", "Medium", "Low"'),
        (
            {"assign": "clerk"},
            '"clerk" is not one person whom issues of OPS can be assigned to; found: Ana Clerk, Anat',
        ),
        ({"assign": "bob"}, '"bob" is not one person whom issues of OPS can be assigned to; found: nobody'),
        ({"project": 'A" OR project = "B'}, """The value 'A\\" OR project = \\"B' does not exist"""),
    ],
)
def test_what_jira_does_not_know_is_refused_in_a_dry_run_too(params: dict[str, str], said: str) -> None:
    async def work(trial: Trial) -> None:
        for dry in (True, False):
            with pytest.raises(Refused) as caught:
                await trial.ticket(dry=dry, **params)
            assert said in str(caught.value)
        assert trial.http.written == []

    at(Jira, PretendJira(), work, **CLOUD)


def test_a_workflow_without_a_way_out_is_told() -> None:
    async def work(trial: Trial) -> None:
        await trial.ticket()
        with pytest.raises(Refused, match=r'no transition closes OPS-1 .* may take: "Start" \(to Busy\), "Resolve"'):
            await trial.act("close", key=KEY)

    at(Jira, PretendJira(), work, close_transition="Won't do", **CLOUD)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int) -> None:
    jira = PretendJira()

    async def work(trial: Trial) -> None:
        jira.faults = [status]
        with pytest.raises(Unreachable if status >= 429 else Refused) as caught:
            await trial.ticket()
        assert str(caught.value) == f"Jira (GET /rest/api/3/search/jql, project OPS) answered {status}: no: *** ***"
        if status == 429:
            assert isinstance(caught.value, Unreachable)
            assert caught.value.retry_after == 7.0
        assert trial.http.written == []

    at(Jira, jira, work, **CLOUD)


def test_a_connection_cut_on_the_wire() -> None:
    jira = PretendJira()

    async def work(trial: Trial) -> None:
        jira.faults = ["", "", "", "cut"]
        with pytest.raises(NoAnswer, match="closed the connection without an answer"):
            await trial.ticket()
        assert len(jira.issues) == 1
        assert (await trial.ticket(again=True)).output["created"] is True
        assert len(jira.issues) == 1

    at(Jira, jira, work, **CLOUD)


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"issues": 7}', '{"issues": [{"key": null}]}'])
def test_an_answer_that_cannot_be_read_opens_nothing(body: str) -> None:
    jira = PretendJira()

    async def work(trial: Trial) -> None:
        jira.faults = [(200, {}, body)]
        with pytest.raises(BadPayload, match="answered what cannot be read"):
            await trial.ticket()
        assert trial.http.written == []

    at(Jira, jira, work, **CLOUD)


def test_the_rules_of_the_house() -> None:
    options = {"url": "http://jira.example", "token": Secret("quell-canary-5d1f-x"), "project": "OPS", "user": "a"}
    which = {"key": "k", "text": "t"}
    check_connector(Jira, options, {"ticket": {"title": "t", "key": "k"}, "comment": which, "close": which,
                                    "find": which})  # fmt: skip


@pytest.mark.parametrize("text", ["a\nb\n\nc", "see http://a.example/x?y=1.", "", "\n\n", "🚨", "http://a.b"])
def test_a_document_says_what_the_text_said(text: str) -> None:
    made = document(text)
    assert text_of(made).split() == text.split()
    assert all(node["text"] for one in made["content"] for node in one["content"] if node["type"] == "text")


def test_a_document_that_never_ends_is_read_as_far_as_it_goes() -> None:
    deep: Any = {"text": "x"}
    for _ in range(500):
        deep = {"content": [deep]}
    assert text_of(deep) == ""
