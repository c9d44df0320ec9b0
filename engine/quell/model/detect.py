"""Detectors as rules describe them: what telemetry is read, and what about it is an alert.

A condition is one struct here (its tag is its key in rules files), one module in `quell.core.detect` and one shape in
`quell.config.detect_shapes`. What it remembers of a series is a struct in `quell.model.detecting`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from quell.model.drift_report import Limits
from quell.model.impact import Impact
from quell.model.mute import Matcher
from quell.model.playbook import Place

Aggregate = Literal["mean", "min", "max", "sum", "count", "rate", "last", "p50", "p75", "p90", "p95", "p99"]
"""How the points of one window become one number; "rate" is of a counter, per second."""
Direction = Literal["up", "down", "both"]
Check = Literal["columns", "types", "nulls", "values", "rows", "age", "clock", "version"]
"""What of data can be otherwise than its profile describes."""
Measure = Literal[
    "confidence", "calibration", "polarised", "disagreement", "fairness", "missing", "tokens", "cost", "spend",
    "refusal", "quality",
]  # fmt: skip
"""What can be asked of a model's behaviour."""
RELATIVE = frozenset({"tokens", "cost", "spend"})
Rate = Literal["positive", "agreement", "true_positive", "false_positive", "refusal"]
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


class Forecast(msgspec.Struct, frozen=True, kw_only=True, tag="forecast", tag_field="condition"):
    """A limit is reached ``within_s`` if it goes on as it did for ``over_s``, with that ``confidence`` in the trend."""

    above: float | None = None
    below: float | None = None
    within_s: float
    over_s: float
    aggregate: Aggregate = "mean"
    confidence: float = 0.9


class Absence(msgspec.Struct, frozen=True, kw_only=True, tag="absence", tag_field="condition"):
    """Nothing was told for ``after_s`` of an entity that was heard before, or that is ``expected``.

    After ``give_up_s`` an entity that is not expected is taken for gone, and forgotten.
    """

    after_s: float
    expected: tuple[str, ...] = ()
    give_up_s: float = 86_400.0


class Anomaly(msgspec.Struct, frozen=True, kw_only=True, tag="anomaly", tag_field="condition"):
    """A window lies far from what is usual for its hour of the day, on working days or at weekends in ``zone``.

    Far is ``deviations`` robust deviations from the median, and by no less than ``effect`` and the ``share`` of the
    median; nothing is said before ``history_s`` of it were seen. What lies apart for ``adapt_s`` is usual from then on.
    ``holidays`` are like weekends, of days ``left_out`` nothing is said or learned: days as 2026-12-25, or 12-25.
    """

    direction: Direction = "both"
    aggregate: Aggregate = "mean"
    deviations: float = 5.0
    effect: float = 0.0
    share: float = 0.2
    history_s: float = 3 * 86_400.0
    adapt_s: float = 12 * 3600.0
    volume: float = 0.0
    zone: str = "UTC"
    holidays: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class New(msgspec.Struct, frozen=True, kw_only=True, tag="new", tag_field="condition"):
    """A log statement that its entity did not make within ``unseen_s``, after ``learn_s`` in which all were new.

    It is an alert until the statement was not made for ``quiet_s``.
    """

    unseen_s: float = 7 * 86_400.0
    learn_s: float = 86_400.0
    quiet_s: float = 900.0
    volume: float = 1.0


class Shift(msgspec.Struct, frozen=True, kw_only=True, tag="shift", tag_field="condition"):
    """A window counts ``factor`` times as much as windows of the last ``against_s`` did, or that part of it.

    The difference is ``volume`` at least, and more than chance makes.
    """

    factor: float = 3.0
    against_s: float = 86_400.0
    volume: float = 20.0
    direction: Direction = "up"


class Drift(msgspec.Struct, frozen=True, kw_only=True, tag="drift", tag_field="condition"):
    """Fields of a window are not distributed as in the profile of their entity, beyond ``limits``.

    ``profile`` is an entity or entity@version ("": of each entity its own); entities without one are left alone. Only
    what is told of ``segment`` counts. ``any_version``: that the data has another version than the profile is meant.
    """

    profile: str = ""
    limits: Limits = Limits()
    segment: str = ""
    any_version: bool = False


