"""Against the Redmine that Debian packages: nothing here pretends to be one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import trackers
from connectors.real_redmine import CLERK_KEY, HOME, KEY, RealRedmine, real_redmine
from connectors.trackers import STORIES, Lossy, Story, Trial
from quell.errors import Refused
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.sdk.testkit import run
from quell_connectors.redmine import Redmine

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRedmine]:
    if not HOME.is_dir():
        text = f"needs {HOME}; on Debian: apt-get install redmine redmine-sqlite puma"
        pytest.fail(text, pytrace=False) if os.environ.get("CI") else pytest.skip(text)
    with real_redmine(tmp_path_factory.mktemp("redmine")) as started:
        yield started


class Seen:
    """All issues since ``first``, as Redmine's API tells of them."""

    def __init__(self, redmine: RealRedmine) -> None:
        self._redmine = redmine
        found = redmine.ask("/issues.json?status_id=*&sort=id:desc&limit=1")["issues"]
        self._after = found[0]["id"] if found else 0

    async def tickets(self) -> list[dict[str, Any]]:
        listed = self._redmine.ask("/issues.json?status_id=*&limit=100&sort=id:desc")["issues"]
        return [self._ticket(each["id"]) for each in listed if each["id"] > self._after]

    def _ticket(self, number: int) -> dict[str, Any]:
        issue = self._redmine.ask(f"/issues/{number}.json?include=journals")["issue"]
        notes = [journal["notes"] for journal in issue["journals"] if journal["notes"]]
        return {"id": str(number), "title": issue["subject"], "text": issue["description"], "comments": notes,
                "open": not issue["status"]["is_closed"], "issue": issue}  # fmt: skip

    def pass_time(self, seconds: float) -> None:
        pass


def at(redmine: RealRedmine, work: Callable[[Trial], Awaitable[None]], key: str = KEY, **options: Any) -> None:
    async def inner() -> None:
        http = GuardedHttp(["loopback"])
        given = {"url": redmine.url + "/", "token": Secret(key), "project": "ops", **options}
        trial = Trial(Redmine, given, Lossy(http), Seen(redmine))
        try:
            await work(trial)
        finally:
            await _tidy(trial)
            await http.close()

    run(inner())


async def _tidy(trial: Trial) -> None:
    """The next test begins without open issues."""
    trial.http.faults = []
    trial.options = {**trial.options, "token": Secret(KEY), "closed_status": "Rejected"}
    trial.restart()
    for ticket in await trial.kept.tickets():
        if ticket["open"]:
            await trial.act("close", "tidy", id=ticket["id"])


@pytest.mark.parametrize("field", [None, 1])
@pytest.mark.parametrize("story", STORIES)
def test_stories(redmine: RealRedmine, story: Story, field: int | None) -> None:
    at(redmine, story, key_field=field)


def test_one_ticket_whatever_is_lost(redmine: RealRedmine) -> None:
    at(redmine, lambda trial: trackers.any_faults(trial, 6, 7))


def test_dry_runs(redmine: RealRedmine) -> None:
    at(redmine, lambda trial: trackers.said_and_not_done(trial, "ops"))


def test_long_texts(redmine: RealRedmine) -> None:
    at(redmine, lambda trial: trackers.long_texts(trial, 255, 60_000))


def test_names_become_numbers(redmine: RealRedmine) -> None:
    async def work(trial: Trial) -> None:
        await trial.ticket(severity="critical", assign="Ana Clerk", tracker="support", fields={"done_ratio": 30})
        await trial.ticket("R-2/x", key="other", priority="low", assign="ana")
        second, first = [ticket["issue"] for ticket in await trial.about()]
        assert (first["priority"]["name"], first["assigned_to"]["name"]) == ("Urgent", "Ana Clerk")
        assert (first["tracker"]["name"], first["done_ratio"]) == ("Support", 30)
        assert (second["priority"]["name"], second["assigned_to"]["name"]) == ("Low", "Ana Clerk")

    at(redmine, work, priorities={"critical": "Urgent"})


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"tracker": "Nonsense"}, 'no tracker "Nonsense"; there are "Bug", "Feature", "Support"'),
        ({"priority": "P1"}, 'no priority "P1"; there are "Low", "Normal", "High", "Urgent", "Immediate"'),
        ({"assign": "nobody"}, 'no member "nobody"; there are "Ana Clerk"'),
        ({"project": "nope"}, 'GET /issues.json, project "nope") answered 404'),
    ],
)
def test_what_redmine_does_not_know_is_refused_in_a_dry_run_too(
    redmine: RealRedmine, params: dict[str, str], said: str
) -> None:
    async def work(trial: Trial) -> None:
        for dry in (True, False):
            with pytest.raises(Refused) as caught:
                await trial.ticket(dry=dry, **params)
            assert said in str(caught.value)
        assert await trial.about() == []

    at(redmine, work)


def test_what_redmine_says_is_handed_on(redmine: RealRedmine) -> None:
    async def work(trial: Trial) -> None:
        with pytest.raises(Refused, match=r"answered 422: Start date is not a valid date"):
            await trial.ticket(fields={"start_date": "soon"})
        with pytest.raises(Refused, match="ops has no 999999; nothing was closed"):
            await trial.act("close", id="#999999")
        with pytest.raises(Refused, match=r'"\.\." is no name'):
            await trial.act("close", id="..")

    async def stranger(trial: Trial) -> None:
        with pytest.raises(Refused, match=r'project "ops"\) answered (401|403)') as caught:
            await trial.ticket()
        assert "zzzz" not in str(caught.value)

    at(redmine, work)
    at(redmine, stranger, key="z" * 40)


def test_a_workflow_that_does_not_let_it_close_is_told(redmine: RealRedmine) -> None:
    async def work(trial: Trial) -> None:
        await trial.ticket()
        with pytest.raises(Refused, match=r"left #[0-9]+ open: its workflow lets this user not set status"):
            await trial.act("close", key=trackers.KEY)

    at(redmine, work, key=CLERK_KEY)


def test_an_issue_that_people_opened_again_is_open(redmine: RealRedmine) -> None:
    async def work(trial: Trial) -> None:
        first = await trial.ticket()
        await trial.act("close", key=trackers.KEY)
        headers = {"X-Redmine-API-Key": KEY}
        path = f"{redmine.url}/issues/{first.output['id']}.json"
        await trial.http.request("PUT", path, headers=headers, json={"issue": {"status_id": 2}})
        again = await trial.ticket("R-2/x")
        assert (again.output["id"], again.output["created"]) == (first.output["id"], False)

    at(redmine, work)


def test_a_project_is_needed(tmp_path: Path) -> None:
    async def work() -> None:
        trial = Trial(Redmine, {"url": "http://r.example", "token": Secret("x")}, Lossy(GuardedHttp()), _Nothing())
        with pytest.raises(Refused, match='needs a "project"'):
            await trial.ticket()

    run(work())


class _Nothing:
    async def tickets(self) -> list[dict[str, Any]]:
        return []

    def pass_time(self, seconds: float) -> None:
        pass
