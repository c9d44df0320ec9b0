"""Nothing looks ahead: a stream cut anywhere has the same incidents open as the whole one had at that time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from quell.model.rulebook import Rulebook
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.replay.run import Follower, Replay, replayed
from quell.sdk.registry import load_connectors

STORM = Path(__file__).resolve().parents[2] / "examples" / "storm" / "stream.jsonl.gz"
CUTS = 10


def told(follower: Follower) -> dict[str, tuple[object, ...]]:
    """What was told of the incidents that are open: alerts, all suspects with their confidence, when shown."""
    return {
        name: (
            tuple(sorted(one.alerts)),
            tuple((suspect.entity, suspect.change, suspect.confidence) for suspect in one.suspects),
            follower.shown_at[name],
        )
        for name, one in follower.incidents.items()
        if one.is_open
    }


@pytest.fixture(scope="module")
def storm():
    """The recorded storm by times of arrival, and what the whole of it had told after each."""
    reader = Reader(deliveries_for((), load_connectors()))
    records = list(reader.read(STORM))
    times = sorted({record.arrived for record in records})
    run = Replay(Rulebook())
    noted = {}
    for now in times:
        run.turn([record for record in records if record.arrived == now], now)
        noted[now] = told(run.follower)
    return records, times, noted


@pytest.mark.parametrize("number", range(CUTS))
def test_a_cut_stream_has_the_same_incidents_open(storm, number):
    records, times, noted = storm
    now = random.Random(number).choice(times[len(times) // 10 :])
    run = replayed([record for record in records if record.arrived <= now], Rulebook(), settle_s=0.0)
    assert told(run.follower) == noted[now]


def test_there_are_incidents_to_compare(storm):
    _, _, noted = storm
    assert max(map(len, noted.values())) >= 3
