"""The part of the dependency graph that is looked at when suspects are weighed, on small integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``out[i]`` are the nodes that i depends on, ``inn[i]`` those that depend on it; ``symptoms`` where it shows."""

    names: tuple[str, ...]
    out: tuple[tuple[int, ...], ...]
    inn: tuple[tuple[int, ...], ...]
    symptoms: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def known(self) -> bool:
        """Whether any dependency is known."""
        return any(self.out)

    def measured_below(self, node: int, measured: Mapping[int, float]) -> set[int]:
        """The nearest measured nodes that a node depends on, through those that tell nothing."""
        found: set[int] = set()
        seen, waiting = {node}, [node]
        while waiting:
            for other in self.out[waiting.pop()]:
                if other in seen:
                    continue
                seen.add(other)
                if other in measured:
                    found.add(other)
                else:
                    waiting.append(other)
        return found

    def distances(self) -> dict[int, int]:
        """Steps from the nearest symptom along dependencies; nodes that no symptom depends on are left out."""
        found = dict.fromkeys(self.symptoms, 0)
        ring: Iterable[int] = self.symptoms
        while ring:
            reached = {other for node in ring for other in self.out[node] if other not in found}
            steps = max(found.values()) + 1
            found.update(dict.fromkeys(reached, steps))
            ring = reached
        return found

    def path(self, entity: str) -> tuple[str, ...]:
        """The shortest way from an entity to a symptom that depends on it; the entity alone when there is none."""
        goal = self.names.index(entity)
        led: dict[int, int] = {}
        ring: list[int] = list(self.symptoms)
        while ring and goal not in led:
            reached = []
            for node in ring:
                for other in self.out[node]:
                    if other not in led and other not in self.symptoms:
                        led[other] = node
                        reached.append(other)
            ring = reached
        steps = [goal]
        while steps[-1] in led:
            steps.append(led[steps[-1]])
        return tuple(self.names[step] for step in steps)
