from __future__ import annotations

from typing import Any

import pytest

from connectors.pretend import TOKEN, at
from connectors.pretend_statuspage import PretendStatuspage
from connectors.trackers import Trial
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.connector import Done
from quell.sdk.secret import Secret
from quell.sdk.testkit import check_connector
from quell_connectors.statuspage import Statuspage

OPTIONS: dict[str, Any] = {"token": Secret(TOKEN), "page": "p1", "settle": 3.0}
SAID = {"title": "Checkout is slow", "body": "We look into it.", "key": "checkout"}


async def note(trial: Trial, token: str = "R-1/note", **params: Any) -> Done:
    return await trial.act("note", token, **{**SAID, **params})


def test_one_incident_is_open_per_key_and_told_of() -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        first = await note(trial, components={"checkout": "partial_outage", "c2": "degraded_performance"})
        assert first.output == {
            "id": "inc1", "url": "https://stspg.example/inc1", "created": True, "commented": False,
        }  # fmt: skip
        trial.restart()
        second = await note(trial, "R-2/note", body="It is the database.", status="identified", impact="major")
        assert second.output == {**first.output, "created": False, "commented": True}
        third = await note(trial, "R-3/note", body="Nearly there.", notify=False)
        assert third.sentence == "inc1 is open for checkout; it was open before and has a comment"

        [incident] = page.incidents
        assert incident["components"] == {"c1": "partial_outage", "c2": "degraded_performance"}
        assert incident["impact_override"] == "major"
        assert incident["updates"] == [
            {"status": "investigating", "body": "We look into it."},
            {"status": "identified", "body": "It is the database."},
            {"status": "identified", "body": "Nearly there."},
        ]
        assert page.told == 2
        assert (await trial.act("find", key="checkout")).output["found"] is True

        over = await trial.act("resolve", key="checkout", text="All is well.")
        assert over.sentence == "inc1 is closed"
        assert incident["updates"][-1] == {"status": "resolved", "body": "All is well."}
        again = await trial.act("resolve", key="checkout")
        assert again.sentence == "no incident is open for checkout in page p1; nothing is to be closed"
        assert len(incident["updates"]) == 4
        assert (await note(trial, "R-4/note")).output["id"] == "inc2"

    at(Statuspage, page, work, **OPTIONS)


def test_what_is_over_leaves_no_component_broken_but_those_of_others() -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        await note(trial, components={"checkout": "partial_outage", "cart": "major_outage"})
        await note(trial, "R-2/note", key="cart", title="Carts are slow", components={"cart": "degraded_performance"})
        await trial.act("resolve", key="checkout")
        first, second = page.incidents
        assert first["components"] == {"c1": "operational", "c2": "major_outage"}
        assert second["components"] == {"c2": "degraded_performance"}

    at(Statuspage, page, work, **OPTIONS)


def test_the_public_sees_no_marks() -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        await note(trial)
        await note(trial, "R-2/note")
        await trial.act("resolve", key="checkout")
        [incident] = page.incidents
        assert incident["metadata"]["quell"]["key"].startswith("quell-")
        incident.pop("metadata")
        assert "quell" not in str(incident)

    at(Statuspage, page, work, **OPTIONS)


def test_others_metadata_stays() -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        await note(trial)
        page.incidents[0]["metadata"]["jira"] = {"issue": "OPS-1"}
        await note(trial, "R-2/note")
        assert page.incidents[0]["metadata"]["jira"] == {"issue": "OPS-1"}

    at(Statuspage, page, work, **OPTIONS)


