"""Made-up failures as `rca_eval` cases: an estate (`rca_world`) with one fault, seen in one way (`rca_shapes`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rca_eval.case import Case, Truth, wide

from rca_shapes import DIALECTS, Shape, Told
from rca_world import Fault, Floats, Happened, World, case_random

START = 1_700_000_040.0
MINUTE_S = 60.0
DAY_S = 86400.0
UNITS = (1.0, 1e3, 1e6, 1e9)
LEAST_SHOWN = 1.1
"""Where the alert is on latency, the entry waits so many times as long."""
CALL_COLUMNS = (
    "time", "caller", "callee", "operation", "count", "mean_ms", "p50_ms", "p90_ms", "max_ms", "net_p90_ms", "phase",
)  # fmt: skip
LINE_COLUMNS = ("time", "node", "level", "template", "count", "traces", "sample", "phase")


@dataclass
class View:
    """What happened in a world and how it is looked at; ``on`` is where the fault is in force."""

    shape: Shape
    world: World
    seen: Happened
    names: Sequence[str]
    random: np.random.Generator
    fault: Fault
    on: Floats


def made(shape: Shape, seed: int) -> Case:
    """The case of a shape and a seed."""
    random = case_random(seed, shape.name)
    size = int(random.integers(shape.sizes[0], shape.sizes[1] + 1))
    world = World(random, size)
    kind = str(shape.faults[seed % len(shape.faults)])
    fault = Fault(kind, world.place(), float(random.uniform(0.5, 3.0)))
    names = [f"svc-{token:03x}" for token in random.permutation(4000)[:size]]
    steps = np.arange(-shape.before, shape.after)
    times = START + shape.step_s * steps
    on = (times >= START).astype(float)
    view = View(shape, world, world.run(times, fault, on), names, random, fault, on)
    normal, metrics = _frames(view, steps >= -2)
    causes, nodes, edges = [names[fault.node]], list(names), _edges(view)
    if shape.pods:
        pods = Pods(view, metrics)
        causes, nodes, metrics = pods.causes, [*names, *pods.nodes], pods.frame()
        edges, normal = sorted({*edges, *pods.edges}), metrics.iloc[:0]
    alert = _alert(view)
    start = START + float(random.uniform(-shape.late_s, shape.late_s))
    order = random.permutation(len(nodes))
    return Case(
        id=f"{shape.name}/{seed}",
        dataset="made",
        system="made",
        scenario=shape.name,
        nodes=[nodes[at] for at in order],
        edges=edges,
        metrics=metrics,
        normal=normal,
        start_time=start,
        alert=alert,
        logs=_logs(view) if shape.logs else None,
        traces=_traces(view) if shape.traces else None,
        events=_events(view) if shape.changes else None,
        truth=Truth(nodes=tuple(causes), fault_type=kind),
    )


def _frames(view: View, late: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The reference and the window; the reference is empty, or of the day before: then only ``late`` rows are told."""
    if not view.shape.apart:
        frame = _metrics(view)
        return frame.iloc[:0], frame
    times = view.seen.times[~late] - DAY_S
    quiet = np.zeros(len(times))
    normal = _metrics(
        View(view.shape, view.world, view.world.run(times, None, quiet), view.names, view.random, view.fault, quiet)
    )
    part = Happened(*(getattr(view.seen, name)[late] for name in Happened.__dataclass_fields__))
    metrics = _metrics(View(view.shape, view.world, part, view.names, view.random, view.fault, view.on[late]))
    both = [column for column in metrics.columns if column in set(normal.columns)]
    return normal[both], metrics[both]


def _smooth(values: Floats, window: int) -> Floats:
    """The mean of the last so many points."""
    if window <= 1:
        return values
    total = np.cumsum(np.concatenate((np.repeat(values[:1], window, axis=0), values)), axis=0)
    return np.asarray((total[window:] - total[:-window]) / window)


