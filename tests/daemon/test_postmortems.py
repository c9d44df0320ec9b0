"""Drafts of post-mortems that a daemon keeps by itself: of what was significant, once, where people find them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from click.testing import CliRunner

from core.scene import T0, ends, fires, outage, rulebook
from daemon.chatroom import Room, Talk, in_a_loop
from daemon.parts import KINDS, READER, Running, loaded, running, source
from daemon.test_clocked import restored
from daemon.test_figures import lived
from quell.cli.incidents import postmortem, show_incident
from quell.config import Loaded
from quell.config.settings import Chat, PostmortemSettings
from quell.daemon.clock import Clock
from quell.daemon.kept_files import keep_once, safe_name
from quell.daemon.postmortems import LATE_S, significant
from quell.errors import Unreachable
from quell.model.incident import Incident, TimelineEntry
from quell.model.records import CommandRecord
from quell.model.rulebook import Room as Where
from quell.model.rulebook import Route
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import ActionSpec, Option, Spec
from quell.store.memory import MemoryStore
from quell.store.opening import open_store
from quell.store.port import Store

FAULT = ("ledger", "payments", "checkout", "frontend")
_TEXT = Option(name="text", type="text", summary="What.")
_KEY = Option(name="key", type="text", summary="Of what.")


class Tracker:
    """Opens tickets and adds to them; ``fails`` are what the next comments come to."""

    spec: ClassVar[Spec] = Spec(
        name="tracker",
        summary="For tests.",
        actions=(
            ActionSpec(name="ticket", summary="Opens.", params=(_KEY, _TEXT), effect="tell", repeat="keyed"),
            ActionSpec(name="comment", summary="Adds.", params=(_KEY, _TEXT), effect="tell", repeat="keyed"),
        ),
    )
    calls: ClassVar[list[tuple[str, dict[str, Any]]]] = []
    fails: ClassVar[list[Exception]] = []

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        pass

    async def act(self, call: Call) -> Done:
        Tracker.calls.append((call.action, dict(call.params)))
        if call.action == "comment" and Tracker.fails:
            raise Tracker.fails.pop()
        return Done("done")


def config(folder: Path, **drafts: Any) -> Loaded:
    made = loaded(source("in", "feed"), source("chat", "talk"), source("jira", "tracker"))
    wanted = PostmortemSettings(directory=folder / "drafts", shown="drafts", **drafts)
    chat = Chat(rooms=(Where(source="chat", channel="#incidents"),), link="https://quell.example.com")
    whole = msgspec.structs.replace(made.settings, directory=folder, postmortem=wanted, chat=chat)
    routes = (Route(name="tickets", action="jira.ticket"),)
    return Loaded(whole, msgspec.structs.replace(rulebook(routes=routes), version="1"))


@asynccontextmanager
async def daemon(whole: Loaded, store: Store | None = None, at: float = T0) -> AsyncIterator[Running]:
    kinds = {**KINDS, "talk": Talk, "tracker": Tracker}
    if at == T0:
        Talk.room, Tracker.calls, Tracker.fails = Room(time.monotonic), [], []
    async with running(whole, store=store, restore=restored, clock=Clock(start=at), kinds=kinds) as quell:
        yield quell


async def an_outage(quell: Running, at: float = 0.0) -> Incident:
    """Begins, lasts a quarter of an hour, and is over."""
    await lived(quell, [*outage(at), *outage(at + 125.0)])
    await lived(quell, [ends(service, at + 900.0) for service in FAULT])
    await passes(quell, at + 1300.0)
    found = max(quell.daemon.loop.decider.state.incidents.values(), key=lambda one: one.opened_at)
    assert found.status == "resolved"
    return found


async def passes(quell: Running, at: float) -> None:
    """Time, with a word about something else at the end of it."""
    quell.daemon.clock.not_before(T0 + at)
    await lived(quell, [fires("cache", at, severity="info", seen=T0 + at)])


def entries(quell: Running, name: str) -> list[str]:
    timeline = quell.daemon.loop.decider.state.incidents[name].timeline
    return [entry.text for entry in timeline if entry.what == "postmortem"]


@in_a_loop
async def test_a_significant_incident_that_stays_over_is_drafted_once_and_people_find_it(tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    async with daemon(config(tmp_path)) as quell:
        incident = await an_outage(quell)
        looking = quell.daemon.postmortems
        assert await looking.look() == 0, "it may come back"
        assert not drafts.exists()
        await passes(quell, 3200.0)
        assert await looking.look() == 1
        assert await looking.look() == 0
        (file,) = drafts.iterdir()
        assert file.name == f"{incident.id}.md"
        text = file.read_text()
        assert text.startswith("# Post-mortem: ")
        assert "service/ledger" in text
        assert "## Adjustments proposed" in text
        (said,) = entries(quell, incident.id)
        place = f"/api/quell/v1/incidents/{incident.id}/postmortem/kept"
        assert said == (
            f"a draft is kept in drafts/{file.name}, https://quell.example.com{place} "
            f"(quell postmortem {incident.id} --kept)"
        )
        await quell.until(lambda: any("postmortem: a draft is kept" in text for text in told_in_threads()))
        assert f"Post-mortem: {said}" in {line.text for line in Talk.room.of(incident.id).lines}
        await quell.until(lambda: Tracker.calls[1:])
        opened, added = Tracker.calls
        assert opened[0] == "ticket"
        assert added == ("comment", {"key": incident.id, "text": f"Post-mortem of {incident.id}: {said}"})

        file.write_text("# What we learned\n")
        assert (await quell.api("GET", f"/incidents/{incident.id}"))[1]["postmortem"] == {"file": f"drafts/{file.name}"}
        address = ["--url", quell.url, "--token", READER]
        shown = await asyncio.to_thread(CliRunner().invoke, show_incident, [incident.id, *address])
        assert f"a draft is kept in drafts/{file.name}" in shown.output.replace("\n", " ")
        kept = await asyncio.to_thread(CliRunner().invoke, postmortem, [incident.id, "--kept", *address])
        assert kept.output == "# What we learned\n"
        status, _ = await quell.api("GET", "/incidents/INC-none/postmortem/kept")
        assert status == 404
        assert (await quell.api("GET", "/status"))[1]["postmortems"] == {"kept": True, "directory": "drafts"}


def told_in_threads() -> list[str]:
    return [text for texts in Talk.room.threads.values() for text in texts]


@in_a_loop
async def test_restarts_draft_nothing_anew_and_leave_what_people_wrote(tmp_path: Path) -> None:
    store = open_store("sqlite:///quell.db", tmp_path)
    async with daemon(config(tmp_path), store) as quell:
        incident = await an_outage(quell)
        await passes(quell, 3200.0)
    file = tmp_path / "drafts" / f"{incident.id}.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text("as a person wrote it, or a daemon that was killed before it could say so\n")
    for later in (3210.0, 3220.0, 3230.0):
        store = open_store("sqlite:///quell.db", tmp_path)
        async with daemon(config(tmp_path), store, T0 + later) as quell:
            await quell.daemon.postmortems.look()
            await quell.until(lambda: Tracker.calls[1:])
            assert len(entries(quell, incident.id)) == 1
    assert file.read_text().startswith("as a person wrote it")
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert [action for action, _ in Tracker.calls].count("comment") == 1


@in_a_loop
async def test_what_opens_again_after_its_draft_gets_another_file(tmp_path: Path) -> None:
    async with daemon(config(tmp_path)) as quell:
        incident = await an_outage(quell)
        await passes(quell, 3200.0)
        assert await quell.daemon.postmortems.look() == 1
        for verb, at in (("reopen", 3300.0), ("resolve", 3900.0)):
            quell.daemon.clock.not_before(T0 + at)
            await lived(quell, [CommandRecord(at=T0 + at, source="api", verb=verb, target=incident.id, by="ana")])
        assert await quell.daemon.postmortems.look() == 0
        await passes(quell, 6000.0)
        assert await quell.daemon.postmortems.look() == 1
        names = {one.name for one in (tmp_path / "drafts").iterdir()}
        assert names == {f"{incident.id}.md", f"{incident.id}.2.md"}
        found = quell.daemon.postmortems.kept(incident.id)
        assert found is not None
        assert found.shown == f"drafts/{incident.id}.2.md"
        (tmp_path / "drafts" / f"{incident.id}.md").unlink()
        assert quell.daemon.postmortems.kept(incident.id) == found


@in_a_loop
async def test_a_draft_is_counted_from_the_one_before_however_much_was_said_since(tmp_path: Path) -> None:
    async with daemon(config(tmp_path)) as quell:
        incident = await an_outage(quell)
        await passes(quell, 3200.0)
        assert await quell.daemon.postmortems.look() == 1
        (tmp_path / "drafts" / f"{incident.id}.md").write_text("as people have it")
        for verbs, at in ((("reopen", *["assign"] * 250), 3300.0), (("resolve",), 3900.0)):
            quell.daemon.clock.not_before(T0 + at)
            asked = [
                CommandRecord(at=T0 + at, source="api", verb=verb, target=incident.id, by="ana", args={"to": f"ana{n}"})
                for n, verb in enumerate(verbs)
            ]
            await lived(quell, list(asked))
        await passes(quell, 6000.0)
        assert await quell.daemon.postmortems.look() == 1
        assert (tmp_path / "drafts" / f"{incident.id}.md").read_text() == "as people have it"
        assert (tmp_path / "drafts" / f"{incident.id}.2.md").is_file()
        assert len(entries(quell, incident.id)) == 2
        assert len(quell.daemon.loop.decider.state.incidents[incident.id].timeline) < 210


@in_a_loop
async def test_where_nobody_may_look_for_drafts_an_incident_is_shown_all_the_same(tmp_path: Path) -> None:
    whole = config(tmp_path)
    assert whole.settings.postmortem is not None
    wanted = msgspec.structs.replace(whole.settings.postmortem, directory=tmp_path / ("d" * 300))
    async with daemon(
        Loaded(msgspec.structs.replace(whole.settings, postmortem=wanted), whole.rulebook), MemoryStore()
    ) as quell:
        incident = await an_outage(quell)
        status, told = await quell.api("GET", f"/incidents/{incident.id}")
        assert (status, told["postmortem"]) == (200, None)
        assert (await quell.api("GET", f"/incidents/{incident.id}/postmortem/kept"))[0] == 404


@in_a_loop
async def test_a_directory_that_no_file_system_can_name_is_said_and_ends_nothing(tmp_path: Path) -> None:
    whole = config(tmp_path)
    assert whole.settings.postmortem is not None
    wanted = msgspec.structs.replace(whole.settings.postmortem, directory=tmp_path / "\udcff\0")
    async with daemon(
        Loaded(msgspec.structs.replace(whole.settings, postmortem=wanted), whole.rulebook), MemoryStore()
    ) as quell:
        incident = await an_outage(quell)
        await passes(quell, 3200.0)
        assert await quell.daemon.postmortems.look() == 0
        assert "cannot be kept" in (await quell.api("GET", "/status"))[1]["postmortems"]["error"]
        assert (await quell.api("GET", f"/incidents/{incident.id}"))[0] == 200


@in_a_loop
async def test_where_it_cannot_be_written_that_is_said_and_tried_again(tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    drafts.write_text("a file is no directory")
    async with daemon(config(tmp_path)) as quell:
        incident = await an_outage(quell)
        await passes(quell, 3200.0)
        looking, state = quell.daemon.postmortems, quell.daemon.loop.decider.state

        def alerts() -> list[bool]:
            return [one.firing for one in state.alerts.values() if one.name == "PostmortemNotKept"]

        for _ in range(3):
            assert await looking.look() == 0
        await quell.settled()
        assert alerts() == [True]
        told = (await quell.api("GET", "/status"))[1]["postmortems"]
        assert told["error"].startswith('post-mortem drafts cannot be kept in "drafts": ')
        assert entries(quell, incident.id) == []
        drafts.unlink()
        assert await looking.look() == 0, "not before its time"
        await passes(quell, 3300.0)
        assert await looking.look() == 1
        await quell.settled()
        assert alerts() == [False]
        assert len(entries(quell, incident.id)) == 1
        assert "error" not in looking.status()


@in_a_loop
async def test_a_tracker_that_is_away_hears_of_it_later_and_one_without_the_ticket_is_left(tmp_path: Path) -> None:
    async with daemon(config(tmp_path)) as quell:
        await an_outage(quell)
        await passes(quell, 3200.0)
        Tracker.fails = [Unreachable("away"), Unreachable("away")]
        await quell.daemon.postmortems.look()
        for number, later in enumerate((3400.0, 3600.0), 2):
            await answered(quell, number)
            await passes(quell, later)
            await quell.daemon.postmortems.look()
        await answered(quell, 4)
        assert [action for action, _ in Tracker.calls] == ["ticket", "comment", "comment", "comment"]
        await passes(quell, 8000.0)
        await quell.daemon.postmortems.look()
        assert len(Tracker.calls) == 4


async def answered(quell: Running, calls: int) -> None:
    """So many acts were tried, and what came of them is on record."""
    await quell.until(lambda: len(Tracker.calls) >= calls)
    while await quell.daemon.writer.call(quell.store.unfinished):
        await asyncio.sleep(0.01)
    await quell.settled()


@in_a_loop
async def test_one_that_cannot_be_drafted_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with daemon(config(tmp_path, tickets=False)) as quell:
        incident = await an_outage(quell)
        await passes(quell, 3200.0)

        async def broken(_incident: Incident) -> str:
            await asyncio.sleep(0)
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(quell.daemon.drafting, "text", broken)
        assert await quell.daemon.postmortems.look() == 0
        monkeypatch.undo()
        assert await quell.daemon.postmortems.look() == 0, "it is not tried again by this process"
        assert entries(quell, incident.id) == []
        assert [action for action, _ in Tracker.calls] == ["ticket"]


@in_a_loop
async def test_what_was_over_long_ago_or_is_not_wanted_gets_none(tmp_path: Path) -> None:
    async with daemon(config(tmp_path), MemoryStore()) as quell:
        await an_outage(quell)
        quell.daemon.clock.not_before(T0 + 3200.0 + LATE_S)
        assert await quell.daemon.postmortems.look() == 0
        quell.daemon.settings = msgspec.structs.replace(quell.daemon.settings, postmortem=None)
        assert await quell.daemon.postmortems.look() == 0
        assert quell.daemon.postmortems.status() == {"kept": False}
        assert quell.daemon.postmortems.kept("INC-1") is None


def over(severity: str = "critical", harm: Any = "system", lasted_s: float = 600.0, paged: bool = True) -> Incident:
    return Incident(
        id="INC-1", title="t", status="resolved", opened_at=T0, updated_at=T0 + lasted_s, resolved_at=T0 + lasted_s,
        severity=severity, harm=harm, timeline=(TimelineEntry(at=T0, what="paged", text="x"),) if paged else (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("incident", "wanted", "is_so"),
    [
        (over(), {}, True),
        (over("p1"), {}, True),
        (over("warning"), {}, False),
        (over("warning", "business"), {}, True),
        (over("warning", "fairness"), {}, True),
        (over("warning", "model"), {}, False),
        (over("warning", "model"), {"impact": "model"}, True),
        (over("warning"), {"severity": "warning"}, True),
        (over(""), {"severity": "info", "impact": "fairness"}, False),
        (over(paged=False), {}, False),
        (over(paged=False), {"paged": False}, True),
        (over(lasted_s=299.0), {}, False),
        (over(lasted_s=299.0), {"lasted_s": 60.0}, True),
    ],
)
def test_what_is_significant(incident: Incident, wanted: dict[str, Any], is_so: bool) -> None:
    setting = PostmortemSettings(directory=Path("x"), **wanted)
    assert significant(incident, setting, early=False) is is_so
    assert not significant(incident, PostmortemSettings(directory=Path("x")), early=True), "nobody was called"


def test_a_file_is_written_whole_once_and_under_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["INC-1", "../../etc/passwd", "..", "", "a/b", "a_b", "\x00", "é" * 300]
    made = [safe_name(name) for name in names]
    assert len(set(made)) == len(made)
    assert made[0] == "INC-1"
    assert all("/" not in name and "\x00" not in name and not name.startswith(".") and len(name) < 120 for name in made)
    path = tmp_path / "deep" / "er" / "a.md"
    assert keep_once(path, "first")
    assert not keep_once(path, "second")

    def no_links(*_args: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", no_links)
    other = path.with_name("b.md")
    assert keep_once(other, "third \ud800")
    assert not keep_once(other, "fourth")
    assert (path.read_text(), other.read_text()) == ("first", "third ?")
    dangling = path.with_name("c.md")
    dangling.symlink_to(tmp_path / "nowhere")
    assert not keep_once(dangling, "fifth")
    assert sorted(one.name for one in path.parent.iterdir()) == ["a.md", "b.md", "c.md"]
