"""How well quell correlates storms with known causes: predictions for one folder, or the whole table.

    python benchmarks/storm.py predict DIR PRED.jsonl      one folder made by the generator; truth.jsonl is never read
    python benchmarks/storm.py [--presets easy,ml] [--seeds 1-5] [--baselines components-3,cover]

The generator, the scorer and the baselines are a folder of their own (`--storm DIR`, default ../shared/storm beside
this repository). Predictions come from `quell.replay`, the same door as `quell replay`: the recorded deliveries are
decoded by the connectors, and the engine runs with the rules as they ship.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quell.model.records import AnyRecord, DeliveryRecord
from quell.model.rulebook import Rulebook
from quell.model.times import format_time, parse_time
from quell.replay.deliveries import Deliveries, deliveries_for
from quell.replay.run import Outcome, replay
from quell.sdk.registry import load_connectors

PRESETS = ("easy", "overlap", "incomplete-topology", "ml", "storm-10k")
BASELINES = ("components-3", "cover")
COLUMNS = (
    ("score", "score"), ("incident_f1", "iF1"), ("pair_f1", "pF1"), ("root_top1", "rc1"), ("root_top3", "rc3"),
    ("root_top1_unseen", "unseen"), ("missed_incidents", "missed"), ("withdrawn_incidents", "taken back"),
    ("median_time_to_incident_s", "tti"), ("p90_time_to_incident_s", "p90"), ("change_top1", "change"),
    ("change_false", "false"), ("noise_paged", "noise"), ("repeat_consistency", "repeats"),
)  # fmt: skip


def _opened(folder: Path, name: str) -> Any:
    plain = folder / name
    return plain.open("rb") if plain.exists() else gzip.open(folder / f"{name}.gz", "rb")


def records(folder: Path, deliveries: Deliveries, names: dict[str, str]) -> Iterator[AnyRecord]:
    """The records of a storm's stream in order of arrival; ``names`` learns which event each record id stands for."""
    first = True
    with _opened(folder, "stream.jsonl") as stream:
        for number, line in enumerate(stream):
            envelope = json.loads(line)
            at = parse_time(envelope["t"])
            assert at is not None
            if first:
                topology = json.loads((folder / "topology.json").read_text())
                told = DeliveryRecord(at=at, id="topology", path="/in/topology", body=topology)
                yield from deliveries.decode(told).records
                first = False
            path = "/in/" + envelope["to"].rsplit("/", 1)[-1]
            delivery = DeliveryRecord(at=at, id=str(number), path=path, body=envelope["body"])
            decoded = deliveries.decode(delivery).records
            for event, record in zip(envelope["event_ids"], decoded, strict=True):
                names[record.id] = event
            yield from decoded


def predict(folder: Path) -> tuple[list[dict[str, Any]], Outcome]:
    """Rows in the scorer's format, and the outcome they were made from."""
    names: dict[str, str] = {}
    deliveries = deliveries_for((), load_connectors())
    outcome = replay(records(folder, deliveries, names), Rulebook())
    rows: list[dict[str, Any]] = [
        {"kind": "event", "event_id": names[alert.record], "incident_id": alert.incident} for alert in outcome.alerts
    ]
    standing = {alert.incident for alert in outcome.alerts}
    for shown in outcome.incidents:
        incident = shown.incident
        first = incident.suspects[0] if incident.suspects else None
        row: dict[str, Any] = {
            "kind": "incident",
            "incident_id": incident.id,
            "opened_at": format_time(shown.shown_at),
            "root_causes": [{"node": suspect.entity} for suspect in incident.suspects[:3]],
            "change_id": first.change if first else None,
        }
        if incident.id not in standing:
            row["withdrawn"] = True
        rows.append(row)
    return rows, outcome


