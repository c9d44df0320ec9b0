"""Made-up labelled storms of a small estate: outages that travel upwards, hours apart, and alerts that mean nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

from quell.export.lines import record_line
from quell.model.records import AlertRecord, AnyRecord, DependencyRecord
from quell.training.storms import Storm, Truth

T0 = 1_700_000_000.0
APART_S = 4 * 3600.0
CHAINS = 3
LONG = 4


def services(chain: int) -> list[str]:
    """The first needs the second, and so on; the last is where outages begin."""
    return [f"service/c{chain}-{at}" for at in range(LONG)]


def edges() -> list[AnyRecord]:
    return [
        DependencyRecord(at=T0, from_=one, to=other, type="calls")
        for chain in range(CHAINS)
        for one, other in zip(services(chain), services(chain)[1:], strict=False)
    ]


def firing(entity: str, at: float, name: str, mark: str) -> list[AnyRecord]:
    labels = {"alertname": name, "service": entity.partition("/")[2], "severity": "warning"}
    return [
        AlertRecord(at=at, id=mark, status="firing", labels=labels, starts_at=at, source="prom"),
        AlertRecord(
            at=at + 900.0, id=f"{mark}-end", status="resolved", labels=labels, ends_at=at + 900.0, source="prom"
        ),
    ]


def storm(
    name: str, seed: int, outages: int = 12, *, lag_s: float = 15.0, mislabelled: float = 0.0, noise: int = 0
) -> Storm:
    """``lag_s`` from each service to the one that needs it; of ``mislabelled`` outages another cause is told."""
    chance = Random(seed)
    records = edges()
    incident: dict[str, str | None] = {}
    roots: dict[str, frozenset[str]] = {}
    for number in range(outages):
        chain, began = number % CHAINS, T0 + 600.0 + number * APART_S
        names = services(chain)
        roots[f"i{number}"] = frozenset({names[0] if chance.random() < mislabelled else names[-1]})
        for step, entity in enumerate(reversed(names)):
            mark = f"o{number}-{step}"
            incident[mark] = f"i{number}"
            records += firing(entity, began + step * lag_s + chance.uniform(0.0, 3.0), "HighErrorRate", mark)
    for number in range(noise):
        mark, at = f"n{number}", T0 + 600.0 + APART_S * (number + 0.5)
        incident[mark] = None
        records += firing(services(number % CHAINS)[number % LONG], at, "HighLatency", mark)
    records.sort(key=lambda record: record.arrived)
    return Storm(name, records, Truth(incident, roots))


def written(folder: Path, made: Storm) -> Path:
    """The storm as a folder."""
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_bytes(b"".join(record_line(record) + b"\n" for record in made.records))
    rows: list[dict[str, object]] = [
        {"kind": "event", "event_id": mark, "incident_id": name} for mark, name in made.truth.incident.items()
    ]
    rows += [
        {"kind": "incident", "incident_id": name, "root_nodes": sorted(found)}
        for name, found in made.truth.roots.items()
    ]
    (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def all_written(folder: Path, storms: Sequence[Storm]) -> Path:
    for one in storms:
        written(folder / one.name, one)
    return folder
