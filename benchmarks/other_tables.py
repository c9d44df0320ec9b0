"""Another set of tables for the storm generator, from a seed: so that quell is scored on tables that nobody tuned on.

    python benchmarks/other_tables.py --seed 7 --out DIR
    python benchmarks/storm.py --config DIR --seeds 11-13

Alert rules get other names and summaries (`other_names.json`; some say nothing at all), other hold times, severities,
tools and odds of firing. Trouble travels with other probabilities and after other delays. Every node of every
topology has another name, namespace, cluster, team and address, and large estates are laid out anew. What is left is
the generator's own vocabulary: kinds of nodes and edges, faults, formats. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path
from typing import Any

STORM = Path(__file__).resolve().parents[2] / "shared" / "storm"
NAMES = Path(__file__).with_name("other_names.json")
SPREAD_OF_ODDS = 0.5
SPREAD_OF_TIMES = 0.5
OPAQUE = 0.08
"""Share of the rules whose names and summaries tell nothing, as numbers of monitors do."""
OTHER_TOOL = 0.2
OTHER_SEVERITY = 0.15
TOOLS = ("alertmanager", "pagerduty", "cloudevents")
SEVERITIES = ("info", "warning", "error", "critical")
Table = dict[str, Any]
_FIRST = (
    "abacus", "acorn", "agate", "basil", "bison", "bramble", "cactus", "canyon", "clover", "copper", "cricket",
    "dahlia", "dune", "echo", "elm", "fable", "fennel", "fig", "gecko", "ginger", "harp", "heath", "indigo",
    "jasper", "kelp", "lantern", "larch", "lichen", "mango", "mica", "moss", "nettle", "nova", "otter", "pebble",
    "pepper", "plover", "poppy", "quince", "radish", "rook", "rowan", "saddle", "sorrel", "spindle", "tansy",
    "thistle", "tulip", "walnut",
)  # fmt: skip
_SECOND = (
    "hub", "desk", "gate", "board", "shelf", "bridge", "engine", "house", "room", "line", "base", "works", "point",
    "track", "side", "loom", "ring", "stack", "mill", "press", "chart", "vault", "depot", "signal",
)  # fmt: skip


def lognormal(rng: random.Random, spread: float) -> float:
    """A factor around one."""
    return math.exp(rng.gauss(0.0, spread))


def other_odds(rng: random.Random, p: float) -> float:
    """A probability with its odds multiplied by a lognormal factor."""
    p = min(0.98, max(0.02, p))
    odds = p / (1.0 - p) * lognormal(rng, SPREAD_OF_ODDS)
    return round(min(0.97, max(0.03, odds / (1.0 + odds))), 3)


def other_seconds(rng: random.Random, seconds: float) -> float:
    """A time multiplied by a lognormal factor; none stays none."""
    return round(seconds * lognormal(rng, SPREAD_OF_TIMES), 1)


def other_rules(params: Table, rng: random.Random, opaque: float) -> Table:
    """The tables of faults, propagation and alert rules, changed. ``opaque``: share of names that tell nothing."""
    known: dict[str, list[list[str]]] = json.loads(NAMES.read_text())["names"]
    names: dict[str, tuple[str, str]] = {}
    for row in (*params["alerts"], *params["noise"]):
        if row[0] not in names:
            number = f"monitor-{rng.randrange(10_000, 99_999)}"
            choices = known.get(row[0]) or [[number, "Condition of " + number + " holds on {name}."]]
            name, summary = rng.choice(choices)
            if rng.random() < opaque:
                name, summary = number, "Threshold crossed: {name}"
            names[row[0]] = (name, summary)
    tools = {name: rng.choice(TOOLS) for name in names if rng.random() < OTHER_TOOL}
    alerts = []
    for name, kinds, states, p, for_s, severity, via, per_pod, _ in params["alerts"]:
        said = rng.choice(SEVERITIES) if rng.random() < OTHER_SEVERITY else severity
        held = round(other_seconds(rng, for_s) / 5.0) * 5
        new, summary = names[name]
        odds = other_odds(rng, p)
        alerts.append([new, kinds, states, odds, held, said, tools.get(name, via), per_pod, summary])
    noise = [
        [names[name][0], kinds, for_s, severity, tools.get(name, via), per_pod, other_seconds(rng, lasts),
         round(weight * lognormal(rng, SPREAD_OF_ODDS), 3)]
        for name, kinds, for_s, severity, via, per_pod, lasts, weight in params["noise"]
    ]  # fmt: skip
    travels = [
        [state, edge, way, new, other_odds(rng, p), other_seconds(rng, delay), round(sigma * lognormal(rng, 0.2), 3)]
        for state, edge, way, new, p, delay, sigma in params["propagation"]
    ]
    faults = {
        name: {**fault, "duration": [other_seconds(rng, fault["duration"][0]), fault["duration"][1]]}
        for name, fault in params["faults"].items()
    }
    delivery = {tool: [other_seconds(rng, median), spread] for tool, (median, spread) in params["delivery"].items()}
    return {
        **params, "alerts": alerts, "noise": noise, "propagation": travels, "faults": faults, "delivery": delivery,
    }  # fmt: skip


class Renaming:
    """New words for old ones: the same old word always gets the same new one, and no new one is given twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._new: dict[tuple[str, str], str] = {}
        self._given: set[str] = set()

    def word(self, what: str, old: str, glue: str = "-") -> str:
        """The new word for ``old``, which is a ``what``."""
        found = self._new.get((what, old))
        while found is None:
            candidate = f"{self._rng.choice(_FIRST)}{glue}{self._rng.choice(_SECOND)}"
            if self._rng.random() < 0.5 or candidate in self._given:
                candidate += f"{glue}{self._rng.randrange(2, 99)}"
            if candidate not in self._given:
                found = self._new[what, old] = candidate
                self._given.add(candidate)
        return found

    def node(self, node: Table, number: int) -> Table:
        """A node under another name."""
        places = {"az", "rack"}  # others name them by name, not by id
        old = node["name"] if node["kind"] in places else node["id"]
        new = {**node, "name": self.word(node["kind"], old, "_" if "_" in node["name"] else "-")}
        for what, kind in (("namespace", ""), ("cluster", ""), ("team", ""), ("zone", "az"), ("rack", "rack")):
            if what in node:
                new[what] = self.word(kind or what, node[what])
        new["id"] = "/".join([node["id"].split("/")[0], *filter(None, [new.get("namespace")]), new["name"]])
        if "instance" in node:
            port = node["instance"].rpartition(":")[2]
            by_name = f"{new['name']}.{new.get('namespace', 'none')}.svc:{port}"
            by_address = f"172.{16 + (number >> 16) % 16}.{(number >> 8) & 255}.{number & 255}:{port}"
            new["instance"] = by_name if node["kind"] != "host" else by_address
        return new


