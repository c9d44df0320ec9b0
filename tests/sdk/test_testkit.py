"""`check_connector` lets a good connector pass and names what is wrong with a bad one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from quell.errors import BadPayload, Refused
from quell.sdk.connector import Call, Context, Done, Received, Request
from quell.sdk.http import Answer, checked
from quell.sdk.spec import ActionSpec, Option, Spec
from quell.sdk.testkit import FakeHttp, check_connector, run

SEND = ActionSpec(name="send", summary="Sends a text.", params=(Option(name="text", type="text", summary="The text."),))
TOKEN = Option(name="token", type="secret", summary="The token.", required=True)


class Sender:
    """Sends texts."""

    spec: ClassVar[Spec] = Spec(name="sender", summary="Sends texts.", options=(TOKEN,), actions=(SEND,))

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self.token = options["token"]
        self.http = context.http

    def receive(self, request: Request, now: float) -> Received:
        raise BadPayload("nothing is good enough", request.body)

    async def act(self, call: Call) -> Done:
        if call.dry_run:
            return Done("would send")
        headers = {"Authorization": self.token.reveal()}
        checked(
            await self.http.request("POST", "http://a.example/", headers=headers, json={"k": call.key}), "a.example"
        )
        return Done("sent")


class Plain(Sender):
    """Keeps its token in the open."""

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        self.shown = options["token"].reveal()


class Eager(Sender):
    """Acts on a dry run."""

    async def act(self, call: Call) -> Done:
        await self.http.request("POST", "http://a.example/")
        return Done("sent")


class Looking(Sender):
    """Reads before it says what would be."""

    async def act(self, call: Call) -> Done:
        checked(await self.http.request("GET", "http://a.example/"), "a")
        if not call.dry_run:
            checked(await self.http.request("POST", "http://a.example/"), "a")
        return Done("sent")


class Careless(Sender):
    """Takes every answer for a yes."""

    async def act(self, call: Call) -> Done:
        if not call.dry_run:
            await self.http.request("POST", "http://a.example/")
        return Done("sent")


class Strict(Sender):
    """Gives up at once."""

    async def act(self, call: Call) -> Done:
        if not call.dry_run and (await self.http.request("POST", "http://a.example/")).status != 200:
            raise Refused("no")
        return Done("sent")


class Choking(Sender):
    """Chokes on what it cannot read."""

    def receive(self, request: Request, now: float) -> Received:
        return Received(records=[request.body.decode()[99]])  # type: ignore[list-item]


class Counting(Sender):
    """Is not pure."""

    calls = 0

    def receive(self, request: Request, now: float) -> Received:
        type(self).calls += 1
        raise BadPayload(f"call {self.calls}")


class Undocumented(Sender):
    spec = Spec(name="undocumented", summary="Has no docstring.")


Undocumented.__doc__ = None


class Unclear(Sender):
    """Declares badly."""

    spec = Spec(name="unclear", summary="Declares badly.", options=(TOKEN, TOKEN))


class Undone(Sender):
    """Names an undo it has not."""

    half = ActionSpec(name="a", summary="Acts.", undo="b")
    spec = Spec(name="undone", summary="Lacks.", options=(TOKEN,), actions=(half,))


def test_a_good_connector_passes() -> None:
    check_connector(Sender)
    check_connector(Looking)


@pytest.mark.parametrize(
    ("connector", "complaint"),
    [
        (Plain, "keeps a secret as plain text"),
        (Eager, "a dry run of sender.send made a request that does not only read"),
        (Careless, "sender.send took status 500 for success"),
        (Strict, "sender.send made of status 500 Refused, not Unreachable"),
        (Choking, "receive.. of sender raised"),
        (Counting, "is not pure"),
        (Undocumented, "has no docstring"),
        (Unclear, "two option of unclear are named token"),
        (Undone, 'is undone by "b", which is no action of undone'),
    ],
)
def test_a_bad_connector_is_told_why(connector: type[Sender], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_connector(connector)


def test_fake_http_follows_its_script() -> None:
    http = FakeHttp(Answer(500, {}, b""), lambda sent: Answer(200, {}, sent.url.encode()))
    statuses = [run(http.request("GET", f"http://x/{n}")).status for n in range(3)]
    assert statuses == [500, 200, 200]
    assert [sent.url for sent in http.sent] == ["http://x/0", "http://x/1", "http://x/2"]
