"""Records the example storm: three faults within four minutes on the graph of three demo shops, and the noise around.

    python examples/storm/make.py GENERATOR [--seed N] [--out DIR]

GENERATOR is the folder of the seeded storm generator (its ``generate.py``, ``config/`` and ``topologies/``). The
recipe is the preset below, shaped like the generator's "overlap": a bad deploy, a database that dies and a slow
service, on the services of Online Boutique, the OpenTelemetry demo and Train Ticket, with repeats, flapping, late
delivery, clock skew and innocent deploys. What is kept is the span from a little before the first fault until
``KEPT_S`` later, so that the incidents are still open at its end. Nothing that tells the answer is kept: the
generator's event ids are dropped. Same generator and seed, same bytes.

Written are ``stream.jsonl.gz`` (lines of kind ``delivery``: path, headers and body as the tools sent them, the graph
first) and ``topology.json`` (that graph by itself: nodes and edges, ``src`` depends on ``dst``).
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SEED = 82
"""Chosen among a hundred for three clear incidents, one a shop; quality is measured on whole presets, not here."""
LEAD_S = 420.0
"""How much of the quiet before the first fault is kept: the guilty deploy lies in it."""
KEPT_S = 1380.0
PRESET = {
    "topology": {"files": ["otel-demo.json", "online-boutique.json", "train-ticket.json"], "name": "three-shops"},
    "start": "2026-03-02T10:00:00Z",
    "incidents": {
        "schedule": "rounds",
        "rounds": 1,
        "size": 3,
        "spread_s": 240,
        "gap_s": 3600,
        "first_s": 1500,
        "min_dependents": 2,
        "near": 0.5,
        "must": [["bad_deploy", 0], ["db_down", 1], ["latency", 2]],
        "mix": {"bad_deploy": 1},
    },
    "noise_share": 0.3,
    "refire_s": 45,
    "max_refires": 30,
    "changes_per_hour": 8,
    "silent_root": 0.0,
}
PATHS = {
    "/ingest/alertmanager": ("/in/alertmanager", "application/json"),
    "/ingest/pagerduty": ("/v2/enqueue", "application/json"),
    "/ingest/cloudevents": ("/in/cloudevents", "application/cloudevents+json"),
}


def generated(generator: Path, seed: int, out: Path) -> None:
    """Runs the generator with the preset above beside its own tables."""
    config = out / "tables" / "config"
    shutil.copytree(generator / "config", config)
    shutil.copytree(generator / "topologies", out / "tables" / "topologies")
    config.chmod(0o755)
    (config / "presets.json").unlink()
    (config / "presets.json").write_text(json.dumps({"presets": {"demo": PRESET}}), encoding="utf-8")
    command = [sys.executable, str(generator / "generate.py"), "--config", str(config), "--preset", "demo"]
    subprocess.run([*command, "--seed", str(seed), "--out", str(out)], check=True, stdout=subprocess.DEVNULL)


def first_fault(truth: Path) -> datetime:
    """When the first fault began: only used to choose the span that is kept."""
    lines = map(json.loads, truth.read_text(encoding="utf-8").splitlines())
    return min(datetime.fromisoformat(line["started_at"]) for line in lines if line["kind"] == "incident")


def without_ids(to: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body as a tool sends it: the generator's own event ids are not part of it."""
    if to == "/ingest/alertmanager":
        for alert in body["alerts"]:
            alert["annotations"].pop("event_id", None)
    elif to == "/ingest/pagerduty":
        body.get("payload", {}).get("custom_details", {}).pop("event_id", None)
    return body


def kept(stream: Path, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """The deliveries that arrived between ``start`` and ``end``, in the public records format."""
    for text in stream.read_text(encoding="utf-8").splitlines():
        envelope = json.loads(text)
        if start <= datetime.fromisoformat(envelope["t"]) < end:
            path, content_type = PATHS[envelope["to"]]
            yield delivery(envelope["t"], path, content_type, without_ids(envelope["to"], envelope["body"]))


def topology(path: Path, at: datetime) -> dict[str, Any]:
    """The graph, delivered before everything else."""
    return delivery(at.isoformat(), "/in/topology", "application/json", json.loads(path.read_text(encoding="utf-8")))


def delivery(at: str, path: str, content_type: str, body: Any) -> dict[str, Any]:
    """One line of the public records format."""
    return {"kind": "delivery", "at": at, "path": path, "headers": {"content-type": content_type}, "body": body}


def write(lines: list[dict[str, Any]], path: Path) -> None:
    """Writes gzipped JSON lines; the same lines give the same bytes."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("generator", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        generated(options.generator, options.seed, made)
        fault = first_fault(made / "truth.jsonl")
        start, end = fault - timedelta(seconds=LEAD_S), fault + timedelta(seconds=KEPT_S)
        lines = [topology(made / "topology.json", start), *kept(made / "stream.jsonl", start, end)]
        options.out.mkdir(parents=True, exist_ok=True)
        write(lines, options.out / "stream.jsonl.gz")
        shutil.copyfile(made / "topology.json", options.out / "topology.json")
        if options.out != HERE:
            shutil.copyfile(made / "truth.jsonl", options.out / "truth.jsonl")
    print(f"{len(lines)} deliveries")


if __name__ == "__main__":
    main()
