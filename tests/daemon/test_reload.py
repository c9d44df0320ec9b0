"""A changed configuration: taken up when it is right, refused whole when it is wrong."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemon.parts import READER, Worker, loaded, running, source, token
from quell.config import Loaded
from quell.daemon import reload as reloads
from quell.daemon.metrics import Metrics
from quell.daemon.reload import Reloader
from quell.daemon.saved import opened
from quell.errors import Misconfigured, Problem


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_good_one_is_taken_up_between_two_turns() -> None:
    async def story() -> None:
        first = loaded(source("a", "feed"), source("w", "worker"))
        second = loaded(
            source("a", "feed"), source("b", "feed"), source("w", "worker", options={"tag": "x"}), version="2"
        )
        async with running(first, load=lambda: second) as quell:
            kept, rebuilt = quell.daemon.sources.get("a"), quell.daemon.sources.get("w")
            await quell.post("/in/a", {"alerts": [{"alertname": "x"}]})
            assert (await quell.post("/in/b", {"alerts": []}))[0] == 404
            assert await quell.daemon.reloader.reload()
            assert quell.core.rulebook.version == "2"
            assert (await quell.post("/in/b", {"alerts": []}))[0] == 202
            assert quell.daemon.sources.get("a") is kept
            assert quell.daemon.sources.get("w") is not rebuilt
            assert len(quell.core.state.alerts) == 1
            found = quell.store.recover()
            assert (found.seq, found.state is not None) == (1, True)
            rules = opened(found.state or b"").rulebook  # what follows is decided again by these
            assert rules is not None
            assert rules.version == "2"
            _, state = await quell.api("GET", "/status")
            assert state["config"]["version"] == "2"

    go(story())


def test_what_was_read_last_is_in_use_however_slow_the_reading_before_it() -> None:
    """A file that changes while a commit is taken up: the slower reading of the two must not win."""
    first, stale, newest = (loaded(version=version) for version in ("1", "stale", "newest"))
    readings = iter([(0.3, stale), (0.0, newest)])

    def load() -> Loaded:
        wait_s, found = next(readings)
        time.sleep(wait_s)
        return found

    async def story() -> None:
        async with running(first, load=load) as quell:
            await asyncio.gather(quell.daemon.reloader.reload(), quell.daemon.reloader.reload())
            assert quell.core.rulebook.version == "newest"

    go(story())


def test_what_is_worth_a_look_is_seen() -> None:
    mute = Problem("rules/a.yaml", 3, 1, "this mutes every alert")
    second = replace(loaded(version="2"), warnings=(mute,))

    async def story() -> None:
        async with running(load=lambda: second) as quell:
            _, state = await quell.api("GET", "/status")
            assert state["config"]["warnings"] == []
            with capture_logs() as logs:
                assert await quell.daemon.reloader.reload()
            assert [entry["problem"] for entry in logs if entry["event"] == "worth a look"] == [str(mute)]
            _, state = await quell.api("GET", "/status")
            assert state["config"]["warnings"] == ["rules/a.yaml:3:1: this mutes every alert"]
        async with running(second) as quell:
            _, state = await quell.api("GET", "/status")
            assert state["config"]["warnings"] == ["rules/a.yaml:3:1: this mutes every alert"]

    go(story())


def test_a_bad_one_changes_nothing_and_is_seen() -> None:
    problems = [Problem("rules/a.yaml", 3, 1, "unknown key"), Problem("quell.yaml", 1, 1, "not good")]
    answers: list[Loaded | Misconfigured] = []

    def load() -> Loaded:
        answer = answers.pop(0)
        if isinstance(answer, Misconfigured):
            raise answer
        return answer

    async def story() -> None:
        async with running(load=load) as quell:
            answers.append(Misconfigured(problems))
            assert not await quell.daemon.reloader.reload()
            assert quell.core.rulebook.version == "1"
            _, state = await quell.api("GET", "/status")
            assert state["config"]["problems"] == ["quell.yaml:1:1: not good", "rules/a.yaml:3:1: unknown key"]
            assert (await quell.post("/in/in", {"alerts": [{"a": "b"}]}))[0] == 202
            answers.append(loaded(version="3"))
            assert await quell.daemon.reloader.reload()
            _, state = await quell.api("GET", "/status")
            assert state["config"]["problems"] == []
            assert b'quell_reloads_total{outcome="refused"} 1.0' in quell.daemon.metrics.text()

    go(story())


def test_tokens_come_and_go_with_the_configuration() -> None:
    async def story() -> None:
        only_ben = loaded(version="2")
        changed = Loaded(
            type(only_ben.settings)(
                directory=Path(),
                store="memory:",
                tokens=(token(READER, "ben", "read"),),
                sources=only_ben.settings.sources,
            ),
            only_ben.rulebook,
        )
        async with running(load=lambda: changed) as quell:
            assert (await quell.api("GET", "/status"))[0] == 200
            await quell.daemon.reloader.reload()
            assert (await quell.api("GET", "/status"))[0] == 401
            assert (await quell.api("GET", "/status", by=READER))[0] == 200

    go(story())


def test_a_new_puller_is_pulled() -> None:
    async def story() -> None:
        pulls: list[str | None] = []

        def pulled(cursor: str | None) -> Any:
            pulls.append(cursor)
            raise AssertionError("a bug")

        Worker.pulled = pulled
        async with running(load=lambda: loaded(source("w", "worker", every_s=60.0), version="2")) as quell:
            await quell.daemon.reloader.reload()
            await quell.until(lambda: pulls)

    go(story())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "quell.yaml").write_text("sources: {}\n")
    (tmp_path / "rules").mkdir()
    return tmp_path


def test_while_no_file_is_free_it_goes_on_and_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quell.yaml").write_text("a")
    read: list[int] = []

    async def load() -> str:
        read.append(1)
        return "2"

    def no_file(_directory: Path) -> list[Path]:
        raise OSError(24, "Too many open files")

    async def story() -> None:
        reloader = Reloader(tmp_path / "quell.yaml", load, Metrics(), time.time)
        task = asyncio.create_task(reloader.run(look_every_s=0.01))
        await asyncio.sleep(0.1)
        monkeypatch.setattr(reloads, "watched", no_file)
        (tmp_path / "quell.yaml").write_text("bb")
        await asyncio.sleep(0.1)
        assert (task.done(), read) == (False, [])
        monkeypatch.undo()
        async with asyncio.timeout(5):
            while not read:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert (task.done(), read) == (False, [1])
        task.cancel()

    go(story())


@pytest.mark.parametrize("before", [True, False])
def test_what_cannot_be_opened_for_a_moment_is_no_change(
    before: bool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``before`` it was seen at all, or as it is changed."""
    read: list[int] = []
    refused: list[Path] = []

    async def load() -> str:
        read.append(1)
        return "2"

    def no_file(path: Path) -> Any:
        refused.append(path)
        raise OSError(errno.EMFILE, "Too many open files")

    async def story() -> None:
        reloader = Reloader(directory / "quell.yaml", load, Metrics(), time.time)
        if before:
            monkeypatch.setattr(reloads, "watched", no_file)
        task = asyncio.create_task(reloader.run(look_every_s=0.01))
        await asyncio.sleep(0.1)
        if not before:
            monkeypatch.setattr(Path, "read_bytes", no_file)
            (directory / "quell.yaml").write_text("something else")
            await asyncio.sleep(0.1)
        assert (task.done(), read, bool(refused)) == (False, [], True)
        monkeypatch.undo()
        await asyncio.sleep(0.3)
        assert (task.done(), read) == (False, [] if before else [1])
        task.cancel()

    go(story())


