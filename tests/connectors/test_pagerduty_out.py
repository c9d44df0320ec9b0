"""Pages that go out: to quell's own receiver of the Events API v2, and beside those of PagerDuty's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pagerduty
import pytest
from aiohttp import web

from connectors.deliveries import built
from connectors.pretend import TOKEN, Pretender, Said, at
from connectors.trackers import Trial
from quell.errors import NoAnswer, Refused, Unreachable
from quell.model.records import AlertRecord, ChangeRecord
from quell.sdk.connector import Request
from quell.sdk.secret import Secret
from quell.sdk.testkit import CANARY, NOW, check_connector
from quell_connectors.pagerduty import PagerDuty

KEY = f"{CANARY}-{'k' * 32}"[:32]
OPTIONS: dict[str, Any] = {"routing_key": Secret(KEY)}
PAGE = {"summary": "Rollback of checkout did not help", "key": "rollback:checkout"}


class Receiver(Pretender):
    """Quell's receiver behind a socket; ``records`` are what it took. Notes are kept as PagerDuty's REST API would."""

    def __init__(self) -> None:
        super().__init__()
        self.receiver = built(PagerDuty, **OPTIONS)
        self.records: list[AlertRecord | ChangeRecord] = []
        self.notes: list[str] = []

    async def tickets(self) -> list[dict[str, Any]]:
        return []

    def open(self) -> list[str | None]:
        last = {record.key: record for record in self.records if isinstance(record, AlertRecord)}
        return [record.annotations.get("summary") for record in last.values() if record.status == "firing"]

    async def answer(self, request: web.Request, body: Any) -> Any:
        if request.path.startswith("/incidents"):
            return self._rest(request, body)
        got = self.receiver.receive(Request("POST", request.path, await request.read()), NOW)
        self.records += got.records
        return got.reply.status, msgspec.json.decode(got.reply.body)

    def _rest(self, request: web.Request, body: Any) -> Any:
        if request.headers["Authorization"] != f"Token token={TOKEN}":
            raise Said(401, {"error": {"message": "Account Not Found", "code": 2006}})
        if request.path == "/incidents":
            assert request.query.getall("statuses[]") == ["triggered", "acknowledged"]
            found = [{"id": "PT4KHLK", "html_url": "https://pd.example/PT4KHLK"}]
            return {"incidents": found if request.query["incident_key"] == PAGE["key"] else []}
        assert request.path == "/incidents/PT4KHLK/notes"
        if request.method == "POST":
            assert request.headers["From"] == "ana@example.org"
            self.notes.append(body["note"]["content"])
            return 201, {"note": {"id": "1", **body["note"]}}
        return {"notes": [{"id": "1", "content": note} for note in self.notes]}


def sent(receiver: Receiver, nth: int = -1) -> dict[str, Any]:
    body: dict[str, Any] = receiver.asked[nth][3]
    return body


def test_a_page_is_one_alert_however_often_it_is_sent() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        first = await trial.act("trigger", severity="high", component="checkout", details={"cause": "v9"}, **PAGE)
        again = await trial.act("trigger", severity="high", component="checkout", details={"cause": "v9"}, **PAGE)
        assert first == again
        assert first.output == {"key": "rollback:checkout"}
        assert first.sentence == 'paged "Rollback of checkout did not help" (error) in PagerDuty for rollback:checkout'
        assert receiver.open() == ["Rollback of checkout did not help"]
        assert len({record.key for record in receiver.records if isinstance(record, AlertRecord)}) == 1

        acknowledged = await trial.act("acknowledge", key="rollback:checkout")
        assert acknowledged.sentence == "what was open in PagerDuty for rollback:checkout is acknowledged"
        assert receiver.open() == ["Rollback of checkout did not help"]
        await trial.act("resolve", key="rollback:checkout")
        await trial.act("resolve", key="rollback:checkout")
        assert receiver.open() == []

    at(PagerDuty, receiver, work, **OPTIONS)


def test_what_is_sent() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        params = {"severity": "critical", "source": "checkout", "group": "shop", "class": "rollback",
                  "links": ["https://quell.example/i/1", {"href": "https://wiki.example", "text": "Runbook"}],
                  "details": {"replicas": 3, "why": "v9"}, "text": "all of it"}  # fmt: skip
        await trial.act("trigger", **PAGE, **params)
        assert sent(receiver) == {
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": "rollback:checkout",
            "client": "quell",
            "payload": {
                "summary": "Rollback of checkout did not help",
                "source": "checkout",
                "severity": "critical",
                "timestamp": "2026-03-01T10:00:00.000Z",
                "group": "shop",
                "class": "rollback",
                "custom_details": {"text": "all of it", "replicas": 3, "why": "v9"},
            },
            "links": [
                {"href": "https://quell.example/i/1", "text": "https://quell.example/i/1"},
                {"href": "https://wiki.example", "text": "Runbook"},
            ],
        }

    at(PagerDuty, receiver, work, **OPTIONS)


def test_a_page_of_a_route_makes_an_alert_for_its_incident() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        await trial.act("trigger", title="cart is down", text="because of db", incident="inc-1", severity="")
        assert sent(receiver)["dedup_key"] == "inc-1"
        assert sent(receiver)["payload"]["summary"] == "cart is down"
        assert sent(receiver)["payload"]["custom_details"] == {"text": "because of db"}

    at(PagerDuty, receiver, work, **OPTIONS)


def test_a_change_is_told_to_a_service_of_its_own() -> None:
    receiver = Receiver()
    other = Secret(f"{CANARY}-{'o' * 32}"[:32])

    async def work(trial: Trial) -> None:
        done = await trial.act("change", summary="deployed v9", details={"service": "checkout"})
        assert done.sentence == 'told PagerDuty of the change "deployed v9"'
        [record] = receiver.records
        assert isinstance(record, ChangeRecord)
        assert record.type == "deploy"
        with pytest.raises(Refused, match=r"answered 400: Event object is invalid; 'routing_key' is not known here"):
            await trial.act("trigger", routing_key=other, **PAGE)

    at(PagerDuty, receiver, work, **OPTIONS)


class Official(pagerduty.EventsApiV2Client):
    """PagerDuty's own client, at a receiver without TLS."""

    @property
    def url(self) -> str:
        return self._at

    @url.setter
    def url(self, new_base_url: str) -> None:
        self._at = new_base_url


