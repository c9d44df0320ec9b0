"""Figures and digests of a daemon with the whole core: what the store keeps is counted, what is due is told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from core.scene import T0, ends, fires, outage, rulebook, says
from daemon.parts import KINDS, READER, Running, Worker, loaded, running, source
from daemon.test_clocked import restored
from quell.cli.scoring import stats
from quell.config import Loaded
from quell.config.settings import DigestSettings
from quell.daemon.clock import Clock
from quell.daemon.digest import last_due
from quell.errors import Denied, Refused, Unreachable
from quell.model.records import AnyRecord, FeedbackRecord
from quell.sdk.connector import Call
from quell.sdk.secret import Secret
from quell.store.memory import MemoryStore
from quell.store.opening import open_store
from quell.store.port import Store
from quell.testing.slack import FakeSlack
from quell.testing.slack import running as workspace
from quell_connectors.slack import Slack

FAULT = ("ledger", "payments", "checkout", "frontend")
DAILY = DigestSettings(action="w.do", params={"text": "${text}"}, cron="0 12 * * *", over_s=7 * 86_400.0)
NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, the first noon after `T0`."""


def config(folder: Path, **settings: Any) -> Loaded:
    made = loaded(source("in", "feed"), source("w", "worker"))
    whole = msgspec.structs.replace(made.settings, directory=folder, **settings)
    return Loaded(whole, msgspec.structs.replace(rulebook(routes=()), version="1"))


@asynccontextmanager
async def daemon(whole: Loaded, store: Store, at: float) -> AsyncIterator[Running]:
    async with running(whole, store=store, restore=restored, clock=Clock(start=at)) as quell:
        yield quell


async def lived(quell: Running, records: Sequence[AnyRecord]) -> None:
    """Records at their own times: the clock of the daemon is put forward to each."""
    for record in sorted(records, key=lambda one: one.arrived):
        quell.daemon.clock.not_before(record.arrived)
        await quell.daemon.inbox.put([record])
        await quell.settled()


