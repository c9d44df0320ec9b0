"""How well quell correlates storms with known causes: predictions for one folder, or the whole table.

    python benchmarks/storm.py                              every preset and its seeds, beside baselines and goals
    python benchmarks/storm.py --presets easy,ml --seeds 1-5 --baselines cover --json
    python benchmarks/storm.py --config DIR --seeds 11-13   other tables, such as benchmarks/other_tables.py makes
    python benchmarks/storm.py predict DIR PRED.jsonl       one folder made by the generator; its truth is never read

The generator, the scorer and the baselines are a folder of their own (`--storm DIR`, default ../shared/storm beside
this repository). Predictions come from `quell.replay`, the same door as `quell replay`: the recorded deliveries are
decoded by the connectors, and the engine runs without rules, or with those of `--rules`. Means over seeds, ± standard
deviation.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from quell.config.loading import load_file
from quell.core.bearing import asked, unknown
from quell.model.incident import Incident
from quell.model.records import AnyRecord, DeliveryRecord
from quell.model.rulebook import Rulebook
from quell.model.times import format_time, parse_time
from quell.replay.deliveries import Deliveries, deliveries_for
from quell.replay.run import Outcome, replay
from quell.sdk.registry import installed, load_connectors
from storm_folders import Row, Workshop, opened
from storm_table import Scores, goal_line, head, line, short_of, write_between

SEEDS = {"storm-100k": "1-2", "soak-1M": "1"}
BASELINES = ("components-3", "cover")
NO_RULES = Rulebook()


class _Envelope(msgspec.Struct):
    """A line of a stream, with the body as it would have come."""

    t: str
    to: str
    event_ids: list[str]
    body: msgspec.Raw


_envelope = msgspec.json.Decoder(_Envelope).decode
STORM = Path(__file__).resolve().parents[2] / "shared" / "storm"


def records(folder: Path, deliveries: Deliveries, names: dict[str, str]) -> Iterator[AnyRecord]:
    """The records of a storm's stream in order of arrival; ``names`` learns which event each record id stands for."""
    first = True
    with opened(folder, "stream.jsonl") as stream:
        for number, text in enumerate(stream):
            envelope = _envelope(text)
            at = parse_time(envelope.t)
            assert at is not None
            if first:
                topology = json.loads((folder / "topology.json").read_text())
                told = DeliveryRecord(at=at, id="topology", path="/in/topology", body=topology)
                yield from deliveries.decode(told).records
                first = False
            path = "/in/" + envelope.to.rsplit("/", 1)[-1]
            delivery = DeliveryRecord(at=at, id=str(number), path=path, body=envelope.body)
            decoded = deliveries.decode(delivery).records
            for event, record in zip(envelope.event_ids, decoded, strict=True):
                names[record.id] = event
            yield from decoded


def predict(folder: Path, rules: Rulebook = NO_RULES) -> tuple[list[Row], Outcome]:
    """Rows in the scorer's format, and the outcome they were made from."""
    names: dict[str, str] = {}
    deliveries = deliveries_for((), load_connectors())
    outcome = replay(records(folder, deliveries, names), rules)
    rows: list[Row] = [
        {"kind": "event", "event_id": names[alert.record], "incident_id": alert.incident} for alert in outcome.alerts
    ]
    standing = {alert.incident for alert in outcome.alerts}
    for shown in outcome.incidents:
        row = _incident_row(shown.incident, shown.shown_at)
        if shown.incident.id not in standing:
            row["withdrawn"] = True
        rows.append(row)
    return rows, outcome


def _incident_row(incident: Incident, shown_at: float) -> Row:
    """What the scorer asks for, and what `calibration.py` does: how sure quell was."""
    first = incident.suspects[0] if incident.suspects else None
    return {
        "kind": "incident",
        "incident_id": incident.id,
        "opened_at": format_time(shown_at),
        "root_causes": [
            {
                "node": suspect.entity,
                "confidence": suspect.confidence,
                "score": suspect.score,
                "path": len(suspect.path),
                "evidence": [one.code for one in suspect.evidence],
            }
            for suspect in incident.suspects[:3]
        ],
        "change_id": first.change if first else None,
        "no_clear_cause": incident.no_clear_cause,
        "entities": len(incident.entities),
        "asks": asked(first.evidence) if first else 0.0,
        "gaps": unknown(first.evidence) if first else 0.0,
    }