class Schema(msgspec.Struct, frozen=True, kw_only=True, tag="schema", tag_field="condition"):
    """What comes is otherwise than the profile of the entity describes, in one of the ways that are checked."""

    checks: tuple[Check, ...]
    profile: str = ""
    limits: Limits = Limits()
    segment: str = ""
    any_version: bool = False


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, tag="behaviour", tag_field="condition"):
    """A number about what a model does, of predictions of the last ``over_s`` (0: of the window), lies beyond a limit.

    With ``change``: it differs by more than that (a share of itself where it is `RELATIVE`) from the ``against_s``
    before, or from the profile. It counts only beyond its interval at the confidence ``sure``, from ``volume``
    predictions on. ``across`` names what segments are compared by, ``rate`` which of their rates; scores are polarised
    that lie within ``ends`` of 0 or 1.
    """

    of: Measure
    above: float | None = None
    below: float | None = None
    change: float | None = None
    over_s: float = 0.0
    against_s: float = 0.0
    across: str = ""
    rate: Rate = "positive"
    segment: str = ""
    ends: float = 0.05
    volume: int = 200
    sure: float = 0.95
    profile: str = ""
    any_version: bool = False


class BurnRate(msgspec.Struct, frozen=True, kw_only=True):
    """A budget is spent ``rate`` times as fast as it may be, over both the last ``over_s`` and ``confirm_s``.

    ``pages``: that is worth waking somebody, whatever else of an incident is.
    """

    rate: float
    over_s: float
    confirm_s: float
    severity: str = "critical"
    pages: bool = True


Measured = Literal["events", "points", "windows", "values", "gaps", "ages", "amounts"]
"""What is counted as good or bad: events told by two metrics, points, windows, counted values, differences between
segments, how old the latest point is; or an amount that is spent."""


class Burn(msgspec.Struct, frozen=True, kw_only=True, tag="burn", tag_field="condition"):
    """A service level: of all that is ``measured`` the share ``objective`` is good over ``period_s``.

    The rule's metric counts what is bad (``reads_good``: good) of what ``by`` counts, as ``counter`` or by amounts. Or
    what it comes to lies between ``at_least`` and ``at_most``, or values are ``among`` these texts. Of gaps, the shares
    of values from ``share_above`` on (or among the texts) are compared, of segments of the same kind (only those that
    are told ``across`` it, such as "region"); of amounts, ``at_most`` is what may be spent each second. Spans with less
    than ``volume`` say nothing; of windows and gaps, windows and segments.
    """

    measured: Measured
    objective: float = 0.0
    period_s: float
    rates: tuple[BurnRate, ...]
    by: str = ""
    reads_good: bool = False
    counter: bool = False
    at_most: float | None = None
    at_least: float | None = None
    among: tuple[str, ...] = ()
    share_above: float | None = None
    across: str = ""
    aggregate: Aggregate = "mean"
    volume: float = 0.0


Compared = Literal["mean", "share", "p50", "p75", "p90", "p95", "p99"]


class Compare(msgspec.Struct, frozen=True, kw_only=True, tag="compare", tag_field="condition"):
    """What a ``canary`` comes to over ``over_s`` is worse than what its ``baseline`` does, by more than ``margin``.

    That is so with the confidence ``sure``, from ``volume`` on. Sides of metrics are entities, with equal labels
    ``same``; those of distributions versions and segments. A share is of what ``by`` counts, or of values ``above`` a
    limit or ``among`` texts.
    """

    canary: tuple[Matcher, ...]
    baseline: tuple[Matcher, ...]
    same: tuple[str, ...] = ()
    of: Compared = "mean"
    by: str = ""
    counter: bool = False
    above: float | None = None
    among: tuple[str, ...] = ()
    aggregate: Aggregate = "mean"
    worse: Literal["up", "down"] = "up"
    margin: float = 0.0
    over_s: float = 3600.0
    volume: float = 100.0
    sure: float = 0.95


Condition = Threshold | Forecast | Absence | Anomaly | New | Shift | Drift | Schema | Behaviour | Burn | Compare
"""Every condition there is."""


class DetectRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is read, as a glob: metrics, log statements or distributions (by field); and when it is an alert.

    ``where`` are matchers over ``entity``, ``kind``, ``name``, ``metric`` and the labels of the entity. ``errors``: of
    log statements only those that tell of errors. ``pooled``: all that is read of one entity is one series.

    It is judged every ``every_s`` on a grid of time, ``delay_s`` after each window's end; it is an alert when ``need``
    of the last ``of`` windows were bad. With ``blind_s`` it is an alert of its own when nothing was read for so long.
    ``impact`` "" is what the kind of the entity says. ``on`` false: it is only checked, and tested. ``series`` is how
    many series it watches at most.
    """

    name: str
    on: bool = True
    metric: str = ""
    log: str = ""
    distribution: str = ""
    where: tuple[Matcher, ...] = ()
    errors: bool = False
    pooled: bool = False
    when: Condition
    need: int = 1
    of: int = 1
    every_s: float = 60.0
    delay_s: float = 0.0
    blind_s: float = 0.0
    series: int = 10_000
    severity: str = "warning"
    impact: Impact | Literal[""] = ""
    labels: dict[str, str] = {}
    summary: str = ""
    runbook: str = ""
    place: Place = NOWHERE
