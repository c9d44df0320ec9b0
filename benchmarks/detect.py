"""What detectors cost: points per second and core through the takers and twenty detectors, and what they remember.

    python benchmarks/detect.py [--entities 200] [--minutes 60]

Tells of the same stream without detectors, with twenty of all conditions that read one metric of the fifty each, and
with twenty that read every metric twice; and how large the state is then, as a snapshot. The stream is what an OTLP
collector sends: each minute one table for each entity, of 50 metrics, with six points each or with one. Every window is
a minute, so that with one point a minute each point is judged by itself.
"""

from __future__ import annotations

import argparse
import gc
import random
import time

import msgspec

from quell.core.engine import Engine
from quell.model.decision import AlertChanged
from quell.model.detect import Absence, Anomaly, DetectRule, Forecast, Shift, Threshold
from quell.model.records import SamplesRecord
from quell.model.rulebook import Rulebook

T0 = 1_772_352_000.0
METRICS = 50


def rules(count: int, *, all_metrics: bool) -> tuple[DetectRule, ...]:
    """Rules of every condition, each of which reads one metric; or five, so that twenty read every metric twice."""
    kinds = (
        Threshold(above=1e9),
        Threshold(above=1e9, aggregate="p95"),
        Threshold(above=1e9, aggregate="rate"),
        Anomaly(deviations=50.0),
        Forecast(above=1e9, within_s=3600.0, over_s=3600.0),
        Absence(after_s=600.0),
        Shift(factor=50.0, against_s=3600.0),
    )
    made = []
    for number in range(count):
        when = kinds[number % len(kinds)]
        metric = f"m{number % 10}.*" if all_metrics else f"m{number % 10}.metric_{number}"
        pooled = isinstance(when, Absence)
        made.append(DetectRule(name=f"rule{number}", metric=metric, when=when, need=3, of=5, pooled=pooled))
    return tuple(made)


def stream(entities: int, minutes: int, points: int) -> list[list[SamplesRecord]]:
    """The records of each minute."""
    chance = random.Random(1)
    names = [f"m{number % 10}.metric_{number}" for number in range(METRICS)]
    found = []
    for minute in range(minutes):
        start = T0 + 60.0 * minute
        times = [start + 60.0 / points * number for number in range(points)]
        found.append(
            [
                SamplesRecord(
                    at=start,
                    entity=f"service/s{entity}",
                    times=times,
                    values={name: [chance.random() for _ in times] for name in names},
                )
                for entity in range(entities)
            ]
        )
    return found


def run(told: list[list[SamplesRecord]], detect: tuple[DetectRule, ...]) -> tuple[float, Engine, int]:
    """Seconds of CPU, the engine, and how many alerts were told."""
    engine = Engine(Rulebook(version="1", detect=detect))
    engine.decide([], T0)
    alerts = 0
    gc.collect()
    began = time.process_time()
    for minute, records in enumerate(told):
        decided = engine.decide(records, T0 + 60.0 * minute + 59.0)
        alerts += sum(isinstance(one, AlertChanged) for one in decided)
    engine.decide([], T0 + 60.0 * len(told))
    return time.process_time() - began, engine, alerts


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=200)
    parser.add_argument("--minutes", type=int, default=30)
    args = parser.parse_args()
    print(f"{'stream':36} {'detectors':22} {'points/s':>10} {'µs/point':>9} {'state MB':>9} {'alerts':>6}")
    for points in (6, 1):
        told = stream(args.entities, args.minutes, points)
        count = args.entities * args.minutes * points * METRICS
        for named, detect in (
            ("none", ()),
            ("20, of one metric each", rules(20, all_metrics=False)),
            ("20, each metric twice", rules(20, all_metrics=True)),
        ):
            took_s, engine, alerts = run(told, detect)
            size = len(msgspec.msgpack.encode(engine.state.detecting)) / 1e6
            name = f"{args.entities} entities, {points} points a minute"
            rate, each = count / took_s, took_s / count * 1e6
            print(f"{name:36} {named:22} {rate:10,.0f} {each:9.2f} {size:9.1f} {alerts:6d}")


if __name__ == "__main__":
    main()
