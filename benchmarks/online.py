"""Does quell look ahead? A stream cut short must have the same incidents open as the whole one had at that time.

    python benchmarks/online.py DIR... [--cuts 10] [--seed 1]      folders made by the storm generator

The whole stream is replayed once, and what it had told of its open incidents (ids, alerts, first suspect, when shown)
is noted at random points; then the stream is replayed anew up to each of them. Also counted: how many incidents that
were open at a point still stood at the end under their id, and kept their first suspect. Ends with 1 on a difference.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.replay.deliveries import deliveries_for
from quell.replay.run import Follower, Replay
from quell.sdk.registry import load_connectors
from storm import records

Told = dict[str, tuple[tuple[str, ...], str, float]]
"""Of each open incident: its alerts, its first suspect, and when it was shown."""
Turn = tuple[list[AnyRecord], float]


def turns(stream: Iterable[AnyRecord]) -> Iterator[Turn]:
    """Records in groups of one time of arrival, as a replay feeds them."""
    waiting: list[AnyRecord] = []
    now = 0.0
    for record in stream:
        arrived = record.arrived
        if waiting and arrived > now:
            yield waiting, now
            waiting = []
        now = max(now, arrived)
        waiting.append(record if arrived >= now else msgspec.structs.replace(record, seen=now))
    if waiting:
        yield waiting, now


def told(follower: Follower) -> Told:
    """What has been told of the incidents that are open."""
    return {
        name: (tuple(sorted(one.alerts)), one.suspects[0].entity if one.suspects else "", follower.shown_at[name])
        for name, one in follower.incidents.items()
        if one.is_open
    }


def whole(stream: Sequence[Turn], cuts: Iterable[int]) -> tuple[dict[int, Told], Follower]:
    """What the whole stream had told after each of these turns, and what it tells in the end."""
    wanted = set(cuts)
    run = Replay(Rulebook())
    noted = {}
    for at, (batch, now) in enumerate(stream):
        run.turn(batch, now)
        if at in wanted:
            noted[at] = told(run.follower)
    return noted, run.follower


def cut(stream: Sequence[Turn], at: int) -> Told:
    """What a stream that ends after a turn tells."""
    run = Replay(Rulebook())
    for batch, now in stream[: at + 1]:
        run.turn(batch, now)
    return told(run.follower)


def compare(folder: Path, count: int, seed: int) -> bool:
    """Prints what was found for one folder; whether every cut agreed."""
    stream = list(turns(records(folder, deliveries_for((), load_connectors()), {})))
    cuts = sorted(random.Random(f"{folder.name} {seed}").sample(range(len(stream)), min(count, len(stream))))
    noted, end = whole(stream, cuts)
    differ = [at for at in cuts if cut(stream, at) != noted[at]]
    opened = [(name, one) for at in cuts for name, one in noted[at].items()]
    stood = sum(end.incidents[name].status not in {"merged", "withdrawn"} for name, _ in opened)
    same = sum(
        bool(end.incidents[name].suspects) and end.incidents[name].suspects[0].entity == one[1] for name, one in opened
    )
    print(
        f"{folder.name}: {len(cuts)} cuts, {len(opened)} incidents open at them, {len(differ)} cuts differ; "
        f"{stood} of them stood at the end, {same} with the same first suspect",
        flush=True,
    )
    for at in differ:
        print(f"  differs after turn {at} of {len(stream)}", file=sys.stderr)
    return not differ


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    agreed = [compare(folder, given.cuts, given.seed) for folder in given.folders]
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
