"""What quell costs: events a second by stage, memory, and how long one turn of the core takes.

    python benchmarks/cost.py                                 storm-10k, storm-100k and soak-1M, seed 1
    python benchmarks/cost.py --presets soak-1M --events 100000 --json
    python benchmarks/cost.py --presets storm-10k --keep DIR  generated streams are kept (and found again) there

Streams come from the generator of `--storm DIR` (default ../shared/storm beside this repository), as for `storm.py`,
and each is replayed in a process of its own, which is one thread. Whatever the stages need is counted:

- *read*: a line of the stream is read and its envelope opened,
- *translate*: the connector that owns the path turns the body, as it was sent, into records,
- *decide*: the core takes all records of one arrival time in one turn, timers included, and what became of every
  alert and incident is followed, as `quell replay` does.

The estate (entities and dependencies) comes first, in a delivery of its own; it is counted in the time of the whole
and in memory, and told apart. An event's latency is the time from its line to the end of its turn. On a machine with
other work, `--clock processor` counts only the time that this process was given.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from quell.model.records import AnyRecord, DeliveryRecord
from quell.model.rulebook import Rulebook
from quell.model.times import parse_time
from quell.replay.collector import seldom_collected
from quell.replay.deliveries import Deliveries, deliveries_for
from quell.replay.run import Replay
from quell.sdk.registry import load_connectors
from storm_folders import Workshop

PRESETS = "storm-10k,storm-100k,soak-1M"
GOAL_EVENTS_PER_S, GOAL_P99_MS, GOAL_TURN_MS, GOAL_MIB = 20_000, 50.0, 250.0, 1_500
SLICES = 10
STORM = Path(__file__).resolve().parents[2] / "shared" / "storm"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A line of a stream; ``body`` as it was sent."""

    t: str
    to: str
    event_ids: list[str]
    body: msgspec.Raw


@dataclass(slots=True)
class Bill:
    """Seconds by stage, and of every turn and event. ``marks``: (events, seconds), ``resident``: MiB, as it went on."""

    events: int = 0
    records: int = 0
    read_s: float = 0.0
    translate_s: float = 0.0
    decide_s: float = 0.0
    estate: dict[str, float] = field(default_factory=dict)
    turns: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    marks: list[tuple[int, float]] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)


class Course:
    """One replay of one folder."""

    def __init__(self, folder: Path, most: int, clock: str = "wall") -> None:
        self._clock = CLOCKS[clock]
        self._folder = folder
        self._most = most
        self._deliveries: Deliveries = deliveries_for((), load_connectors())
        self._replay = Replay(Rulebook())
        self._waiting: list[AnyRecord] = []
        self._since: list[float] = []
        self._now = 0.0
        self.bill = Bill()

    def run(self) -> Bill:
        """Replays the folder, at most so many events of it."""
        bill, began = self.bill, self._clock()
        for number, envelope, at in self._envelopes():
            if not number:
                self._estate(at)
            if self._waiting and at > self._now:
                self._turn()
            self._now = max(self._now, at)
            started = self._clock()
            path = "/in/" + envelope.to.rsplit("/", 1)[-1]
            delivery = DeliveryRecord(at=self._now, id=str(number), path=path, body=envelope.body)
            records = self._deliveries.decode(delivery).records
            bill.translate_s += self._clock() - started
            self._waiting.extend(records)
            self._since.append(started)
            bill.events += len(records)
            if bill.events >= self._most:
                break
            if bill.events >= (len(bill.marks) + 1) * self._most // SLICES:
                bill.marks.append((bill.events, self._clock() - began))
                bill.resident.append(_resident_mib())
        self._turn()
        self._replay.settle(15.0)
        bill.marks.append((bill.events, self._clock() - began))
        bill.resident.append(_resident_mib())
        return bill

    def _envelopes(self) -> Iterator[tuple[int, Envelope, float]]:
        decoder = msgspec.json.Decoder(Envelope)
        with _opened(self._folder, "stream.jsonl") as stream:
            started = self._clock()
            for number, line in enumerate(stream):
                envelope = decoder.decode(line)
                at = parse_time(envelope.t)
                assert at is not None
                self.bill.read_s += self._clock() - started
                yield number, envelope, at
                started = self._clock()

    def _estate(self, at: float) -> None:
        started = self._clock()
        with _opened(self._folder, "topology.json") as told:
            body = msgspec.Raw(told.read())
        records = self._deliveries.decode(DeliveryRecord(at=at, id="topology", path="/in/topology", body=body)).records
        translated = self._clock()
        self._replay.turn(records, at)
        self._replay.engine.graph  # noqa: B018 -- drawn now, and not within the first turn with an alert
        self._now = at
        self.bill.estate = {
            "records": len(records), "translate_s": translated - started, "decide_s": self._clock() - translated,
        }  # fmt: skip

    def _turn(self) -> None:
        started = self._clock()
        self._replay.turn(self._waiting, self._now)
        ended = self._clock()
        self.bill.decide_s += ended - started
        self.bill.turns.append(ended - started)
        self.bill.latencies.extend(ended - since for since in self._since)
        self.bill.records += len(self._waiting)
        self._waiting = []
        self._since.clear()

    def rest(self) -> dict[str, float]:
        """What is left at the end: how much is known, and what a snapshot of it takes."""
        state, started = self._replay.engine.state, self._clock()
        size = len(self._replay.engine.snapshot())
        return {
            "alerts": len(state.alerts), "incidents": len(state.incidents), "units": len(state.units),
            "snapshot_mib": size / 2**20, "snapshot_ms": (self._clock() - started) * 1e3,
        }  # fmt: skip


