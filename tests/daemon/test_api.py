"""The management API: who may, what is answered, and that an answer comes after its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from yarl import URL

from daemon.parts import READER, TOKEN, Running, loaded, running, source, token
from quell.model.drift_report import Bars, DriftReport, FieldReport
from quell.model.habits import RuleHabit, Tally
from quell.model.incident import Incident, Remedy, Suspect
from quell.model.records import AlertRecord
from quell.model.topology import Dependency
from quell.store.port import Turn


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def with_an_incident(quell: Running) -> None:
    record = AlertRecord(
        at=1.0, seen=1.0, source="t", status="firing", labels={"alertname": "a", "incident": "I1"}
    )  # fmt: skip
    await quell.daemon.inbox.put([record])
    await quell.settled()


REFUSED = {
    "no token": ("GET", "/status", {}, 401),
    "a path that ends as the open one": ("GET", "/incidents/openapi.json", {}, 401),
    "no bearer": ("GET", "/status", {"authorization": TOKEN}, 401),
    "an unknown id": ("GET", "/status", {"authorization": "Bearer qll_zed_0123456789abcdef"}, 401),
    "a wrong secret": ("GET", "/status", {"authorization": f"Bearer {TOKEN}0"}, 401),
    "letters nobody expects": ("GET", "/status", {"authorization": "Bearer qll_ana_é"}, 401),
    "a reader who acts": ("POST", "/incidents/I1/ack", {"authorization": f"Bearer {READER}"}, 403),
    "a reader who approves": ("POST", "/runs/r/approve", {"authorization": f"Bearer {READER}"}, 403),
    "a reader who sends": ("POST", "/records", {"authorization": f"Bearer {READER}"}, 403),
    "an unknown incident": ("POST", "/incidents/none/ack", {"authorization": f"Bearer {TOKEN}"}, 404),
    "an unknown run": ("POST", "/runs/none/approve", {"authorization": f"Bearer {TOKEN}"}, 404),
    "an unknown playbook": ("POST", "/playbooks/none/run", {"authorization": f"Bearer {TOKEN}"}, 404),
    "an unknown route": ("GET", "/nothing", {"authorization": f"Bearer {TOKEN}"}, 404),
    "a wrong method": ("DELETE", "/status", {"authorization": f"Bearer {TOKEN}"}, 405),
    "an unknown alert": ("GET", "/alerts/none", {"authorization": f"Bearer {TOKEN}"}, 404),
    "a wrong choice": ("GET", "/incidents?status=maybe", {"authorization": f"Bearer {TOKEN}"}, 422),
    "an unknown entity": ("GET", "/graph?entity=service/none", {"authorization": f"Bearer {TOKEN}"}, 404),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_says_why(what: str) -> None:
    method, path, headers, status = REFUSED[what]
    body = b'{"incident": "I1"}' if path.endswith("/run") else b"{}"

    async def story() -> None:
        async with running() as quell:
            await with_an_incident(quell)
            sent = {**headers, "content-type": "application/json"}
            url = f"{quell.url}/api/quell/v1{path}"
            async with quell.http.request(method, url, data=body if method == "POST" else None, headers=sent) as answer:
                assert answer.status == status
                said = await answer.text()
                assert msgspec.json.decode(said)["error"]
                assert "0123456789abcdef" not in said

    go(story())


USUAL_OR_NOT = [
    ("", "limit=0100"),
    ("limit=1", "limit=%31"),
    ("status=all", "status=al%6C"),
    ("status=all&limit=1", "limit=1&status=all"),
    ("status=open&limit=50", "limit=50&status=open&more=words"),
]
WRONG = ("limit=0", "limit=many", "status=", "status=openlimit=5", "status=all&limit=-1", "limit=100001")


def test_the_list_of_incidents_is_the_same_in_the_usual_words_and_in_others() -> None:
    async def story() -> None:
        async with running() as quell:
            for name in ("I1", "I2", "I3"):
                labels = {"alertname": name, "incident": name}
                await quell.daemon.inbox.put(
                    [AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels=labels)]
                )
            await quell.settled()
            await quell.api("POST", "/incidents/I2/resolve", {})
            for usual, other in USUAL_OR_NOT:
                answers = []
                for query in (usual, other):
                    url = URL(f"{quell.url}/api/quell/v1/incidents?{query}", encoded=True)
                    async with quell.http.get(url, headers={"authorization": f"Bearer {READER}"}) as answer:
                        headers = {name.lower(): value for name, value in answer.headers.items() if name != "date"}
                        answers.append((answer.status, headers, msgspec.json.decode(await answer.read())))
                assert answers[0] == answers[1], usual
                assert answers[0][0] == 200
            told = (await quell.api("GET", "/incidents?limit=1"))[1]["incidents"]
            assert [one["id"] for one in told] == ["I3"]
            for wrong in WRONG:
                assert (await quell.api("GET", f"/incidents?{wrong}"))[0] == 422, wrong

    go(story())


def test_only_who_may_read_sees_the_list_of_incidents() -> None:
    async def story() -> None:
        sender = "qll_cy_0011223344556677"
        async with running(loaded(tokens=(token(TOKEN, "ana", "admin"), token(sender, "cy", "ingest")))) as quell:
            for query in ("", "?status=all&limit=5", "?limit=%31"):
                url = URL(f"{quell.url}/api/quell/v1/incidents{query}", encoded=True)
                async with quell.http.get(url, headers={"authorization": f"Bearer {sender}"}) as answer:
                    assert (answer.status, await answer.json()) == (403, {"error": 'token "cy" has no scope "read"'})

    go(story())


def test_an_act_is_answered_after_its_turn() -> None:
    async def story() -> None:
        async with running() as quell:
            await with_an_incident(quell)
            status, told = await quell.api("POST", "/incidents/I1/ack", {"note": "mine"})
            assert status == 200
            assert told["incident"]["status"] == "acknowledged"
            assert told["incident"]["acknowledged_by"] == "ana"
            _, told = await quell.api("GET", "/incidents")
            assert [one["id"] for one in told["incidents"]] == ["I1"]
            await quell.api("POST", "/incidents/I1/resolve", {})
            assert (await quell.api("GET", "/incidents"))[1] == {"incidents": []}
            assert len((await quell.api("GET", "/incidents?status=all"))[1]["incidents"]) == 1
            assert (await quell.api("POST", "/incidents/I1/feedback", {"verdict": "right_cause"}))[0] == 200
            assert (await quell.api("POST", "/incidents/I1/feedback", {"verdict": "so-so"}))[0] == 422
            _, told = await quell.api("GET", "/incidents/I1")
            assert told["alerts"][0]["labels"]["alertname"] == "a"
            assert (await quell.api("GET", "/incidents/I1/why"))[1]["text"] == "because of I1"
            _, told = await quell.api("GET", "/audit")
            assert [(row["audit"]["who"], row["audit"]["what"]) for row in told["audit"]] == [
                ("ana", "resolve"), ("ana", "ack"),
            ]  # fmt: skip
            assert (await quell.api("POST", "/pause", {}))[1] == {"paused_by": "ana"}
            assert (await quell.api("POST", "/unpause", {}))[1] == {"paused_by": ""}

    go(story())


def test_the_histograms_of_a_drift_alert() -> None:
    bars = Bars(before=(0.9, 0.1), after=(0.1, 0.9), names=("EUR", "USD"))
    field = FieldReport(field="currency", type="text", drifted=True, bars=bars)
    report = DriftReport(entity="dataset/payments", profile="v3", fields=(field,))
    told = {"drift_report": msgspec.json.encode(report).decode()}

    async def story() -> None:
        async with running() as quell:
            await with_an_incident(quell)
            labels = {"alertname": "drift", "incident": "I1"}
            drift = AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels=labels, annotations=told)
            await quell.daemon.inbox.put([drift])
            await quell.settled()
            alerts = (await quell.api("GET", "/alerts"))[1]["alerts"]
            marks = {one["labels"]["alertname"]: one["fingerprint"] for one in alerts}
            status, drawn = await quell.api("GET", f"/alerts/{marks['drift']}/drift.svg")
            assert status == 200
            assert drawn.startswith(b"<svg")
            assert b">currency<" in drawn
            for mark in (marks["a"], "none"):
                assert (await quell.api("GET", f"/alerts/{mark}/drift.svg"))[0] == 404

    go(story())


def test_alerts_and_why_not() -> None:
    async def story() -> None:
        async with running() as quell:
            await with_an_incident(quell)
            _, told = await quell.api("GET", "/alerts")
            mark = told["alerts"][0]["fingerprint"]
            assert (await quell.api("GET", f"/alerts/{mark}"))[1]["alert"]["fingerprint"] == mark
            status, told = await quell.api("GET", f"/alerts/{mark}/why-not")
            assert status == 200
            assert told["reason"]["text"] in told["text"]
            assert (await quell.api("GET", "/alerts?handling=page"))[1] == {"alerts": []}

    go(story())


def test_records_are_taken_line_by_line() -> None:
    lines = b"\n".join([
        b'{"kind":"alert","at":"2026-03-01T10:00:00Z","status":"firing","labels":{"alertname":"x"}}',
        b'{"kind":"alert","at":"2026-03-01T10:00:00Z","status":"on fire","labels":{}}',
        b"not json",
        b"",
        b'{"kind":"dependency","at":"2026-03-01T10:00:00Z","from":"service/a","to":"service/b"}',
        b'{"kind":"delivery","at":"2026-03-01T10:00:00Z","path":"/feed","body":{"alerts":[{"alertname":"y"}]}}',
        b'{"kind":"delivery","at":"2026-03-01T10:00:00Z","path":"/nowhere","body":{}}',
    ])  # fmt: skip

    async def story() -> None:
        async with running() as quell:
            status, told = await quell.api("POST", "/records", lines)
            assert status == 200
            assert (told["accepted"], told["rejected"]) == (3, 3)
            assert told["problems"][0].startswith('line 2: status: "on fire" is not known')
            assert len(quell.core.state.alerts) == 2
            assert len((await quell.api("GET", "/quarantine"))[1]["quarantine"]) == 3
            assert (await quell.api("POST", "/records", b"junk"))[0] == 400

    go(story())


def test_the_graph_around_an_entity() -> None:
    async def story() -> None:
        async with running() as quell:
            edges = [Dependency(from_=f"service/{n}", to=f"service/{n + 1}") for n in range(5)]
            quell.core.state.dependencies.update({edge.from_: edge for edge in edges})
            _, told = await quell.api("GET", "/graph?entity=service/2&hops=1")
            assert [(edge["from"], edge["to"]) for edge in told["dependencies"]] == [
                ("service/1", "service/2"), ("service/2", "service/3"),
            ]  # fmt: skip
            assert len((await quell.api("GET", "/graph"))[1]["dependencies"]) == 5

    go(story())


def test_the_schema_is_open_and_the_rest_answers() -> None:
    async def story() -> None:
        async with running(loaded(source("w", "worker"))) as quell:
            status, schema = await quell.get("/api/quell/v1/openapi.json")
            assert status == 200
            assert "/incidents/{incident_id}/ack" in schema["paths"]
            for path in ("/runs", "/playbooks", "/ledger", "/quarantine", "/audit", "/graph", "/alerts", "/status"):
                assert (await quell.api("GET", path, by=READER))[0] == 200, path

    go(story())


def test_an_incident_comes_with_what_is_like_it_and_what_ended_that() -> None:
    async def story() -> None:
        async with running() as quell:
            for n, status in ((1, "resolved"), (2, "open"), (3, "open")):
                quell.core.state.incidents[f"I{n}"] = _alike(f"I{n}", status)
            now = quell.daemon.clock.now()  # else it would be trimmed
            remedy = Remedy(kind="note", text="restarted it", by="ana")
            old = _alike("I0", "resolved", updated_at=now, remedies=(remedy,))
            await quell.daemon.writer.call(quell.store.commit, Turn(seq=1, incidents=[old]))
            _, told = await quell.api("GET", "/incidents/I3")
            assert [like["incident"] for like in told["similar"]["past"]] == ["I0", "I1"]
            assert [like["incident"] for like in told["similar"]["open"]] == ["I2"]
            assert told["similar"]["past"][0]["remedies"] == [{"kind": "note", "text": "restarted it", "by": "ana"}]
            _, told = await quell.api("GET", "/incidents/I3/why")
            assert told["text"].startswith("because of I3\nAlike and open: I2 (100% alike)")
            assert "restarted it (ana)" in told["text"]
            assert told["similar"]["open"][0]["incident"] == "I2"

    go(story())


def _alike(name: str, status: Any, **more: Any) -> Incident:
    said = ("PoolEmpty: no free connection",)
    more = {"updated_at": 1.0, **more}
    return Incident(
        id=name, title="t", status=status, opened_at=1.0, symptoms=said, entities=("service/a",),
        suspects=(Suspect(entity="service/a"),), **more,
    )  # fmt: skip


def test_what_is_suggested_is_told_and_can_be_turned_down_for_good() -> None:
    async def story() -> None:
        async with running() as quell:
            habit = RuleHabit(firings=30, ended=30, alone=30, lasted=[30, *[0] * 10], example={"alertname": "Blip"})
            quell.core.state.habits.newer = Tally(since=1.0, rules={"Blip": habit})
            quell.core.state.now = 2.0
            _, told = await quell.api("GET", "/suggestions")
            (hold,) = told["suggestions"]
            assert (hold["kind"], hold["rule"]["hold"], told["declined"]) == ("hold", "2m", 0)
            assert told["from_time"] == "1970-01-01T00:00:01.000Z"
            assert (await quell.api("POST", "/suggestions/sug-none/reject", {}))[0] == 404
            path = f"/suggestions/{hold['id']}/reject"
            assert (await quell.api("POST", path, {}, by=READER))[0] == 403
            assert await quell.api("POST", path, {"note": "no"}) == (
                200, {"rejected": hold["id"], "text": "it will not be suggested again"},
            )  # fmt: skip
            assert (await quell.api("POST", path, {}))[1]["text"] == "it was turned down before"
            assert (await quell.api("GET", "/suggestions"))[1]["suggestions"] == []

    go(story())
