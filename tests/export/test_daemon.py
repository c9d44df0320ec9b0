"""A daemon that runs, and what is exported beside it: the same incidents come out of it again, and every alert once."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec

from daemon.parts import Running, loaded, running
from export.story import StoryTeller
from quell.cli.main import run
from quell.config.settings import Retention
from quell.daemon.clock import Clock
from quell.daemon.serve import restored
from quell.export.lines import record_line
from quell.model.rulebook import Rulebook
from quell.replay.reader import Reader
from quell.replay.run import replayed
from quell.store.opening import open_for_reading, open_store
from quell.store.port import Store

START = 1_772_431_200.0


def quickly(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @wraps(test)
    def done(tmp_path: Path) -> None:
        asyncio.run(test(tmp_path))

    return done


async def tell(daemon: Running, teller: StoryTeller, posts: int) -> None:
    for _ in range(posts):
        records = [teller.record(daemon.daemon.clock.now()) for _ in range(teller.chance.choice([1, 2, 40]))]
        body = b"\n".join(map(record_line, records))
        status, said = await daemon.api("POST", "/records", body)
        assert status in {200, 202}, said
    await daemon.settled()


def opened(folder: Path) -> Store:
    (folder / "quell.yaml").write_text("store: sqlite:///quell.db\n")
    return open_store("sqlite:///quell.db", folder)


def config(**settings: Any) -> Any:
    return loaded(version="", **settings)


def exported(folder: Path, what: str, name: str) -> Path:
    assert run(["export", what, "-c", str(folder), "--out", str(folder / name)]) == 0
    return folder / name


def lines(file: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


@quickly
async def test_an_export_beside_the_daemon_replays_to_its_incidents(tmp_path: Path) -> None:
    store, teller = opened(tmp_path), StoryTeller(random.Random(7))
    clock = Clock(speed=600.0, start=START)
    async with running(config(), store=store, restore=restored, clock=clock) as daemon:
        telling = asyncio.create_task(tell(daemon, teller, 60))
        while not telling.done():
            await asyncio.to_thread(exported, tmp_path, "records", "early.jsonl")  # whatever is there, whole
            await asyncio.sleep(0.05)
        await telling
        file = await asyncio.to_thread(exported, tmp_path, "records", "records.jsonl")
        until = daemon.daemon.loop.decider.state.now
        mine = dict(daemon.daemon.loop.decider.state.incidents)
    assert (tmp_path / "early.jsonl").read_bytes() == file.read_bytes()[: (tmp_path / "early.jsonl").stat().st_size]
    again = replayed(Reader(strict=True).read(file), Rulebook(), settle_s=0.0)
    again.engine.decide([], until)
    assert len(mine) >= 2
    assert dict(again.engine.state.incidents) == mine


@quickly
async def test_what_fired_is_told_once_also_after_a_crash_and_what_fires_still(tmp_path: Path) -> None:
    store, teller = opened(tmp_path), StoryTeller(random.Random(3))
    async with running(config(), store=store, restore=restored, clock=Clock(60.0, START)) as daemon:
        await tell(daemon, teller, 30)
        # Written down and told of again, as after a crash between the two.
        await daemon.daemon.loop._past.keep()
        await tell(daemon, teller, 10)
        at = daemon.daemon.clock.now()
    store = open_store("sqlite:///quell.db", tmp_path)
    async with running(config(), store=store, restore=restored, clock=Clock(60.0, at)) as daemon:
        await tell(daemon, teller, 30)
        state = daemon.daemon.loop.decider.state
    fired = lines(exported(tmp_path, "alerts", "alerts.jsonl"))
    firings = [(each["fingerprint"], each["episode"]) for each in fired]
    assert len(firings) == len(set(firings))
    assert {(alert.fingerprint, alert.episode) for alert in state.alerts.values()} <= set(firings)
    # Every firing that the replay of all records knows of.
    known = {each for each, _ in replayed_fates(tmp_path)}
    assert known == set(firings)
    by_state = {alert.fingerprint: alert for alert in state.alerts.values()}
    told = {each["fingerprint"]: each for each in fired if each["episode"] == by_state[each["fingerprint"]].episode}
    assert {mark: each["status"] for mark, each in told.items()} == {
        mark: alert.status for mark, alert in by_state.items()
    }


def replayed_fates(folder: Path) -> list[tuple[tuple[str, int], Any]]:
    file = exported(folder, "records", "all.jsonl")
    return list(replayed(Reader(strict=True).read(file), Rulebook(), settle_s=0.0).follower.fates.items())


@quickly
async def test_the_daemon_forgets_what_is_old_and_says_how_much(tmp_path: Path) -> None:
    store, teller = opened(tmp_path), StoryTeller(random.Random(5))
    async with running(config(), store=store, restore=restored, clock=Clock(60.0, START)) as daemon:
        await tell(daemon, teller, 20)
        await daemon.daemon.loop.save()
        await tell(daemon, teller, 1)
        await daemon.daemon.loop.save()
    old = Retention(records_s=60.0, alerts_s=60.0, incidents_s=60.0, audit_s=60.0, quarantine_s=60.0)
    clock = Clock(1.0, START + 86400.0)
    store = open_store("sqlite:///quell.db", tmp_path)
    async with running(config(retention=old), store=store, restore=restored, clock=clock) as daemon:
        reading = open_for_reading("sqlite:///quell.db", tmp_path)
        await daemon.until(lambda: len(list(reading.groups())) < 20)
        await daemon.until(lambda: not list(reading.alerts()))
        reading.close()