def _quantities(view: View) -> dict[str, Floats]:
    """Everything that a dialect may name, with the chance that comes of counting few requests."""
    shape, seen, random = view.shape, view.seen, view.random
    window = max(1, round(shape.window_s / shape.step_s))
    over_s = max(shape.step_s, shape.window_s)
    count = np.maximum(seen.load * over_s, 0.0)
    wait = seen.seen if shape.callers else seen.wait
    few = 0.5 / np.sqrt(np.maximum(count, 1.0)) + 0.02
    load = random.poisson(np.maximum(seen.load * shape.step_s, 0.0)) / shape.step_s
    errors = random.poisson(np.maximum(seen.load, 0.02 * seen.fails) * seen.fails * shape.step_s) / shape.step_s
    noise = random.normal(0.0, 1.0, wait.shape)
    heavy = seen.tail

    def latency(factor: float, rough: float, tail: float) -> Floats:
        return np.asarray(wait * factor * (1.0 + (heavy - 1.0) * tail) * np.exp(rough * few * noise))

    found = {
        "mean": latency(1.0, 1.0, 0.5), "p50": latency(0.8, 0.8, 0.1), "p90": latency(1.8, 1.5, 0.7),
        "p95": latency(2.3, 2.0, 1.0), "p99": latency(3.6, 3.0, 1.5), "load": load, "errors": errors,
        "cpu": seen.cpu, "memory": seen.memory, "disk": seen.disk, "sockets": seen.sockets, "network": seen.network,
        "drops": random.poisson(seen.drops * shape.step_s) / shape.step_s,
        "packets": seen.network / 900.0, "cores": np.tile(view.world.estate.cores, (len(load), 1)),
        "threads": np.round(8 + seen.sockets * 0.5), "busy": latency(1.0, 1.0, 0.5) * load,
        "faults": np.maximum(np.diff(seen.memory, axis=0, prepend=seen.memory[:1]) / shape.step_s, 0) / 4096 + load,
        "sum": load * shape.step_s, "out": latency(0.6, 1.0, 0.5),
    }  # fmt: skip
    if window > 1:
        found = {name: _smooth(value, window) for name, value in found.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(found["load"] > 0, np.minimum(found["errors"] / found["load"], 1.0), np.nan)
    found |= {"rate": rate, "success": 1.0 - rate, "answers": 1.0 - 0.5 * rate}
    idle = found["load"] <= 0
    for name in ("mean", "p50", "p90", "p95", "p99"):
        found[name] = np.where(idle, np.nan, found[name])
    return found


def _metrics(view: View) -> pd.DataFrame:
    shape, names, random = view.shape, view.names, view.random
    told = _quantities(view)
    columns: list[tuple[str, str]] = []
    values: list[Floats] = []
    few = DIALECTS[shape.dialect]
    stores = np.flatnonzero(~view.world.estate.calls.any(axis=1))
    mute = set(stores[random.random(len(stores)) < 0.3].tolist()) if "cpu" in {one.what for one in few} else set()
    for node, name in enumerate(names):
        unit = float(random.choice(UNITS)) if shape.mixed_units else 1.0
        for one in few:
            if node in mute and one.what not in {"cpu", "memory", "disk", "network", "sockets"}:
                continue  # a store that nobody measures requests of
            values.append(_one(one, told[one.what][:, node], unit, shape.step_s, random))
            columns.append((name, one.name))
        if shape.versions and (node == view.fault.node or random.random() < 0.3):
            mean = told["mean"][:, node]
            worse = (1.0 + (view.fault.size if node == view.fault.node else 0.0)) * random.lognormal(
                0.0, 0.03, len(mean)
            )
            values += [mean, np.where(view.on > 0, mean * worse, np.nan)]
            columns += [(name, "latency_stable"), (name, "latency_canary")]
    rows = np.array(values)
    if shape.holes:
        rows = np.where(random.random(rows.shape) < shape.holes, np.nan, rows)
    if shape.still:
        stuck = random.random(len(rows)) < shape.still
        stuck &= np.array([column[0] != names[view.fault.node] for column in columns])
        rows[stuck] = np.nan_to_num(rows[stuck][:, :1])
    return pd.DataFrame(rows.T, index=view.seen.times, columns=wide(columns))


def _one(one: Told, values: Floats, unit: float, step_s: float, random: np.random.Generator) -> Floats:
    scaled = values * one.times * (unit if one.what in {"mean", "p50", "p90", "p99"} else 1.0)
    if one.how == "counter":
        scaled = np.cumsum(np.nan_to_num(scaled)) * step_s + float(random.uniform(0, 1e5))
        if random.random() < 0.15:  # a process began anew
            at = int(random.integers(1, len(scaled)))
            scaled[at:] -= scaled[at]
    return scaled


def _edges(view: View) -> list[tuple[str, str]]:
    shape, names, random = view.shape, view.names, view.random
    right = [(int(caller), int(callee)) for caller, callee in np.argwhere(view.world.estate.calls > 0)]
    if shape.graph == "none":
        return []
    if shape.graph == "wrong":
        right = [edge for edge in right if random.random() > 0.2]
        for _ in range(max(1, len(names) // 10)):
            one, other = random.choice(len(names), 2, replace=False).tolist()
            right.append((one, other))
    return sorted({(names[one], names[other]) for one, other in right})


def _alert(view: View) -> dict[str, Any]:
    shape, seen, random, on = view.shape, view.seen, view.random, view.on
    before, after = on == 0, on > 0
    node = 0
    if shape.alert == "near":
        above = np.flatnonzero(view.world.estate.calls[:, view.fault.node])
        node = int(random.choice(above)) if len(above) else view.fault.node
    told = {one.what: one.name for one in DIALECTS[shape.dialect]}
    fails = float(np.median(seen.fails[after, node])) - float(np.median(seen.fails[before, node]))
    slow = float(np.median(seen.seen[after, node])) / float(np.median(seen.seen[before, node]))
    kinds = ("rate", "errors", "success") if fails > 0.01 and slow < LEAST_SHOWN + fails else ("mean", "p90", "p50")
    metric = next((told[kind] for kind in kinds if kind in told), None)
    metric = metric if shape.speaks else None
    return {
        "node": "nowhere" if shape.alert == "nowhere" else view.names[node],
        "metric": metric,
        "statistic": None,
        "direction": -1 if metric and metric == told.get("success") else 1,
    }


class Pods:
    """Services keep their signals of requests; processors and memory are told of pods, and of the hosts they run on.

    A fault strikes one pod of a service or its host; of a service that crashes all pods are gone, and any is right.
    """

    def __init__(self, view: View, metrics: pd.DataFrame) -> None:
        random, names = view.random, view.names
        hosts = [f"host-{token}" for token in random.permutation(900)[: max(2, len(names) // 4)]]
        golden = metrics[[column for column in metrics.columns if column[1] not in {"cpu", "mem"}]]
        self.view, self._index = view, metrics.index
        self._found = {column: golden[column].to_numpy() for column in golden.columns}
        self._use = {host: np.full(len(view.on), 5.0) for host in hosts}
        self._at_host = view.fault.kind in {"cpu", "mem"} and random.random() < 0.3
        self.nodes, self.edges, self.causes = list(hosts), list[tuple[str, str]](), list[str]()
        for node, name in enumerate(names):
            pods = [f"{name}-{token:05x}" for token in random.integers(0, 16**5, int(random.integers(1, 4)))]
            hit = int(random.integers(0, len(pods))) if node == view.fault.node else -1
            for at, pod in enumerate(pods):
                host = str(random.choice(hosts))
                self.edges += [(name, pod), (pod, host)]
                self._pod(node, pod, host, len(pods), struck=at == hit)
            if node == view.fault.node and view.fault.kind == "crash":
                self.causes = [name, *pods]
        self.nodes += [pod for _, pod in self.edges if pod not in self._use]
        for host in hosts:
            self._found[host, "cpu"] = np.minimum(self._use[host], 100.0) * np.exp(random.normal(0, 0.03, len(view.on)))
            self._found[host, "mem"] = 4e9 * np.exp(random.normal(0.0, 0.005, len(view.on)))

    def _pod(self, node: int, pod: str, host: str, count: int, *, struck: bool) -> None:
        view = self.view
        parts = []
        for whole in (view.seen.cpu[:, node] / count, view.seen.memory[:, node] / count):
            more = np.maximum(whole - float(np.median(whole[view.on == 0])), 0.0) * view.on
            share = float(count) if struck and not self._at_host else 0.0
            parts.append(whole + more * (share - 1.0) if node == view.fault.node else whole)
        if struck:
            self.causes = [host if self._at_host else pod]
            self._use[host] = self._use[host] + view.on * (70.0 if self._at_host else 0.0)
        self._use[host] = self._use[host] + parts[0] * 10.0
        self._found[pod, "cpu"] = parts[0] * np.exp(view.random.normal(0.0, 0.05, len(view.on))) * 100.0
        self._found[pod, "mem"] = parts[1]

    def frame(self) -> pd.DataFrame:
        """All metrics."""
        return pd.DataFrame(np.array(list(self._found.values())).T, index=self._index, columns=wide(list(self._found)))


def _minutes(view: View) -> list[tuple[float, str, Any]]:
    minutes = np.floor(view.seen.times / MINUTE_S) * MINUTE_S
    chosen = [minute for minute in np.unique(minutes) if minute >= START - 10 * MINUTE_S][:20]
    found = []
    for minute in chosen:
        mask = minutes == minute
        found.append((float(minute), "abnormal" if view.on[mask].mean() > 0.5 else "normal", mask))
    return found


def _traces(view: View) -> pd.DataFrame:
    rows = []
    fault, names, random = view.fault, view.names, view.random
    for minute, phase, mask in _minutes(view):
        load, wait = view.seen.load[mask].mean(axis=0), view.seen.wait[mask].mean(axis=0)
        hit = phase == "abnormal"
        early = 1.0 - (0.8 * min(0.9, 0.25 * fault.size) if hit and fault.kind in {"error", "code"} else 0.0)
        for callee, name in enumerate(names):
            for caller, per_s in _callers(view, load, callee):
                count = int(random.poisson(per_s * MINUTE_S * (early if caller == fault.node else 1.0)))
                if not count:
                    continue
                rough = float(np.exp(random.normal(0.0, 0.5 / np.sqrt(count) + 0.02)))
                way = 0.001
                if hit and fault.kind in {"delay", "loss"} and fault.node in {caller, callee}:
                    way += (0.15 if fault.kind == "delay" else 0.05) * fault.size
                mean = float(wait[callee]) * rough * 1000.0
                net = way * 1000.0 * rough if caller >= 0 else np.nan
                by = names[caller] if caller >= 0 else ""
                rows.append((minute, by, name, "handle", count, mean, mean * 0.8, mean * 1.8, mean * 4.0, net, phase))
    return pd.DataFrame(rows, columns=list(CALL_COLUMNS))


def _callers(view: View, load: Floats, callee: int) -> list[tuple[int, float]]:
    """Who calls how often a second; -1 are users."""
    estate = view.world.estate
    users = [(-1, float(estate.users[callee]))] if estate.users[callee] > 0 else []
    above = np.flatnonzero(estate.calls[:, callee]).tolist()
    return users + [(caller, float(load[caller] * estate.calls[caller, callee])) for caller in above]


def _logs(view: View) -> pd.DataFrame:
    rows = []
    random = view.random
    lines = [int(random.integers(1, 5)) for _ in view.names]
    for minute, phase, mask in _minutes(view):
        load, fails = view.seen.load[mask].mean(axis=0), view.seen.fails[mask].mean(axis=0)
        for node, name in enumerate(view.names):
            failing = float(fails[node])
            for line in range(lines[node]):
                reached = 1.0 - (0.9 * failing if line == lines[node] - 1 else 0.0)
                count = int(random.poisson(load[node] * MINUTE_S * reached))
                if count:
                    text = f"step {'abcde'[line]} of request done"
                    rows.append((minute, name, "INFO", text, count, count, "", phase))
            count = int(random.poisson(load[node] * MINUTE_S * failing))
            if count and node % 3:
                rows.append((minute, name, "ERROR", "request failed: <*>", count, count, "", phase))
    return pd.DataFrame(rows, columns=list(LINE_COLUMNS))


def _events(view: View) -> pd.DataFrame:
    """A new version where the fault is, and three at random."""
    random, names = view.random, view.names
    rows = [(START - random.uniform(30.0, 900.0), names[view.fault.node], "deployment", "new version")]
    others = random.choice(names, 3).tolist()
    rows += [(START - random.uniform(30.0, 7200.0), name, "deployment", "new version") for name in others]
    return pd.DataFrame(sorted(rows), columns=["time", "node", "kind", "detail"])