def _opened(folder: Path, name: str) -> IO[bytes]:
    plain = folder / name
    return plain.open("rb") if plain.exists() else gzip.open(folder / f"{name}.gz", "rb")  # type: ignore[return-value] # a GzipFile reads as IO


def measured(folder: Path, most: int, clock: str = "wall") -> dict[str, Any]:
    """The figures of one replay in this process."""
    before = _peak_mib()
    used, began = time.process_time(), CLOCKS[clock]()  # one within the other, or microseconds would differ either way
    with seldom_collected():
        course = Course(folder, most, clock)
        bill = course.run()
    took = CLOCKS[clock]() - began
    used = time.process_time() - used
    peak = _peak_mib()
    return {
        "events": bill.events, "took_s": took, "cpu_s": used, "events_per_s": bill.events / took,
        "stage_us": {
            stage: seconds / bill.events * 1e6
            for stage, seconds in (
                ("read", bill.read_s), ("translate", bill.translate_s), ("decide", bill.decide_s)
            )
        },
        "estate": bill.estate,
        "turns": len(bill.turns), "turn_ms": _spread(bill.turns), "latency_ms": _spread(bill.latencies),
        "slices_events_per_s": _rates(bill.marks, sum(bill.estate.values()) - bill.estate.get("records", 0.0)),
        "peak_mib": peak, "before_mib": before, "resident_mib": bill.resident, "clock": clock, **course.rest(),
    }  # fmt: skip


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    shares = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    found = {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3 for name, share in shares}
    return {**found, "max": ordered[-1] * 1e3}


def _rates(marks: list[tuple[int, float]], estate_s: float) -> list[float]:
    """Events a second in each tenth of the stream, the estate's time taken out of the first."""
    rates, before, since = [], 0, estate_s
    for events, at in marks:
        if at > since:
            rates.append((events - before) / (at - since))
        before, since = events, at
    return rates


def lines_of(name: str, found: dict[str, Any]) -> Iterator[str]:
    """The figures for people, beside the goals."""
    stages, estate = found["stage_us"], found["estate"]
    told = ", ".join(f"{stage} {cost:.1f}" for stage, cost in stages.items())
    yield (
        f"{name}: {found['events']:,} events in {found['took_s']:.1f} s by the clock of the {found['clock']} "
        f"({found['cpu_s']:.1f} s of CPU)"
    )
    yield f"  {found['events_per_s']:,.0f} events/s (goal {GOAL_EVENTS_PER_S:,}); µs an event: {told}"
    yield (
        f"  estate: {estate['records']:,.0f} records, {estate['translate_s'] + estate['decide_s']:.2f} s, "
        f"{estate['decide_s'] * 1e3:,.0f} ms of it in one turn of the core"
    )
    for what, goal in (("turn", f"max {GOAL_TURN_MS:.0f}"), ("latency", f"p99 {GOAL_P99_MS:.0f}")):
        spread = ", ".join(f"{share} {value:.2f}" for share, value in found[f"{what}_ms"].items())
        yield f"  {what} ms: {spread} (goal {goal})"
    yield (
        f"  memory: {found['peak_mib']:,.0f} MiB at most (goal {GOAL_MIB:,}), {found['before_mib']:,.0f} before; "
        f"snapshot {found['snapshot_mib']:.0f} MiB in {found['snapshot_ms']:.0f} ms"
    )
    yield "  events/s by tenth: " + " ".join(f"{rate:,.0f}" for rate in found["slices_events_per_s"])
    yield "  resident MiB by tenth: " + " ".join(f"{size:,.0f}" for size in found["resident_mib"])


def _of_its_own(folder: Path, most: int, clock: str) -> dict[str, Any]:
    """The figures of one replay in a process of its own, so that memory is that of this replay."""
    command = [sys.executable, __file__, "--folder", str(folder), "--events", str(most), "--clock", clock]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _length(folder: Path) -> int:
    meta: dict[str, int] = json.loads((folder / "meta.json").read_text())
    return meta["events"]


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default=PRESETS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="what times are taken by")
    parser.add_argument("--storm", type=Path, default=STORM)
    parser.add_argument("--keep", type=Path, help="keep (and use again) generated folders here")
    parser.add_argument("--json", action="store_true", help="figures for programs, one object a line")
    parser.add_argument("--folder", type=Path, help="measure this folder in this process, and print JSON")
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(measured(given.folder, min(given.events, _length(given.folder)), given.clock)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        workshop = Workshop(given.storm.resolve(), (given.keep or Path(scratch)).resolve())
        for preset in given.presets.split(","):
            found = _of_its_own(workshop.folder(preset, given.seed), given.events, given.clock)
            name = f"{preset}, seed {given.seed}"
            told = [json.dumps({"name": name, **found})] if given.json else [*lines_of(name, found), ""]
            print("\n".join(told), flush=True)


if __name__ == "__main__":
    main()
