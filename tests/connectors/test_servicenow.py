from __future__ import annotations

from typing import Any

import pytest

from connectors import trackers
from connectors.pretend import TOKEN, at
from connectors.pretend_servicenow import PretendServiceNow
from connectors.trackers import KEY, STORIES, Story, Trial
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.secret import Secret
from quell.sdk.testkit import check_connector
from quell_connectors.servicenow import ServiceNow

OPTIONS: dict[str, Any] = {"user": "quell", "token": Secret(TOKEN)}


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: Story) -> None:
    at(ServiceNow, PretendServiceNow(), story, **OPTIONS)


@pytest.mark.parametrize("seed", range(3))
def test_one_ticket_whatever_is_lost(seed: int) -> None:
    at(ServiceNow, PretendServiceNow(), lambda trial: trackers.any_faults(trial, 15, seed), **OPTIONS)


def test_dry_runs() -> None:
    at(ServiceNow, PretendServiceNow(), lambda trial: trackers.said_and_not_done(trial, "incident"), **OPTIONS)


def test_long_texts() -> None:
    at(ServiceNow, PretendServiceNow(), lambda trial: trackers.long_texts(trial, 160, 4000), **OPTIONS)


def test_what_a_new_record_is_made_of() -> None:
    servicenow = PretendServiceNow()

    async def work(trial: Trial) -> None:
        done = await trial.ticket(severity="critical", assign="ana@example.org", group="Service Desk",
                                  fields={"category": "software"})  # fmt: skip
        assert done.output["url"] == f"{servicenow.url}/incident.do?sys_id={1:032x}"
        assert done.sentence == f"INC0000001 is open for {KEY}"
        [record] = servicenow.records
        assert (record["impact"], record["urgency"], record["category"]) == ("1", "1", "software")
        assert (record["assigned_to"], record["assignment_group"]) == ("u1", "g1")
        assert record["correlation_id"].startswith("quell-")
        assert f"quell, for {KEY} [{record['correlation_id']}] [quell-step-" in record["description"]
        await trial.act("close", key=KEY)
        assert (record["state"], record["close_notes"]) == ("6", "Closed by quell.")

    at(ServiceNow, servicenow, work, priorities={"critical": 1}, **OPTIONS)


def test_with_a_bearer_token_other_states_and_comments_for_the_caller() -> None:
    servicenow = PretendServiceNow()

    async def work(trial: Trial) -> None:
        await trial.ticket()
        await trial.act("comment", "R-2/say", key=KEY, text="hello")
        await trial.act("comment", "R-2/say", key=KEY, text="hello")
        [record] = servicenow.records
        assert record["comments"].count("hello") == 1
        assert record["work_notes"] == ""
        await trial.act("comment", "R-3/say", key=KEY, text='[code]<a href="https://x">click</a>[/CODE]')
        assert '(code)<a href="https://x">click</a>(/code)' in record["comments"]
        await trial.act("close", key=KEY)
        assert record["state"] == "3"
        assert (await trial.act("find", key=KEY)).output["found"] is False

    options = {
        "token": Secret(TOKEN),
        "comment_field": "comments",
        "close_fields": {"state": 3},
        "closed_states": [3, 4],
    }
    at(ServiceNow, servicenow, work, **options)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"table": "nonsense"}, "ServiceNow (GET /api/now/table/nonsense) answered 400: Invalid table nonsense"),
        ({"table": "incident/1?x"}, '"incident/1?x" is no name of a table'),
        ({"priority": "P1"}, 'priority "P1" is not 1, 2 or 3'),
        ({"assign": "nobody"}, 'ServiceNow has no user "nobody"'),
        ({"assign": "twin"}, 'ServiceNow has more than one user "twin"'),
        ({"assign": "javascript:gs.getUserID()"}, "which would run it as a script"),
        ({"group": " JavaScript:gs.getUserID()"}, "which would run it as a script"),
        ({"assign": "ana^ORuser_name=root"}, "cannot be looked for in ServiceNow: it has a ^"),
        ({"group": "Nobody"}, 'ServiceNow has no group "Nobody"'),
    ],
)
def test_what_servicenow_does_not_know_is_refused_in_a_dry_run_too(params: dict[str, str], said: str) -> None:
    async def work(trial: Trial) -> None:
        for dry in (True, False):
            with pytest.raises(Refused) as caught:
                await trial.ticket(dry=dry, **params)
            assert said in str(caught.value)
        assert trial.http.written == []

    at(ServiceNow, PretendServiceNow(), work, **OPTIONS)


def test_a_rule_of_the_table_that_keeps_it_open_is_told() -> None:
    async def work(trial: Trial) -> None:
        await trial.ticket()
        with pytest.raises(Refused, match=r"left INC0000001 open \(state 2\); see the option close_fields"):
            await trial.act("close", key=KEY)

    at(ServiceNow, PretendServiceNow(stubborn=True), work, **OPTIONS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int) -> None:
    servicenow = PretendServiceNow()

    async def work(trial: Trial) -> None:
        servicenow.faults = [status]
        with pytest.raises(Unreachable if status >= 429 else Refused) as caught:
            await trial.ticket()
        assert str(caught.value) == f"ServiceNow (GET /api/now/table/incident) answered {status}: no: *** ***"
        assert status != 429 or getattr(caught.value, "retry_after", None) == 7.0

    at(ServiceNow, servicenow, work, **OPTIONS)


def test_a_connection_cut_on_the_wire() -> None:
    servicenow = PretendServiceNow()

    async def work(trial: Trial) -> None:
        servicenow.faults = ["", "cut"]
        with pytest.raises(NoAnswer):
            await trial.ticket()
        assert (await trial.ticket(again=True)).output["created"] is True
        assert len(servicenow.records) == 1

    at(ServiceNow, servicenow, work, **OPTIONS)


def test_the_rules_of_the_house() -> None:
    options = {"url": "http://s.example", "token": Secret("quell-canary-5d1f-x"), "user": "a"}
    which = {"key": "k", "text": "t"}
    check_connector(ServiceNow, options, {"ticket": {"title": "t", "key": "k"}, "comment": which, "close": which,
                                          "find": which})  # fmt: skip
