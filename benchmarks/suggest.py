"""How right the dependencies are that quell suggests where a part of the topology is hidden from it.

    python benchmarks/suggest.py DIR... [--storm ../shared/storm]
    python benchmarks/suggest.py --rounds 120 --seeds 1,2,3

Each DIR was made by the storm generator with an incomplete topology; the whole one is built again for comparison. The
second form makes streams of the preset incomplete-topology with more rounds of faults, two hours each. A
suggested dependency is *right* when it is one of the hidden ones, *reaches* when the whole topology leads from one to
the other within three dependencies (the way there is unknown to quell, or it would not have suggested it), and else
wrong. *Seen* are the hidden dependencies whose two ends were in trouble within ten minutes of each other at least
twice: more than that cannot be learned from alerts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from quell.core.suggest import suggested
from quell.model.rulebook import Rulebook
from quell.model.times import parse_time
from quell.replay.deliveries import deliveries_for
from quell.replay.run import replayed
from quell.sdk.registry import load_connectors
from storm import records

Edge = tuple[str, str]
PRESET = "incomplete-topology"


def whole(storm: Path, preset: str) -> dict[str, Any]:
    """The topology of a preset without anything hidden."""
    sys.path.insert(0, str(storm))
    topology = importlib.import_module("topology")
    config = storm / "config"
    presets = json.loads((config / "presets.json").read_text())
    built: dict[str, Any] = topology.build(presets["presets"][preset]["topology"], config)
    return built


def longer(storm: Path, rounds: int, seed: int, into: Path) -> Path:
    """A stream of the preset incomplete-topology with so many rounds of faults."""
    config = into / "config"
    if not config.exists():
        shutil.copytree(storm / "config", config)
        shutil.copytree(storm / "topologies", into / "topologies")
        presets = json.loads((config / "presets.json").read_text())
        presets["presets"][PRESET]["incidents"]["rounds"] = rounds
        (config / "presets.json").write_text(json.dumps(presets))
    folder = into / f"{rounds}-rounds-{seed}"
    subprocess.run(
        [sys.executable, "generate.py", "--preset", PRESET, "--seed", str(seed), "--out", str(folder),
         "--config", str(config)],
        check=True, capture_output=True, cwd=storm, env={"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return folder


def edges_of(topology: dict[str, Any]) -> set[Edge]:
    return {(edge["src"], edge["dst"]) for edge in topology["edges"]}


def reaches(edges: set[Edge], hops: int) -> dict[str, set[str]]:
    """What each node depends on within so many dependencies."""
    out: dict[str, set[str]] = {}
    for one, other in edges:
        out.setdefault(one, set()).add(other)
    found = {name: set(names) for name, names in out.items()}
    for _ in range(hops - 1):
        found = {name: {*names, *(far for near in names for far in out.get(near, ()))} for name, names in found.items()}
    return found


def seen(folder: Path, hidden: set[Edge], within_s: float = 600.0) -> set[Edge]:
    """The hidden dependencies whose ends were in trouble together twice."""
    times: dict[str, list[float]] = {}
    for line in (folder / "truth.jsonl").open():
        row = json.loads(line)
        if row["kind"] == "event" and row["status"] == "firing" and row.get("node"):
            times.setdefault(row["node"], []).append(parse_time(row["at"]) or 0.0)
    found = set()
    for one, other in hidden:
        together: list[float] = []
        for at in sorted(times.get(one, ())):
            near = any(abs(at - there) <= within_s for there in times.get(other, ()))
            if near and (not together or at - together[-1] > 3600.0):
                together.append(at)
        if len(together) >= 2:
            found.add((one, other))
    return found


def main() -> None:
    """One row a folder, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--seeds", default="")
    parser.add_argument("--storm", type=Path, default=Path("../shared/storm"))
    parser.add_argument("--bar", type=float, default=0.0)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    print("| storm | hidden | seen | suggested | right | reaches | wrong way | wrong | precision | recall of seen |")
    print("|---" * 10 + "|")
    total = [0] * 7
    scratch = tempfile.TemporaryDirectory()
    seeds = [int(seed) for seed in given.seeds.split(",") if seed]
    made = [longer(given.storm, given.rounds, seed, Path(scratch.name)) for seed in seeds]
    for folder in (*given.folders, *made):
        preset = json.loads((folder / "meta.json").read_text())["preset"]
        truth = edges_of(whole(given.storm, preset))
        told = edges_of(json.loads((folder / "topology.json").read_text()))
        hidden = truth - told
        reach = reaches(truth, 3)
        engine = replayed(records(folder, deliveries_for((), load_connectors()), {}), Rulebook()).engine
        found = [
            one
            for one in suggested(engine.state, engine.rulebook, to_the_end=True).suggestions
            if one.kind == "dependency" and one.confidence >= given.bar
        ]
        pairs = [(one.rule["from"], one.rule["to"][0]) for one in found]
        right = [pair for pair in pairs if pair in hidden]
        far = [pair for pair in pairs if pair not in hidden and pair[1] in reach.get(pair[0], ())]
        back = [(a, b) for a, b in pairs if (b, a) in hidden or a in reach.get(b, ())]
        visible = seen(folder, hidden)
        row = [len(hidden), len(visible), len(pairs), len(right), len(far), len(back)]
        row.append(len(pairs) - len(right) - len(far) - len(back))
        total = [one + other for one, other in zip(total, row, strict=True)]
        _print(folder.name, row, len(set(right) & visible))
        if given.list:
            for one, pair in zip(found, pairs, strict=True):
                kind = "right" if pair in right else "far" if pair in far else "back" if pair in back else "WRONG"
                print("   ", kind, one.confidence, one.support, one.chance, one.text, one.evidence, file=sys.stderr)
    _print("all", total, total[3])
    scratch.cleanup()


def _print(name: str, row: list[int], right_seen: int) -> None:
    shares = (row[3] / row[2] if row[2] else 0.0, right_seen / row[1] if row[1] else 0.0)
    cells = [str(each) for each in row] + [f"{share:.2f}" for share in shares]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
