"""All evidence on all entities around a symptom, weighed into nats, with the sentences that people read.

Each kind of evidence is worth at most `MOST` nats and they add up, as independent observations do. Two kinds are
weighed against each other first: missing calls and lines and new errors at a node are explained by trouble in what it
calls, and a mix of requests that changed because the caller changed is no fault of the callee. Time and failures were
already freed of what callees explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log1p

from quell.core.evidence.calls import Traffic, failing, missing, traffic, waiting
from quell.core.evidence.impact import impact
from quell.core.evidence.resources import MOST, Finding, moves, resources, shifts, versions
from quell.core.evidence.statements import Told, statements
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import table
from quell.core.evidence.visits import reached
from quell.core.evidence.words import meaning
from quell.model.incident import Evidence
from quell.model.state import Signals

IMPACT = 2.0
"""Nats for each doubling (in natural logarithms) of impact."""
OTHER_SYMPTOM = 0.5
"""Waiting is worth this share when the symptom is failing, and the other way round."""
APART = 1.5
"""Nats against an entity that no symptom depends on."""
FURTHER = 0.01
"""Nats per step from the symptom, so that equals are told apart by where they are and not by their names."""
MOVED = 0.01
"""Nats per unit (in natural logarithms) of the largest move of any metric: a way to tell equals apart, no more."""
LEAST = 0.1
"""Evidence of fewer nats is not worth a sentence."""
MOST_SENTENCES = 4


@dataclass(slots=True)
class Verdict:
    """What telemetry says of one entity: nats in all, and sentences, the weightiest first."""

    nats: float = 0.0
    evidence: list[Evidence] = field(default_factory=list)

    def add(self, code: str, text: str, weight: float) -> None:
        """One more reason."""
        self.nats += weight
        if abs(weight) >= LEAST:
            self.evidence.append(Evidence(code=code, text=text, weight=round(weight, 3)))

    def sentences(self) -> tuple[Evidence, ...]:
        """The weightiest reasons."""
        return tuple(sorted(self.evidence, key=lambda one: (-abs(one.weight), one.text))[:MOST_SENTENCES])


def weigh(
    around: Surroundings, signals: Sequence[Signals | None], began: float, symptoms: Iterable[str]
) -> dict[str, Verdict]:
    """By entity, for trouble that began then; ``symptoms`` are the names of what alerts. Empty: nothing is known."""
    metrics = table(signals, began)
    calls = traffic(signals, around, began)
    logs = statements(signals, calls, began)
    if not metrics.columns and not calls.comparable and not logs:
        return {}
    verdicts = [Verdict() for _ in around.names]
    kinds = {meaning(name).kind for name in symptoms}
    slow_only = kinds == {"wait"}
    fails_only = bool(kinds) and kinds <= {"failure", "success"}
    waits = waiting(calls, around) or impact(metrics, around, "wait")
    _impact(verdicts, waits, "waiting", OTHER_SYMPTOM if fails_only else 1.0)
    failures = impact(metrics, around, "failure")
    for node, found in failing(calls, around).items():
        failures[node] = max(failures.get(node, (0.0, "")), found)
    _impact(verdicts, failures, "failing", OTHER_SYMPTOM if slow_only else 1.0)
    impacts = [verdict.nats for verdict in verdicts]
    for finding in (*resources(metrics), *versions(metrics), *shifts(metrics)):
        _add(verdicts, finding)
    for node, code, text, nats in _code_faults(around, calls, logs, impacts):
        verdicts[node].add(code, text, nats)
    for node, far in moves(metrics).items():
        verdicts[node].nats += MOVED * log1p(far)
    steps = around.distances()
    for node, verdict in enumerate(verdicts):
        if node not in steps:
            verdict.add("apart", "nothing that alerts is known to depend on it", -APART)
        verdict.nats -= FURTHER * log1p(steps.get(node, len(around)))
    return dict(zip(around.names, verdicts, strict=True))


def _add(verdicts: list[Verdict], finding: Finding) -> None:
    verdicts[finding.node].add(finding.code, finding.text, finding.weight)


def _impact(verdicts: list[Verdict], found: dict[int, tuple[float, str]], code: str, worth: float) -> None:
    for node, (nats, text) in found.items():
        verdicts[node].add(code, text, IMPACT * worth * nats)


def _code_faults(
    around: Surroundings, calls: Traffic, logs: dict[int, Told], impacts: list[float]
) -> list[tuple[int, str, str, float]]:
    """What is missing and what complains, less what trouble in callees explains of it."""
    gone = missing(calls)
    size = len(around)
    share = [reached(node, calls.arrivals, calls.minutes) for node in range(size)]
    worst_call = [max(gone.get(node, ()), key=lambda one: one[1], default=(-1, 0.0, "")) for node in range(size)]
    told = [logs.get(node, Told()) for node in range(size)]
    absent = [min(MOST, share[node] * max(worst_call[node][1], told[node].missing[0])) for node in range(size)]
    errors = [min(MOST, told[node].errors[0]) for node in range(size)]
    raw = [min(MOST, one + other) for one, other in zip(absent, errors, strict=True)]
    trouble = [one + other for one, other in zip(raw, impacts, strict=True)]
    found = []
    for node in range(size):
        below = max((trouble[other] for other in around.out[node]), default=0.0)
        nats = max(0.0, raw[node] - below)
        code, text = "missing", worst_call[node][2]
        if told[node].missing[0] > worst_call[node][1]:
            text = told[node].missing[1]
        if errors[node] > absent[node]:
            code, text = "errors", told[node].errors[1]
        # Calls that are not made are not explained by trouble in the very callee that they would have gone to.
        for callee, much, sentence in gone.get(node, ()):
            others = max((trouble[other] for other in around.out[node] if other != callee), default=0.0)
            rest = min(MOST, much * share[node]) - others
            if callee != node and rest > nats:
                nats, code, text = rest, "missing", sentence
        if nats > 0.0:
            found.append((node, code, text, nats))
    return found
