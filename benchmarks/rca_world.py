"""A made-up estate and what befalls it: random call graphs, traffic, queues, and one fault in one place.

Nothing here knows how anything will be measured or ranked; `rca_made` turns what happened into cases.

Requests come in at one to three entries, follow the calls (i calls j ``calls[i, j]`` times a request), wait in line
where a processor is busy, wait for what they call, and fail as what they call fails. Users who wait longer come less
often, requests under way take memory and sockets, and who fails early does not call on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FAULTS = ("cpu", "mem", "disk", "delay", "loss", "error", "crash", "code", "socket")
DAY_S = 86400.0
THINK_S = 4.0
TIMEOUT_S = 8.0
MOST_QUEUE = 12.0
ROUNDS = 3


@dataclass
class Estate:
    """``calls[i, j]`` calls of j for a request at i (i < j); ``own_s`` of work each; ``users`` a second at entries."""

    calls: Floats
    own_s: Floats
    cores: Floats
    users: Floats
    together: NDArray[np.bool_]
    passes_on: Floats
    memory: Floats
    idle: Floats
    fails: Floats
    size: int

    def visits(self, users: Floats, calls: Floats | None = None) -> Floats:
        """Requests a second at every service, by time."""
        found = users.copy()
        for node in range(1, self.size):
            found[:, node] += (found * (self.calls if calls is None else calls)[:, node]).sum(axis=1)
        return found


@dataclass
class Happened:
    """By time and service; ``seen`` is what callers wait, ``wait`` what the service itself measures, both seconds."""

    times: Floats
    load: Floats
    wait: Floats
    seen: Floats
    tail: Floats
    fails: Floats
    cpu: Floats
    memory: Floats
    disk: Floats
    sockets: Floats
    network: Floats
    drops: Floats


def estate(random: np.random.Generator, size: int) -> Estate:
    """A random one: mostly a tree with shared services and stores, one to three entries, traffic of all sizes."""
    calls = np.zeros((size, size))
    entries = 1 + int(random.random() < 0.3) + int(random.random() < 0.1)
    for node in range(1, size):
        if node < entries:
            continue
        deep = random.random() < 0.5
        parent = int(random.integers(max(0, node - 6) if deep else 0, node))
        calls[parent, node] = np.clip(random.lognormal(-0.5, 0.7), 0.05, 3.0)
        while random.random() < 0.3:
            calls[int(random.integers(0, node)), node] = np.clip(random.lognormal(-0.7, 0.8), 0.03, 3.0)
    users = np.zeros(size)
    users[:entries] = random.lognormal(3.0, 1.0, entries)
    users[0] = max(users[0], 10.0)
    made = Estate(
        calls=calls,
        own_s=random.lognormal(-5.2, 1.0, size),
        cores=np.ones(size),
        users=users,
        together=random.random(size) < 0.3,
        passes_on=np.where(random.random((size, size)) < 0.25, 0.0, random.uniform(0.5, 1.0, (size, size))),
        memory=random.lognormal(19.0, 0.8, size),
        idle=random.lognormal(-4.0, 0.7, size),
        fails=np.where(random.random(size) < 0.25, random.uniform(0.0, 0.01, size), 0.0),
        size=size,
    )
    busy = made.visits(made.users[None, :])[0] * made.own_s
    made.cores = np.maximum(busy / random.uniform(0.05, 0.5, size), 0.05)
    return made


@dataclass(frozen=True)
class Fault:
    """What befalls which service, and how badly (about 0.3 to 3)."""

    kind: str
    node: int
    size: float


@dataclass
class Struck:
    """By time and service what a fault does: seconds of own work, more on every way to and from, failures, down."""

    own: Floats
    way: Floats
    fails: Floats
    down: Floats
    fault: Fault | None
    on: Floats


class World:
    """One estate through time."""

    def __init__(self, random: np.random.Generator, size: int) -> None:
        self.random = random
        self.estate = estate(random, size)
        self.phase = random.uniform(0.0, DAY_S)
        self.swing = random.choice([0.0, 0.2, 0.5])
        self.rough = random.uniform(0.03, 0.15)

    def place(self) -> int:
        """Where a fault may show at all: somewhere with traffic."""
        from_users = self.estate.visits(np.eye(self.estate.size)[:1])[0]
        busy = np.flatnonzero((self.estate.visits(self.estate.users[None, :])[0] > 0.2) & (from_users > 0))
        return int(self.random.choice(busy))

    def run(self, times: Floats, fault: Fault | None, on: Floats) -> Happened:
        """What happens at these times; the fault is in force to the degree of ``on`` (0 to 1)."""
        users = self._users(times)
        struck = self._struck(fault, on)
        calm = self._struck(None, on)
        usual = self._waits(self._flow(users, self._early(calm)), calm)[0][:, 0]
        share = np.ones(len(times))
        for _ in range(ROUNDS):
            load = self._flow(users * share[:, None], self._early(struck))
            wait, seen = self._waits(load, struck)
            share = (THINK_S + usual) / (THINK_S + np.minimum(wait[:, 0], 4 * TIMEOUT_S))
        return self._measured(times, load, (wait, seen, self._fails(struck, seen)), struck)

    def _users(self, times: Floats) -> Floats:
        """Traffic at each entry: the hour of the day and what wanders."""
        step = float(np.median(np.diff(times))) if len(times) > 1 else 60.0
        keep = float(np.exp(-step / 300.0))
        noise = self.random.normal(0.0, self.rough * np.sqrt(1 - keep * keep), (len(times), 1))
        for at in range(1, len(times)):
            noise[at] += keep * noise[at - 1]
        day = 1.0 + self.swing * np.sin(2 * np.pi * (times + self.phase) / DAY_S)
        return np.asarray(self.estate.users[None, :] * day[:, None] * np.exp(noise))

    def _struck(self, fault: Fault | None, on: Floats) -> Struck:
        count, size = len(on), self.estate.size
        own = np.tile(self.estate.own_s, (count, 1))
        way, down = np.zeros((count, size)), np.zeros((count, size))
        fails = np.tile(self.estate.fails, (count, 1))
        if fault is None:
            return Struck(own, way, fails, down, None, on)
        node, much = fault.node, fault.size
        typical = float(np.median(self.estate.own_s))
        if fault.kind == "cpu":
            own[:, node] *= 1.0 + on * 3.0 * much
        elif fault.kind == "mem":
            own[:, node] *= 1.0 + on * 0.4 * much
        elif fault.kind == "disk":
            own[:, node] += on * 10.0 * typical * much
        elif fault.kind == "delay":
            way[:, node] = on * 0.15 * much
        elif fault.kind == "loss":
            way[:, node] = on * 0.05 * much
            fails[:, node] += on * 0.04 * much
        elif fault.kind == "socket":
            own[:, node] *= 1.0 + on * 0.8 * much
            fails[:, node] += on * 0.03 * much
        elif fault.kind in {"error", "code"}:
            fails[:, node] += on * min(0.9, 0.25 * much)
        elif fault.kind == "crash":
            down[:, node] = on * (1.0 if much > 0.8 else 0.5)
        return Struck(own, way, np.minimum(fails, 1.0), down, fault, on)

    def _early(self, struck: Struck) -> Floats:
        """The share of a service's requests that get as far as calling on."""
        return np.asarray((1.0 - 0.8 * struck.fails) * (1.0 - struck.down))

    def _flow(self, users: Floats, early: Floats) -> Floats:
        found = users.copy()
        for node in range(1, self.estate.size):
            found[:, node] += ((found * early) * self.estate.calls[:, node]).sum(axis=1)
        return found

    def _waits(self, load: Floats, struck: Struck) -> tuple[Floats, Floats]:
        """Seconds as each service measures them and as its callers do."""
        own, way, fails, down, fault = struck.own, struck.way, struck.fails, struck.down, struck.fault
        size = self.estate.size
        room = np.tile(self.estate.cores, (len(load), 1))
        if fault is not None and fault.kind == "cpu":
            room[:, fault.node] *= 1.0 - np.clip(0.5 * fault.size, 0.0, 0.7) * struck.on
        full = np.clip(load * self.estate.own_s / room, 0.0, 0.98)
        line = np.minimum(full * full / (1.0 - full), MOST_QUEUE)
        wait, seen = np.zeros_like(load), np.zeros_like(load)
        for node in reversed(range(size)):
            below = np.flatnonzero(self.estate.calls[node])
            rest = np.zeros(len(load))
            if len(below):
                parts = self.estate.calls[node, below] * (seen[:, below] + way[:, [node]])
                rest = parts.max(axis=1) if self.estate.together[node] else parts.sum(axis=1)
            got = 1.0 - 0.7 * fails[:, node]
            wait[:, node] = np.minimum(own[:, node] * (1.0 + line[:, node]) * got + rest * got, TIMEOUT_S)
            seen[:, node] = np.minimum(
                (wait[:, node] + way[:, node]) * (1 - down[:, node]) + 0.001 * down[:, node], TIMEOUT_S
            )
        return wait, seen

    def _fails(self, struck: Struck, seen: Floats) -> Floats:
        """Failures of each service as its callers see them."""
        fails, down = struck.fails, struck.down
        found = np.zeros_like(fails)
        for node in reversed(range(self.estate.size)):
            below = np.flatnonzero(self.estate.calls[node])
            good = (1.0 - fails[:, node]) * (1.0 - down[:, node]) * (1.0 - 0.8 * (seen[:, node] >= TIMEOUT_S))
            for other in below:
                part = self.estate.passes_on[node, other] * min(1.0, self.estate.calls[node, other])
                good = good * (1.0 - part * found[:, other])
            found[:, node] = 1.0 - good
        return found

    def _measured(self, times: Floats, load: Floats, told: tuple[Floats, Floats, Floats], struck: Struck) -> Happened:
        """Resources, with the noise of machines: walks, collections, jobs by the clock at innocent places."""
        wait, seen, fails = told
        down, fault, on = struck.down, struck.fault, struck.on
        random, size, count = self.random, self.estate.size, len(times)
        served = load * (1.0 - down)
        under_way = served * wait
        cpu = served * self.estate.own_s + self.estate.idle
        cpu = cpu * np.exp(random.normal(0.0, 0.08, cpu.shape))
        for node in np.flatnonzero(random.random(size) < 0.2):  # jobs by the clock
            every, at = random.uniform(300.0, 1800.0), random.uniform(0.0, 1800.0)
            cpu[:, node] += ((times + at) % every < 0.1 * every) * self.estate.cores[node] * random.uniform(0.1, 0.5)
        walk = np.cumsum(random.normal(0.0, 0.002, (count, size)), axis=0)
        memory = self.estate.memory * (1.0 + 0.03 * np.tanh(walk)) + 2e5 * under_way
        disk = random.lognormal(10.0, 1.0, size) * np.exp(random.normal(0.0, 0.3, cpu.shape)) + 500.0 * served
        sockets = random.integers(5, 60, size) + np.ceil(3.0 * under_way)
        network = random.lognormal(7.0, 0.8, size) * served * np.exp(random.normal(0.0, 0.05, cpu.shape)) + 100.0
        drops = np.zeros_like(cpu)
        tail = np.full_like(cpu, 1.0)
        if fault is not None:
            node, much = fault.node, fault.size
            if fault.kind == "cpu":
                cpu[:, node] += on * self.estate.cores[node] * random.uniform(0.5, 0.9)
            elif fault.kind == "mem":
                ramp = np.clip(np.cumsum(on) / max(1.0, 0.5 * on.sum()), 0.0, 1.0) if random.random() < 0.6 else on
                memory[:, node] += ramp * self.estate.memory[node] * random.uniform(0.4, 2.0) * much
                cpu[:, node] += on * self.estate.cores[node] * random.uniform(0.0, 0.3)
            elif fault.kind == "disk":
                disk[:, node] += on * disk[:, node].mean() * random.uniform(3.0, 30.0) * much
                cpu[:, node] += on * self.estate.cores[node] * random.uniform(0.0, 0.2)
            elif fault.kind == "loss":
                drops[:, node] += on * served[:, node] * random.uniform(0.5, 2.0)
                tail[:, node] += on * 2.0
            elif fault.kind == "socket":
                sockets[:, node] = sockets[:, node] + np.ceil(on * random.uniform(2.0, 10.0) * sockets[:, node].mean())
        left = 1.0 - 0.97 * down
        return Happened(
            times, served, wait, seen, tail, fails, cpu * left, memory * left, disk * left, sockets * left,
            network * left, drops,
        )  # fmt: skip


def case_random(seed: int, shape: str) -> np.random.Generator:
    """The same for the same seed and shape, on every machine."""
    return np.random.default_rng([seed, *shape.encode()])
