"""The `pagerduty` package at work inside the connector: guarded, ended in time, repeating and waiting for nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from aiohttp import web

from connectors.pretend import TOKEN, Pretender, at, served
from connectors.trackers import Trial
from quell.errors import BadPayload, Refused, Unreachable
from quell.sdk.connector import Call, Context
from quell.sdk.dial import permit
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, run
from quell_connectors.pagerduty import PagerDuty
from quell_connectors.pagerduty.bridge import WORKERS

KEY = "k" * 32
SOON_S = 30.0


class Slow(Pretender):
    """Says yes; while ``held`` it keeps every request waiting until ``go``."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.held = held
        self.most = self.under_way = 0

    async def answer(self, request: web.Request, body: Any) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.held:
                await self.go.wait()
        finally:
            self.under_way -= 1
        if request.path == "/oncalls":
            return {"oncalls": [], "more": True}
        if request.path.endswith("/notes"):
            return {"notes": [], "note": body}
        return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}


def options(place: Pretender) -> dict[str, Any]:
    secrets = {"routing_key": Secret(KEY), "token": Secret(TOKEN)}
    return {"url": place.url, "api_url": place.url, "user": "ana@example.org", **secrets}


def page(timeout_s: float = 20.0, **params: Any) -> Call:
    return Call("run-1/page", "trigger", {"summary": "s", "key": "k", **params}, NOW, False, timeout_s)


async def until(holds: Any) -> None:
    async with asyncio.timeout(SOON_S):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_page_whose_time_is_over_is_broken_off_and_says_nothing_later() -> None:
    async def story() -> None:
        place, http = Slow(held=True), GuardedHttp(["loopback"])
        async with served(place):
            sender = PagerDuty(options(place), Context("pd", http))

            def told(key: str) -> int:
                return sum(body["dedup_key"] == key for _, _, _, body in place.asked)

            # On a slow machine the time may be over before PagerDuty is asked at all.
            with pytest.raises(Unreachable, match=r"did not answer within|was broken off|no time left|no connection"):
                await sender.act(page(timeout_s=0.5, key="slow"))
            waiting = asyncio.ensure_future(sender.act(page(key="cancelled")))
            await until(lambda: told("cancelled"))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            place.held = False
            place.go.set()
            await sender.act(page(key="after"))
            assert told("slow") <= 1
            assert (told("cancelled"), told("after")) == (1, 1)
        await http.close()

    run(story())


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 401])
def test_nothing_is_repeated_nor_waited_for(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_seconds: float) -> None:
        raise AssertionError("the package waits by itself")

    monkeypatch.setattr("pagerduty.api_client.time.sleep", never)

    async def work(trial: Trial) -> None:
        place: Any = trial.kept
        for action, params in (("trigger", {"summary": "s"}), ("oncall", {}), ("note", {"id": "P1", "text": "t"})):
            used = KEY if action == "trigger" else TOKEN
            place.faults, place.asked = [(status, {}, f"no {used}")] * 9, []
            with pytest.raises((Unreachable, Refused)) as caught:
                await trial.act(action, **params)
            assert len(place.asked) == 1
            assert f"answered {status}" in str(caught.value)
            assert used not in str(caught.value)

    _with_rest(Slow(), work)


def _with_rest(place: Slow, work: Any) -> None:
    async def inner(trial: Trial) -> None:
        trial.options = {**trial.options, **options(place)}
        trial.restart()
        await work(trial)

    at(PagerDuty, place, inner)


def test_inside_addresses_are_guarded_and_a_tenure_that_is_over_asks_nothing() -> None:
    async def story() -> None:
        place, strict, open_ = Slow(), GuardedHttp(), GuardedHttp(["loopback"])
        async with served(place):
            with pytest.raises(Unreachable, match="allow it by name if it is meant"):
                await PagerDuty(options(place), Context("pd", strict)).act(page())
            permit.set(lambda: "another quell has taken over")
            with pytest.raises(Unreachable, match="was not asked: another quell has taken over"):
                await PagerDuty(options(place), Context("pd", open_)).act(page())
            assert place.asked == []
        await strict.close()
        await open_.close()

    run(story())


def test_many_pages_at_once_and_a_list_that_never_ends() -> None:
    async def work(trial: Trial) -> None:
        place: Any = trial.kept
        await asyncio.gather(*(trial.act("trigger", f"R-{n}", summary="s", key=f"k{n}") for n in range(40)))
        assert sorted(body["dedup_key"] for _, _, _, body in place.asked) == sorted(f"k{n}" for n in range(40))
        assert place.most <= WORKERS
        assert sum(one.name.startswith("pagerduty") for one in threading.enumerate()) <= WORKERS
        place.asked = []
        assert (await trial.act("oncall")).sentence == "nobody is on call in PagerDuty"
        assert len(place.asked) == 1  # the package's own paging would go on for ever

    _with_rest(Slow(), work)


def test_an_answer_nested_without_end_and_one_that_is_no_text_are_refused() -> None:
    async def work(trial: Trial) -> None:
        place: Any = trial.kept
        for body in ("[" * 50_000, '{"oncalls": 7}', "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1")):
            place.faults = [(200, {"Content-Type": "application/json"}, body)]
            with pytest.raises(BadPayload, match="answered what cannot be read"):
                await trial.act("oncall")

    _with_rest(Slow(), work)


def test_a_source_is_built_without_loading_the_package() -> None:
    program = (
        "import sys\n"
        "from quell.sdk.connector import Context\nfrom quell.sdk.testkit import FakeHttp\n"
        "from quell_connectors.pagerduty import PagerDuty\n"
        "PagerDuty({}, Context('pd', FakeHttp()))\n"
        "print([name for name in ('pagerduty', 'httpx2') if name in sys.modules])\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"
