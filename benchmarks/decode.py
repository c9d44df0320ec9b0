"""What it costs to read an alert that Alertmanager's clients send: microseconds of processor time, the best of five.

    python benchmarks/decode.py

From the body of a request to records, in one process, without HTTP, journal and core. *New* alerts were never seen;
*again* is the same alerts with another end, as Prometheus sends them every minute; *careful* is the way that a body
goes which holds anything unusual, whatever was seen before. *Held* is the memory of new alerts' records and of what is
remembered of them. *Bounds* is the check behind every connector.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from load.alerts import batches
from quell.daemon.bounds import Bounds
from quell.model.records import AlertRecord
from quell_connectors.alertmanager import quick, translate
from quell_connectors.alertmanager.known import Known

ALERTS, TRIES = 5_000, 5
SIZES = (1, 100, 1_000)
HELD = 50_000
NOW = 1_800_000_000.0
_CLOCK = time.process_time
Read = Callable[[bytes, Known], Sequence[AlertRecord]]
Bodies = list[bytes]


def posted(body: bytes, known: Known) -> Sequence[AlertRecord]:
    return quick.posted(body, "am", NOW, 300.0, known).records


def delivered(body: bytes, known: Known) -> Sequence[AlertRecord]:
    return quick.delivered(body, "am", NOW, known).records


def posted_carefully(body: bytes, _known: Known) -> Sequence[AlertRecord]:
    return translate.posted(body, "am", NOW, 300.0).records


def delivered_carefully(body: bytes, _known: Known) -> Sequence[AlertRecord]:
    return translate.delivered(body, "am", NOW).records


def hook(body: bytes) -> bytes:
    """The same alerts as Alertmanager's webhook tells them."""
    alerts: list[dict[str, Any]] = json.loads(body)
    told = [{"status": "firing", **alert, "fingerprint": f"{number:016x}"} for number, alert in enumerate(alerts)]
    around = {"groupKey": "{}:{}", "commonLabels": {"job": "node-exporter"}, "externalURL": "http://am.example"}
    whole = {"receiver": "quell", "status": "firing", "alerts": told, **around, "version": "4", "truncatedAlerts": 0}
    return json.dumps(whole, separators=(",", ":")).encode()


def tried(read: Read, bodies: Bodies, known: Known) -> float:
    """Microseconds for each alert; all records are held until the end, as a daemon holds them for a while."""
    began = _CLOCK()
    held = [read(body, known) for body in bodies]
    took = _CLOCK() - began
    count = sum(map(len, held))
    assert count == ALERTS, f"{count} of {ALERTS} were read"
    return took / count * 1e6


def row(quickly: Read, carefully: Read, size: int, shape: Callable[[bytes], bytes]) -> tuple[float, float, float]:
    """The best of new, again and careful."""
    told = [shape(one.body) for one in batches(2 * ALERTS, ALERTS, size)]
    first, second = told[: len(told) // 2], told[len(told) // 2 :]
    warm = Known()
    for _ in range(2):  # what came once is not remembered
        tried(quickly, first, warm)
    return (
        min(tried(quickly, first, Known()) for _ in range(TRIES)),
        min(tried(quickly, bodies, warm) for _ in range(TRIES) for bodies in (second, first)),
        min(tried(carefully, first, warm) for _ in range(TRIES)),
    )


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def held_bytes(read: Read) -> float:
    """Bytes for each new alert, of its record and of what is remembered."""
    known = Known()
    bodies = [one.body for one in batches(HELD, HELD, 100)]
    gc.collect()
    before = resident()
    held = [read(body, known) for body in bodies]
    return (resident() - before) / sum(map(len, held))


def main() -> None:
    """Prints a table."""
    held = held_bytes(posted)  # first, while nothing that was freed lies about
    print(f"{'microseconds for an alert':34s} {'new':>6s} {'again':>6s} {'careful':>8s}")
    for name, quickly, carefully, shape in (
        ("POST /api/v2/alerts", posted, posted_carefully, bytes),
        ("webhook", delivered, delivered_carefully, hook),
    ):
        for size in SIZES:
            new, again, careful = row(quickly, carefully, size, shape)
            print(f"{name + f', {size} at once':34s} {new:6.2f} {again:6.2f} {careful:8.2f}")
    bounds = Bounds(10_000, 64, 4_096)
    groups = [posted(one.body, Known()) for one in batches(ALERTS, ALERTS, 100)]
    best = min(_timed(lambda: [bounds.split(group) for group in groups]) for _ in range(TRIES))
    print(f"{'bounds, 100 at once':34s} {best / ALERTS * 1e6:6.2f}")
    print(f"held: {held:.0f} bytes for an alert")


def _timed(work: Callable[[], object]) -> float:
    began = _CLOCK()
    work()
    return _CLOCK() - began


if __name__ == "__main__":
    main()
