"""What people do in PagerDuty: signed webhooks as documented, the log of the REST API, who is on call."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pagerduty
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.deliveries import built, never_chokes
from connectors.pretend import TOKEN, Pretender, Said, at
from connectors.trackers import Trial
from quell.errors import BadPayload, Refused, Unreachable
from quell.model.records import CommandRecord
from quell.model.times import format_time
from quell.sdk.connector import Received, Request
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW
from quell_connectors.pagerduty import PagerDuty

SECRET = "s" * 44
INCIDENT = "INC-3f9a1c"
ANA = {
    "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
    "id": "PLH1HKV",
    "self": "https://api.pagerduty.com/users/PLH1HKV",
    "summary": "Tenex Engineer",
    "type": "user_reference",
}
OURS = {"id": "P326SBK", "type": "events_api_v2_inbound_integration_reference", "summary": "Events API v2"}


def event(kind: str, after_s: float = -3.0, agent: Any = ANA, key: str = INCIDENT, **data: Any) -> dict[str, Any]:
    """A delivery as PagerDuty's documentation has it."""
    incident = {
        "id": "PGR0VU2", "type": "incident", "self": "https://api.pagerduty.com/incidents/PGR0VU2",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2", "number": 2, "status": "triggered",
        "incident_key": key, "created_at": "2020-04-09T15:16:27Z", "title": "A little bump in the road",
        "service": {"id": "PF9KMXH", "summary": "API Service", "type": "service_reference"},
        "assignees": [ANA], "teams": [], "priority": None, "urgency": "high", "resolve_reason": None, **data,
    }  # fmt: skip
    note = {
        "incident": {"id": "PGR0VU2", "summary": "A little bump in the road", "type": "incident_reference"},
        "id": "P2LA89X", "content": "I sure am glad", "trimmed": False, "type": "incident_note", **data,
    }  # fmt: skip
    return {
        "event": {
            "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": format_time(NOW + after_s),
            "agent": agent,
            "client": {"name": "PagerDuty"},
            "data": note if kind == "incident.annotated" else incident,
        }
    }


def signed(body: Any, *secrets: str, header: str = "") -> Request:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    made = ",".join(f"v1={hmac.new(one.encode(), raw, hashlib.sha256).hexdigest()}" for one in secrets or (SECRET,))
    return Request("POST", "/in/src", raw, {"x-pagerduty-signature": header or made})


def hear(request: Request, secret: str = SECRET) -> Received:
    got: Received = built(PagerDuty, webhook_secret=Secret(secret)).receive(request, NOW)
    return got


def heard(body: dict[str, Any]) -> CommandRecord:
    got = hear(signed(body))
    assert got.reply.status == 200
    (record,) = got.records
    assert isinstance(record, CommandRecord)
    return record


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("incident.acknowledged", "acknowledged"),
        ("incident.resolved", "resolved"),
        ("incident.unacknowledged", "open"),
        ("incident.reopened", "open"),
    ],
)
def test_what_a_person_did_there_is_a_command_of_that_person(kind: str, status: str) -> None:
    record = heard(event(kind))
    assert (record.verb, record.target, record.by, record.source) == ("follow", INCIDENT, "Tenex Engineer", "src")
    assert record.at == NOW - 3.0
    assert record.args == {
        "status": status,
        "there": "PGR0VU2",
        "who": {"id": "PLH1HKV", "name": "Tenex Engineer", "email": ""},
    }
    assert record.id == heard(event(kind)).id


def test_what_our_own_events_did_is_told_apart() -> None:
    assert heard(event("incident.resolved", agent=OURS)).args["echo"]
    assert heard(event("incident.triggered", agent={"id": "P1", "type": "service_reference"})).args["echo"]
    late = heard(event("incident.unacknowledged", agent=None))
    assert (late.by, late.args["note"]) == ("PagerDuty", "PagerDuty: nobody took it in time")
    assert "echo" not in late.args


def test_notes_are_handed_on_but_not_our_own() -> None:
    record = heard(event("incident.annotated"))
    assert (record.target, record.args["there"], record.args["note"]) == ("", "PGR0VU2", "I sure am glad")
    assert hear(signed(event("incident.annotated", content="db\n\n[quell-step-0123456789abcdef]"))).records == ()


