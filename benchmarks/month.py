"""How large the database becomes: a month at 30,000 events a day, through the real store and the real core.

    python benchmarks/month.py                 30 days, about an hour; the goal is less than 1 GB
    python benchmarks/month.py --quick         3 days, some minutes
    python benchmarks/month.py --days 40 --records 20d      what is old goes, and the file stays as it is

The clock is that of the events; everything else is as in the daemon: each delivery is a group of the journal and a turn
of the core, committed before the next; pages are ledger entries that get an answer; the state is saved when the daemon
would; once an hour what is old goes, and the file is cut. The stream is made up (`month_stream.py`) and depends on the
seed alone. With `--dir /dev/shm` nothing waits for a disk.

Told are, day by day, bytes of the database with its write-ahead log, alerts in the state and its bytes as saved, the
most memory that was resident, and how much was written for snapshots.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from month_stream import DAY_S, START, Month
from quell.config.settings import Retention
from quell.core.engine import Engine
from quell.daemon.decider import decide_all
from quell.daemon.outcome import Outcome
from quell.daemon.saved import packed
from quell.daemon.saving import worth_it
from quell.model.records import AnyRecord, StepFinished
from quell.model.rulebook import Route, Rulebook
from quell.model.times import parse_duration
from quell.replay.collector import seldom_collected
from quell.store.codec import seal_pieces
from quell.store.opening import open_store
from quell.store.port import Accepted, Store

GOAL_BYTES = 1_000_000_000
MB = 1_000_000
_HOUR_S = 3600.0
_PAGES = Route(name="ops", action="console.say", params={"text": "${text}"})


@dataclass(slots=True)
class Figures:
    """What is counted on the way."""

    events: int = 0
    groups: int = 0
    pages: int = 0
    incidents: set[str] = field(default_factory=set)
    peak: int = 0
    written: int = 0
    snapshots: int = 0
    state: int = 0
    longest_trim_s: float = 0.0
    given_back: int = 0


class Run:
    """The daemon's turns without its sockets."""

    def __init__(self, store: Store, file: Path, retention: Retention, snapshot_every_s: float) -> None:
        self.figures = Figures()
        self.engine = Engine(Rulebook(routes=(_PAGES,)))
        self._store = store
        self._file = file
        self._retention = retention
        self._every_s = snapshot_every_s
        self._saved_at = self._trimmed_at = START
        self._unsaved = False
        self._records = 0
        self._over: dict[tuple[str, int], Any] = {}
        self._answers: list[AnyRecord] = []

    def delivery(self, now: float, records: list[AnyRecord]) -> None:
        """A group, its turn, and whatever is due by then."""
        self._pass(now)
        self._turn(now, [*self._answers, *records])
        self.figures.events += len(records)

    def _turn(self, now: float, records: list[AnyRecord]) -> None:
        group = self._store.accept(Accepted(now=now, records=records))
        self._answers = []
        outcome = Outcome()
        outcome.add(decide_all(self.engine, group.records, now))
        self._unsaved = True
        self._records += len(records)
        self.figures.groups += 1
        self._over.update(outcome.over)
        if outcome.anything:
            turn = outcome.turn(group.seq)
            self.figures.incidents.update(incident.id for incident in turn.incidents)
            for deed in self._store.commit(turn):
                self._store.begin_act(deed.key)
                self.figures.pages += 1
                self._answers.append(StepFinished(at=now, seen=now, key=deed.key, outcome="done", sentence="told"))
        self._seq = group.seq

    def _pass(self, now: float) -> None:
        """Timers of the core run with the next group, as after a pause; saving and trimming happen at their times."""
        if self._unsaved and worth_it(self.figures.state, self._records, now - self._saved_at, self._every_s):
            self._save(now)
        if now - self._trimmed_at >= _HOUR_S:
            self._trimmed_at = now
            self._trim(now)

    def _save(self, now: float) -> None:
        figures = self.figures
        self._saved_at, self._unsaved, self._records = now, False, 0
        self._store.keep_alerts(list(self._over.values()))
        self._over.clear()
        sealed = seal_pieces(packed(self.engine.rulebook, self.engine.written()))
        self._store.save_snapshot(self._seq, sealed)
        figures.state = len(sealed.blob.data)
        figures.written += figures.state
        figures.snapshots += 1
        figures.peak = max(figures.peak, size_of(self._file))

    def _trim(self, now: float) -> None:
        kept, again = self._retention, True
        while again:
            began = time.perf_counter()
            again = bool(self._store.trim(
                records_before=now - kept.records_s,
                alerts_before=now - kept.alerts_s,
                incidents_before=now - kept.incidents_s,
                audit_before=now - kept.audit_s,
                quarantine_before=now - kept.quarantine_s,
                quarantine_bytes=kept.quarantine_bytes,
            ))  # fmt: skip
            self.figures.longest_trim_s = max(self.figures.longest_trim_s, time.perf_counter() - began)
        while freed := self._store.compact():
            self.figures.given_back += freed