def seeds_of(text: str) -> list[int]:
    """Such as "1-5", "7" or "1,3,9"."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


def measure(
    workshop: Workshop, preset: str, seeds: list[int], baselines: list[str], rules: Rulebook = NO_RULES
) -> dict[str, Any]:
    """Scores by engine and seed, and quell's speed in records a second."""
    scores: dict[str, list[Scores]] = {"quell": [], **{method: [] for method in baselines}}
    speeds = []
    for seed in seeds:
        folder = workshop.folder(preset, seed)
        began = time.perf_counter()
        rows, outcome = predict(folder, rules)
        speeds.append(outcome.records / (time.perf_counter() - began))
        scores["quell"].append(workshop.score(folder, rows))
        for method in baselines:
            scores[method].append(workshop.score(folder, workshop.baseline(folder, method)))
    return {"preset": preset, "seeds": seeds, "scores": scores, "events_per_s": speeds}


def lines_of(measured: dict[str, Any]) -> list[str]:
    """The rows of a table for one preset: quell, the baselines, the goals."""
    preset = measured["preset"]
    found = [
        line(preset, engine, rows, measured["events_per_s"] if engine == "quell" else ())
        for engine, rows in measured["scores"].items()
    ]
    return [*found, *filter(None, [goal_line(preset)])]


def run(given: argparse.Namespace, workshop: Workshop) -> None:
    """Measures what was asked for and prints it as it comes."""
    presets = given.presets.split(",") if given.presets else workshop.presets()
    baselines = [method for method in given.baselines.split(",") if method]
    rules = load_file(given.rules, installed().specs, {}, secrets_needed=False).rulebook if given.rules else NO_RULES
    table, everything = [head()], []
    if not given.json:
        print(table[0], flush=True)
    for preset in presets:
        measured = measure(workshop, preset, seeds_of(given.seeds or SEEDS.get(preset, "1-5")), baselines, rules)
        everything.append(measured)
        table += lines_of(measured)
        if not given.json:
            print("\n".join(lines_of(measured)), flush=True)
            if not workshop.config and (missing := short_of(preset, measured["scores"]["quell"])):
                print(f"{preset}: not at its goal: {'; '.join(missing)}", file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if given.json:
        json.dump({"measured": everything, "peak_mib": round(peak), "python": sys.version.split()[0]}, sys.stdout)
        print()
    else:
        print(f"\npeak memory {peak:.0f} MiB; Python {sys.version.split()[0]}")
    if given.write:
        write_between(given.write, "\n".join(table))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="*", help="predict DIR PRED.jsonl")
    parser.add_argument("--storm", type=Path, default=STORM, help="the generator's folder")
    parser.add_argument("--config", type=Path, help="another folder of tables and presets for the generator")
    parser.add_argument("--rules", type=Path, help="a configuration, whose rules and detectors are on (none else)")
    parser.add_argument("--presets", default="", help="names, divided by commas; all of the tables when not given")
    parser.add_argument(
        "--seeds", default="", help="such as 1-5 or 7,9; 1-5 (storm-100k 1-2, soak-1M 1) when not given"
    )
    parser.add_argument("--baselines", default=",".join(BASELINES), help='"" for none')
    parser.add_argument("--keep", type=Path, help="keep (and use again) generated folders here")
    parser.add_argument("--json", action="store_true", help="print all scores of all seeds as JSON")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the markers of this page")
    given = parser.parse_args()
    if given.command:
        if len(given.command) != 3 or given.command[0] != "predict":
            parser.error("predict takes a folder and a file: predict DIR PRED.jsonl")
        rows, outcome = predict(Path(given.command[1]))
        with Path(given.command[2]).open("w") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
        print(f"{outcome.records} records, {len(outcome.incidents)} incidents shown, written to {given.command[2]}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        keep = given.keep.resolve() if given.keep else Path(scratch)
        run(given, Workshop(given.storm.resolve(), keep, given.config.resolve() if given.config else None))


if __name__ == "__main__":
    main()
