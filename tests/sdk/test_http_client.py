"""`GuardedHttp` against a real server: what comes back, every way to get no answer, and what it will not speak to."""

from __future__ import annotations

import asyncio
import socket

import pytest

from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.addresses import Allowed
from quell.sdk.dial import permit
from quell.sdk.http import Answer, checked, path_part
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import run
from sdk.local_server import misbehaving

TOKEN = "very-secret-token"


def ask(path: str, *, allow: tuple[str, ...] = ("loopback",), host: str = "127.0.0.1", **more: object) -> Answer:
    async def asked() -> Answer:
        async with misbehaving() as (port, seen):
            http = GuardedHttp(allow)
            try:
                headers = {"Authorization": f"Bearer {TOKEN}"}
                return await http.request("GET", f"http://{host}:{port}{path}", headers=headers, **more)  # type: ignore[arg-type]
            finally:
                await http.close()
                ask.seen = seen  # type: ignore[attr-defined]

    return run(asked())


def test_an_answer_is_given_whatever_its_status() -> None:
    assert ask("/fine").body == b"fine"
    answer = ask("/busy")
    assert (answer.status, answer.body) == (429, b"wait")
    with pytest.raises(Unreachable) as caught:
        checked(answer, "ticket system")
    assert str(caught.value) == "ticket system answered 429: wait"
    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": " 120 "}, 120.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT", "date": "Fri, 31 Dec 1999 23:59:29 GMT"}, 30.0),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Sat, 01 Jan 2000 00:00:29 GMT"}, 0.0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": "Sat, 01 Jan 2000 00:00:29 GMT"}, 86_400.0),
        ({"Retry-After": "99999999999999999999"}, 86_400.0),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({"Retry-After": "Fri, 99 Dec 1999 23:59:59 GMT", "Date": "Sat, 01 Jan 2000 00:00:29 GMT"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_is_asked_for_is_told(headers: dict[str, str], wait_s: float | None, status: int) -> None:
    with pytest.raises(Unreachable) as caught:
        checked(Answer(status, headers, b""), "it")
    assert caught.value.retry_after_s == wait_s


def test_json_query_and_headers_arrive() -> None:
    ask("/fine", query={"a": "1 2"}, json={"x": [1]})
    (request,) = ask.seen  # type: ignore[attr-defined]
    assert request.startswith(b"GET /fine?a=1+2 HTTP/1.1\r\n")
    assert request.endswith(b'{"x": [1]}')
    assert b"User-Agent: quell\r\n" in request


def test_nothing_is_sent_without_a_permit_where_one_is_asked_for() -> None:
    said = ["", "the lease ran out"]
    token = permit.set(lambda: said[0])
    try:
        assert ask("/fine").body == b"fine"
        said.reverse()
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+ was not asked: the lease ran out") as caught:
            ask("/fine")
        assert not isinstance(caught.value, NoAnswer), "it is known not to have been sent"
        assert ask.seen == []  # type: ignore[attr-defined]
    finally:
        permit.reset(token)


def test_redirects_are_not_followed() -> None:
    assert ask("/moved").status == 302
    assert len(ask.seen) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "reason", "timeout_s"),
    [
        ("/slow", "did not answer within 0.2 s", 0.2),
        ("/silent", "closed the connection without an answer", 5),
        ("/cut", "cut its answer off", 5),
        ("/garbage", "answered something that is not HTTP", 5),
        ("/big", "answered more than 8388608 bytes; the answer was dropped", 5),
    ],
)
def test_no_whole_answer_is_unreachable(path: str, reason: str, timeout_s: float) -> None:
    with pytest.raises(Unreachable) as caught:
        ask(path, query={"token": TOKEN}, timeout_s=timeout_s)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("127.0.0.1:")
    assert TOKEN not in str(caught.value)


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]

        async def asked() -> None:
            http = GuardedHttp(["loopback"])
            try:
                await http.request("GET", f"http://user:{TOKEN}@127.0.0.1:{port}/{TOKEN}?t={TOKEN}")
            finally:
                await http.close()

        with pytest.raises(Unreachable) as caught:
            run(asked())
    assert str(caught.value) == f"127.0.0.1:{port} cannot be connected to (connection refused)"


def test_a_port_that_takes_no_connection_is_given_up_soon() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))

        async def asked() -> None:
            http = GuardedHttp(["loopback"], connect_timeout_s=0.2)
            try:
                await http.request("GET", f"http://127.0.0.1:{port}/")
            finally:
                await http.close()

        with pytest.raises(Unreachable) as caught:
            run(asked())
    assert str(caught.value) == f"127.0.0.1:{port} took no connection within 0.2 s"


LOOPBACK_FORMS = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.2]",
]


@pytest.mark.parametrize("host", LOOPBACK_FORMS)
def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    with pytest.raises((Unreachable, Refused)) as caught:
        ask("/fine", allow=(), host=host)
    assert ask.seen == []  # type: ignore[attr-defined]
    assert TOKEN not in str(caught.value)


