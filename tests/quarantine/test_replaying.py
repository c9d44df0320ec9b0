"""The quarantine's API: entries are shown, tried again, put away; by whom, once, and with the reason when in vain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from daemon.parts import READER, Feed, Running, SmallCore, loaded, running, small_inbox, source, token
from daemon.parts import TOKEN as ADMIN
from quell.daemon.metrics import Metrics
from quell.errors import BadPayload, StoreError
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord, AnyRecord, CommandRecord
from quell.sdk.connector import Received, Rejected, Reply, Request
from quell.store.memory import MemoryStore
from quell.store.port import Quarantined

ACTOR = "qll_cleo_00112233445566778899"


def go(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


@pytest.fixture(autouse=True)
def broken(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The connector of these tests does not understand alerts that have no severity, until it is mended."""

    def receive(self: Feed, request: Request, now: float) -> Received:
        try:
            alerts = msgspec.json.decode(request.body, type=dict[str, list[dict[str, str]]])["alerts"]
        except msgspec.DecodeError as error:
            raise BadPayload(str(error), request.body[:10]) from error
        records: list[AnyRecord] = []
        rejected = []
        for labels in alerts:
            if "boom" in labels:
                raise ZeroDivisionError("a bug")
            if "severity" in labels:
                records.append(AlertRecord(at=now, seen=now, source="in", status="firing", labels=labels))
            else:
                rejected.append(Rejected("no severity", msgspec.json.encode(labels)))
        return Received(records, Reply(202 if records else 400), rejected)

    monkeypatch.setattr(Feed, "receive", receive)
    return monkeypatch


def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(self: Feed, request: Request, now: float) -> Received:
        alerts = msgspec.json.decode(request.body, type=dict[str, list[dict[str, str]]])["alerts"]
        return Received([
            AlertRecord(at=now, seen=now, source="in", status="firing", labels=labels) for labels in alerts
        ])  # fmt: skip

    monkeypatch.setattr(Feed, "receive", receive)


async def entries(quell: Running, asked: str = "") -> list[dict[str, Any]]:
    status, found = await quell.api("GET", f"/quarantine{asked}")
    assert status == 200
    return list(found["quarantine"])


async def replayed(quell: Running, *ids: int, verb: str = "replay", by: str = ADMIN) -> list[tuple[int, str, int]]:
    status, told = await quell.api("POST", f"/quarantine/{verb}", {"ids": ids}, by=by)
    assert status == 200, told
    return [(each["id"], each["outcome"], each["records"]) for each in told["results"]]


def names(quell: Running) -> list[str]:
    return sorted(alert.labels["alertname"] for alert in quell.core.state.alerts.values())


def alert(name: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, **labels}