def test_what_says_nothing_to_us_is_answered_and_left() -> None:
    service = {"event": {**event("service.updated")["event"], "data": {"id": "PF9KMXH", "type": "service"}}}
    for body in (service, event("incident.priority_updated"), event("incident.resolved", -3 * 86_400.0)):
        got = hear(signed(body))
        assert (got.reply.status, got.records, got.rejected) == (200, (), ())


def test_any_of_several_signatures_by_any_of_our_secrets() -> None:
    body = event("incident.resolved")
    assert hear(signed(body, "old", SECRET)).reply.status == 200
    assert hear(signed(body, "new"), "old, new").reply.status == 200
    for request in (
        signed(body, "other"),
        signed(body, header="v0=" + "0" * 64),
        signed(body, header="nonsense"),
        Request("POST", "/in/src", signed(event("incident.acknowledged")).body, signed(body).headers),
    ):
        got = hear(request)
        assert (got.reply.status, got.records) == (401, ())
    without: Received = built(PagerDuty).receive(signed(body), NOW)
    assert (without.reply.status, without.records) == (401, ())


def test_what_cannot_be_read_is_rejected() -> None:
    for body in (b"{", b'{"event": {"id": "1"}}', event("incident.resolved") | {"event": {"id": 3}}):
        got = hear(signed(body))
        assert (got.reply.status, got.records, len(got.rejected)) == (400, (), 1)
    late = event("incident.resolved")
    late["event"]["occurred_at"] = "yesterday"
    assert hear(signed(late)).reply.status == 400


@settings(max_examples=80, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x) | st.lists(x)))
def test_no_delivery_chokes_it(data: Any) -> None:
    receiver = built(PagerDuty, webhook_secret=Secret(SECRET))
    for body in ({"event": data}, {"event": {**event("incident.resolved")["event"], "data": data}}):
        try:
            request = signed(body)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            continue
        never_chokes(receiver, request)


