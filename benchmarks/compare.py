"""What it costs to compare thousands of canaries with thousands of baselines, in processor time for each window.

    python benchmarks/compare.py [--series 5000] [--of share|mean]

Half of the series are canaries, all are of one group (no ``same``). Each minute every series tells what it counted.
"""

from __future__ import annotations

import argparse
import time

from quell.core.engine import Engine
from quell.model.detect import Compare, DetectRule
from quell.model.mute import Matcher
from quell.model.records import EntityRecord, SampleRecord
from quell.model.rulebook import Rulebook

T0 = 1_772_352_000.0


def main() -> None:
    """Prints seconds for each of the last minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=5000)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--of", choices=("share", "mean"), default="share")
    asked = parser.parse_args()
    sides = [(Matcher(name="track", value=name),) for name in ("canary", "stable")]
    when = Compare(canary=sides[0], baseline=sides[1], of=asked.of, by="all" if asked.of == "share" else "",
                   over_s=600.0, volume=5.0)  # fmt: skip
    engine = Engine(Rulebook(detect=(DetectRule(name="Worse", metric="bad", when=when),)))
    names = [f"service/s{number}" for number in range(asked.series)]
    engine.decide(
        [EntityRecord(at=T0, entity=name, labels={"track": "canary" if number % 2 else "stable"})
         for number, name in enumerate(names)], T0,
    )  # fmt: skip
    for minute in range(1, asked.minutes + 1):
        at = T0 + 60.0 * minute
        records = [
            SampleRecord(at=at - 30.0, entity=name, metric=metric, value=value)
            for number, name in enumerate(names)
            for metric, value in (("bad", float(number % 3)), ("all", 100.0))
        ]
        engine.decide(records, at - 30.0)
        begin = time.process_time()
        engine.decide([], at + 5.0)
        print(f"minute {minute}: {time.process_time() - begin:.2f} s to judge {asked.series} series")


if __name__ == "__main__":
    main()
