"""Every condition by its rule's struct."""

from __future__ import annotations

from typing import Any

from quell.core.detect.condition import Condition
from quell.core.detect.threshold import ThresholdCondition
from quell.model.detect import DetectRule, Threshold

_CONDITIONS: dict[type, Any] = {Threshold: ThresholdCondition}


def condition_of(rule: DetectRule) -> Condition:
    """The condition of a rule, ready to judge."""
    found: Condition = _CONDITIONS[type(rule.when)](rule, rule.when)
    return found
