"""Every condition by its rule's struct."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quell.core.detect.absence import AbsenceCondition
from quell.core.detect.anomaly import AnomalyCondition
from quell.core.detect.behaviour import BehaviourCondition
from quell.core.detect.burn import BurnCondition
from quell.core.detect.compare import CompareCondition
from quell.core.detect.condition import Condition
from quell.core.detect.forecast import ForecastCondition
from quell.core.detect.news import NewCondition
from quell.core.detect.profiled import DriftCondition, SchemaCondition
from quell.core.detect.shift import ShiftCondition
from quell.core.detect.threshold import ThresholdCondition
from quell.model.detect import (
    Absence,
    Anomaly,
    Behaviour,
    Burn,
    Compare,
    DetectRule,
    Drift,
    Forecast,
    New,
    Schema,
    Shift,
    Threshold,
)
from quell.model.rulebook import Rulebook

_CONDITIONS: Mapping[type, Callable[[DetectRule, Any, Rulebook], Condition]] = {
    Threshold: lambda rule, of, _: ThresholdCondition(rule, of),
    Forecast: lambda rule, of, _: ForecastCondition(rule, of),
    Absence: lambda rule, of, _: AbsenceCondition(rule, of),
    Anomaly: lambda rule, of, _: AnomalyCondition(rule, of),
    New: lambda rule, of, _: NewCondition(rule, of),
    Shift: lambda rule, of, _: ShiftCondition(rule, of),
    Burn: lambda rule, of, _: BurnCondition(rule, of),
    Compare: lambda rule, of, _: CompareCondition(rule, of),
    Drift: lambda rule, of, rulebook: DriftCondition(rule, of, rulebook.profiles),
    Behaviour: lambda rule, of, rulebook: BehaviourCondition(rule, of, rulebook.profiles),
    Schema: lambda rule, of, rulebook: SchemaCondition(rule, of, rulebook.profiles),
}


def condition_of(rule: DetectRule, rulebook: Rulebook) -> Condition:
    """The condition of a rule, ready to judge."""
    return _CONDITIONS[type(rule.when)](rule, rule.when, rulebook)
