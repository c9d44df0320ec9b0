"""What text and labels alone can join: pair F1 of alerts of storms whose topology nobody has.

    python benchmarks/alike.py DIR...            folders made by the storm generator

Alerts that began within WINDOW_S of one another are joined when they are alike (`quell.core.alike`, which knows no
label by name), beside joining by time alone, by the rule's name, and by the namespace, which somebody would have to
choose by hand.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from quell.core.alike import ALIKE, Alike, tokens
from quell.model.records import AlertRecord
from quell.replay.deliveries import deliveries_for
from quell.sdk.registry import load_connectors
from storm import records

WINDOW_S = 300.0
LIVE_S = 1800.0
AGAIN_S = 3600.0
Told = tuple[float, AlertRecord, str | None]
"""When an alert began, its first record, and the incident that it truly belongs to."""


def alerts_of(folder: Path) -> list[Told]:
    """The alerts of a storm, each by its first firing."""
    names: dict[str, str] = {}
    rows = [json.loads(line) for line in (folder / "truth.jsonl").open()]
    truth = {row["event_id"]: row["incident_id"] for row in rows if row["kind"] == "event"}
    last: dict[Hashable, float] = {}
    found: list[Told] = []
    for record in records(folder, deliveries_for((), load_connectors()), names):
        if not isinstance(record, AlertRecord) or record.status != "firing":
            continue
        began = min(record.starts_at or record.at, record.at)
        key = (record.source, record.key or tuple(sorted(record.labels.items())))
        if key not in last or began - last[key] >= AGAIN_S:
            found.append((began, record, truth[names[record.id]]))
        last[key] = max(began, last.get(key, began))
    return sorted(found, key=lambda told: told[0])


class Joined:
    """Sets that grow together."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def root(self, one: int) -> int:
        while self.parent[one] != one:
            self.parent[one] = self.parent[self.parent[one]]
            one = self.parent[one]
        return one

    def join(self, one: int, other: int) -> None:
        self.parent[self.root(one)] = self.root(other)

    def labels(self) -> list[int]:
        return [self.root(one) for one in range(len(self.parent))]


def by_key(told: Sequence[Told], key: Callable[[AlertRecord], Hashable]) -> list[int]:
    """Joins each alert to the last one with the same key."""
    joined, last = Joined(len(told)), dict[Hashable, int]()
    for at, (began, record, _) in enumerate(told):
        before = last.get(key(record))
        if before is not None and began - told[before][0] <= WINDOW_S:
            joined.join(at, before)
        last[key(record)] = at
    return joined.labels()


def by_likeness(told: Sequence[Told]) -> list[int]:
    """Joins each alert to those that are alike, online."""
    joined, alike, live = Joined(len(told)), Alike(), deque[int]()
    for at, (began, record, _) in enumerate(told):
        while live and told[live[0]][0] < began - LIVE_S:
            alike.drop(live.popleft())
        said = record.annotations.get("summary", "")
        alike.tell(at, tokens(record.labels.get("alertname", ""), record.labels, said))
        live.append(at)
        for other, likeness in alike.near(at):
            if likeness >= ALIKE and began - told[other][0] <= WINDOW_S:
                joined.join(at, other)
    return joined.labels()


def pair_f1(told: Sequence[Told], labels: Sequence[int]) -> tuple[float, float, float]:
    """F1, precision and recall over pairs; an alert that is noise belongs with nothing."""

    def pairs(keys: Sequence[Hashable]) -> int:
        return sum(count * (count - 1) // 2 for count in Counter(keys).values())

    truly = [incident or f"noise {at}" for at, (_, _, incident) in enumerate(told)]
    right, said, true = pairs(list(zip(truly, labels, strict=True))), pairs(labels), pairs(truly)
    precision, recall = right / said if said else 0.0, right / true if true else 0.0
    return (2 * precision * recall / (precision + recall) if right else 0.0), precision, recall


def main(folders: Sequence[str]) -> None:
    """One row a folder and way of joining."""
    print("| storm | joined by | pair F1 | precision | recall | alerts/s |")
    print("|---|---|---|---|---|---|")
    for name in folders:
        told = alerts_of(Path(name))
        ways: dict[str, Callable[[], list[int]]] = {
            "time": lambda told=told: by_key(told, lambda _: None),  # type: ignore[misc]
            "rule": lambda told=told: by_key(told, lambda record: record.labels.get("alertname")),  # type: ignore[misc]
            "namespace": lambda told=told: by_key(told, lambda record: record.labels.get("namespace")),  # type: ignore[misc]
            "likeness": lambda told=told: by_likeness(told),  # type: ignore[misc]
        }
        for way, join in ways.items():
            began = time.perf_counter()
            labels = join()
            speed = len(told) / (time.perf_counter() - began)
            shown = " | ".join(f"{share:.3f}" for share in pair_f1(told, labels))
            print(f"| {Path(name).name} | {way} | {shown} | {speed:,.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
