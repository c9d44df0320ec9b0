"""kill -9 by the hundred: under load, while it starts, and in the middle of SQLite's statements.

In the end nothing that was acknowledged is lost, nothing is there twice, and the state is, to the byte, that of a core
which decided over the same journal without ever being disturbed.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from faults.child import write_config
from faults.judgement import journal_and_state, judge, keep_what_is_trimmed
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from ports import free_port

SENDERS = 3


class Killer:
    """Ends lives of one daemon, each in a way and at a moment that the seed decides; counts them."""

    def __init__(self, child: Forked, seed: int) -> None:
        self.child = child
        self.kills: Counter[str] = Counter()
        self._random = random.Random(seed)

    def one_life(self) -> None:
        """From a start to a kill."""
        child, pick = self.child, self._random
        how = pick.choice(["running", "running", "inside", "inside", "starting"])
        world: dict[str, object] = {"trims_every": 0.1 + pick.random()}
        if how == "inside":  # from the first statements of a start to half a second of work; 600 is a start
            world["killed_inside"] = int(math.exp(pick.uniform(math.log(100), math.log(4_000))))
        child.before = world
        child.spawn()
        self.kills[how] += 1
        if how == "starting":
            time.sleep(pick.random() * 0.2)
        elif how == "running":
            child.wait_ready()
            time.sleep(pick.choice([0.02, 0.1, 0.3, 0.8]) * pick.random())
        elif child.ends_within(2.0):
            assert child.wait() == -9, child.log[-3000:]
            return
        else:
            self.kills[how] -= 1
            self.kills["running"] += 1
        child.kill()


def survives(directory: Path, nursery: Nursery, *, kills: int, seed: int, settings: str = "") -> None:
    config = write_config(directory, f"snapshot_every: 300ms\nretention: {{records: 1s}}\n{settings}")
    (directory / "rules").mkdir()
    (directory / "rules" / "triage.yaml").write_text("triage: {lone_page_after: 300ms}\n")
    child = Forked(nursery, config, free_port())
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=seed) for number in range(SENDERS)]
    killer = Killer(child, seed)
    try:
        child.spawn()
        child.wait_ready()
        child.end()
        keep_what_is_trimmed(directory / "quell.db")
        for sender in senders:
            sender.start()
        while killer.kills.total() < kills:
            killer.one_life()
        child.before = {}
        child.spawn()
        child.wait_ready()
        time.sleep(0.3)
        over.set()
        for sender in senders:
            sender.join(30)
        assert [sender.failure for sender in senders if sender.failure] == []
        child.kill()  # once more, with nobody there who sends: what it has in memory only is gone
        child.spawn()
        child.wait_ready()
        assert child.end() == 0
        assert "Traceback" not in child.log, child.log
        told = Told.all(sender.told for sender in senders)
        found = judge(*journal_and_state(directory / "quell.db", directory), told)
        print(
            f"\nseed {seed}: kills {killer.kills.total() + 1} {dict(killer.kills)}; sent {len(told.sent)}, "
            f"acknowledged {len(told.acknowledged)}, lost 0, twice 0; the same state: {found}"
        )
        assert len(told.acknowledged) > kills * 5, "the senders did not get through; the test tests nothing"
    finally:
        over.set()
        child.close()


def test_six_kills(tmp_path: Path, nursery: Nursery) -> None:
    survives(tmp_path / "quell", nursery, kills=6, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_sixty_kills(tmp_path: Path, nursery: Nursery, seed: int) -> None:
    survives(tmp_path / "quell", nursery, kills=60, seed=seed)
