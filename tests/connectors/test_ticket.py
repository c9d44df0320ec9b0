from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.acting import Act, at_the_desk
from connectors.deliveries import built
from connectors.desk import Desk
from quell.errors import BadPayload, Refused, Unreachable
from quell.sdk.connector import Call
from quell.sdk.http import Answer
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.ticket import Ticket

FIELDS: dict[str, Any] = {"fields": {"key": "summary_key", "title": "summary"}, "token": Secret("t0ken-abc")}


def test_a_ticket_is_opened_once_per_key() -> None:
    async def work(desk: Desk, act: Act) -> None:
        first = await act("open", title="cart is down", body="why", key="inc-1", severity="high", labels={"team": "a"})
        again = await act("open", call_key="run-2/s/1", title="cart is down", key="inc-1")
        longer = await act("open", title="another", key="inc-10")

        assert desk.tickets[0] == {
            "summary_key": "inc-1", "summary": "cart is down", "body": "why", "severity": "high",
            "labels": {"team": "a"}, "id": 1, "status": "new",
        }  # fmt: skip
        assert first.output == {"id": "1", "url": f"{desk.url}/tickets/1", "created": True}
        assert first.sentence == "ticket 1 is open for inc-1"
        assert again.output == {"id": "1", "url": f"{desk.url}/tickets/1", "created": False}
        assert longer.output["id"] == "2"
        assert desk.requests[1][2]["Idempotency-Key"] == "run-1/s/1"
        assert desk.requests[1][2]["Authorization"] == "Bearer t0ken-abc"

    at_the_desk(Ticket, work, **FIELDS)


def test_a_search_that_finds_more_than_asked_for_is_sorted_out() -> None:
    async def work(desk: Desk, act: Act) -> None:
        await act("open", title="b", key="inc-10")
        done = await act("open", title="a", key="inc-1")
        assert done.output["id"] == "2"

    at_the_desk(Ticket, work, **FIELDS)


def test_two_runs_for_one_key_at_once_open_one_ticket() -> None:
    async def work(desk: Desk, act: Act) -> None:
        both = await asyncio.gather(
            act("open", title="a", key="inc-1"), act("open", call_key="run-2/s/1", title="b", key="inc-1")
        )
        assert sorted(done.output["created"] for done in both) == [False, True]
        assert len(desk.tickets) == 1

    at_the_desk(Ticket, work, **FIELDS)


@pytest.mark.parametrize("number", ["..", "."])
def test_an_id_does_not_lead_to_another_place_of_the_api(number: str) -> None:
    async def work(desk: Desk, act: Act) -> None:
        for action in ("comment", "close"):
            with pytest.raises(Refused, match="cannot stand in an address"):
                await act(action, id=number, text="hello")
        assert desk.requests == []

    at_the_desk(Ticket, work, **FIELDS)


def test_a_crash_after_opening_leaves_one_ticket_when_repeated() -> None:
    async def work(desk: Desk, act: Act) -> None:
        desk.faults = [200, "cut"]
        desk.faults[0] = "none"
        with pytest.raises(Unreachable):
            await act("open", title="a", key="inc-1")
        assert (await act("open", title="a", key="inc-1")).output["created"] is False
        assert len(desk.tickets) == 1

    at_the_desk(Ticket, work, **FIELDS)


def test_a_closed_ticket_does_not_stand_in_the_way() -> None:
    async def work(desk: Desk, act: Act) -> None:
        await act("open", title="a", key="inc-1")
        closed = await act("close", key="inc-1")
        again = await act("close", key="inc-1")
        assert (closed.output, closed.sentence) == ({"id": "1", "closed": True}, "ticket 1 is closed")
        assert (again.output["closed"], again.sentence) == (False, "the ticket of inc-1 is not open")
        assert desk.tickets[0]["status"] == "closed"
        assert (await act("open", title="a", key="inc-1")).output["id"] == "2"
        await act("close", id="2")
        assert desk.tickets[1]["status"] == "closed"

    at_the_desk(Ticket, work, **FIELDS)


