"""A month of alerts as an ordinary estate sends them: the same every time for the same seed.

Most events say again what is known: Prometheus sends a firing alert about once in four minutes until it is over. Some
alerts fire for days, some flap all month, single ones come and go, and once or twice a day something breaks and up to
160 alerts fire within minutes.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, DependencyRecord, EntityRecord

DAY_S = 86_400.0
START = 1_772_323_200.0
"""2026-03-01, a Sunday."""
REPEAT_S = 240.0
TIMEOUT_S = 300.0
SYSTEM = 10
BATCH_S = 5.0
"""What falls into so many seconds comes as one delivery."""
FLAPPERS, CHRONIC = 60, 40
"""Of 30,000 events a day: with fewer there are fewer of these."""
_RULES = (
    "HighErrorRate", "HighLatency", "PodCrashLooping", "CpuThrottling", "MemoryNearLimit", "QueueGrows", "DiskFills",
    "ReplicaLag", "CertificateExpires", "SaturatedPool", "JobFailed", "SlowQueries", "BudgetBurns", "TargetDown",
)  # fmt: skip


@dataclass(slots=True)
class Estate:
    """Systems of ten services that know nothing of each other: each service needs two others and runs on a host."""

    systems: int = 60
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [f"svc-{n:03}" for n in range(SYSTEM * self.systems)]

    def host(self, number: int) -> str:
        """Where a service runs."""
        return f"node-{number // SYSTEM:02}-{number % 3}"

    def needed_by(self, number: int) -> list[int]:
        """The services that need one directly."""
        first = number - number % SYSTEM
        return [other for other in (number - 1, number - 3) if other >= first]

    def records(self) -> Iterator[AnyRecord]:
        """Entities and dependencies."""
        told = {"at": START, "seen": START, "source": "topology"}
        for number, name in enumerate(self.names):
            yield EntityRecord(entity=f"service/{name}", labels={"namespace": f"team-{number % 12}"}, **told)
            yield DependencyRecord(from_=f"service/{name}", to=f"host/{self.host(number)}", type="runs_on", **told)
            for other in self.needed_by(number):
                from_ = f"service/{self.names[other]}"
                yield DependencyRecord(from_=from_, to=f"service/{name}", type="calls", **told)


@dataclass(frozen=True, slots=True, order=True)
class Firing:
    """One alert of a service that fires from ``start`` to ``end``."""

    start: float
    end: float
    service: int
    rule: str
    pod: int


class Month:
    """``per_day`` events, about: single firings fill up what flappers, long ones and storms leave."""

    def __init__(self, seed: int, days: int, per_day: int) -> None:
        self.estate = Estate()
        self.days = days
        self._per_day = per_day
        self._chance = random.Random(seed)
        chance = self._chance
        self._flappers = [
            (self._alert(), chance.uniform(300, 1500), chance.uniform(900, 5400))
            for _ in range(FLAPPERS * per_day // 30_000)
        ]
        self._told = 0

    def _alert(self) -> tuple[int, str, int]:
        chance = self._chance
        return chance.randrange(len(self.estate.names)), chance.choice(_RULES), chance.randrange(6)

    def _day(self, start: float) -> list[Firing]:
        chance, firings = self._chance, []
        for alert, on_s, off_s in self._flappers:
            at = start + chance.uniform(0, off_s)
            while at < start + DAY_S:
                end = at + on_s * chance.uniform(0.5, 1.5)
                firings.append(Firing(at, end, *alert))
                at = end + off_s * chance.uniform(0.5, 1.5)
        for _ in range(CHRONIC * self._per_day // 60_000):  # each for two days, on average
            at = start + chance.uniform(0, DAY_S)
            firings.append(Firing(at, at + chance.uniform(0.5, 3.5) * DAY_S, *self._alert()))
        for _ in range(chance.choice([1, 1, 2])):
            firings += self._storm(start + chance.uniform(0, DAY_S))
        events = sum(map(_events, firings))
        while events < self._per_day:
            at = start + chance.uniform(0, DAY_S)
            firing = Firing(at, at + chance.expovariate(1 / 1500.0) + 30.0, *self._alert())
            firings.append(firing)
            events += _events(firing)
        return firings

    def _storm(self, at: float) -> Iterator[Firing]:
        """A service breaks; what needs it follows, and all of it is over within the hour."""
        chance = self._chance
        hit = [chance.randrange(len(self.estate.names))]
        for number in hit:
            hit += [other for other in self.estate.needed_by(number) if other not in hit]
        over = at + chance.uniform(900, 3600)
        for step, service in enumerate(hit):
            for rule in chance.sample(_RULES, 4):
                for pod in range(4):
                    start = at + step * 20.0 + chance.uniform(0, 60)
                    yield Firing(start, max(over + chance.uniform(-300, 300), start + 60), service, rule, pod)

    def deliveries(self) -> Iterator[tuple[float, list[AnyRecord]]]:
        """What arrives, with the time, in order."""
        yield START, list(self.estate.records())
        waiting: list[tuple[float, int, Firing]] = []
        number = 0
        for day in range(self.days):
            begin = START + day * DAY_S
            for firing in sorted(self._day(begin)):
                heapq.heappush(waiting, (firing.start, number, firing))
                number += 1
            changes = sorted(begin + self._chance.uniform(0, DAY_S) for _ in range(40))
            yield from self._until(begin + DAY_S, waiting, changes)

    def _until(
        self, end: float, waiting: list[tuple[float, int, Firing]], changes: list[float]
    ) -> Iterator[tuple[float, list[AnyRecord]]]:
        while waiting and waiting[0][0] < end:
            until = (waiting[0][0] // BATCH_S + 1) * BATCH_S
            records: list[AnyRecord] = []
            while changes and changes[0] < until:
                records.append(self._change(changes.pop(0), until))
            while waiting and waiting[0][0] < until:
                at, number, firing = heapq.heappop(waiting)
                records.append(self._record(firing, at, until))
                if at < firing.end:
                    heapq.heappush(waiting, (min(at + REPEAT_S, firing.end), number, firing))
            yield until, records

    def _record(self, firing: Firing, at: float, seen: float) -> AlertRecord:
        self._told += 1
        name = self.estate.names[firing.service]
        firing_still = at < firing.end
        pod = f"{name}-7d9f8b6c5-{firing.pod:05x}"
        return AlertRecord(
            at=at,
            seen=seen,
            source="alertmanager",
            id=f"d{self._told:x}",
            status="firing" if firing_still else "resolved",
            labels={
                "alertname": firing.rule,
                "severity": "critical" if len(firing.rule) % 3 == 0 else "warning",
                "service": name,
                "namespace": f"team-{firing.service % 12}",
                "pod": pod,
                "instance": f"10.4.{firing.service}.{firing.pod}:9100",
                "node": self.estate.host(firing.service),
                "cluster": "prod-eu-1",
                "job": f"{name}-metrics",
                "prometheus": "monitoring/k8s",
            },
            annotations={
                "summary": f"{firing.rule} of {name}",
                "description": f"{firing.rule}: {pod} is at {self._chance.uniform(50, 100):.2f} % for 10 minutes "
                f"(limit 80 %), see the dashboard of {name}.",
                "runbook_url": f"https://runbooks.example.com/{firing.rule}",
            },
            starts_at=firing.start,
            ends_at=seen + TIMEOUT_S if firing_still else at,
            timeout=firing_still,
            url=f"https://prometheus.example.com/graph?g0.expr=rate%28errors_total%7Bservice%3D%22{name}%22%7D%5B5m%5D"
            "%29+%3E+0.05&g0.tab=1",
        )

    def _change(self, at: float, seen: float) -> ChangeRecord:
        self._told += 1
        name = self._chance.choice(self.estate.names)
        return ChangeRecord(
            at=at, seen=seen, source="ci", id=f"c{self._told:x}", type="deploy", entity=f"service/{name}",
            revision=f"v{self._told}", author="ada", summary=f"{name}: release {self._told}",
        )  # fmt: skip


def _events(firing: Firing) -> int:
    return int((firing.end - firing.start) // REPEAT_S) + 2