def size_of(file: Path) -> int:
    """Bytes of a database with its write-ahead log."""
    log = file.with_name(file.name + "-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


def main(arguments: list[str]) -> int:
    """Prints a line a day, and the figures at the end."""
    told = parsed(arguments)
    with tempfile.TemporaryDirectory(prefix="quell-month-", dir=told.dir) as folder, seldom_collected():
        file = Path(folder) / "quell.db"
        store = open_store("sqlite:///quell.db", Path(folder))
        month = Month(told.seed, told.days, told.per_day)
        run = Run(store, file, Retention(records_s=told.records), told.snapshot_every)
        began, day = time.monotonic(), 0
        head = f"{'day':>3} {'events':>9} {'groups':>8} {'incidents':>9} {'pages':>6} {'MB':>7} {'peak':>7}"
        print(f"{head} {'alerts':>7} {'state MB':>8} {'saved GB':>8} {'RSS MB':>7} {'min':>6}", flush=True)
        for now, records in month.deliveries():
            if now >= START + (day + 1) * DAY_S:
                day += 1
                print(line(day, run, file, began), flush=True)
            run.delivery(now, records)
        print(line(day + 1, run, file, began), flush=True)
        figures = run.figures
        memory, kept = rss(), sum(1 for _ in store.alerts())
        store.close()
        result = {
            "days": told.days,
            "events": figures.events,
            "incidents": len(figures.incidents),
            "pages": figures.pages,
            "alerts_kept": kept,
            "database_bytes": size_of(file),
            "peak_bytes": max(figures.peak, size_of(file)),
            "state_bytes": figures.state,
            "snapshots": figures.snapshots,
            "snapshot_bytes_written": figures.written,
            "longest_trim_s": round(figures.longest_trim_s, 3),
            "given_back_bytes": figures.given_back,
            "rss_bytes": memory,
            "minutes": round((time.monotonic() - began) / 60, 1),
        }
    fine = result["peak_bytes"] < GOAL_BYTES
    print(f"peak {result['peak_bytes'] / MB:.0f} MB, goal {GOAL_BYTES / MB:.0f}: {'met' if fine else 'MISSED'}")
    print(json.dumps(result))
    return 0 if fine else 1


def line(day: int, run: Run, file: Path, began: float) -> str:
    """How things are at the end of a day."""
    told, alerts = run.figures, len(run.engine.state.alerts)
    counted = f"{day:>3} {told.events:>9} {told.groups:>8} {len(told.incidents):>9} {told.pages:>6}"
    sizes = f"{size_of(file) / MB:>7.1f} {told.peak / MB:>7.1f} {alerts:>7} {told.state / MB:>8.2f}"
    return f"{counted} {sizes} {told.written / 1e9:>8.2f} {rss() / MB:>7.0f} {(time.monotonic() - began) / 60:>6.1f}"


def rss() -> int:
    """The most memory that was resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="3 days")
    parser.add_argument("--per-day", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=parse_duration, default=Retention().records_s, help="how long they are kept")
    parser.add_argument("--snapshot-every", type=parse_duration, default=60.0)
    parser.add_argument("--dir", type=Path, help="where the database lies")
    told = parser.parse_args(arguments)
    if told.quick:
        told.days = min(told.days, 3)
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
