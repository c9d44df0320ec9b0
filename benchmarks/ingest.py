"""How fast alerts are taken in and decided over, beside Alertmanager in the same run.

    python benchmarks/ingest.py --quick      a minute or two; ends with one line of JSON
    python benchmarks/ingest.py              every case, for many minutes

The daemon runs as users run it: `quell serve` on what `quell init` writes, with a token on every request, limits,
metrics, history, correlation, and a full fsync before every 2xx. *Accepted* are alerts answered with 2xx, *decided
over* alerts that are in an incident or judged; that rate is over the time from the first request until nothing waits.
Servers take turns (A B A B), each fresh; a ratio is that of one round, and what is shown is median [lowest-highest].
*others* says how many processors other programs kept busy: figures of a machine that is not quiet are worth little.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from functools import partial

from load.cases import QUICK, rounds
from load.servers import alertmanager, quell, sink_running
from load.table import OURS, PEER, lines, summary

ROUNDS, QUICK_ROUNDS = 3, 3
QUICK_MOST_S = 70.0


def say(text: str) -> None:
    """Progress, apart from the figures."""
    print(text, file=sys.stderr, flush=True)


def quick(sink: int, smaller: int) -> None:
    """The three cases that goals are set for."""
    cases = QUICK if smaller == 1 else tuple(case.smaller(smaller) for case in QUICK)
    servers = {PEER: partial(alertmanager, sink), OURS: partial(quell, sink)}
    rows = rounds(cases, servers, QUICK_ROUNDS, say, QUICK_MOST_S)
    print("\n".join(lines(rows)), flush=True)
    print(json.dumps(summary(rows, cases)), flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three cases, and one line of JSON at the end")
    parser.add_argument("--smaller", type=int, default=1, help="so many times fewer alerts, to try things out")
    given = parser.parse_args()
    # Ended from outside, all that was started is ended as well: by the same way as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with sink_running() as sink:
        quick(sink, given.smaller)


if __name__ == "__main__":
    main()
