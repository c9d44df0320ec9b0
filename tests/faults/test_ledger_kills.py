"""kill -9 at every commit and around every request: each intended effect takes place once, or a person is asked.

The daemon is real, so are its playbooks, and the target is a server of its own that counts what was done to it. Lives
of the daemon end at places that the seed chooses: before and after each kind of commit, before and after a request, and
between the effect and the answer, where the server itself kills who asked. A person (this test) settles what is in
doubt by what the server knows.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from faults.child import write_config
from faults.deaths import PLACES
from faults.nursery import Forked, Nursery
from faults.target import Target, write_playbooks
from faults.waiting import wait_for
from ports import free_port
from postgres_server import Databases

LIE = {"lost": 1, "500": 1, "429": 1, "slow": 0.05, "late": 0.05, "share": 0.3}
OVER = {"done", "failed", "undone", "stuck", "stopped", "skipped"}
ONCE = {"on": "on", "ticket": "ticket", "job": "job", "sms": "sms", "end": "ticket"}
EACH = ("a", "b", "c")


class Story:
    """One daemon's lives with one target."""

    def __init__(self, directory: Path, nursery: Nursery, *, seed: int) -> None:
        self.target = Target()
        self.config = write_config(directory, *self.target.settings(directory))
        write_playbooks(directory)
        self.child = Forked(nursery, self.config, free_port())
        self.pages = directory / "pages.jsonl"
        self.chance = random.Random(seed)
        self.seed = seed
        self.kills: Counter[str] = Counter()
        self.alerts = 0
        self.asked: set[str] = set()

    def one_life(self) -> None:
        """From a start to a kill, at the place that it is the turn of; else about a second after it began."""
        place = PLACES[self.kills.total() % len(PLACES)]
        often = place.partition(" ")[0] not in {"snapshot", "lease"}
        self.child.before = {
            "with_target": "",
            "lease_of": 1.0,
            "dies_at": [place, self.chance.randint(1, 8 if often else 2)],
        }
        self.child.spawn()
        while self.child.alive() and not self.child.is_ready:
            time.sleep(0.005)
        for _ in range(self.chance.randint(1, 3)):
            self.child.alert(f"alert-{self.seed}-{self.alerts}")
            self.alerts += 1
        if self.child.ends_within(0.3 + 0.7 * self.chance.random()):
            assert self.child.wait() == -9, self.child.log[-3000:]
            self.kills[place] += 1
        else:
            self.child.kill()
            self.kills["at any time"] += 1

    def last_life(self) -> list[dict[str, Any]]:
        """Until every run is over; a person answers what nobody else can."""
        self.target.lie()
        self.child.before = {"with_target": ""}
        self.child.spawn()
        self.child.wait_ready()
        wait_for("all runs to be over", self._all_over, within_s=120.0)
        return self.child.runs()

    def _all_over(self) -> bool:
        runs = self.child.runs()
        for run in runs:
            if run["state"] == "in_doubt":
                self._settle(run)
        return bool(runs) and all(run["state"] in OVER for run in runs)

    def _settle(self, run: dict[str, Any]) -> None:
        [step] = [each for each in run["steps"] if each.get("state") == "in_doubt"]
        assert step["id"] == "sms", "only what must never be repeated is anybody's question"
        self.asked.add(run["id"])
        took_effect = self.target.effects().get(f"sms goes-on-{run['id']}", 0)
        word = "approve" if took_effect else "reject"
        self.child.api("POST", f"/runs/{run['id']}/{word}", {"note": "looked", "looked": True})

    def judge(self, runs: list[dict[str, Any]]) -> str:
        """Counts; what took place against what was intended."""
        effects, counts = self.target.effects(), Counter[str]()
        states = Counter(f"{run['playbook']} {run['state']}" for run in runs)
        for run in runs:
            name = f"{run['playbook']}-{run['id']}"
            for step in run["steps"]:
                if step["id"] == "each":
                    found = sum(effects.pop(f"ticket each-{item}-{run['id']}", 0) for item in EACH)
                    assert found == (len(EACH) if step.get("state") == "done" else 0), (run["id"], step, found)
                    counts["each"] += found
                if step["id"] not in ONCE:
                    continue
                counted = f"end-{run['id']}" if step["id"] == "end" else name
                found = effects.pop(f"{ONCE[step['id']]} {counted}", 0)
                intended = step.get("state", "planned") in {"done", "undone"}
                assert found == intended, (run["id"], step, found)
                counts[step["id"] if intended else f"{step['id']} not done"] += 1
            if run["state"] == "undone":
                assert effects.pop(f"off {name}", 0) == 1, run
                counts["off"] += 1
        assert effects == {}, "nothing took place that nobody intended"
        assert set(states) <= {"goes-on done", "goes-on failed", "goes-back undone"}, states
        told = self.pages.read_text() if self.pages.exists() else ""
        assert [run for run in self.asked if run not in told] == [], "whoever is asked is paged"
        return (
            f"seed {self.seed}: {self.kills.total()} kills {dict(sorted(self.kills.items()))}; {len(runs)} runs "
            f"{dict(states)}; effects {dict(counts)}, none twice, none missing; {len(self.asked)} asked of a person"
        )

    def close(self) -> None:
        self.child.close()
        self.target.close()


def killed(
    directory: Path, nursery: Nursery, *, kills: int, seed: int, lies: bool = False, store: str = "sqlite:///quell.db"
) -> None:
    story = Story(directory, nursery, seed=seed)
    story.config.write_text(story.config.read_text().replace("sqlite:///quell.db", store))
    try:
        if lies:
            story.target.lie(**LIE, seed=seed)
        while story.kills.total() < kills:
            story.one_life()
        print("\n" + story.judge(story.last_life()))
        assert story.child.end() == 0
        assert "Traceback" not in story.child.log, story.child.log[-3000:]
    finally:
        story.close()


def test_ten_kills(tmp_path: Path, nursery: Nursery) -> None:
    killed(tmp_path / "quell", nursery, kills=10, seed=1)


def test_a_target_that_lies(tmp_path: Path, nursery: Nursery) -> None:
    killed(tmp_path / "quell", nursery, kills=3, seed=2, lies=True)


@pytest.mark.long
@pytest.mark.parametrize(("seed", "lies"), [(11, False), (12, False), (13, True), (14, True)])
def test_ninety_kills(tmp_path: Path, nursery: Nursery, seed: int, lies: bool) -> None:
    killed(tmp_path / "quell", nursery, kills=90, seed=seed, lies=lies)


@pytest.mark.long
@pytest.mark.parametrize(("seed", "lies"), [(15, False), (16, True)])
def test_thirty_kills_on_postgresql(
    tmp_path: Path, nursery: Nursery, postgres: Databases, seed: int, lies: bool
) -> None:
    killed(tmp_path / "quell", nursery, kills=30, seed=seed, lies=lies, store=postgres.new_store())
