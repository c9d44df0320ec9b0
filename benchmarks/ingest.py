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
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from load import overload, pace, standing, table
from load.alerta import alerta
from load.cases import EVERYWHERE, FULL, QUICK, Case, Opened, rounds
from load.ladder import ladder
from load.postgres import quell_on_postgres
from load.servers import NotThere, alertmanager, quell, sink_running
from load.stages import stages
from load.table import OURS, PEER

ROUNDS = 3
QUICK_MOST_S = 70.0
PARTS = ("cases", "pace", "standing", "overload", "ladder", "stages")


def say(text: str) -> None:
    """Progress, apart from the figures."""
    print(text, file=sys.stderr, flush=True)


def show(title: str, lines: Sequence[str]) -> None:
    """One part of the figures."""
    print("\n".join((f"\n## {title}\n", *lines)), flush=True)


def quick(sink: int, count: int, smaller: int) -> None:
    """The three cases that goals are set for."""
    cases = _smaller(QUICK, smaller)
    servers = {PEER: partial(alertmanager, sink), OURS: partial(quell, sink)}
    rows = rounds(cases, servers, count, say, QUICK_MOST_S)
    show("Accepted and decided over", list(table.lines(rows)))
    print(json.dumps(table.summary(rows, cases)), flush=True)


def everything(sink: int, parts: Sequence[str], count: int, smaller: int) -> None:
    """Part after part."""
    servers: dict[str, Opened] = {PEER: partial(alertmanager, sink), OURS: partial(quell, sink)}
    shown: Mapping[str, Callable[[], None]] = {
        "cases": partial(_cases, sink, servers, count, smaller),
        "pace": partial(_pace, servers, smaller),
        "standing": lambda: show(
            "Standing", list(standing.lines(standing.standing(sink, say, standing.ACTIVE // smaller)))
        ),
        "overload": lambda: show(
            "Overload", list(overload.lines(overload.overload(sink, say, overload.COUNT // smaller)))
        ),
        "ladder": partial(_ladder, count, smaller),
        "stages": partial(_stages, sink, smaller),
    }
    for part in parts:
        shown[part]()


def _cases(sink: int, servers: Mapping[str, Opened], count: int, smaller: int) -> None:
    cases = _smaller(FULL, smaller)
    rows = rounds(cases, servers, count, say)
    show("Accepted and decided over", list(table.lines(rows)))
    others: dict[str, Opened] = {PEER: servers[PEER], f"{OURS}, PostgreSQL": partial(quell_on_postgres, sink)}
    others["Alerta"] = alerta
    rows = rounds(_smaller(EVERYWHERE, smaller), others, count, say)
    show("On PostgreSQL", list(table.lines(rows)))


def _pace(servers: Mapping[str, Opened], smaller: int) -> None:
    paces = [pace.Pace(one.rate, one.size, one.seconds / smaller, one.marker_s) for one in pace.PACES]
    found = [pace.cells(*each) for each in pace.paced(servers, say, paces)]
    show("Latency", [*table.markdown(pace.HEAD, found), "", pace.HOW])


def _ladder(count: int, smaller: int) -> None:
    rows = ladder(_smaller(QUICK, smaller), count, say)
    show("The bare ladder", list(table.lines(rows)))


def _stages(sink: int, smaller: int) -> None:
    try:
        show("Stages", list(stages(sink, _smaller(QUICK, smaller), say)))
    except NotThere as error:
        show("Stages", [str(error)])


def _smaller(cases: Sequence[Case], by: int) -> Sequence[Case]:
    return cases if by == 1 else [case.smaller(by) for case in cases]


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
    given = parser.parse_args()
    parts = ["ladder"] if given.ladder else given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    # Ended from outside, all that was started is ended as well: in the same way as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(machine(), flush=True)
    with sink_running() as sink:
        if given.quick:
            quick(sink, given.rounds, given.smaller)
        else:
            everything(sink, parts, given.rounds, given.smaller)


if __name__ == "__main__":
    main()
