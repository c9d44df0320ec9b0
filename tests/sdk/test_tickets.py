from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.errors import BadPayload, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Done, Pending
from quell.sdk.http import Answer
from quell.sdk.json_api import JsonApi, basic, bearer, part
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run
from quell.sdk.ticket_text import Draft, Limits, clean, cut, draft_of, key_mark, one_line, step_mark
from quell.sdk.tickets import OneOpen, Ticket

ANY = st.text(st.characters(codec=None, categories=("Cs", "Cc", "Lu", "Zs", "So")), max_size=300)


@given(ANY)
def test_marks_are_words_that_any_search_and_any_label_takes(key: str) -> None:
    assert re.fullmatch(r"quell-[0-9a-f]{16}", key_mark(key))
    assert re.fullmatch(r"quell-step-[0-9a-f]{16}", step_mark(key))
    assert key_mark(key) == key_mark(key) != step_mark(key)
    assert key_mark(key) != key_mark(key + "x")
    assert key_mark(key) not in step_mark(key)


@given(ANY, st.integers(10, 400))
def test_a_title_is_one_clean_line(text: str, most: int) -> None:
    title = one_line(text, most)
    assert len(title) <= most
    assert "\n" not in title
    title.encode()
    assert clean(title) == title


@given(ANY, st.integers(60, 300), st.sampled_from(["characters", "bytes"]), st.sampled_from(["shown", "hidden"]))
def test_marks_stay_whatever_is_cut(text: str, most: int, size: Any, marks: Any) -> None:
    limits = Limits(title=50, text=most, size=size, marks=marks)
    written = limits.written(text, "", ("quell-1", "quell-step-2"))
    assert len(written.encode() if size == "bytes" else written) <= most
    assert "quell-1" in written
    assert "quell-step-2" in written
    if len(text.encode("utf-8", "replace")) + 40 < most:
        assert written.startswith(clean(text))


def test_what_is_cut_is_told() -> None:
    assert cut("é" * 100, 50) == "é" * 42 + "\n… (cut)"
    assert cut("é" * 100, 50, "bytes") == "é" * 20 + "\n… (cut)"
    assert cut("é" * 10, 3) == ""
    assert cut("a\r\nb\rc\x00\x1b", 50) == "a\nb\nc"
    assert Limits(title=9, text=10, marks="aside").written("é" * 20, "x", ("m",)) == "éé\n… (cut)"


def test_a_draft_of_a_step_and_of_a_page() -> None:
    limits = Limits(title=20, text=500)
    step = draft_of(
        {"key": "k", "title": "a\n b", "body": "why", "labels": ["x", " ", 7], "severity": "HIGH"}, "R/s", limits
    )
    assert (step.key, step.title, step.labels, step.severity) == ("k", "a b", ("x", "7"), "high")
    assert step.body == f"why\n\nquell, for k [{key_mark('k')}] [{step_mark('R/s')}]"
    page = draft_of({"title": None, "text": "cart is down\nbadly", "incident": "inc-1"}, "page/1", limits)
    assert (page.key, page.title, page.body.partition("\n\n")[0]) == ("inc-1", "cart is down", "cart is down\nbadly")
    assert draft_of({}, "R/s", limits).title == "R/s"


@dataclass
class Shelf:
    """A tracker in memory. ``hidden`` tickets are not found by search yet; ``fault`` comes after a ticket was made."""

    where: str = "OPS"
    limits: Limits = field(default_factory=lambda: Limits(title=100, text=1000))
    tickets: list[Ticket] = field(default_factory=list)
    hidden: bool = False
    fault: Exception | None = None
    before: Exception | None = None
    slow_s: float = 0.0

    async def ready(self, draft: Draft) -> None: ...

    async def find(self, mark: str) -> Ticket | None:
        await asyncio.sleep(0)
        return None if self.hidden else next((one for one in self.tickets if mark in one.said and one.is_open), None)

    async def get(self, number: str) -> Ticket | None:
        return next((one for one in self.tickets if one.id == number), None)

    async def open(self, draft: Draft) -> Ticket:
        if self.before is not None:
            raise self.before
        ticket = Ticket(f"OPS-{len(self.tickets) + 1}", "u", draft.title, draft.body)
        self.tickets.append(ticket)
        await asyncio.sleep(self.slow_s)
        if self.fault is not None:
            raise self.fault
        return ticket

    async def update(self, ticket: Ticket, draft: Draft) -> None: ...

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        return True

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:
        raise AssertionError

    async def close(self, ticket: Ticket) -> None: ...


def call(now: float = NOW, *, again: bool = False, key: str = "R/1", dry_run: bool = False) -> Call:
    return Call(key, "ticket", {"key": "k", "title": "t", "if_open": "skip"}, now, again=again, dry_run=dry_run)


def test_what_was_opened_is_found_by_its_number_while_the_search_lags() -> None:
    async def work() -> None:
        shelf, tickets = Shelf(hidden=True), OneOpen(10.0)
        for number in range(3):
            done = await tickets.act(call(key=f"R/{number}"), shelf)
            assert isinstance(done, Done)
            assert done.output["id"] == "OPS-1"
        shelf.tickets[0] = Ticket("OPS-1", "u", "t", shelf.tickets[0].said, is_open=False)
        done = await tickets.act(call(), shelf)
        assert isinstance(done, Done)
        assert done.output["id"] == "OPS-2"

    run(work())