def test_pagerduty_s_own_client_says_the_same() -> None:
    receiver = Receiver()
    severity = {"severity": "warning", "component": "cart", "group": "shop", "class": "drift"}

    def official(url: str) -> None:
        client = Official(KEY, base_url=url)
        client.retry[429] = 0
        payload = {"component": "cart", "group": "shop", "class": "drift", "timestamp": "2026-03-01T10:00:00.000Z"}
        client.trigger("cart is slow", "quell", "cart", "warning", payload=payload, custom_details={"p99": "2 s"})
        client.acknowledge("cart")
        client.resolve("cart")
        client.submit("deployed v9", "quell", {"service": "cart"}, timestamp="2026-03-01T10:00:00.000Z")
        client.close()

    async def work(trial: Trial) -> None:
        await asyncio.to_thread(official, receiver.url)
        await trial.act("trigger", summary="cart is slow", key="cart", details={"p99": "2 s"}, **severity)
        await trial.act("acknowledge", key="cart")
        await trial.act("resolve", key="cart")
        await trial.act("change", summary="deployed v9", details={"service": "cart"})
        theirs, ours = receiver.asked[:4], receiver.asked[4:]
        assert [one[:2] for one in theirs] == [one[:2] for one in ours]
        assert [one[3] for one in theirs] == [_without_client(one[3]) for one in ours]

    at(PagerDuty, receiver, work, **OPTIONS)


def _without_client(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "client"}


def test_limits_are_kept() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        long = {"summary": "é🚨\n" * 2000, "key": "k" * 300, "component": "c" * 3000}
        await trial.act("trigger", details={f"d{n}": "x" * 9000 for n in range(99)}, text="t" * 90_000, **long)
        first = sent(receiver)
        assert 1000 < len(first["payload"]["summary"]) <= 1024
        assert len(first["dedup_key"]) == 255
        assert len(first["payload"]["custom_details"]) == 61
        await trial.act("trigger", details={"nested": {"x": ["y" * 1000] * 600}}, **long)
        second = sent(receiver)
        assert "were left out" in second["payload"]["custom_details"]["quell"]
        assert second["dedup_key"] == first["dedup_key"]
        await trial.act("trigger", summary="s", key="k" * 299 + "j")
        assert sent(receiver)["dedup_key"] != first["dedup_key"]
        assert all(len(one.key) < 300 for one in receiver.records if isinstance(one, AlertRecord))

    at(PagerDuty, receiver, work, **OPTIONS)


def test_dry_runs_check_and_send_nothing() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        said = [
            (await trial.act("trigger", dry=True, severity="critical", **PAGE)).sentence,
            (await trial.act("resolve", dry=True, key="a")).sentence,
            (await trial.act("change", dry=True, summary="deployed")).sentence,
        ]
        assert said == [
            'would page "Rollback of checkout did not help" (critical) in PagerDuty for rollback:checkout',
            "would resolve what is open in PagerDuty for a",
            'would tell PagerDuty of the change "deployed"',
        ]
        with pytest.raises(Refused, match='needs a "summary"'):
            await trial.act("trigger", dry=True, key="a")
        with pytest.raises(Refused, match="is no link; write an address"):
            await trial.act("trigger", dry=True, links=["javascript:alert(1)"], **PAGE)
        with pytest.raises(Refused, match='needs a "key"'):
            await trial.act("resolve", dry=True)
        with pytest.raises(Refused, match="has not 32 characters"):
            await trial.act("trigger", dry=True, routing_key=Secret("short"), **PAGE)
        with pytest.raises(Refused, match='no action "explode"'):
            await trial.act("explode")
        assert receiver.asked == []

    at(PagerDuty, receiver, work, **OPTIONS)