def _score(storm: Path, folder: Path, rows: list[dict[str, Any]]) -> dict[str, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
        out.flush()
        done = subprocess.run(
            [sys.executable, "score.py", "--truth", str(folder / "truth.jsonl"), "--pred", out.name, "--json"],
            check=True, capture_output=True, cwd=storm, env={"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    scored: dict[str, float] = json.loads(done.stdout)
    return scored


def _generate(storm: Path, preset: str, seed: int, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "generate.py", "--preset", preset, "--seed", str(seed), "--out", str(folder)],
        check=True, capture_output=True, cwd=storm, env={"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def _baseline(storm: Path, folder: Path, method: str, out: Path) -> list[dict[str, Any]]:
    subprocess.run(
        [sys.executable, "baselines.py", "--dir", str(folder), "--method", method, "--write", str(out)],
        check=True, capture_output=True, cwd=storm, env={"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return [json.loads(line) for line in (out / f"{method}.jsonl").read_text().splitlines()]


def _line(name: str, rows: list[dict[str, float]], extra: str) -> str:
    cells = []
    for column, _ in COLUMNS:
        values = [row[column] for row in rows if row.get(column) is not None]
        wide = column.endswith(("_s", "incidents"))
        mean = statistics.fmean(values) if values else None
        cells.append("-" if mean is None else f"{mean:.1f}" if wide else f"{mean:.3f}")
    spread = statistics.pstdev([row["score"] for row in rows])
    return f"| {name} | " + " | ".join(cells) + f" | {spread:.3f} | {extra} |"


def table(storm: Path, presets: list[str], seeds: list[int], baselines: list[str], keep: Path | None) -> None:
    """Prints means over the seeds, quell beside the baselines, with the spread of the score between seeds."""
    print("| preset, engine | " + " | ".join(short for _, short in COLUMNS) + " | ± score | events/s |")
    print("|---" * (len(COLUMNS) + 3) + "|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for preset in presets:
            results: dict[str, list[dict[str, float]]] = {"quell": [], **{method: [] for method in baselines}}
            speeds = []
            for seed in seeds:
                folder = (keep or Path(scratch)) / f"{preset}-{seed}"
                if not (folder / "stream.jsonl").exists():
                    _generate(storm, preset, seed, folder)
                began = time.perf_counter()
                rows, outcome = predict(folder)
                speeds.append(outcome.records / (time.perf_counter() - began))
                results["quell"].append(_score(storm, folder, rows))
                for method in baselines:
                    told = _baseline(storm, folder, method, Path(scratch) / "baseline")
                    results[method].append(_score(storm, folder, told))
            for name, scored in results.items():
                extra = f"{statistics.fmean(speeds):,.0f}" if name == "quell" else "-"
                print(_line(f"{preset}, {name}", scored, extra), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nseeds {seeds[0]}-{seeds[-1]}; peak memory {peak:.0f} MiB; Python {sys.version.split()[0]}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="*", help="predict DIR PRED.jsonl")
    parser.add_argument("--storm", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "storm")
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--seeds", default="1-5")
    parser.add_argument("--baselines", default=",".join(BASELINES))
    parser.add_argument("--keep", type=Path, help="keep (and use again) generated folders here")
    given = parser.parse_args()
    given.storm = given.storm.resolve()
    given.keep = given.keep.resolve() if given.keep else None
    if given.command:
        if len(given.command) != 3 or given.command[0] != "predict":
            parser.error("predict takes a folder and a file: predict DIR PRED.jsonl")
        rows, outcome = predict(Path(given.command[1]))
        with Path(given.command[2]).open("w") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
        print(f"{outcome.records} records, {len(outcome.incidents)} incidents shown, written to {given.command[2]}")
        return
    low, _, high = given.seeds.partition("-")
    seeds = list(range(int(low), int(high or low) + 1))
    baselines = [method for method in given.baselines.split(",") if method]
    table(given.storm, given.presets.split(","), seeds, baselines, given.keep)


if __name__ == "__main__":
    main()