def test_a_part_that_was_not_taken_is_taken_alone_once_it_can_be_read(broken: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with running() as quell:
            body = {"alerts": [alert("good", severity="info"), alert("bad"), alert("worse")]}
            assert (await quell.post("/in/in", body))[0] == 202
            await quell.settled()
            assert [each["reason"] for each in await entries(quell)] == ["no severity"] * 2
            assert await replayed(quell, 1, 2, 7) == [(1, "failed", 0), (2, "failed", 0), (7, "skipped", 0)]
            assert [(each["tries"], each["tried_by"]) for each in await entries(quell)] == [(1, "ana")] * 2
            mended(broken)
            assert await replayed(quell, 1) == [(1, "replayed", 1)]
            assert names(quell) == ["bad", "good"]
            assert [found.count for found in quell.core.state.alerts.values()] == [1, 1], "the good one not again"
            assert await replayed(quell, 1, 1) == [(1, "skipped", 0)]
            assert [each["id"] for each in await entries(quell)] == [2]
            done = (await entries(quell, "?state=replayed"))[0]
            assert (done["id"], done["state"], done["tries"], done["seq"]) == (1, "replayed", 2, 2)
            bad = next(each for each in quell.core.state.alerts.values() if each.labels["alertname"] == "bad")
            assert bad.updated_at >= bad.starts_at
            assert len(await entries(quell, "?state=all&source=in")) == 2
            assert await entries(quell, "?source=other") == []

    go(story())


def test_a_whole_delivery_and_one_that_met_a_bug_are_tried_again(broken: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with running() as quell:
            assert (await quell.post("/in/in", data=b'{"alerts": [{"alertname": 5}]}'))[0] == 400
            assert (await quell.post("/in/in", {"alerts": [alert("a", boom="x"), alert("b")]}))[0] == 500
            first, second = reversed(await entries(quell))
            assert first["payload"] == '{"alerts": [{"alertname": 5}]}', "all of it, not what the connector pointed at"
            assert "a bug in the connector" in second["reason"]
            mended(broken)
            status, told = await quell.api("POST", "/quarantine/replay", {"ids": [1, 2]})
            assert [each["outcome"] for each in told["results"]] == ["failed", "replayed"]
            assert "Expected `str`" in told["results"][0]["text"]
            assert names(quell) == ["a", "b"]
            _, whole = await quell.api("GET", "/quarantine/2")
            assert whole["entry"]["state"] == "replayed"
            assert whole["entry"]["request"]["method"] == "POST"
            assert status == 200

    go(story())


class Sick(SmallCore):
    """A core that fails on some alerts until it is cured."""

    cured: ClassVar[bool] = False

    def decide(self, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]:
        if not Sick.cured and any(isinstance(one, AlertRecord) and "germ" in one.labels for one in records):
            raise RuntimeError("cannot digest a germ")
        return super().decide(records, now)


def test_a_record_that_poisoned_the_core_is_tried_again_and_comes_back_when_in_vain() -> None:
    async def story() -> None:
        Sick.cured = False
        store = MemoryStore()
        async with running(store=store, restore=Sick.restored) as quell:
            both = {"alerts": [alert("ill", severity="x", germ="1"), alert("well", severity="x")]}
            assert (await quell.post("/in/in", both))[0] == 202
            await quell.settled()
            assert names(quell) == ["well"]
            assert await replayed(quell, 1) == [(1, "failed", 0)]
            (entry,) = await entries(quell)
            assert (entry["id"], entry["state"], entry["tries"]) == (1, "waiting", 1)
            store.save_snapshot = lambda seq, state: None  # type: ignore[method-assign]
        async with running(store=store, restore=Sick.restored) as quell:  # everything is decided again
            assert [each["id"] for each in await entries(quell, "?state=all")] == [1], "and set aside as before"
        Sick.cured = True
        async with running(store=store, restore=Sick.restored) as quell:
            assert await replayed(quell, 1) == [(1, "replayed", 1)]
            await quell.settled()
            assert names(quell) == ["ill", "well"]
            assert await entries(quell) == []

    go(story())


def test_commands_that_poisoned_the_core_are_not_given_again() -> None:
    async def story() -> None:
        store = MemoryStore()
        record = CommandRecord(at=1.0, verb="approve", target="run/1", by="ana")
        entry = Quarantined(
            at=time.time(), source="api", reason="x", payload=msgspec.json.encode(record), kind="record"
        )
        store.keep_quarantined([entry])
        async with running(store=store) as quell:
            _, told = await quell.api("POST", "/quarantine/replay", {"ids": [1]})
            assert "commands and answers of actions are not tried again" in told["results"][0]["text"]

    go(story())


def test_what_was_dropped_after_a_try_is_not_set_aside_anew_by_a_recovery() -> None:
    async def story() -> None:
        Sick.cured = False
        store = MemoryStore()
        async with running(store=store, restore=Sick.restored) as quell:
            await quell.post("/in/in", {"alerts": [alert("ill", severity="x", germ="1")]})
            await quell.settled()
            assert await replayed(quell, 1) == [(1, "failed", 0)]
            assert await replayed(quell, 1, verb="drop") == [(1, "dropped", 0)]
            store.save_snapshot = lambda seq, state: None  # type: ignore[method-assign]
        async with running(store=store, restore=Sick.restored) as quell:
            found = await entries(quell, "?state=all")
            assert [(each["id"], each["state"]) for each in found] == [(1, "dropped")]

    go(story())


def test_only_who_may_act_replays_and_drops_and_it_is_in_the_trail(broken: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        tokens = (token(ADMIN, "ana", "admin"), token(READER, "ben", "read"), token(ACTOR, "cleo", "act"))
        async with running(loaded(tokens=tokens)) as quell:
            for name in "ab":
                await quell.post("/in/in", {"alerts": [alert(name)]})
            for verb in ("replay", "drop"):
                status, told = await quell.api("POST", f"/quarantine/{verb}", {"ids": [1]}, by=READER)
                assert (status, "no scope" in told["error"]) == (403, True)
            assert (await quell.api("GET", "/quarantine/1", by=READER))[0] == 200
            assert (await quell.api("GET", "/quarantine/1", by=ACTOR))[0] == 403
            mended(broken)
            assert await replayed(quell, 1, by=ACTOR) == [(1, "replayed", 1)]
            assert await replayed(quell, 2, 1, verb="drop", by=ACTOR) == [(2, "dropped", 0), (1, "skipped", 0)]
            _, trail = await quell.api("GET", "/audit")
            assert [(row["audit"]["who"], row["audit"]["what"], row["audit"]["target"]) for row in trail["audit"]] == [
                ("cleo", "drop_quarantined", "2"),
                ("cleo", "replay_quarantined", "1"),
            ]
            assert [each["state"] for each in await entries(quell, "?state=all")] == ["dropped", "replayed"]
            assert (await quell.api("GET", "/quarantine/99"))[0] == 404
            assert (await quell.api("POST", "/quarantine/replay", {"ids": []}))[0] == 422

    go(story())


def test_how_many_wait_is_in_the_status_and_the_metrics(broken: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        store = MemoryStore()
        async with running(store=store) as quell:
            for name in "abc":
                await quell.post("/in/in", {"alerts": [alert(name)]})
            await replayed(quell, 2, verb="drop")
            assert (await quell.api("GET", "/status"))[1]["quarantine"] == {"waiting": 2}
            assert b"quell_quarantine_waiting 2.0" in (await quell.get("/metrics"))[1]

            def silent() -> int:
                raise StoreError("gone")

            store.quarantine_size = silent  # type: ignore[method-assign]
            assert b"quell_quarantine_waiting 2.0" in (await quell.get("/metrics"))[1], "the last that is known"

    go(story())


def test_posted_lines_are_tried_again_but_nobody_else_s_commands() -> None:
    async def story() -> None:
        sender = "qll_dora_00112233445566778899"
        tokens = (token(ADMIN, "ana", "admin"), token(sender, "dora", "ingest"))
        async with running(loaded(tokens=tokens)) as quell:
            lines = [
                {"kind": "command", "at": "2026-01-01T00:00:00Z", "verb": "pause"},
                {"kind": "command", "at": "2026-01-01T00:00:00Z", "verb": "drop_quarantined", "target": "1"},
                {"kind": "nothing"},
            ]
            body = b"\n".join(map(msgspec.json.encode, lines))
            assert (await quell.api("POST", "/records", body, by=sender))[0] == 400
            assert (await quell.api("POST", "/records", msgspec.json.encode(lines[1])))[0] == 400, "nor an admin's"
            found = await replayed(quell, 1, 2, 3, 4)
            assert [outcome for _, outcome, _ in found] == ["failed"] * 4
            assert quell.core.state.paused_by == ""
            reasons = [each["reason"] for each in reversed(await entries(quell))]
            assert 'need a token with the scope "admin"' in reasons[0]
            assert "POST to /quarantine/replay" in reasons[1]

    go(story())


def test_what_was_never_believed_or_not_kept_whole_is_not_tried_again() -> None:
    async def story() -> None:
        async with running(loaded(source("in", "feed"), open_on_loopback=False)) as quell:
            forged = msgspec.json.encode({"alerts": [alert("forged", severity="x")]})
            assert (await quell.post("/in/in", data=forged, content_encoding="gzip"))[0] == 400
            assert (await quell.post("/in/in", data=forged))[0] == 401
            await quell.post("/in/in", data=b"x" * 2_000_000, authorization=f"Bearer {ADMIN}")
            found = await entries(quell)
            assert [each["replayable"] for each in found] == [False, False]
            assert len(found[0]["payload"]) == 4096
            status, told = await quell.api("POST", "/quarantine/replay", {"ids": [1, 2]})
            assert [each["outcome"] for each in told["results"]] == ["failed", "failed"]
            assert "only its beginning was kept" in told["results"][1]["text"]
            assert names(quell) == []
            assert status == 200
            _, whole = await quell.api("GET", "/quarantine/2")
            assert len(whole["entry"]["payload"]) > 1_000_000

    go(story())


def test_a_full_inbox_leaves_entries_as_they_are(broken: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with running(loaded(limits=small_inbox(10))) as quell:
            await quell.post("/in/in", data=b'{"alerts": 7}')
            body = msgspec.json.encode({"alerts": [alert(f"a{n}") for n in range(20)]})
            await quell.post("/in/in", data=body[:-1])
            mended(broken)
            found = await quell.api("GET", "/quarantine/2")
            assert found[1]["entry"]["payload"] == body[:-1].decode()
            broken.setattr(Feed, "receive", lambda self, request, now: Received([
                AlertRecord(at=now, source="in", status="firing", labels=alert(f"a{n}")) for n in range(20)
            ]))  # fmt: skip
            status, told = await quell.api("POST", "/quarantine/replay", {"ids": [2]})
            assert (status, told["results"][0]["outcome"]) == (200, "failed")
            assert "not taken, try again" in told["results"][0]["text"]
            assert (await quell.api("GET", "/quarantine/2"))[1]["entry"]["tries"] == 0

    go(story())


def test_an_entry_whose_source_is_gone_says_so() -> None:
    async def story() -> None:
        store = MemoryStore()
        async with running(store=store) as quell:
            await quell.post("/in/in", data=b"{")
        async with running(loaded(source("other", "feed")), store=store) as quell:
            _, told = await quell.api("POST", "/quarantine/replay", {"ids": [1]})
            assert told["results"][0]["text"] == 'no source "in" takes deliveries at "/in/in" now'

    go(story())


def test_the_metric_has_a_name() -> None:
    assert b"quell_quarantine_waiting 0.0" in Metrics().text()
