"""How data is now against its profile, for whoever asks between two judgements of detectors."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from quell.core.detect.profiled import DriftCondition
from quell.model.detect import Drift
from quell.model.drift_report import DriftReport
from quell.model.rulebook import Rulebook
from quell.model.state import State


class PresentDrift(NamedTuple):
    """The newest window that says anything, and in how many of the latest the detector found drift."""

    report: DriftReport
    windows: int


def present_drift(rulebook: Rulebook, state: State, entities: Collection[str]) -> list[PresentDrift]:
    """Of these entities, by every detector of drift that watches them."""
    found = []
    for rule in rulebook.detect:
        watches = state.detecting.watches.get(rule.name, {})
        own = [watches[key] for key in sorted(watches) if watches[key].entity in entities]
        if not own or not isinstance(rule.when, Drift):
            continue
        condition = DriftCondition(rule, rule.when, rulebook.profiles)
        for watch in own:
            report = condition.newest(watch)
            if report is not None:
                found.append(PresentDrift(report, sum(watch.slots.values())))
    return found
