"""That a source sends what nobody can read is an alert, once for each source, and over when it stops."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from daemon.chatroom import in_a_loop
from daemon.parts import loaded, running, source
from quell.daemon import bad_input
from quell.model.alert import Alert
from quell.model.records import AlertRecord
from quell.store.memory import MemoryStore
from quell.store.opening import open_store
from quell.store.port import Quarantined


def told(alerts: dict[str, Alert]) -> list[Alert]:
    found = [alert for alert in alerts.values() if alert.name == "SourceSendsBadInput"]
    return sorted(found, key=lambda alert: alert.labels["source"])


@in_a_loop
async def test_what_lies_in_quarantine_is_told_of_by_source(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    config = loaded(source("a", "feed"), source("b", "feed"))
    async with running(config, store=store) as place:
        looking = place.daemon.bad_input
        await looking.look()
        assert await looking.look() == 0
        assert (await place.post("/in/a", data=b'{"alerts": [{"alertname": 7}]}'))[0] == 400
        assert (await place.post("/in/a", data=b'{"alerts": [', extra="x"))[0] == 400
        assert (await place.post("/in/b", data=b"boom"))[0] == 500
        assert await looking.look() == 2
        assert await looking.look() == 0, "it is told once"
        await place.settled()
        first, second = told(place.core.state.alerts)
        assert (
            "source a sent what cannot be read, 2 in the last minute, such as: alerts: " in first.annotations["summary"]
        )
        assert (second.labels["source"], second.labels["severity"]) == ("b", "warning")
        kept = [one for group in store.groups_after(0) for one in group.records if isinstance(one, AlertRecord)]
        assert {(one.source, one.entity, one.timeout) for one in kept} == {
            ("quell", "source/a", True), ("quell", "source/b", True),
        }  # fmt: skip
        assert all(one.ends_at == one.at + bad_input.OVER_S for one in kept), "it is over when nothing more comes"
        monkeypatch.setattr(bad_input, "MOST_READ", 1)
        for _ in range(3):
            await place.post("/in/b", data=b"boom")
        assert await looking.look() == 1
        await place.settled()
        assert "1 or more in the last minute" in told(place.core.state.alerts)[1].annotations["summary"]
    async with running(config, store=store) as place:
        assert await place.daemon.bad_input.look() == 0, "a restart tells of nothing anew"
        assert await place.daemon.bad_input.look() == 0


@in_a_loop
async def test_what_comes_after_the_quarantine_was_emptied_is_told_of_and_what_strangers_send_is_not(
    tmp_path: Path,
) -> None:
    store = open_store("sqlite:///kept.db", tmp_path)

    def bad(kind: str = "delivery") -> Quarantined:
        return Quarantined(at=time.time(), source="a", reason="no JSON", payload=b"x" * 5000, request=b"y", kind=kind)

    store.keep_quarantined([bad(), bad()])
    async with running(loaded(source("a", "feed")), store=store) as place:
        looking, call = place.daemon.bad_input, place.daemon.writer.call
        await looking.look()
        assert await looking.look() == 0
        await call(store.keep_quarantined, [bad("body")])
        assert await looking.look() == 0, "nobody knows who sent it"
        while await call(
            store.trim, records_before=0.0, incidents_before=0.0, audit_before=0.0, quarantine_before=time.time(),
        ):  # fmt: skip
            pass
        await call(store.keep_quarantined, [bad()])
        assert [entry.id for entry in await call(store.quarantine)] == [1], "numbers begin anew"
        assert await looking.look() == 1
        assert await looking.look() == 0