@pytest.mark.parametrize("fault", [NoAnswer("cut"), BadPayload("what?")])
def test_after_a_lost_answer_the_search_gets_its_time(fault: Exception) -> None:
    async def work() -> None:
        shelf, tickets = Shelf(hidden=True, fault=fault), OneOpen(10.0)
        with pytest.raises(type(fault)):
            await tickets.act(call(), shelf)
        shelf.fault = None
        waits = await tickets.act(call(NOW + 4), shelf)
        assert waits == Pending(10.0, "waits until OPS would find what may have been opened")
        assert isinstance(await tickets.act(call(NOW + 4, dry_run=True), shelf), Done)
        shelf.hidden = False
        done = await tickets.act(call(NOW + 14), shelf)
        assert isinstance(done, Done)
        assert (done.output["id"], done.output["created"], len(shelf.tickets)) == ("OPS-1", True, 1)
        assert isinstance(await tickets.act(call(NOW + 14, again=True), shelf), Done)

    run(work())


def test_a_time_limit_in_the_middle_leaves_a_doubt_too() -> None:
    async def work() -> None:
        shelf, tickets = Shelf(hidden=True, slow_s=60.0), OneOpen(10.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tickets.act(call(), shelf), 0.05)
        assert isinstance(await tickets.act(call(NOW + 1), shelf), Pending)

    run(work())


@pytest.mark.parametrize("before", [Refused("no"), Unreachable("later")])
def test_what_was_surely_not_done_leaves_no_doubt(before: Exception) -> None:
    async def work() -> None:
        shelf, tickets = Shelf(hidden=True, before=before), OneOpen(10.0)
        with pytest.raises(type(before)):
            await tickets.act(call(), shelf)
        shelf.before = None
        assert isinstance(await tickets.act(call(), shelf), Done)

    run(work())


def test_a_repeat_after_a_restart_waits_once_and_without_lag_not_at_all() -> None:
    async def work() -> None:
        tickets = OneOpen(10.0)
        assert await tickets.act(call(again=True), Shelf()) == Pending(
            10.0, "waits until OPS would find what may have been opened"
        )
        assert isinstance(await tickets.act(call(NOW + 10, again=True), Shelf()), Done)
        assert isinstance(await OneOpen(0.0).act(call(again=True), Shelf()), Done)

    run(work())


def test_keys_wait_only_for_themselves() -> None:
    async def work() -> None:
        shelf, tickets = Shelf(slow_s=0.05), OneOpen()
        calls = [Call(f"R/{n}", "ticket", {"key": f"k{n % 2}", "title": "t", "if_open": "skip"}, NOW) for n in range(8)]
        await asyncio.wait_for(asyncio.gather(*(tickets.act(one, shelf) for one in calls)), 5)
        assert len(shelf.tickets) == 2
        assert tickets._gates == {}

    run(work())


def api(*script: Any, **given: Any) -> tuple[JsonApi, FakeHttp]:
    http = FakeHttp(*script)
    return JsonApi(http, "http://a.example/base/", "It", **given), http


def test_an_api_is_asked_with_its_credentials_and_for_no_longer_than_one_request_may_take() -> None:
    asked, http = api(Answer(200, {}, b'{"n": 1}'), credentials={"Authorization": bearer(Secret("tok"))})
    assert run(asked.ask("GET", "/x", dict[str, int], timeout_s=99.0, query={"a": "b"})) == {"n": 1}
    [sent] = http.sent
    assert (sent.url, sent.query, sent.timeout_s) == ("http://a.example/base/x", {"a": "b"}, 20.0)
    assert sent.headers == {"Accept": "application/json", "Authorization": "Bearer tok"}
    assert "tok" not in repr(vars(asked))


def test_what_is_not_there_is_told_from_what_may_not_be_asked() -> None:
    assert run(api(Answer(404, {}, b""))[0].ask_for("/x", dict[str, int], timeout_s=1)) is None
    assert run(api(Answer(404, {}, b""))[0].is_there("/x", timeout_s=1)) is False
    assert run(api(Answer(204, {}, b""))[0].is_there("/x", timeout_s=1)) is True
    for ask in ("ask_for", "is_there"):
        asked, _ = api(Answer(403, {}, b"no tok"), hide=(Secret("tok"), None))
        given: tuple[Any, ...] = ("/x", dict[str, int]) if ask == "ask_for" else ("/x",)
        with pytest.raises(Refused, match=r"It \(GET /x\) answered 403: no \*\*\*"):
            run(getattr(asked, ask)(*given, timeout_s=1))


def test_an_answer_that_cannot_be_read_names_who_gave_it() -> None:
    with pytest.raises(BadPayload, match=r"It \(POST /x, of OPS\) answered what cannot be read: n: "):
        run(api(Answer(200, {}, b'{"n": "x"}'))[0].ask("POST", "/x", dict[str, int], timeout_s=1, about="of OPS"))


def test_an_api_judges_only_what_is_no_success() -> None:
    seen: list[int] = []
    asked, _ = api(Answer(200, {}, b"{}"), Answer(418, {}, b""), judge=lambda answer, who: seen.append(answer.status))
    run(asked.do("GET", "/", timeout_s=1))
    with pytest.raises(Refused):
        run(asked.do("GET", "/", timeout_s=1))
    assert seen == [418]


def test_credentials_and_parts_of_paths() -> None:
    assert basic("ana", Secret("pw")).reveal() == "Basic YW5hOnB3"
    assert str(basic("ana", Secret("pw"))) == "***"
    assert part("a/../b?c#d") == "a%2F..%2Fb%3Fc%23d"
    for nothing in ("", ".", "..", "..;x"):
        with pytest.raises(Refused, match="is no name"):
            part(nothing)