def test_a_key_is_needed_to_send_and_not_to_receive() -> None:
    async def work(trial: Trial) -> None:
        with pytest.raises(Refused, match="needs a routing_key"):
            await trial.act("trigger", **PAGE)

    at(PagerDuty, Receiver(), work)


FAULTS: list[tuple[Any, type[Exception], str]] = [
    ((429, {"Retry-After": "30"}, "{}"), Unreachable, "answered 429: its rate limit is reached; again in 30 s"),
    ((429, {"RateLimit-Reset": "12"}, "{}"), Unreachable, "again in 12 s"),
    ((429, {}, ""), Unreachable, "again in 60 s"),
    ((400, {}, '{"message": "Event object is invalid", "errors": ["a", "b"]}'), Refused,
     r"PagerDuty \(POST /v2/enqueue\) answered 400: Event object is invalid; a; b"),
    ((400, {}, "<html>"), Refused, "answered 400: <html>"),
    ((403, {}, ""), Refused, "answered 403"),
    ((500, {}, ""), NoAnswer, "answered 500"),
    ((503, {}, ""), Unreachable, "answered 503"),
    ((200, {}, "OK, whoever you are"), Exception, "answered what cannot be read"),
    ((200, {}, '{"status": "ignored"}'), Refused, 'answered "ignored"'),
    ((202, {}, '{"ok": true}'), Exception, "answered what cannot be read"),
    ("cut", NoAnswer, "without an answer"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "said"), FAULTS)
def test_faults_are_told_apart(fault: Any, kind: type[Exception], said: str) -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        receiver.faults = [fault]
        with pytest.raises(kind, match=said):
            await trial.act("trigger", **PAGE)

    at(PagerDuty, receiver, work, **OPTIONS)


def test_no_fault_shows_the_routing_key() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        for fault in ((400, {}, f'{{"message": "no {KEY}", "errors": []}}'), (404, {}, f"no {KEY}")):
            receiver.faults = [fault]
            with pytest.raises(Refused) as caught:
                await trial.act("trigger", **PAGE)
            assert KEY not in str(caught.value)
            assert "no ***" in str(caught.value)

    at(PagerDuty, receiver, work, **OPTIONS)


def test_a_note_is_written_once() -> None:
    receiver = Receiver()

    async def work(trial: Trial) -> None:
        trial.options = {**trial.options, "api_url": receiver.url}
        trial.restart()
        dry = await trial.act("note", dry=True, key=PAGE["key"], text="rolled back")
        assert dry.sentence == "would write a note on PT4KHLK"
        trial.http.faults = ["lost"]
        with pytest.raises(NoAnswer):
            await trial.act("note", key=PAGE["key"], text="rolled back")
        again = await trial.act("note", key=PAGE["key"], text="rolled back")
        assert again.sentence == "PT4KHLK has the note; it was there before"
        assert again.output == {"id": "PT4KHLK", "url": "https://pd.example/PT4KHLK"}
        await trial.act("note", "R-2/note", id="PT4KHLK", text="é" * 50_000)
        assert [len(note) < 20_001 for note in receiver.notes] == [True, True]
        with pytest.raises(Refused, match="no incident is open in PagerDuty for other"):
            await trial.act("note", key="other", text="x")
        with pytest.raises(Refused, match='needs "id" or "key"'):
            await trial.act("note", text="x")

    at(PagerDuty, receiver, work, token=Secret(TOKEN), user="ana@example.org", **OPTIONS)


def test_a_note_needs_a_user_and_a_token() -> None:
    async def work(trial: Trial) -> None:
        with pytest.raises(Refused, match="needs the source's options token and user"):
            await trial.act("note", key="a", text="x")

    at(PagerDuty, Receiver(), work, **OPTIONS)


def test_the_rules_of_the_house() -> None:
    options = {"url": "http://p.example", "routing_key": Secret(KEY), "token": Secret(TOKEN), "user": "a@b.example"}
    key = {"key": "k"}
    check_connector(PagerDuty, options, {"trigger": {"summary": "s"}, "acknowledge": key, "resolve": key,
                                         "change": {"summary": "s"}, "note": {"id": "P1", "text": "t"}})  # fmt: skip
