"""Records on which the core fails, among others and through kills: set aside once, seen, and replayed once each."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faults.child import write_config
from faults.judgement import journal_and_state, judge
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from faults.waiting import wait_for
from ports import free_port
from quell.model.records import AlertRecord
from quell.store.port import Group

_JSON = {"content-type": "application/json"}
FAILING = {"core_fails_on": "poison"}


class Poisoner(threading.Thread):
    """Delivers one poisoned alert among good ones, each again until it is acknowledged."""

    def __init__(self, child: Forked, count: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.names = [f"bad-{number}" for number in range(count)]
        self.acknowledged: list[str] = []
        self._child = child
        self._random = random.Random(seed)

    def run(self) -> None:
        for name in self.names:
            good = [{"labels": {"alertname": f"{name}-good-{n}"}} for n in range(self._random.choice([0, 2, 40]))]
            bad = {"labels": {"alertname": name, "poison": name}}
            content = msgspec.json.encode(self._random.sample([bad, *good], len(good) + 1))
            while self._child.ask("POST", "/api/v2/alerts", content, _JSON)[0] != 200:
                time.sleep(0.05)
            self.acknowledged.append(name)
            time.sleep(0.05 * self._random.random())


def quarantined(child: Forked, state: str = "waiting") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = child.api("GET", f"/quarantine?limit=10000&state={state}")["quarantine"]
    return found


def names_of(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(msgspec.json.decode(each["payload"])["labels"]["alertname"] for each in entries)


def counts(child: Forked) -> dict[str, int]:
    found = child.api("GET", "/alerts?status=all&limit=100000")["alerts"]
    return {each["labels"]["alertname"]: each.get("count", 1) for each in found}


def without_poison(groups: list[Group], before: int) -> list[Group]:
    def good(record: Any) -> bool:
        return not (isinstance(record, AlertRecord) and "poison" in record.labels)

    return [
        msgspec.structs.replace(each, records=list(filter(good, each.records))) if each.seq <= before else each
        for each in groups
    ]


def again(child: Forked, end: Callable[[], Any]) -> None:
    end()
    child.spawn()
    child.wait_ready()


def survives(directory: Path, nursery: Nursery, *, poisoned: int, kills: int, seed: int) -> None:
    pick = random.Random(seed)
    child = Forked(nursery, write_config(directory, "snapshot_every: 300ms\n"), free_port(), FAILING)
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=seed, pause_s=0.03) for number in range(2)]
    poisoner = Poisoner(child, poisoned, seed)
    try:
        child.spawn()
        child.wait_ready()
        for thread in (*senders, poisoner):
            thread.start()
        for _ in range(kills):
            time.sleep(0.5 * pick.random())
            again(child, child.kill)
        poisoner.join(300)
        over.set()
        for sender in senders:
            sender.join(60)
        assert [sender.failure for sender in senders if sender.failure] == []
        assert poisoner.acknowledged == poisoner.names
        wait_for("all of them set aside", lambda: set(names_of(quarantined(child))) >= set(poisoner.names))
        again(child, child.kill)
        entries = quarantined(child)
        # What was not acknowledged was delivered again, and is a record of its own.
        sent_again = len(entries) - len(poisoner.names)
        assert set(names_of(entries)) == set(poisoner.names)
        assert 0 <= sent_again <= kills, names_of(entries)
        assert all("cannot digest" in each["reason"] for each in entries)
        assert not set(counts(child)) & set(poisoner.names)
        assert child.api("GET", "/status")["broken"] == ""

        # Another quell, which can digest them: they are replayed, through one more kill, and none of them twice.
        child.before = {}
        again(child, child.end)
        before = child.api("GET", "/status")["journal"]["seq"]
        ids = [each["id"] for each in entries]
        half = ids[: len(ids) // 2]
        assert {each["outcome"] for each in child.api("POST", "/quarantine/replay", {"ids": half})["results"]} == {
            "replayed"
        }
        again(child, child.kill)
        outcomes = [each["outcome"] for each in child.api("POST", "/quarantine/replay", {"ids": ids})["results"]]
        assert outcomes == ["skipped"] * len(half) + ["replayed"] * (len(ids) - len(half))
        assert quarantined(child) == []
        told_by_name = counts(child)
        assert set(poisoner.names) <= set(told_by_name)
        assert sum(told_by_name[name] for name in poisoner.names) == len(entries)
        assert child.end() == 0
        groups, snapshot = journal_and_state(directory / "quell.db", directory)
        found = judge(without_poison(groups, before), snapshot, Told.all(sender.told for sender in senders))
        print(
            f"\npoisoned {len(poisoner.names)} (+{sent_again} delivered again), kills {kills + 2}, "
            f"set aside {len(entries)}, replayed {len(entries)}, lost 0, twice 0; {found}"
        )
    finally:
        over.set()
        child.close()


def test_a_few_among_many(tmp_path: Path, nursery: Nursery) -> None:
    survives(tmp_path / "quell", nursery, poisoned=5, kills=1, seed=1)


@pytest.mark.long
def test_many_through_many_kills(tmp_path: Path, nursery: Nursery) -> None:
    survives(tmp_path / "quell", nursery, poisoned=60, kills=12, seed=2)


def test_a_version_that_can_digest_it_does_not_count_it_twice(tmp_path: Path, nursery: Nursery) -> None:
    """Killed right after a record was set aside, and started again as a version that does not fail on it."""
    directory = tmp_path / "quell"
    child = Forked(nursery, write_config(directory, "snapshot_every: 1h\n"), free_port(), FAILING)
    try:
        child.spawn()
        child.wait_ready()
        body = msgspec.json.encode([{"labels": {"alertname": "bad", "poison": "bad"}}])
        assert child.ask("POST", "/api/v2/alerts", body, _JSON)[0] == 200
        wait_for("it is set aside", lambda: quarantined(child))
        [entry] = quarantined(child)
        child.before = {}
        again(child, child.kill)
        child.api("POST", "/quarantine/replay", {"ids": [entry["id"]]})
        wait_for("it is there", lambda: "bad" in counts(child))
        assert counts(child) == {"bad": 1}
        assert quarantined(child) == []
        assert child.end() == 0
    finally:
        child.close()
