"""Service levels over the API and on the command line, and the gate that a release asks."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.scene import rulebook
from daemon.chatroom import in_a_loop
from daemon.parts import TOKEN, Running, loaded, running, source
from quell.cli.main import run
from quell.config import Loaded
from quell.core.engine import Engine
from quell.model.detect import Burn, BurnRate, DetectRule
from quell.model.records import CallRecord

RATES = (BurnRate(rate=2.0, over_s=600.0, confirm_s=120.0),)
LEVEL = Burn(measured="events", objective=0.9, period_s=3600.0, rates=RATES, by="calls.count")
RULES = rulebook(entities=(), dependencies=(), detect=(DetectRule(name="shop", metric="calls.errors", when=LEVEL),))


@asynccontextmanager
async def told(*errors: int) -> Any:
    """A daemon whose core was told of so many errors of ten calls, minute by minute."""
    config = Loaded(loaded(source("w", "worker")).settings, RULES)
    async with running(
        config, restore=lambda book, data: Engine.restored(book, data) if data else Engine(book)
    ) as place:
        decider: Any = place.daemon.loop.decider
        begin = (max(decider.state.now, place.daemon.clock.now()) // 60.0 + 1.0) * 60.0
        for minute, failed in enumerate(errors):
            at = begin + 60.0 * minute
            decider.decide([CallRecord(at=at, entity="service/shop", count=10, errors=failed)], at)
        if errors:
            decider.decide([], begin + 60.0 * len(errors) + 1.0)
        yield place


async def asked(place: Running, *words: str) -> int:
    """What the command ends with; it asks the daemon from a thread of its own."""
    return await asyncio.to_thread(run, ["slo", *words, "--url", place.url, "--token", TOKEN])


@in_a_loop
async def test_a_release_may_go_on_while_the_budget_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    async with told(0, 0, 0, 1, 0, 0, 0, 0, 0, 0) as place:
        status, answer = await place.api("GET", "/gates/shop")
        assert (status, answer["open"]) == (200, True)
        assert "of the budget is left" in answer["reason"]
        status, answer = await place.api("GET", "/gates/shop?least=0.99")
        assert status == 409
        assert "more than 99% is asked for" in answer["reason"]
        assert await asked(place, "shop", "--gate") == 0
        assert await asked(place, "shop", "--gate", "--least", "0.99") == 1
        assert await asked(place) == 0
    out = capsys.readouterr().out
    assert "open: " in out
    assert "shut: service/shop: " in out
    assert "90% over 1h" in out
    assert "met" in out


@in_a_loop
async def test_a_spent_budget_shuts_the_gate(capsys: pytest.CaptureFixture[str]) -> None:
    async with told(*[9] * 10) as place:
        status, answer = await place.api("GET", "/gates/shop")
        assert (status, answer["open"]) == (409, False)
        assert answer["reason"].startswith("service/shop: 90% of all were bad in the last 10m")
        _, answer = await place.api("GET", "/slos?name=shop")
        (level,) = answer["slos"]
        assert (level["standing"], level["entity"], level["severity"]) == ("burnt", "service/shop", "critical")
        assert level["starts_at"].endswith("Z")
        capsys.readouterr()
        assert await asked(place, "shop", "--json") == 0
        assert json.loads(capsys.readouterr().out)["slos"] == answer["slos"]
        assert await asked(place, "shop") == 0
        out = capsys.readouterr().out
        assert "over 10m and 2m: 9× and 9×; critical from 2× on" in out, out


@in_a_loop
async def test_what_nobody_knows_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with told() as place:
        assert (await place.api("GET", "/gates/other"))[0] == 404
        status, answer = await place.api("GET", "/gates/shop")
        assert (status, answer["reason"]) == (409, "shop: nothing was told yet")
        assert (await place.api("GET", "/gates/shop?unknown=open"))[0] == 200
        assert (await place.api("GET", "/gates/shop?least=2"))[0] == 422
        assert await asked(place, "shop", "--gate") == 1
        assert await asked(place, "shop", "--gate", "--unknown", "open") == 0
        assert await asked(place, "other") != 0
        assert await asked(place, "--gate") != 0
    assert 'no service level that is on is called "other"' in capsys.readouterr().err
