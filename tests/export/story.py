"""Alerts of a small estate that never ends: some fire, some are over, some come again, a few together."""

import random

from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, DependencyRecord

SERVICES = [f"service-{n}" for n in range(12)]


class StoryTeller:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._told = 0

    def record(self, seen: float) -> AnyRecord:
        self._told += 1
        chance, name = self.chance, self.chance.choice(SERVICES)
        common = {"seen": seen, "source": "test", "id": f"r{self._told}"}
        dice = chance.random()
        if dice < 0.05:
            return ChangeRecord(at=seen - 1.0, type="deploy", entity=f"service/{name}", revision="v2", **common)
        if dice < 0.1:
            other = chance.choice(SERVICES)
            return DependencyRecord(at=seen, from_=f"service/{name}", to=f"service/{other}", type="calls", **common)
        status = "resolved" if dice > 0.7 else "firing"
        rule = chance.choice(["HighErrors", "SlowReplies", "QueueGrows"])
        labels = {"alertname": rule, "service": name, "severity": chance.choice(["critical", "warning"])}
        return AlertRecord(
            at=seen - chance.choice([0.0, 0.25, 30.0]),
            status=status,
            labels=labels,
            annotations={"summary": f"{rule} of {name}"},
            starts_at=seen - chance.choice([5.0, 61.5]) if status == "firing" else None,
            ends_at=seen + 300.0 if status == "firing" else seen,
            timeout=status == "firing",
            **common,
        )
