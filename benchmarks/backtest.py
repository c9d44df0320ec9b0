"""How long `quell backtest` takes over a recorded day of 30,000 events, for both versions together.

    python benchmarks/backtest.py                     five runs; the day is made up, the same every time
    python benchmarks/backtest.py --runs 9 --json
    python benchmarks/backtest.py --events 100000

The rules are those of `quell init`, once as they are and once with a rule added that mutes one alert name and a longer
wait for lone alerts, so that there is a difference to find and to print. What is measured is the command as people call
it, from its start to its last line: reading, both replays, the comparison, Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from month_stream import Month
from quell import __version__
from quell.config.starter import write_starter
from quell.export.lines import record_line
from quell.model.records import AlertRecord

GOAL_S = 30.0
OTHER = """\
mute:
  - name: jobs run again
    match: ['alertname="JobFailed"']
    reason: they run again by themselves
"""


def write_day(file: Path, events: int, seed: int) -> int:
    """At least so many alerts of one day, with the estate that they are of; gives how many."""
    per_day = events
    while True:
        count = 0
        with file.open("wb") as stream:
            for _, records in Month(seed, 1, per_day).deliveries():
                for record in records:
                    stream.write(record_line(record) + b"\n")
                    count += isinstance(record, AlertRecord)
        if count >= events:
            return count
        per_day = int(per_day * max(events / count, 1.02))


def write_rules(folder: Path, *, other: bool) -> Path:
    folder.mkdir()
    write_starter(folder, "0" * 64, "admin")
    if other:
        (folder / "rules" / "other.yaml").write_text(OTHER)
        text = (folder / "rules" / "triage.yaml").read_text()
        (folder / "rules" / "triage.yaml").write_text(text.replace("lone_page_after: 10m", "lone_page_after: 15m"))
    return folder


def measured(was: Path, now: Path, day: Path, runs: int) -> dict[str, Any]:
    """Seconds of each run, and what the last one found."""
    took: list[float] = []
    out = day.with_suffix(".md")
    command = [sys.executable, "-m", "quell.cli", "backtest", str(now), "--from", str(was), "--history", str(day)]
    for _ in range(runs):
        began = time.perf_counter()
        ran = subprocess.run([*command, "--markdown", "--out", str(out)], capture_output=True, text=True, check=False)
        took.append(time.perf_counter() - began)
        if ran.returncode not in {0, 1}:
            raise SystemExit(ran.stderr)
    return {"took_s": took, "said": ran.stdout.splitlines()[0], "markdown_letters": len(out.read_text())}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        day = folder / "day.jsonl"
        events = write_day(day, given.events, given.seed)
        was, now = write_rules(folder / "was", other=False), write_rules(folder / "now", other=True)
        found = measured(was, now, day, given.runs)
        size = day.stat().st_size / 2**20
    times = sorted(found["took_s"])
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, quell {__version__}"
    load = os.getloadavg()[0]
    if given.json:
        told = {"events": events, "mib": size, "machine": machine, "load": load, "goal_s": GOAL_S, **found}
        print(json.dumps(told))
        return
    print(f"{events:,} events of a day ({size:.0f} MiB), two versions; {machine}; load {load:.1f}")
    spread = f"median {statistics.median(times):.1f} s, {times[0]:.1f} to {times[-1]:.1f} s"
    print(f"{given.runs} runs: {spread} (goal {GOAL_S:.0f} s)")
    print(f"found: {found['said']}")


if __name__ == "__main__":
    main()
