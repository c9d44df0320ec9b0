"""Failures made up from a seed: a small estate, its metrics, a fault in one place, and names that say nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

START = 1_700_000_040.0
MINUTE = 60.0
BEFORE, AFTER = 60, 6
WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "islet", "jade", "knoll", "larch")


@dataclass
class Case:
    """A failure as `benchmarks/rca.py` takes it; ``cause`` is for the test only."""

    nodes: list[str]
    edges: list[tuple[str, str]]
    metrics: pd.DataFrame
    normal: pd.DataFrame
    start_time: float
    alert: dict[str, Any]
    cause: str
    logs: pd.DataFrame | None = None
    traces: pd.DataFrame | None = None
    events: pd.DataFrame | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Estate:
    """A tree of calls with a few more edges, and what each service does in a quiet minute."""

    def __init__(self, seed: int, size: int = 10) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes = list(self.random.permutation(WORDS)[:size])
        parents = {child: int(self.random.integers(max(0, child - 3), child)) for child in range(1, size)}
        pairs = {(parent, child) for child, parent in parents.items()}
        for child in range(3, size):
            if self.random.random() < 0.3:
                pairs.add((int(self.random.integers(0, child)), child))
        self.pairs = sorted(pairs)
        self.load = np.zeros(size)
        self.load[0] = 300.0
        for node in range(1, size):
            self.load[node] = sum(self.load[above] for above, below in self.pairs if below == node) * 0.6
        self.own_s = self.random.uniform(0.003, 0.02, size)

    def seconds(self, own_s: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """How long a request takes at each node with all that it calls (0.6 calls of each callee per request)."""
        took = own_s.copy()
        for node in reversed(range(len(self.nodes))):
            took[node] += sum(0.6 * took[below] for above, below in self.pairs if above == node)
        return took

    def case(self, fault: str, node: int, *, size: float = 1.0) -> Case:
        """A case in which ``fault`` befalls a node: slow, busy, leak or failing."""
        times = START + MINUTE * np.arange(-BEFORE, AFTER)
        columns: dict[tuple[str, str], np.ndarray[Any, Any]] = {}
        hit = times >= START
        slower = np.zeros(len(self.nodes))
        slower[node] = {"slow": 0.3, "busy": 0.1}.get(fault, 0.0) * size
        quiet, loud = self.seconds(self.own_s), self.seconds(self.own_s + slower)
        failed = np.zeros(len(self.nodes))
        if fault == "failing":
            for at in self._above(node):
                failed[at] = 0.3 * self.load[node] / max(self.load[at], self.load[node])
        for at, name in enumerate(self.nodes):
            noise = self.random.lognormal(0.0, 0.1, (5, len(times)))
            load = self.load[at] * noise[0]
            columns[name, "requests"] = load
            columns[name, "latency_p90"] = np.where(hit, loud[at], quiet[at]) * noise[1]
            columns[name, "errors"] = np.where(hit, failed[at], 0.0) * load + self.random.poisson(0.3, len(times))
            busy = 80.0 * size if fault == "busy" and at == node else 0.0
            columns[name, "cpu"] = (5.0 + 10.0 * self.random.random()) * noise[2] + np.where(hit, busy, 0.0)
            leak = 3.0 * size if fault == "leak" and at == node else 0.0
            columns[name, "memory"] = 1e8 * noise[3] ** 0.2 * (1.0 + leak * np.clip(times - START, 0, None) / 300.0)
        frame = pd.DataFrame(columns, index=pd.Index(times, name="time"))
        frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["node", "metric"])
        window = frame[frame.index >= START - 5 * MINUTE]
        return Case(
            nodes=sorted(self.nodes),
            edges=sorted((self.nodes[above], self.nodes[below]) for above, below in self.pairs),
            metrics=window,
            normal=frame[frame.index < START - 5 * MINUTE],
            start_time=START,
            alert={"node": self.nodes[0], "metric": None, "statistic": None, "direction": 1},
            cause=self.nodes[node],
        )

    def _above(self, node: int) -> set[int]:
        found, waiting = {node}, [node]
        while waiting:
            here = waiting.pop()
            more = {above for above, below in self.pairs if below == here} - found
            found |= more
            waiting += more
        return found


def renamed(case: Case, seed: int) -> Case:
    """The same failure in an estate with other names, told in another order."""
    names = np.random.default_rng(seed).permutation(len(case.nodes))
    to = {name: f"n{number:02d}" for name, number in zip(case.nodes, names, strict=True)}

    def frame(told: pd.DataFrame) -> pd.DataFrame:
        out = told.copy()
        out.columns = pd.MultiIndex.from_tuples([(to[node], metric) for node, metric in told.columns])
        return out[sorted(out.columns)]

    def rows(told: pd.DataFrame | None) -> pd.DataFrame | None:
        if told is None:
            return None
        return told.assign(
            **{
                name: told[name].map(lambda node: to.get(node, node))
                for name in ("node", "caller", "callee")
                if name in told
            }
        )

    return Case(
        nodes=sorted(to.values()),
        edges=sorted((to[above], to[below]) for above, below in case.edges),
        metrics=frame(case.metrics),
        normal=frame(case.normal),
        start_time=case.start_time,
        alert={**case.alert, "node": to[case.alert["node"]]},
        cause=to[case.cause],
        logs=rows(case.logs),
        traces=rows(case.traces),
        events=rows(case.events),
    )
