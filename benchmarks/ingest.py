"""How fast alerts are taken in and decided over, beside Alertmanager in the same run.

    python benchmarks/ingest.py --quick      a minute or two; ends with one line of JSON
    python benchmarks/ingest.py              everything, for half an hour
    python benchmarks/ingest.py --only pace,standing,overload
    python benchmarks/ingest.py --ladder     bare HTTP, decoding, folding and storing on this machine
    python benchmarks/ingest.py --only stages           microseconds by stage, where py-spy is installed

The daemon runs as users run it: `quell serve` on what `quell init` writes, with a token on every request, limits,
metrics, history, correlation, and a full fsync before every 2xx. *Accepted* are alerts answered with 2xx, *decided
over* alerts that are in an incident or judged; that rate is over the time from the first request until nothing waits.
Servers take turns (A B A B), each fresh; a ratio is that of one round, and what is shown is median [lowest-highest].
*others* says how many processors other programs kept busy: figures of a machine that is not quiet are worth little.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

from load import overload, pace, standing, table
from load.alerta import alerta
from load.cases import EVERYWHERE, FULL, QUICK, REPEATS, SHUFFLED, Case, Opened, rounds
from load.ladder import ladder
from load.postgres import quell_on_postgres
from load.process import NotMeasured
from load.servers import NotThere, alertmanager, quell, sink_running
from load.stages import stages
from load.table import OURS, PEER

ROUNDS = 3
QUICK_MOST_S = 70.0
ALERTA_FEWER = 50
"""It takes hundreds a second, so that it would keep everybody waiting."""


def say(text: str) -> None:
    """Progress, apart from the figures."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Run:
    """What every part needs: a receiver for pages, how many rounds, how many times fewer alerts."""

    sink: int
    rounds: int
    smaller: int

    @property
    def servers(self) -> dict[str, Opened]:
        """Who is measured everywhere."""
        return {PEER: partial(alertmanager, self.sink), OURS: partial(quell, self.sink)}

    def fewer(self, cases: Sequence[Case]) -> Sequence[Case]:
        """The cases in the size of this run."""
        return cases if self.smaller == 1 else [case.smaller(self.smaller) for case in cases]


def quick(run: Run) -> None:
    """The three cases that goals are set for."""
    cases = run.fewer(QUICK)
    rows = rounds(cases, run.servers, run.rounds, say, QUICK_MOST_S)
    print("\n".join(table.lines(rows)), flush=True)
    print(json.dumps(table.summary(rows, cases)), flush=True)


def _cases(run: Run) -> Iterator[str]:
    yield from table.lines(rounds(run.fewer(FULL), run.servers, run.rounds, say))
    yield ""
    postgres: dict[str, Opened] = {f"{OURS}, PostgreSQL": partial(quell_on_postgres, run.sink)}
    cases = run.fewer(EVERYWHERE)
    yield from table.lines(rounds(cases, {PEER: run.servers[PEER], **postgres}, run.rounds, say))
    yield from ("", f"With a {ALERTA_FEWER}th of the alerts:", "")
    few = [case.smaller(ALERTA_FEWER) for case in cases]
    yield from table.lines(rounds(few, {PEER: run.servers[PEER], "Alerta": alerta}, run.rounds, say))


def _order(run: Run) -> Iterator[str]:
    """Repeats by a sender that keeps its order, and by one that does not, such as Prometheus."""
    yield from table.lines(rounds(run.fewer((REPEATS, SHUFFLED)), run.servers, run.rounds, say))


def _pace(run: Run) -> Iterator[str]:
    paces = [pace.Pace(one.rate, one.size, one.seconds / run.smaller, one.marker_s) for one in pace.PACES]
    found = [pace.cells(*each) for each in pace.paced(run.servers, say, paces)]
    yield from table.markdown(pace.HEAD, found)
    yield from ("", pace.HOW)


def _standing(run: Run) -> Iterator[str]:
    return standing.lines(standing.standing(run.sink, say, standing.ACTIVE // run.smaller))


def _overload(run: Run) -> Iterator[str]:
    return overload.lines(overload.overload(run.sink, say, overload.COUNT // run.smaller))


def _ladder(run: Run) -> Iterator[str]:
    return table.lines(ladder(run.fewer(QUICK), run.rounds, say))


def _stages(run: Run) -> Iterator[str]:
    return stages(run.sink, run.fewer(QUICK), say)


PARTS: Mapping[str, Callable[[Run], Iterator[str]]] = {
    "cases": _cases, "order": _order, "pace": _pace, "standing": _standing, "overload": _overload, "ladder": _ladder,
    "stages": _stages,
}  # fmt: skip


def _lines_of(part: str, run: Run) -> list[str]:
    try:
        return list(PARTS[part](run))
    except (NotThere, NotMeasured, OSError, HTTPException) as error:
        return [f"Not measured: {error}"]


def put(page: Path, part: str, lines: Sequence[str]) -> None:
    """Writes a part's figures between its two marks in a page; a page without them is left as it is."""
    begin, end = (f"<!-- {part}: {word} -->" for word in ("begin", "end"))
    text = page.read_text()
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        say(f"{page} has no place for {part}: nothing was written")
        return
    page.write_text("\n".join((f"{head}{begin}", "", *lines, "", f"{end}{tail}")))


def machine() -> str:
    """What this was measured on."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as told:  # noqa: PTH123 - a file of the kernel, read as it comes
        model = next((line.split(":")[1].strip() for line in told if line.startswith("model name")), model)
    return (
        f"{len(os.sched_getaffinity(0))} processors ({model}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three cases, and one line of JSON at the end")
    parser.add_argument("--ladder", action="store_true", help="the bare ladder alone")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--smaller", type=int, default=1, help="so many times fewer alerts, to try things out")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the figures between the marks of a page")
    given = parser.parse_args()
    parts = ["ladder"] if given.ladder else given.only.split(",")
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    # Ended from outside, all that was started is ended as well: in the same way as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(machine(), flush=True)
    with sink_running() as sink:
        run = Run(sink, given.rounds, given.smaller)
        if given.quick:
            quick(run)
            return
        for part in parts:
            lines = _lines_of(part, run)
            print("\n".join((f"\n## {part}\n", *lines)), flush=True)
            if given.write:
                put(given.write, part, [*lines, "", f"Measured on {machine()}."] if part == "cases" else lines)


if __name__ == "__main__":
    main()