def test_the_refusal_says_why_and_what_to_do() -> None:
    with pytest.raises(
        Unreachable, match=r"127\.0\.0\.1:\d+ was not asked: 127\.0\.0\.1 is this very machine; allow it"
    ):
        ask("/fine", allow=())


@pytest.mark.parametrize("allow", [("127.0.0.0/8",), ("127.0.0.1",), ("loopback",)])
def test_networks_open_inside_addresses(allow: tuple[str, ...]) -> None:
    assert ask("/fine", allow=allow).status == 200


def test_a_host_is_allowed_by_name_and_only_by_that_name() -> None:
    assert ask("/fine", allow=("LocalHost",), host="localhost").status == 200
    with pytest.raises(Unreachable):
        ask("/fine", allow=("localhost",))


@pytest.mark.parametrize("url", ["ftp://host/x", "/only/path", "http://", "http://[bad", "file:///etc/passwd", ""])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    async def asked() -> None:
        await GuardedHttp().request("GET", url)

    with pytest.raises(Refused, match="http:// or https://"):
        run(asked())


def test_a_header_with_a_line_break_is_refused_without_its_value() -> None:
    with pytest.raises(Refused) as caught:
        run(_with_header(f"x\r\nInjected: {TOKEN}"))
    assert TOKEN not in str(caught.value)


async def _with_header(value: str) -> None:
    async with misbehaving() as (port, _):
        http = GuardedHttp(["loopback"])
        try:
            await http.request("GET", f"http://127.0.0.1:{port}/", headers={"X-A": value})
        finally:
            await http.close()


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask("/fine").status == 200


def test_one_session_serves_many_requests_and_reopens_after_close() -> None:
    async def asked() -> int:
        async with misbehaving() as (port, seen):
            http = GuardedHttp(["loopback"])
            for _ in range(2):
                await asyncio.gather(*(http.request("GET", f"http://127.0.0.1:{port}/") for _ in range(3)))
                await http.close()
            return len(seen)

    assert run(asked()) == 6


@pytest.mark.parametrize(
    ("address", "allow", "reason"),
    [
        ("10.1.2.3", [], "inside a private network"),
        ("10.1.2.3", ["private"], ""),
        ("10.1.2.3", ["10.1.0.0/16"], ""),
        ("192.168.1.1", ["10.0.0.0/8"], "inside a private network"),
        ("169.254.1.1", [], "no address of a service"),
        ("169.254.169.254", ["169.254.0.0/16"], "cloud credentials"),
        ("169.254.169.254", ["169.254.169.254"], ""),
        ("64:ff9b::a9fe:a9fe", [], "cloud credentials"),
        ("::ffff:10.0.0.1", [], "inside a private network"),
        ("2002:a00:1::", [], "inside a private network"),
        ("fe80::1%eth0", [], "no address of a service"),
        ("192.0.0.192", [], "cloud credentials"),
        ("192.0.0.8", [], "inside a private network"),
        ("fec0::1", [], "inside a private network"),
        ("fd12::1", [], "inside a private network"),
        ("fd12::1", ["private"], ""),
        ("224.0.0.1", [], "no address of a service"),
        ("100.64.0.1", [], "inside a private network"),
        ("1.1.1.1", [], ""),
        ("2606:4700::1111", [], ""),
    ],
)
def test_which_addresses_are_inside(address: str, allow: list[str], reason: str) -> None:
    refusal = Allowed.of(allow).refusal(address)
    assert reason in refusal
    assert bool(refusal) == bool(reason)


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "not a host", "", "::zz"])
def test_a_bad_allowance_is_told(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a network, address or host name"):
        GuardedHttp([entry])


@pytest.mark.parametrize(
    ("status", "expected"), [(500, Unreachable), (503, Unreachable), (408, Unreachable), (404, Refused), (302, Refused)]
)
def test_checked_sorts_statuses(status: int, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        checked(Answer(status, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"\xff"), "x")
    assert checked(Answer(204, {}, b""), "x").status == 204


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no model \\"a\\""}', 'no model "a"'),
        (b'{\n  "detail": "DAG not found",\n "title": "no"}', "DAG not found"),
        (b'{"error": {"message": "no rights", "detail": "x"}}', "no rights"),
        (b'{"errorMessages": ["one", "two"], "errors": {}}', "one; two"),
        (b'{"message": 7}', '{"message": 7}'),
        (b'{"broken": ', '{"broken":'),
        (b"<html>\nlong", "<html>"),
    ],
)
def test_checked_quotes_what_the_answer_says(body: bytes, said: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(Answer(404, {}, body), "it")
    assert str(caught.value) == f"it answered 404: {said}"


def test_a_name_stays_one_part_of_a_path() -> None:
    assert path_part("a/../b?c#d é") == "a%2F..%2Fb%3Fc%23d%20%C3%A9"
    for name in ("", ".", "..", "..;a", ";"):
        with pytest.raises(Refused, match=f'"{name}" cannot stand in an address; nothing was asked'):
            path_part(name)
