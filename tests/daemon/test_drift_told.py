"""A drift report reaches people: in the thread of its incident, in mail, and in the words of show and why."""

from __future__ import annotations

from dataclasses import replace as copy
from typing import Any

from msgspec.structs import replace

from daemon.chatroom import in_a_loop
from daemon.parts import Running
from daemon.test_chat_sender import Virtual
from daemon.test_slack_live import at_slack, card_of
from profiles.data import PAYMENTS, amounts, currencies, fine, profile
from quell.chatops.drift_card import drift_card, key_of
from quell.core.detect.drift_text import drift_details, drift_lines, drift_text
from quell.core.profiles.arrays import numbers
from quell.core.profiles.judge import Present, compared
from quell.daemon.illustrated import Illustrated
from quell.model.alert import Alert
from quell.model.decision import Perform
from quell.model.drift_report import DriftReport, Limits, report_of
from quell.model.incident import Incident
from quell.model.records import AlertRecord
from quell.sdk.pictures import pngs_of
from quell.sdk.spec import ActionSpec, Option
from quell.testing.slack import FakeSlack
from quell.testing.slack import running as slack_running


def report(factor: float = 100.0) -> DriftReport:
    now = fine(5_000, 4) | {"amount": numbers(amounts(5_000) * factor), "currency": currencies(5_000, 0.2)}
    samples = {"amount": ("3.1e+03", "1.9e+03"), "currency": ("xxx",)}
    return compared(profile(), Present(now, "v4", samples=samples), Limits(), pictures=False, most=5)


def annotations(factor: float = 100.0) -> dict[str, str]:
    told = report(factor)
    return {"summary": drift_text(told), **drift_details(told)}


def drifting(at: float, **more: Any) -> AlertRecord:
    labels = {"alertname": "PaymentsDrift", "kind": "drift", "severity": "critical", "service": "payments"}
    return AlertRecord(
        at=at, seen=at, status="firing", labels=labels, annotations=annotations(), source="detect", key="d", value=8.6,
        starts_at=at, **more,
    )  # fmt: skip


def test_the_report_in_words() -> None:
    told = drift_lines(report())
    assert told[0].startswith("2 of 3 fields of dataset/payments drifted (5,000 rows, data version v4, against")
    text = "\n".join(told)
    assert "  amount: values ×100 (unit change?); " in text
    assert "(counts from 0.2)" in text
    assert "before |" in text
    assert "such as 3.1e+03, 1.9e+03" in text
    assert "EUR, " in text


def test_what_cannot_be_read_is_no_report() -> None:
    assert report_of({}) is None
    assert report_of({"drift_report": "{"}) is None
    alert = Alert(
        fingerprint="f", source="detect", labels={}, status="firing", starts_at=0.0, updated_at=0.0, onset_seen=0.0
    )
    assert drift_card("drift/INC-1/f", alert) is None


@in_a_loop
async def test_the_report_stands_in_the_thread_of_its_incident_once() -> None:
    room = Virtual()
    alert = Alert(
        fingerprint="f1", source="detect", labels={"alertname": "Drift"}, annotations=annotations(), status="firing",
        starts_at=0.0, updated_at=0.0, onset_seen=0.0, value=8.6,
    )  # fmt: skip
    room.state.alerts["f1"] = alert
    incident = room.put("INC-1", alerts=("f1",))
    await room.quiet()
    (root,) = [ts for (_, ts), key in room.room.keys.items() if key == "INC-1"]
    key = key_of(incident, alert)
    assert room.room.reply_keys.count(key) == 1
    assert "amount" in str(room.room.threads["#incidents", root])
    room.put("INC-1", alerts=("f1",), title="another title")
    room.start()  # another process on what the store has
    await room.quiet()
    assert room.room.reply_keys.count(key) == 1, "told once, also after a restart"
    room.state.alerts["f1"] = replace(alert, annotations=annotations(10.0))
    room.put("INC-1", alerts=("f1",), title="a third title")
    await room.quiet()
    assert room.room.reply_keys.count(key) == 1
    assert any(call[1] == "edit" and call[2] == key for call in room.room.calls), (
        "another report is an edit of the same"
    )
    del room.state.alerts["f1"], room.state.incidents["INC-1"]
    room.board.all_again()
    await room.quiet()
    assert not [row for row in room.store.shown() if row.key == key], "what is forgotten is forgotten here too"


@in_a_loop
async def test_the_picture_is_in_the_thread_at_slack() -> None:
    async with slack_running(FakeSlack()) as server, at_slack(server) as place:
        name = await _drift(place)
        await place.until(lambda: card_of(server.slack, name))
        root = card_of(server.slack, name)
        assert root is not None
        pictured = lambda: [  # noqa: E731
            one for one in server.slack.messages if one.thread_ts == root.ts and one.blocks[-1]["type"] == "image"
        ]
        await place.until(pictured)
        (message,) = pictured()
        assert "Drift of dataset/payments" in message.text
        assert "amount: values ×100 (unit change?)" in str(message.blocks)
        assert "before and after: amount, currency" in message.blocks[-1]["alt_text"]
        told = await place.api("GET", f"/incidents/{name}")
        assert told[1]["drift"][0]["text"].startswith("2 of 3 fields of dataset/payments drifted")
        assert "amount: values ×100" in (await place.api("GET", f"/incidents/{name}/why"))[1]["text"]
        assert (await place.api("GET", f"/incidents/{name}/drift.svg"))[1].startswith(b"<svg")
        assert (await place.api("GET", f"/incidents/{name}/drift.png"))[1].startswith(b"\x89PNG")
        assert (await place.api("GET", "/incidents/INC-0/drift.svg"))[0] == 404
        assert any(content.startswith(b"\x89PNG") for content in server.slack.uploads.values())


@in_a_loop
async def test_what_shows_pictures_is_given_them_when_it_is_done_and_no_ledger_has_them() -> None:
    state = Virtual().state
    alert = Alert(
        fingerprint="f1", source="detect", labels={"alertname": "Drift"}, annotations=annotations(), status="firing",
        starts_at=0.0, updated_at=0.0, onset_seen=0.0,
    )  # fmt: skip
    state.alerts["f1"] = alert
    state.incidents["INC-1"] = Incident(
        id="INC-1", title="t", status="open", opened_at=0.0, updated_at=0.0, severity="high", alerts=("f1",)
    )
    illustrated = Illustrated(lambda: state)
    shows = ActionSpec(
        name="send", summary="s", params=(Option(name="pictures", type="list", summary="p"),), effect="tell",
        repeat="never",
    )  # fmt: skip
    deed = Perform(at=0.0, key="k", token="k", run="", action="mail.send", params={}, effect="tell", repeat="never",
                   incident="INC-1")  # fmt: skip
    (given,) = pngs_of((await illustrated.given(deed, shows, {}))["pictures"])
    assert given.png.startswith(b"\x89PNG")
    assert given.name == "drift-dataset-payments.png"
    assert "amount: values ×100" in given.text
    others = (
        (replace(deed, incident="INC-2"), shows),
        (deed, copy(shows, params=())),
        (replace(deed, dry_run=True), shows),
    )
    for other, spec in others:
        assert await illustrated.given(other, spec, {"text": "x"}) == {"text": "x"}


async def _drift(place: Running) -> str:
    await place.daemon.inbox.put([drifting(place.daemon.clock.now(), entity=PAYMENTS)])
    await place.until(lambda: place.daemon.loop.decider.state.incidents)
    return str(next(iter(place.daemon.loop.decider.state.incidents)))