@pytest.mark.parametrize("fault", ["lost", "unsent"])
def test_each_update_is_told_once_whatever_is_lost(fault: str) -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        for token in ("R-1/note", "R-2/note"):
            trial.http.faults = [fault]
            with pytest.raises(Unreachable):
                await note(trial, token)
            trial.restart()
            await note(trial, token)
            await note(trial, token)
        trial.http.faults = [fault]
        with pytest.raises(Unreachable):
            await trial.act("resolve", key="checkout")
        await trial.act("resolve", key="checkout")
        [incident] = page.incidents
        assert [update["status"] for update in incident["updates"]] == ["investigating"] * 2 + ["resolved"]

    at(Statuspage, page, work, **OPTIONS)


def test_dry_runs() -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        would = await trial.act("note", dry=True, **SAID)
        assert would.sentence == 'would open "Checkout is slow" in page p1 for checkout'
        await note(trial)
        written = len(trial.http.written)
        same = await trial.act("note", "R-1/note", dry=True, **SAID)
        assert same.sentence == "inc1 is open for checkout; this step opened it"
        again = await trial.act("note", "R-2/note", dry=True, **SAID)
        assert again.sentence == "would comment on inc1, which is open for checkout"
        assert (await trial.act("resolve", dry=True, key="checkout")).sentence == "would close inc1"
        assert len(trial.http.written) == written

    at(Statuspage, page, work, **OPTIONS)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"page": "p2"}, "Statuspage (GET /v1/pages/p2/incidents/unresolved) answered 404: Resource not found"),
        ({"components": {"Basket": "major_outage"}}, 'page p1 has no component "Basket"; there are "Checkout"'),
        ({"components": {"Cart": "broken"}}, '"broken" of component "Cart" is not one of operational'),
    ],
)
def test_what_the_page_does_not_know_is_refused_in_a_dry_run_too(params: dict[str, Any], said: str) -> None:
    async def work(trial: Trial) -> None:
        for dry in (True, False):
            with pytest.raises(Refused) as caught:
                await trial.act("note", dry=dry, **{**SAID, **params})
            assert said in str(caught.value)
        assert trial.http.written == []

    at(Statuspage, PretendStatuspage(), work, **OPTIONS)


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "9"}, 9.0), ({}, 60.0)])
@pytest.mark.parametrize("status", [420, 429])
def test_its_limit_says_how_long_to_wait(status: int, headers: dict[str, str], wait: float) -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        page.faults = ["", (status, headers, "{}")]
        with pytest.raises(Unreachable, match=f"rate limit is reached; again in {wait:.0f} s") as caught:
            await note(trial)
        assert caught.value.retry_after == wait
        assert page.incidents == []

    at(Statuspage, page, work, **OPTIONS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int) -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        page.faults = [status]
        with pytest.raises(Unreachable if status >= 500 else Refused, match=f"answered {status}: no: [*]{{3}}"):
            await note(trial)

    at(Statuspage, page, work, **OPTIONS)


def test_a_connection_cut_on_the_wire_and_long_texts() -> None:
    page = PretendStatuspage()

    async def work(trial: Trial) -> None:
        page.faults = ["", "cut"]
        with pytest.raises(NoAnswer):
            await note(trial, title="T" * 400, body="é🚨" * 40_000)
        assert (await note(trial, title="T" * 400)).output["created"] is True
        await note(trial, "R-2/note", body="é🚨" * 40_000)
        assert len(page.incidents) == 1

    at(Statuspage, page, work, **OPTIONS)


def test_a_page_and_an_action_are_needed() -> None:
    async def work(trial: Trial) -> None:
        with pytest.raises(Refused, match='needs a "page"'):
            await note(trial)
        with pytest.raises(Refused, match='no action "explode"; there are note, resolve, find'):
            await trial.act("explode")

    at(Statuspage, PretendStatuspage(), work, token=Secret(TOKEN))


def test_the_rules_of_the_house() -> None:
    options = {"url": "http://s.example", "token": Secret("quell-canary-5d1f-x"), "page": "p1"}
    check_connector(Statuspage, options, {"note": {"title": "t", "key": "k"}, "resolve": {"key": "k"},
                                          "find": {"key": "k"}})  # fmt: skip