def other_topology(topology: Table, renaming: Renaming, first: int) -> Table:
    """A topology of the same shape in which every name is another. ``first`` numbers its first node, for addresses."""
    nodes, ids = [], {}
    for number, node in enumerate(topology["nodes"], start=first):
        new = renaming.node(node, number)
        nodes.append(new)
        ids[node["id"]] = new["id"]
    edges = [{**edge, "src": ids[edge["src"]], "dst": ids[edge["dst"]]} for edge in topology["edges"]]
    return {**topology, "nodes": nodes, "edges": edges}


def other_presets(presets: Table, rng: random.Random) -> Table:
    """The presets with large estates laid out anew: other seeds, widths, depths and fan-outs of the same size."""
    # Of one estate there is one new layout, though presets share it.
    layouts: dict[str, Table] = {}

    def layout(told: Table) -> Table:
        return layouts.setdefault(
            json.dumps(told, sort_keys=True),
            {
                **told,
                "seed": rng.randrange(1000, 9999),
                "cluster": rng.choice(_FIRST),
                "domain_size": max(12, round(told.get("domain_size", 32) * lognormal(rng, 0.3))),
                "depth": rng.choice((4, 5, 6)),
                "fanout_alpha": round(1.8 * lognormal(rng, 0.1), 3),
                "cross_domain": round(0.12 * lognormal(rng, 0.4), 3),
            },
        )

    changed = {}
    for name, preset in presets["presets"].items():
        topology = dict(preset["topology"])
        large = topology.get("layered")
        if large:
            topology["layered"] = [layout(each) for each in large] if isinstance(large, list) else layout(large)
        changed[name] = {**preset, "topology": topology}
    return {**presets, "presets": changed}


def write(storm: Path, seed: int, out: Path, opaque: float = OPAQUE) -> None:
    """Writes params.json, presets.json and topologies/ into ``out``. Each part has a stream of numbers of its own."""
    (out / "topologies").mkdir(parents=True, exist_ok=True)
    params = json.loads((storm / "config" / "params.json").read_text())
    presets = json.loads((storm / "config" / "presets.json").read_text())
    made = {
        "params.json": other_rules(params, random.Random(f"rules {seed}"), opaque),
        "presets.json": other_presets(presets, random.Random(f"presets {seed}")),
    }
    renaming = Renaming(random.Random(f"names {seed}"))
    for count, path in enumerate(sorted((storm / "topologies").glob("*.json"))):
        made[f"topologies/{path.name}"] = other_topology(json.loads(path.read_text()), renaming, 1000 * count)
    for name, table in made.items():
        (out / name).write_text(json.dumps(table, indent=1) + "\n")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--storm", type=Path, default=STORM, help="the generator's folder")
    parser.add_argument("--opaque", type=float, default=OPAQUE, help="share of rules whose names tell nothing")
    given = parser.parse_args()
    write(given.storm, given.seed, given.out, given.opaque)
    print(f"{given.out}: tables of seed {given.seed}; python benchmarks/storm.py --config {given.out} --seeds 11-13")


if __name__ == "__main__":
    main()
