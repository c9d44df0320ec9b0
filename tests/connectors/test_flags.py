"""LaunchDarkly, Unleash and Flagsmith: what holds of all three, then what is each one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from connectors.deliveries import golden
from connectors.pretend_flags import (
    ALL,
    TOKEN,
    PretendFlags,
    PretendFlagsmith,
    PretendLaunchDarkly,
    PretendUnleash,
    options_of,
)
from connectors.wire import Act, Wire, acting, served
from quell.errors import BadPayload, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context
from quell.sdk.http import Answer
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run

Work = Callable[[Any, Act, Wire], Awaitable[None]]
every_one = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.folder)


def switched(kind: type[PretendFlags], work: Work, **options: Any) -> None:
    async def inner() -> None:
        flags = kind()
        given = {"token": Secret(TOKEN), **options_of(kind), **options}
        async with served(flags) as url, acting(kind.kind, url, **given) as (act, wire):
            await work(flags, act, wire)

    run(inner())


@every_one
def test_a_flag_is_switched_once_and_back(kind: type[PretendFlags]) -> None:
    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        before = await act("is_off", flag="new_checkout")
        assert (before.output["already"], before.output["on"]) == (False, True)
        dry = await act("flag_off", dry_run=True, flag="new_checkout")
        assert dry.sentence == f"{kind.place} would be off; it is on now"
        assert (flags.on, wire.writes) == (True, [])
        done = await act("flag_off", flag="new_checkout")
        assert (done.sentence, done.output["on"], flags.on) == (f"{kind.place} is off", False, False)
        assert (await act("is_off", flag="new_checkout")).output["already"] is True
        assert (await act("is_on", flag="new_checkout")).output["already"] is False
        read = await act("flag", flag="new_checkout")
        assert (read.sentence, read.output["on"], "already" in read.output) == (f"{kind.place} is off", False, False)
        again = await act("flag_off", flag="new_checkout")
        assert again.sentence == f"{kind.place} is off already; left as it is"
        assert len(wire.writes) == 1
        undone = await act("flag_on", flag="new_checkout")
        assert (undone.sentence, flags.on) == (f"{kind.place} is on", True)

    switched(kind, work)


@every_one
@pytest.mark.parametrize("fault", ["cut", "lost"])
def test_a_repeat_leaves_one_effect(kind: type[PretendFlags], fault: str) -> None:
    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        wire.faults = [fault]
        with pytest.raises(NoAnswer):
            await act("flag_off", flag="new_checkout")
        assert flags.on is (fault == "cut")
        await act("flag_off", flag="new_checkout")
        assert (flags.on, len(flags.bodies)) == (False, 1)

    switched(kind, work)


@every_one
def test_a_connection_that_breaks_after_the_work_leaves_one_effect(kind: type[PretendFlags]) -> None:
    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        cuts = 2 if kind is PretendFlagsmith else 1  # the client itself sends a PUT again when its connection is gone
        flags.faults = ["", *["cut"] * cuts]
        with pytest.raises(NoAnswer):
            await act("flag_off", flag="new_checkout")
        done = await act("flag_off", flag="new_checkout")
        assert done.sentence == f"{kind.place} is off already; left as it is"
        assert (flags.on, len(flags.bodies)) == (False, cuts)

    switched(kind, work)


@every_one
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize("at", ["read", "write"])
def test_faults_are_told_apart_and_show_no_secret(kind: type[PretendFlags], status: int, at: str) -> None:
    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        flags.faults = [status] if at == "read" else ["", status]
        with pytest.raises(Unreachable if status >= 429 else Refused) as caught:
            await act("flag_off", flag="new_checkout")
        assert f" answered {status}: no: " in str(caught.value)
        assert TOKEN not in str(caught.value)
        if isinstance(caught.value, Unreachable):
            assert isinstance(caught.value, NoAnswer) is (status in (500, 502))
            assert caught.value.retry_after_s == (7.0 if status == 429 else None)
        assert flags.on is True

    switched(kind, work)


@every_one
def test_an_unknown_flag_is_refused_by_a_dry_run_too(kind: type[PretendFlags]) -> None:
    said = {
        "launchdarkly": "answered 404: Unknown feature key nope",
        "unleash": 'answered 404: There\'s no feature named "nope" in project "shop"',
        "flagsmith": "Flagsmith knows 0 flags named nope in production; nothing was changed",
    }[kind.folder]

    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        for dry_run in (True, False):
            for action in ("flag_off", "flag_on", "flag", "is_off"):
                with pytest.raises(Refused, match=said):
                    await act(action, dry_run=dry_run, flag="nope")
        with pytest.raises(Refused, match='has no action "explode"; it has flag_off, flag_on, flag'):
            await act("explode", flag="new_checkout")
        assert flags.bodies == []

    switched(kind, work)


@every_one
def test_missing_rights_show_up_in_a_dry_run(kind: type[PretendFlags]) -> None:
    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        with pytest.raises(
            Refused, match=r"answered 401: (Invalid key|You must log in|Valid Master API Key not found)"
        ):
            await act("flag_off", dry_run=True, flag="new_checkout")

    switched(kind, work, token=Secret("wrong"))


@every_one
@pytest.mark.parametrize("name", ["project", "environment"])
def test_where_is_asked_for_before_anything_is_sent(kind: type[PretendFlags], name: str) -> None:
    if name not in options_of(kind):
        return

    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        with pytest.raises(Refused, match=f'{kind.folder}.flag_off needs "{name}", of the step or of the source'):
            await act("flag_off", flag="new_checkout")
        assert wire.requests == []
        done = await act("flag_off", flag="new_checkout", **{name: options_of(kind)[name]})
        assert done.sentence == f"{kind.place} is off"

    switched(kind, work, **{name: ""})


@every_one
@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"enabled": "yes", "results": [{}]}'])
def test_an_answer_that_cannot_be_read_changes_nothing(kind: type[PretendFlags], body: bytes) -> None:
    http = FakeHttp(Answer(200, {}, body))
    built: Any = kind.kind({"url": "http://f.example", "token": Secret(TOKEN), "project": "a", "environment": "b"},
                           Context("src", http))  # fmt: skip
    with pytest.raises(BadPayload):
        run(built.act(Call("k", "flag_off", {"flag": "a"}, NOW)))
    assert [sent.method for sent in http.sent] == ["GET"]


@every_one
def test_names_cannot_leave_their_place_in_the_address(kind: type[PretendFlags]) -> None:
    http = FakeHttp(Answer(404, {}, b""))
    built: Any = kind.kind({"url": "http://f.example", "token": Secret(TOKEN)}, Context("src", http))
    with pytest.raises(Refused):
        run(built.act(Call("k", "flag_off", {"flag": "../a?b", "project": "c/..", "environment": "d#"}, NOW)))
    sent = http.sent[0]
    shown = sent.url + str(sent.query)
    assert not any(part in sent.url.split("/") for part in ("..", "d#", "d"))
    assert "..%2Fa%3Fb" in shown or "../a?b" in sent.query.values()
    with pytest.raises(Refused, match=r'"\.\." cannot stand in an address; nothing was asked'):
        run(built.act(Call("k", "flag_off", {"flag": "a", "project": "..", "environment": ".."}, NOW)))
    assert len(http.sent) == 1


def test_launchdarkly_is_told_why() -> None:
    async def work(flags: PretendLaunchDarkly, act: Act, wire: Wire) -> None:
        await act("flag_off", call_key="R-7/off", flag="new_checkout")
        await act("flag_on", flag="new_checkout", comment="all clear")
        path = "/api/v2/flags/shop/new_checkout"
        assert flags.bodies == [
            ("PATCH", path, {"environmentKey": "production", "comment": "quell R-7/off",
                             "instructions": [{"kind": "turnFlagOff"}]}),
            ("PATCH", path, {"environmentKey": "production", "comment": "all clear",
                             "instructions": [{"kind": "turnFlagOn"}]}),
        ]  # fmt: skip

    switched(PretendLaunchDarkly, work)


def test_a_conflict_in_launchdarkly_passes() -> None:
    async def work(flags: PretendLaunchDarkly, act: Act, wire: Wire) -> None:
        flags.faults = ["", 409]
        with pytest.raises(Unreachable, match="answered 409: another change is being made; nothing was changed"):
            await act("flag_off", flag="new_checkout")
        await act("flag_off", flag="new_checkout")
        assert flags.on is False

    switched(PretendLaunchDarkly, work)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"X-Ratelimit-Reset": str(int((NOW + 4.5) * 1000))}, 5.0),
        ({"X-Ratelimit-Reset": str(int((NOW - 60) * 1000))}, 1.0),
        ({"X-Ratelimit-Reset": "9", "Retry-After": "3"}, 3.0),
        ({"X-Ratelimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_launchdarkly_tells_when_its_limit_is_reset(headers: dict[str, str], wait_s: float | None) -> None:
    http = FakeHttp(
        Answer(429, headers, b'{"code": "rate_limited", "message": "You\'ve exceeded the API rate limit."}')
    )
    options = {"token": Secret(TOKEN), "project": "a", "environment": "b"}
    built = PretendLaunchDarkly.kind(options, Context("src", http))
    with pytest.raises(Unreachable, match="exceeded the API rate limit") as caught:
        run(built.act(Call("k", "flag_off", {"flag": "a"}, NOW)))  # type: ignore[attr-defined]
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"archived": True}, "is archived; it was left as it is"),
        ({"environments": {}}, "has no environment production"),
    ],
)
def test_launchdarkly_flags_that_cannot_be_switched(change: dict[str, Any], said: str) -> None:
    http = FakeHttp(lambda _: Answer(200, {}, msgspec.json.encode({**golden("launchdarkly/flag.json"), **change})))
    options = {"token": Secret(TOKEN), "project": "shop", "environment": "production"}
    built: Any = PretendLaunchDarkly.kind(options, Context("src", http))
    with pytest.raises(Refused, match=said):
        run(built.act(Call("k", "flag_off", {"flag": "new_checkout"}, NOW)))
    assert len(http.sent) == 1


def test_a_conflict_in_unleash_and_flagsmith_is_a_no() -> None:
    async def work(flags: PretendFlags, act: Act, wire: Wire) -> None:
        flags.faults = ["", 409]
        with pytest.raises(Refused, match="answered 409: no"):
            await act("flag_off", flag="new_checkout")

    switched(PretendUnleash, work)
    switched(PretendFlagsmith, work)


def test_flagsmith_is_sent_what_changes_and_nothing_else() -> None:
    async def work(flags: PretendFlagsmith, act: Act, wire: Wire) -> None:
        await act("flag_off", flag="new_checkout")
        assert flags.bodies == [("PUT", "/api/v1/environments/production/featurestates/20/", {"enabled": False})]

    switched(PretendFlagsmith, work)


def test_flagsmith_takes_the_token_of_a_person_as_it_is_written() -> None:
    http = FakeHttp(Answer(404, {}, b""))
    built: Any = PretendFlagsmith.kind({"token": Secret("Token abc")}, Context("src", http))
    with pytest.raises(Refused):
        run(built.act(Call("k", "flag", {"flag": "a", "environment": "b"}, NOW)))
    assert http.sent[0].headers["Authorization"] == "Token abc"
    assert http.sent[0].url == "https://api.flagsmith.com/api/v1/environments/b/featurestates/"