class Log(Pretender):
    """PagerDuty's REST API: the log, newest first, in pages of two; who is on call; notes."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.incidents: list[dict[str, Any]] = []
        self.services: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = [
            on_call("Bo", 2, "Backend"), on_call("Ana", 1, "Backend", schedule="Backend primary"),
            on_call("Cy", 1, "Shop"),
        ]  # fmt: skip

    async def answer(self, request: web.Request, body: Any) -> Any:
        if request.headers["Authorization"] not in {f"Token token={TOKEN}", f"Token token={SECRET}"}:
            raise Said(401, {"error": {"message": "Account Not Found", "code": 2006}})
        start, size = int(request.query.get("offset", "0")), 2
        if request.path == "/log_entries":
            assert request.query.getall("include[]") == ["incidents", "channels"]
            since, until = request.query["since"], request.query["until"]
            kept = [one for one in reversed(self.entries) if since <= one["created_at"] <= until]
            return {"log_entries": kept[start : start + size], "more": len(kept) > start + size, "total": None}
        if request.path.endswith("/notes") and request.method == "POST":
            self.notes.append(body["note"]["content"])
            return 201, {"note": body["note"]}
        if request.path == "/services":
            kept = [one for one in self.services if request.query.get("query", "") in one["name"]]
            return {"services": kept[start : start + size], "more": len(kept) > start + size}
        if request.path == "/incidents" and "since" not in request.query:
            assert request.query.getall("statuses[]") == ["triggered", "acknowledged"]
            kept = [one for one in self.incidents if request.query.get("service_ids[]") in {None, "PF9KMXH"}]
            return {"incidents": kept[start : start + size], "more": len(kept) > start + size}
        if request.path == "/incidents":
            assert request.query.getall("statuses[]") == ["triggered", "acknowledged", "resolved"]
            since = request.query["since"]
            kept = [one for one in self.incidents if since <= one["created_at"]]
            return {"incidents": kept[start : start + size], "more": len(kept) > start + size}
        if request.path == "/users/PLH1HKV":
            return {"user": {**ANA, "type": "user", "name": "Ana Ruiz", "email": "ana@x.example"}}
        if request.path.startswith("/users/"):
            raise Said(404, {"error": {"message": "Not Found", "code": 2100}})
        assert request.path == "/oncalls"
        assert request.query.getall("include[]") == ["users"]
        return {"oncalls": self.calls[start : start + size], "more": len(self.calls) > start + size}

    def happens(self, kind: str, after_s: float, agent: Any = ANA, **more: Any) -> None:
        self.entries.append({
            "id": f"R{len(self.entries)}", "type": f"{kind}_log_entry", "summary": "…",
            "created_at": format_time(NOW + after_s), "agent": agent, "channel": {"type": "web_ui"},
            "incident": {"id": "PGR0VU2", "type": "incident", "incident_key": INCIDENT, "status": "resolved"}, **more,
        })  # fmt: skip


def on_call(name: str, level: int, policy: str, schedule: str = "") -> dict[str, Any]:
    return {
        "user": {"id": f"P{name}", "type": "user", "summary": name, "name": name, "email": f"{name.lower()}@x.example"},
        "escalation_level": level,
        "escalation_policy": {"id": f"E{policy}", "type": "escalation_policy_reference", "summary": policy},
        "schedule": {"id": "S1", "type": "schedule_reference", "summary": schedule} if schedule else None,
        "start": "2026-03-01T08:00:00Z" if schedule else None,
        "end": "2026-03-01T18:00:00Z" if schedule else None,
    }


REST: dict[str, Any] = {"token": Secret(TOKEN), "user": "ana@example.org"}


def asking(log: Log, work: Callable[[Trial], Awaitable[None]], **options: Any) -> None:
    async def inner(trial: Trial) -> None:
        trial.options = {**trial.options, "api_url": log.url}
        trial.restart()
        await work(trial)

    at(PagerDuty, log, inner, **{**REST, **options})


def test_the_log_tells_what_webhooks_tell() -> None:
    log = Log()

    async def work(trial: Trial) -> None:
        log.happens("resolve", -100.0)
        first = await trial.built.pull(None, NOW)
        assert first.records == ()
        log.happens("trigger", 5.0, OURS)
        log.happens("notify", 6.0)
        log.happens("acknowledge", 10.0)
        log.happens("annotate", 12.0, channel={"type": "note", "summary": "it is the db"})
        log.happens("annotate", 13.0, channel={"type": "note", "summary": "x [quell-step-0123456789abcdef]"})
        log.happens("unacknowledge", 20.0, None)
        log.happens("acknowledge", 20.0)
        log.happens("resolve", 30.0)
        second = await trial.built.pull(first.cursor, NOW + 40.0)
        assert [(one.args["status"], int(one.at - NOW)) for one in second.records] == [
            ("open", 5), ("acknowledged", 10), ("note", 12), ("acknowledged", 20), ("resolved", 30),
        ]  # fmt: skip
        assert {one.target for one in second.records} == {INCIDENT}
        assert second.records[0].args["echo"]
        assert second.records[2].args["note"] == "it is the db"
        third = await trial.built.pull(second.cursor, NOW + 70.0)
        assert {one.id for one in third.records} <= {one.id for one in second.records}
        told = heard(event("incident.acknowledged", 10.4))
        assert told.id == second.records[1].id
        assert told.at < second.records[1].at

    asking(log, work, watch=True)


def test_people_of_the_log_are_known_by_their_e_mail_address_asked_once() -> None:
    log = Log()

    async def work(trial: Trial) -> None:
        gone = {"id": "PGONE00", "type": "user_reference", "summary": "Cy who left"}
        log.happens("acknowledge", 5.0)
        log.happens("resolve", 10.0, gone)
        told = (await trial.built.pull(format_time(NOW), NOW + 40.0)).records
        assert [one.args["who"] for one in told] == [
            {"id": "PLH1HKV", "name": "Ana Ruiz", "email": "ana@x.example"},
            {"id": "PGONE00", "name": "Cy who left", "email": ""},
        ]
        await trial.built.pull(format_time(NOW), NOW + 70.0)
        users = [path for _, path, _, _ in log.asked if path.startswith("/users/")]
        assert sorted(users) == ["/users/PGONE00", "/users/PLH1HKV"]

    asking(log, work, watch=True)


def test_after_a_long_time_how_incidents_stand_now_is_asked_not_the_log() -> None:
    log = Log()

    def stands(name: str, status: str, made_s: float, changed_s: float, by: Any = ANA) -> None:
        log.incidents.append({
            "id": f"P{name}", "type": "incident", "incident_key": f"INC-{name}", "status": status,
            "created_at": format_time(NOW + made_s), "last_status_change_at": format_time(NOW + changed_s),
            "last_status_change_by": by,
        })  # fmt: skip

    service = {"id": "PF9KMXH", "summary": "API Service", "type": "service_reference"}
    stands("old", "triggered", -40 * 86_400.0, -40 * 86_400.0, service)
    stands("taken", "acknowledged", -3600.0, -1800.0)
    stands("over", "resolved", -7200.0, -60.0)
    stands("back", "triggered", -7200.0, -900.0, service)
    stands("new", "triggered", -300.0, -300.0, service)
    log.happens("resolve", -100.0)

    async def work(trial: Trial) -> None:
        for cursor in (None, format_time(NOW - 20 * 86_400.0), "nonsense"):
            pulled = await trial.built.pull(cursor, NOW)
            assert [(one.target, one.args["status"], one.args.get("echo", False)) for one in pulled.records] == [
                ("INC-taken", "acknowledged", False), ("INC-back", "open", False), ("INC-new", "open", True),
                ("INC-over", "resolved", False),
            ]  # fmt: skip
            assert pulled.records[0].args["who"]["email"] == "ana@x.example"
            assert pulled.cursor == format_time(NOW)
        assert not [path for _, path, _, _ in log.asked if path.startswith("/log_entries")]

    asking(log, work, watch=True)


def test_what_was_made_before_a_long_time_and_ended_in_it_is_told() -> None:
    log = Log()
    log.incidents.append({
        "id": "P1", "type": "incident", "incident_key": INCIDENT, "status": "resolved",
        "created_at": format_time(NOW - 5 * 86_400.0), "last_status_change_at": format_time(NOW - 2 * 86_400.0),
        "last_status_change_by": ANA,
    })  # fmt: skip

    async def work(trial: Trial) -> None:
        told = (await trial.built.pull(format_time(NOW - 3 * 86_400.0), NOW)).records
        assert [(one.target, one.args["status"]) for one in told] == [(INCIDENT, "resolved")]

    asking(log, work, watch=True)


def test_a_log_that_is_too_long_to_be_read_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell_connectors.pagerduty.watch._MOST_PAGES", 3)
    log = Log()
    log.happens("resolve", 5.0)
    for number in range(8):
        log.happens("notify", 10.0 + number)
    log.incidents.append({
        "id": "PGR0VU2", "type": "incident", "incident_key": INCIDENT, "status": "resolved",
        "created_at": format_time(NOW - 60.0), "last_status_change_at": format_time(NOW + 5.0),
        "last_status_change_by": ANA,
    })  # fmt: skip

    async def work(trial: Trial) -> None:
        told = (await trial.built.pull(format_time(NOW), NOW + 40.0)).records
        assert [(one.target, one.args["status"]) for one in told] == [(INCIDENT, "resolved")]

    asking(log, work, watch=True)


def test_a_log_that_cannot_be_had_is_asked_again_from_where_it_was() -> None:
    log = Log()

    async def work(trial: Trial) -> None:
        cursor = (await trial.built.pull(None, NOW)).cursor
        log.happens("resolve", 600.0)
        log.faults = [(429, {"Retry-After": "30"}, "{}"), 503, (200, {}, "<html>")]
        with pytest.raises(Unreachable, match="again in 30 s"):
            await trial.built.pull(cursor, NOW + 1800.0)
        with pytest.raises(Unreachable):
            await trial.built.pull(cursor, NOW + 2700.0)
        with pytest.raises(BadPayload):
            await trial.built.pull(cursor, NOW + 2800.0)
        assert [one.args["status"] for one in (await trial.built.pull(cursor, NOW + 3600.0)).records] == ["resolved"]

    asking(log, work, watch=True)


def test_nothing_is_asked_of_who_does_not_watch() -> None:
    log = Log()

    async def work(trial: Trial) -> None:
        assert (await trial.built.pull("x", NOW)).cursor == "x"
        assert log.asked == []

    asking(log, work)


def test_who_is_on_call() -> None:
    log = Log()

    async def work(trial: Trial) -> None:
        done = await trial.act("oncall")
        assert [one["name"] for one in done.output["people"]] == ["Ana", "Bo", "Cy"]
        assert done.output["first"]["email"] == "ana@x.example"
        assert done.sentence.startswith("Backend level 1: Ana until 2026-03-01T18:00:00Z; Backend level 2: Bo; ")
        assert (await trial.act("oncall", team="primary")).output["first"]["name"] == "Ana"
        assert (await trial.act("oncall", team="nobody")).sentence == "nobody is on call for nobody in PagerDuty"
        await trial.act("oncall", schedule="PI7DH85", policy="PT20YPA")
        asked = parse_qs(urlsplit(log.asked[-1][1]).query)
        assert (asked["schedule_ids[]"], asked["escalation_policy_ids[]"]) == (["PI7DH85"], ["PT20YPA"])

    asking(log, work)


def test_which_services_there_are_and_what_is_open() -> None:
    log = Log()
    log.services = [
        {"id": f"P{name}", "type": "service", "name": name, "status": status, "teams": [{"summary": "shop"}],
         "escalation_policy": {"id": "PT20YPA", "type": "escalation_policy_reference", "summary": "Backend"}}
        for name, status in (("cart", "active"), ("checkout", "critical"), ("web", "maintenance"))
    ]  # fmt: skip
    log.incidents = [
        {"id": f"PGR{n}", "type": "incident", "incident_key": key, "title": "web is slow", "status": "triggered",
         "created_at": "2026-03-01T09:00:00Z", "html_url": f"https://acme.pagerduty.com/incidents/PGR{n}",
         "service": {"id": "PF9KMXH", "summary": "web", "type": "service_reference"}}
        for n, key in enumerate((INCIDENT, None, "other"))
    ]  # fmt: skip

    async def work(trial: Trial) -> None:
        done = await trial.act("services")
        assert done.sentence == "cart (active); checkout (critical); web (maintenance)"
        assert done.output["services"][1] == {
            "id": "Pcheckout", "name": "checkout", "status": "critical", "policy": "Backend", "teams": ["shop"],
        }  # fmt: skip
        assert (await trial.act("services", name="nothing")).output == {"services": [], "found": False}
        open_ = await trial.act("incidents", service="PF9KMXH")
        assert [one["key"] for one in open_.output["incidents"]] == [INCIDENT, "", "other"]
        assert open_.sentence.startswith("PGR0 web is slow (triggered); ")
        assert (await trial.act("incidents", service="PNOTHERE")).sentence == "no incident is open in PagerDuty"

    asking(log, work)


def test_the_rest_api_wants_a_token() -> None:
    async def work(trial: Trial) -> None:
        with pytest.raises(Refused, match="needs the source's option token"):
            await trial.act("oncall")

    asking(Log(), work, token=None)


class Official(pagerduty.RestApiV2Client):
    """PagerDuty's own client, at a server without TLS; it waits for nothing."""

    max_http_attempts = 1
    retry = {429: 1}  # noqa: RUF012 - as the client has it

    @property
    def url(self) -> str:
        return self._at

    @url.setter
    def url(self, new_base_url: str) -> None:
        self._at = new_base_url


