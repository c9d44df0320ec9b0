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

from quell.core.evidence.absence import gone
from quell.core.evidence.bearing import Unmeasured, bearing
from quell.core.evidence.calls import Traffic, failing, missing, traffic, waiting
from quell.core.evidence.findings import MOST, Finding
from quell.core.evidence.impact import Impact, impact
from quell.core.evidence.resources import moves, resources, shifts, versions
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
    names = tuple(symptoms)
    metrics = table(signals, began, names)
    calls = traffic(signals, around, began)
    logs = statements(signals, calls, began)
    if not metrics.columns and not calls.comparable and not logs:
        return {}
    verdicts = [Verdict() for _ in around.names]
    waits, failures = impact(metrics, around, "wait"), impact(metrics, around, "failure")
    bears = bearing(waits, failures)
    waits.nats = waiting(calls, around) or waits.nats
    for node, found in failing(calls, around).items():
        failures.nats[node] = max(failures.nats.get(node, (0.0, "")), found)
    kinds = {meaning(name).kind for name in names}
    _impact(verdicts, waits, "waiting", OTHER_SYMPTOM if kinds and kinds <= {"failure", "success"} else 1.0)
    _impact(verdicts, failures, "failing", OTHER_SYMPTOM if kinds == {"wait"} else 1.0)
    impacts = [verdict.nats for verdict in verdicts]
    for finding in (*resources(metrics, bears), *gone(metrics, around), *versions(metrics), *shifts(metrics)):
        _add(verdicts, finding)
    odd = [verdict.nats - much for verdict, much in zip(verdicts, impacts, strict=True)]
    down = {finding.node: finding.weight for finding in gone(metrics, around)}
    known = [much + down.get(node, 0.0) for node, much in enumerate(impacts)]
    for node, code, text, nats in _code_faults(around, calls, logs, known):
        verdicts[node].add(code, text, nats)
    counted = {node for node, arrivals in calls.arrivals.items() if arrivals} if calls.comparable else set()
    _hand_down(verdicts, around, impacts, Unmeasured(odd, counted | waits.worse.keys()))
    for node, far in moves(metrics).items():
        verdicts[node].nats += MOVED * log1p(far)
    _far_off(verdicts, around)
    return dict(zip(around.names, verdicts, strict=True))


def _hand_down(verdicts: list[Verdict], around: Surroundings, impacts: Sequence[float], unmeasured: Unmeasured) -> None:
    """Gives what callers may lose to unmeasured callees to these, the most of any caller."""
    told: dict[int, float] = {}
    for caller, callee, nats in unmeasured.share(around, impacts):
        told[callee] = max(nats, told.get(callee, 0.0))
        verdicts[caller].add("below", "some of it may be spent in what it calls and nobody measures", -nats)
    for callee, nats in told.items():
        verdicts[callee].add("waited_for", "what calls it is troubled, and its own requests are not measured", nats)


def _far_off(verdicts: list[Verdict], around: Surroundings) -> None:
    """What no symptom depends on is less likely; where nothing is known of what a symptom depends on, nothing is."""
    steps = around.distances()
    led = any(around.out[node] for node in around.symptoms)
    for node, verdict in enumerate(verdicts):
        if led and node not in steps:
            verdict.add("apart", "nothing that alerts is known to depend on it", -APART)
        verdict.nats -= FURTHER * log1p(steps.get(node, len(around)))


def _add(verdicts: list[Verdict], finding: Finding) -> None:
    verdicts[finding.node].add(finding.code, finding.text, finding.weight)


def _impact(verdicts: list[Verdict], found: Impact, code: str, worth: float) -> None:
    for node, (nats, text) in found.nats.items():
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