def test_what_cannot_be_taken_up_while_no_file_is_free_is_taken_up_then(directory: Path) -> None:
    failures = [OSError(errno.EMFILE, "Too many open files")] * 3

    async def load() -> str:
        if failures:
            raise failures.pop()
        return "2"

    async def story() -> None:
        reloader = Reloader(directory / "quell.yaml", load, Metrics(), time.time)
        task = asyncio.create_task(reloader.run(look_every_s=0.01))
        await asyncio.sleep(0.1)
        (directory / "quell.yaml").write_text("something else")
        async with asyncio.timeout(5):
            while reloader.version != "2":
                await asyncio.sleep(0.01)
        assert (failures, reloader.problems, task.done()) == ([], [], False)
        task.cancel()

    go(story())


def test_changed_files_are_noticed_but_not_touched_ones(directory: Path) -> None:
    async def story() -> None:
        loads: list[int] = []

        async def load() -> str:
            loads.append(1)
            return str(len(loads))

        reloader = Reloader(directory / "quell.yaml", load, Metrics(), lambda: 0.0)
        task = asyncio.create_task(reloader.run(0.02))

        async def reaches(count: int) -> None:
            async with asyncio.timeout(5):
                while len(loads) < count:
                    await asyncio.sleep(0.01)

        await asyncio.sleep(0.2)
        (directory / "rules" / "new.yaml").write_text("mute: []\n")
        await reaches(1)
        os.utime(directory / "quell.yaml", (1, 1))
        await asyncio.sleep(0.2)
        assert len(loads) == 1
        (directory / "quell.yaml").write_text("sources: {}  # other\n")
        await reaches(2)
        (directory / "rules" / "new.yaml").unlink()
        await reaches(3)
        reloader.ask()
        await reaches(4)
        assert reloader.version == "4"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    go(story())
