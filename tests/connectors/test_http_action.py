from __future__ import annotations

import pytest

from connectors.acting import Act, at_the_desk
from connectors.desk import Desk
from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.secret import Secret
from quell.sdk.testkit import check_connector
from quell_connectors.http import HttpAction

TOKEN = Secret("t0ken-abc")


def test_a_request_carries_body_headers_token_and_the_key() -> None:
    async def work(desk: Desk, act: Act) -> None:
        done = await act("request", url="/pause?x=1", method="PUT", json={"a": 1}, headers={"x-b": "c"})

        [(method, path, headers, body)] = desk.requests
        assert (method, path, body) == ("PUT", "/api/pause?x=1", {"a": 1})
        assert headers["Idempotency-Key"] == "run-1/s/1"
        assert headers["Authorization"] == "Bearer t0ken-abc"
        assert (headers["x-a"], headers["x-b"]) == ("1", "c")
        assert done.output == {"status": 200, "json": {"echo": {"a": 1}, "ok": True}}
        assert done.sentence == f"PUT {desk.url}/pause answered 200"

    at_the_desk(HttpAction, work, token=TOKEN, headers={"x-a": 1})


def test_the_token_goes_to_its_own_host_only() -> None:
    async def work(desk: Desk, act: Act) -> None:
        await act("request", url=desk.url.replace("127.0.0.1", "127.0.0.2", 1).replace(":", ":", 1) + "/other")

    async def same(desk: Desk, act: Act) -> None:
        await act("request", url=desk.url + "/own")
        await act("request", url=desk.url.replace("127.0.0.1", "localhost") + "/by-another-name")
        first, second = desk.requests
        assert "Authorization" in first[2]
        assert "Authorization" not in second[2]

    at_the_desk(HttpAction, same, token=TOKEN)
    with pytest.raises(Unreachable):
        at_the_desk(HttpAction, work, token=TOKEN)


def test_expected_statuses_are_success_and_others_are_not() -> None:
    async def work(desk: Desk, act: Act) -> None:
        desk.faults = [409, 200, 500]
        assert (await act("request", url="/a", expect=[200, "409"])).output["status"] == 409
        with pytest.raises(Refused, match=r"answered 200; expected \[202\]"):
            await act("request", url="/a", expect=[202])
        with pytest.raises(Unreachable, match="answered 500"):
            await act("request", url="/a", expect=[202])
        with pytest.raises(Refused, match="is not a list of statuses"):
            await act("request", url="/a", expect=["fine"])
        assert len(desk.requests) == 3

    at_the_desk(HttpAction, work)


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
def test_what_passes_is_unreachable(status: int) -> None:
    async def work(desk: Desk, act: Act) -> None:
        desk.faults = [status]
        with pytest.raises(Unreachable) as caught:
            await act("request", url="/a")
        assert caught.value.retry_after_s == (7.0 if status == 429 else None)

    at_the_desk(HttpAction, work)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
def test_a_no_is_refused_with_what_was_said_and_no_secret(status: int) -> None:
    async def work(desk: Desk, act: Act) -> None:
        desk.faults = [status]
        with pytest.raises(Refused) as caught:
            await act("request", url="/a?secret=q#f")
        assert str(caught.value) == f"POST {desk.url}/a answered {status}: no: Bearer ***"

    at_the_desk(HttpAction, work, token=TOKEN)


def test_a_broken_connection_and_silence_are_no_answer() -> None:
    async def work(desk: Desk, act: Act) -> None:
        desk.faults = ["cut", "slow"]
        with pytest.raises(NoAnswer, match=r"(closed|broke) the connection"):
            await act("request", url="/a")
        with pytest.raises(NoAnswer, match=r"did not answer within 0\.2 s"):
            await act("request", url="/a", timeout_s=0.2)

    at_the_desk(HttpAction, work)


def test_a_long_answer_is_cut_off_and_a_body_is_sent_as_it_is() -> None:
    async def work(desk: Desk, act: Act) -> None:
        done = await act("request", url="/text", method="GET")
        assert len(done.output["body"]) == 16 * 1024
        await act("request", url="/raw", body='"ü"', headers={"content-type": "application/json"})
        assert desk.requests[-1][3] == "ü"

    at_the_desk(HttpAction, work)


def test_what_cannot_be_sent_is_refused() -> None:
    async def work(desk: Desk, act: Act) -> None:
        for params in ({"url": "ftp://a/b"}, {"url": ""}, {"url": "/a", "method": "BREW"},
                       {"url": "/a", "headers": {"x": "a\r\nb: c"}}, {"url": "http://[::1/"}):  # fmt: skip
            with pytest.raises(Refused):
                await act("request", **params)
        assert not desk.requests

    at_the_desk(HttpAction, work)


def test_what_sets_a_state_is_put_and_repeated_and_anything_else_is_not() -> None:
    async def work(desk: Desk, act: Act) -> None:
        await act("put", url="/a", json={"on": False})
        await act("put", url="/a", method="DELETE")
        assert [(method, path) for method, path, *_ in desk.requests] == [("PUT", "/api/a"), ("DELETE", "/api/a")]
        with pytest.raises(Refused, match='"POST" is not one of PUT, DELETE; nothing was sent'):
            await act("put", url="/a", method="POST")
        assert len(desk.requests) == 2

    at_the_desk(HttpAction, work)
    assert {action.name: action.repeat for action in HttpAction.spec.actions} == {
        "read": "state", "request": "never", "put": "state",
    }  # fmt: skip


def test_what_only_reads_is_asked_in_a_dry_run_too_and_changes_nothing() -> None:
    async def work(desk: Desk, act: Act) -> None:
        done = await act("read", dry_run=True, url="/version")
        assert [(method, path) for method, path, *_ in desk.requests] == [("GET", "/api/version")]
        assert done.output["status"] == 200
        assert done.output["headers"]["content-type"].startswith("application/json")
        with pytest.raises(Refused, match='"POST" is not one of GET, HEAD; nothing was sent'):
            await act("read", url="/a", method="POST")

    at_the_desk(HttpAction, work)


def test_a_dry_run_says_what_would_be_sent() -> None:
    async def work(desk: Desk, act: Act) -> None:
        done = await act("request", dry_run=True, url="https://u:p@deploy.example/x?token=1", method="DELETE")
        assert done.sentence == "DELETE https://deploy.example/x would be sent with Idempotency-Key run-1/s/1"
        assert not desk.requests

    at_the_desk(HttpAction, work)


def test_the_house_rules_hold_with_a_token() -> None:
    check_connector(HttpAction, {"url": "http://t.example", "token": TOKEN})
