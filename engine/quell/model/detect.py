"""Detectors as rules describe them: what telemetry is read, and what about it is an alert.

A condition is one struct here (its tag is its key in rules files), one module in `quell.core.detect` and one shape in
`quell.config.detect_shapes`. What it remembers of a series is a struct in `quell.model.detecting`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from quell.model.mute import Matcher
from quell.model.playbook import Place

Aggregate = Literal["mean", "min", "max", "sum", "count", "rate", "last", "p50", "p75", "p90", "p95", "p99"]
"""How the points of one window become one number; "rate" is of a counter, per second."""
Impact = Literal["system", "model", "business", "fairness"]
NOWHERE = Place(file="<default>", line=0)


class Threshold(msgspec.Struct, frozen=True, kw_only=True, tag="threshold", tag_field="condition"):
    """The ``aggregate`` of a window lies above or below a limit; with ``by``, its quotient by that of another metric.

    Once it is an alert it is over on the other side of ``until`` (None: of the limit itself). Windows whose ``volume``
    is less say nothing: how much ``by`` came to, or how many calls or points there were.
    """

    above: float | None = None
    below: float | None = None
    aggregate: Aggregate = "mean"
    until: float | None = None
    by: str = ""
    volume: float = 0.0


Condition = Threshold
"""Every condition there is."""


class DetectRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is read, as a glob: metrics, log statements or distributions (``entity`` field); and when it is an alert.

    ``where`` are matchers over ``entity``, ``kind``, ``name``, ``metric`` and the labels of the entity. It is judged
    every ``every_s`` on a grid of time, ``delay_s`` after each window's end; it is an alert when ``need`` of the last
    ``of`` windows were bad. ``impact`` "" is what the kind of the entity says.
    """

    name: str
    metric: str = ""
    log: str = ""
    distribution: str = ""
    where: tuple[Matcher, ...] = ()
    when: Condition
    need: int = 1
    of: int = 1
    every_s: float = 60.0
    delay_s: float = 0.0
    severity: str = "warning"
    impact: Impact | Literal[""] = ""
    labels: dict[str, str] = {}
    summary: str = ""
    runbook: str = ""
    place: Place = NOWHERE