async def an_outage(quell: Running) -> str:
    await lived(quell, outage())
    quell.daemon.clock.not_before(T0 + 120.0)
    await lived(quell, [*outage(125.0)])
    (incident,) = quell.daemon.loop.decider.state.incidents.values()
    told = FeedbackRecord(at=T0 + 300.0, verdict="right_cause", incident=incident.id, by="ana")
    await lived(quell, [says("ack", incident.id, 180.0), told, *(ends(service, 900.0) for service in FAULT)])
    return incident.id


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_the_figures_of_an_outage_by_api_and_terminal(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store(url, tmp_path)
        async with daemon(config(tmp_path, store=url), store, T0) as quell:
            await an_outage(quell)
            status, told = await quell.api("GET", "/stats?since=1d")
            assert status == 200
            funnel = told["funnel"]
            assert (funnel["events"], funnel["alerts"], funnel["incidents"], funnel["pages"]) == (12, 4, 1, 1)
            assert told["judged"]["first_cause"]["hits"] == 1
            assert told["times"]["acknowledge"]["median_s"] == 180.0
            assert told["noisiest"][0]["rule"] == "HighErrorRate"
            assert told["text"].startswith("From events to pages\n  12 events → 4 alerts → 1 incident → 1 page\n")
            words = ["--since", "1d", "--url", quell.url, "--token", READER]
            done = await asyncio.to_thread(CliRunner().invoke, stats, words)
            assert done.exit_code == 0, done.output
            assert "12 events → 4 alerts → 1 incident → 1 page" in done.output
            assert "first cause right in 1 of 1 (100%; truly 21% to 100%)" in done.output
            done = await asyncio.to_thread(CliRunner().invoke, stats, [*words, "--json"])
            assert msgspec.json.decode(done.output)["funnel"] == funnel
            done = await asyncio.to_thread(CliRunner().invoke, stats, [*words, "--diff"])
            assert (done.exit_code, done.output) == (0, "")
            _, page = await quell.get("/metrics")
            text = page if isinstance(page, str) else page.decode()
            for line in (
                'quell_pages_total{kind="first"} 1.0',
                'quell_incident_events_total{event="opened"} 1.0',
                'quell_alerts_not_paged_total{code="in_incident",handling="hold"} 3.0',
                'quell_acknowledged_seconds_bucket{le="300.0"} 1.0',
            ):
                assert line in text

    asyncio.run(story())


@pytest.mark.parametrize("since", ["soon", "0s", "9999w"])
def test_a_span_that_is_none_is_refused(since: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(config(tmp_path), MemoryStore(), T0) as quell:
            status, told = await quell.api("GET", f"/stats?since={since}")
            assert status == 400
            assert told["error"].startswith("since: ")

    asyncio.run(story())


async def to_noon(quell: Running) -> None:
    """An hour and more of life, for there is no digest of the time before, and then the digest is due."""
    clock = quell.daemon.clock
    for at in (NOON - 7200.0, NOON - 3000.0, NOON + 1.0):
        clock.not_before(at)
        await lived(quell, [fires("cache", at - T0, severity="info")])


async def until(quell: Running, done: Any) -> None:
    async with asyncio.timeout(10.0):
        while not done():
            await asyncio.sleep(0.02)


def test_a_digest_is_told_once_also_over_restarts(tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store("sqlite:///quell.db", tmp_path)
        whole = config(tmp_path, store="sqlite:///quell.db", digest=DAILY)
        async with daemon(whole, store, T0) as quell:
            await an_outage(quell)
            assert Worker.calls == []
        for later in (NOON - 60.0, NOON + 10.0, NOON + 20.0, NOON + 3600.0):
            store = open_store("sqlite:///quell.db", tmp_path)
            async with daemon(whole, store, later) as quell:
                if later > NOON:
                    await until(quell, lambda: Worker.calls)
                await quell.daemon.digest.tell_due(DAILY)
                await quell.settled()
                assert len(Worker.calls) == (later > NOON)
        (call,) = Worker.calls
        assert call.key == "digest/2023-11-15T12:00:00.000Z"
        assert call.params["text"].startswith(
            "quell, 7d from 2023-11-08 12:00 UTC to 2023-11-15 12:00 UTC\n\nFrom events"
        )
        assert "12 events → 4 alerts → 1 incident → 1 page" in call.params["text"]
        async with daemon(whole, open_store("sqlite:///quell.db", tmp_path), NOON + 86_400.0) as quell:
            await until(quell, lambda: len(Worker.calls) == 2)
            status, told = await quell.api("GET", "/ledger")
            assert status == 200
            assert [one["state"] for one in told["ledger"] if one["perform"]["key"].startswith("digest/")][-1] == "done"

    asyncio.run(story())


def test_in_slack_a_digest_is_a_card_unless_somebody_has_words_of_their_own(tmp_path: Path) -> None:
    async def story() -> None:
        async with workspace(FakeSlack()) as server:
            slack = server.slack
            options = {"bot_token": Secret(slack.bot_token), "mode": "http", "api_url": f"{slack.base}api/"}
            made = loaded(
                source("in", "feed"), source("slack", "slack", options=options), allow_addresses=("loopback",)
            )  # fmt: skip
            daily = msgspec.structs.replace(DAILY, action="slack.post", params={"channel": "#incidents"})
            whole = Loaded(
                msgspec.structs.replace(made.settings, directory=tmp_path, digest=daily),
                msgspec.structs.replace(rulebook(routes=()), version="1"),
            )
            async with running(
                whole, store=MemoryStore(), restore=restored, clock=Clock(start=NOON - 9000.0),
                kinds={**KINDS, "slack": Slack},
            ) as quell:  # fmt: skip
                await to_noon(quell)
                await quell.daemon.digest.tell_due(daily)
                await until(quell, lambda: slack.messages)
                assert slack.messages[0].blocks[0]["text"]["text"] == "quell: the last 7 days"
                own = msgspec.structs.replace(daily, params={**daily.params, "text": "Of late: ${title}"})
                quell.daemon.clock.not_before(NOON + 86_401.0)
                await quell.daemon.digest.tell_due(own)
                await until(quell, lambda: len(slack.messages) == 2)
                assert "Of late: quell, 7d from" in str(slack.messages[1].blocks)

    asyncio.run(story())


def test_a_digest_that_does_not_arrive_is_told_again(tmp_path: Path) -> None:
    async def story() -> None:
        store = MemoryStore()

        def unreachable(_call: Call) -> None:
            raise Unreachable("nobody there")

        Worker.script = unreachable
        async with daemon(config(tmp_path, digest=DAILY), store, NOON - 9000.0) as quell:
            await to_noon(quell)
            await quell.daemon.digest.tell_due(DAILY)
            for attempt, wait_s in enumerate((10.0, 30.0, 90.0), 1):
                await until(quell, lambda count=attempt: len(Worker.calls) == count)
                await quell.settled()
                await quell.daemon.digest.tell_due(DAILY)
                assert len(Worker.calls) == attempt
                if attempt == 3:
                    Worker.script = None
                quell.daemon.clock.not_before(quell.daemon.clock.now() + wait_s + 1.0)
                await quell.daemon.digest.tell_due(DAILY)
            await until(quell, lambda: len(Worker.calls) == 4)
            await quell.settled()
            quell.daemon.clock.not_before(quell.daemon.clock.now() + 7200.0)
            await quell.daemon.digest.tell_due(DAILY)
            await quell.settled()
            assert [call.key for call in Worker.calls] == ["digest/2023-11-15T12:00:00.000Z"] * 4

    asyncio.run(story())


def test_a_digest_that_is_refused_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        def refused(_call: Call) -> None:
            raise Refused("no such channel")

        Worker.script = refused
        async with daemon(config(tmp_path, digest=DAILY), MemoryStore(), NOON - 9000.0) as quell:
            await to_noon(quell)
            await quell.daemon.digest.tell_due(DAILY)
            await until(quell, lambda: Worker.calls)
            await quell.settled()
            quell.daemon.clock.not_before(NOON + 7200.0)
            await quell.daemon.digest.tell_due(DAILY)
            await quell.settled()
            assert len(Worker.calls) == 1

    asyncio.run(story())


def test_a_digest_that_credentials_do_not_do_for_waits_for_others(tmp_path: Path) -> None:
    async def story() -> None:
        def denied(_call: Call) -> None:
            raise Denied("the token does not do")

        Worker.script = denied
        async with daemon(config(tmp_path, digest=DAILY), MemoryStore(), NOON - 9000.0) as quell:
            await to_noon(quell)
            await quell.daemon.digest.tell_due(DAILY)
            for attempt in range(1, 9):
                await until(quell, lambda count=attempt: len(Worker.calls) == count)
                await quell.settled()
                source = (await quell.api("GET", "/status"))[1]["sources"]["w"]
                assert (source["state"], source["error"]) == ("broken", "the token does not do")
                quell.daemon.clock.not_before(quell.daemon.clock.now() + 3601.0)
                if attempt == 8:
                    Worker.script = None
                await quell.daemon.digest.tell_due(DAILY)
            await until(quell, lambda: len(Worker.calls) == 9)
            await quell.settled()
            assert (await quell.api("GET", "/status"))[1]["sources"]["w"]["state"] == "ok"
            quell.daemon.clock.not_before(quell.daemon.clock.now() + 7200.0)
            await quell.daemon.digest.tell_due(DAILY)
            await quell.settled()
            assert len(Worker.calls) == 9

    asyncio.run(story())


def test_when_it_was_due_last() -> None:
    weekly = DigestSettings(action="w.do", cron="0 9 * * mon", zone="Europe/Berlin")
    monday = 1_700_467_200.0  # 2023-11-20 08:00 UTC, 09:00 in Berlin
    assert last_due(weekly, monday - 1.0) is None
    assert last_due(weekly, monday) == monday
    assert last_due(weekly, monday + 2 * 86_400.0) == monday
    assert last_due(weekly, monday + 4 * 86_400.0) is None
    hourly = DigestSettings(action="w.do", cron="0 * * * *")
    assert last_due(hourly, monday + 5400.0) == monday + 3600.0