def test_pagerduty_s_own_client_asks_and_reads_the_same() -> None:
    log = Log()
    log.happens("acknowledge", -20.0)
    log.happens("resolve", -10.0)
    theirs: list[Any] = []

    def official() -> None:
        client = Official(SECRET, default_from="ana@example.org", base_url=log.url)
        theirs.append(list(client.iter_all("oncalls", {"include[]": ["users"], "earliest": True}, page_size=2)))
        span = {"since": format_time(NOW - 60), "until": format_time(NOW), "include[]": ["incidents", "channels"]}
        theirs.append(list(client.iter_all("log_entries", span, page_size=2)))
        client.rpost("/incidents/PGR0VU2/notes", json={"note": {"content": "it is the db"}})
        client.close()

    async def work(trial: Trial) -> None:
        await asyncio.to_thread(official)
        ours = [
            (await trial.act("oncall")).output["people"],
            (await trial.built.pull(format_time(NOW), NOW)).records,
        ]
        assert sorted(one["name"] for one in ours[0]) == sorted(one["user"]["name"] for one in theirs[0])
        assert [one.id for one in ours[1]] == [
            f"PGR0VU2/{status}/{int(NOW + at)}" for status, at in (("acknowledged", -20), ("resolved", -10))
        ]
        assert len(theirs[1]) == 2
        paths = [at for _, path, _, _ in log.asked if not (at := urlsplit(path).path).startswith("/users/")]
        assert paths == ["/oncalls"] * 2 + ["/log_entries", "/incidents/PGR0VU2/notes"] + ["/oncalls"] * 2 + [
            "/log_entries"
        ]
        both = [parse_qs(urlsplit(log.asked[nth][1]).query) for nth in (0, 4)]
        assert both[0]["include[]"] == both[1]["include[]"]
        assert both[0]["earliest"] == both[1]["earliest"]

    asking(log, work, watch=True)