def test_a_comment_is_made_once_per_step() -> None:
    async def work(desk: Desk, act: Act) -> None:
        await act("open", title="a", key="inc-1")
        assert (await act("comment", key="inc-1", text="hello")).output == {"id": "1", "created": True}
        assert (await act("comment", id="1", text="hello")).output == {"id": "1", "created": False}
        assert desk.comments["1"] == [{"body": "hello\n\n[quell run-1/s/1]"}]
        with pytest.raises(Refused, match="the ticket of inc-9 is not open; no comment was added"):
            await act("comment", key="inc-9", text="hello")
        with pytest.raises(Refused, match='needs "id" or "key"'):
            await act("close")
        with pytest.raises(Refused, match='no action "explode"'):
            await act("explode")

    at_the_desk(Ticket, work, **FIELDS)


def test_a_page_makes_a_ticket_too() -> None:
    async def work(desk: Desk, act: Act) -> None:
        await act("open", title="cart is down", text="all of it", incident="inc-1", severity="high")
        assert desk.tickets[0]["summary_key"] == "inc-1"
        assert desk.tickets[0]["body"] == "all of it"

    at_the_desk(Ticket, work, **FIELDS)


def test_dry_runs_only_look() -> None:
    async def work(desk: Desk, act: Act) -> None:
        assert (await act("open", dry_run=True, title="t", key="k")).sentence == 'would open "t" for k'
        assert (await act("close", dry_run=True, key="k")).sentence == "the ticket of k is not open"
        with pytest.raises(Refused, match="the ticket of k is not open; no comment was added"):
            await act("comment", dry_run=True, key="k", text="x")
        await act("open", title="t", key="k")
        dry = [
            await act("open", dry_run=True, title="t", key="k"),
            await act("comment", dry_run=True, key="k", text="x"),
            await act("close", dry_run=True, key="k"),
        ]
        assert [done.sentence for done in dry] == [
            "ticket 1 is open for k; it was open before",
            "would comment on ticket 1",
            "would close ticket 1",
        ]
        assert [request[0] for request in desk.requests].count("POST") == 1
        assert desk.tickets[0]["status"] == "new"

    at_the_desk(Ticket, work, **FIELDS)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503, 429])
def test_faults_of_the_api_are_told_apart_and_show_no_secret(status: int) -> None:
    async def work(desk: Desk, act: Act) -> None:
        desk.faults = [status]
        with pytest.raises(Unreachable if status >= 429 else Refused) as caught:
            await act("open", title="a", key="k")
        assert str(caught.value) == f"ticket API (GET /tickets) answered {status}: no: Bearer ***"
        assert not desk.tickets

    at_the_desk(Ticket, work, **FIELDS)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b"<html>", {}),
        (b"{}", {}),
        (b"[7]", {}),
        (b'{"a":[],"b":[]}', {}),
        (b'{"a":[],"items":{}}', {"list_field": "items"}),
        (b'[{"title":"no id"}]', {}),
    ],
)
def test_an_answer_that_cannot_be_read_opens_nothing(body: bytes, options: dict[str, Any]) -> None:
    http = FakeHttp(Answer(200, {}, body))
    ticket = built(Ticket, http, url="http://t.example", **options)
    with pytest.raises(BadPayload):
        run(ticket.act(Call("k", "open", {"title": "a", "key": "x"}, NOW)))
    assert [sent.method for sent in http.sent] == ["GET"]


def test_keys_and_ids_cannot_leave_their_place_in_the_address() -> None:
    http = FakeHttp(Answer(200, {}, b"[]"))
    ticket = built(Ticket, http, url="http://t.example/")
    run(ticket.act(Call("k", "close", {"key": "a&b=c/../#"}, NOW)))
    run(ticket.act(Call("k", "close", {"id": "../users/1?x"}, NOW)))
    assert [sent.url for sent in http.sent] == [
        "http://t.example/tickets?key=a%26b%3Dc%2F..%2F%23",
        "http://t.example/tickets/..%2Fusers%2F1%3Fx",
    ]
