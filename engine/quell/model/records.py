"""What enters the core: one frozen record per thing that was observed, asked or answered.

The public file format is JSON lines with RFC 3339 times (`docs/reference/records.md`); ``quell.replay`` reads and
writes it. In memory and in the journal the same records carry times as seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from quell.model.provenance import Column
from quell.model.topology import Learned

ChangeType = Literal["deploy", "config", "flag", "schema", "prompt", "model", "data", "scale"]
Verdict = Literal["right_cause", "wrong_cause", "should_merge", "should_split", "not_actionable", "missed"]
Outcome = Literal["done", "failed", "pending", "in_doubt"]
ValueType = Literal["", "number", "text", "bool", "time"]


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True, gc=False):
    """Common fields. ``at`` is event time; ``seen`` arrival (None: same as ``at``); ``id`` stable for deduplication.

    An empty ``id`` means that the record has no identity and is never dropped as a repeat.
    """

    at: float
    seen: float | None = None
    source: str = ""
    id: str = ""

    @property
    def arrived(self) -> float:
        """When quell first had it in hand."""
        return self.at if self.seen is None else self.seen


class AlertRecord(Record, frozen=True, kw_only=True, tag="alert", omit_defaults=True, gc=False):
    """One observation of an alert.

    ``key`` is the sender's own deduplication key, scoped by ``source``; without it the labels identify.
    ``ends_at`` of a firing alert is when it counts as over unless it is sent again; None means "until resolved".
    ``timeout`` says that ``ends_at`` was filled in from the resolve timeout and not chosen by the sender.
    """

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: float | None = None
    ends_at: float | None = None
    timeout: bool = False
    key: str = ""
    value: float | None = None
    threshold: float | None = None
    entity: str | None = None
    url: str = ""


class ChangeRecord(Record, frozen=True, kw_only=True, tag="change", omit_defaults=True, gc=False):
    """Somebody changed something. ``at`` is when it took effect."""

    type: ChangeType
    entity: str = ""
    labels: dict[str, str] = {}
    revision: str = ""
    previous: str = ""
    commit: str = ""
    author: str = ""
    summary: str = ""
    files: list[str] = []
    diff: str = ""
    url: str = ""


class SampleRecord(Record, frozen=True, kw_only=True, tag="sample", omit_defaults=True, gc=False):
    """Points of one metric of one entity: ``value`` at ``at``, or ``points`` of (time, value)."""

    entity: str
    metric: str
    value: float | None = None
    points: list[tuple[float, float]] = []
    unit: str = ""


class SamplesRecord(Record, frozen=True, kw_only=True, tag="samples", omit_defaults=True, gc=False):
    """Many points of many metrics of one entity: ``values`` has by metric one value for each of ``times``.

    ``times`` are in seconds and ascend; None (or NaN) is where a metric told nothing. A table at once costs a small
    part of what as many `SampleRecord` do.
    """

    entity: str
    times: list[float]
    values: dict[str, list[float | None]]


class RunningHistogram(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Counts of buckets since the beginning: one more than ``bounds``, or none."""

    count: int
    sum: float | None = None
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class TotalsRecord(Record, frozen=True, kw_only=True, tag="totals", omit_defaults=True, gc=False):
    """What one process (``instance``) has counted at ``at``, since ``started_at`` (None: nobody knows).

    By how much they grew since it told last becomes samples of ``entity`` under the same names; of a histogram its
    count, sum and quantiles do (endings ``_count``, ``_sum``, ``_p50``, ``_p95``, ``_p99``).
    """

    entity: str
    instance: str = ""
    started_at: float | None = None
    values: dict[str, float] = {}
    histograms: dict[str, RunningHistogram] = {}


class LogRecord(Record, frozen=True, kw_only=True, tag="log", omit_defaults=True, gc=False):
    """A log line (``text``) or a counted pattern (``template``, ``count`` within ``over_s`` seconds)."""

    entity: str
    severity: str = ""
    text: str = ""
    template: str = ""
    count: int = 1
    over_s: float = 0.0


class CallRecord(Record, frozen=True, kw_only=True, tag="call", omit_defaults=True, gc=False):
    """Calls of one ``operation`` of ``entity`` by ``caller``, counted over ``over_s`` seconds from ``at`` on.

    ``caller`` is empty for calls from outside, and ``entity`` itself for steps within it. ``mean_s`` is how long the
    callee took on average, ``net_s`` how much longer the caller waited for the answer than the callee worked on it, for
    nine calls of ten. ``errors`` is how many failed. ``by_caller``: the caller told, who cannot know whether the callee
    tells as well; then it counts where the callee tells of none.
    """

    entity: str
    caller: str = ""
    operation: str = ""
    count: int = 1
    errors: int = 0
    over_s: float = 60.0
    mean_s: float | None = None
    net_s: float | None = None
    by_caller: bool = False


class DistributionRecord(Record, frozen=True, kw_only=True, tag="distribution", omit_defaults=True, gc=False):
    """Counts of the values of one ``field`` of ``entity`` over ``over_s`` seconds from ``at`` on; never the values.

    Records of one field can be added up. ``type`` is what the field's values are ("" when nobody knows; times are
    numbers: seconds since 1970). ``count`` counts all values, ``nulls`` (missing, and NaN) and ``bad`` (no values of
    that type, and infinities) among them.

    Numbers are counted in an exponential histogram as OpenTelemetry's: with base = 2 ** (2 ** -``scale``), bucket ``i``
    of ``positive`` holds base ** i < value <= base ** (i + 1), ``negative`` the same of -value, ``zero`` what is 0. The
    lists hold (index, count), ascending. ``low``, ``high`` and ``total`` are the least and largest value and the sum.
    Texts and booleans are counted in ``categories``, those that are not listed in ``other``. ``hashed`` says that the
    texts were too many (or too telling) to be named: they are counted by `quell.model.distribution.bucket_of`.

    ``version`` is that of the dataset or model, ``segment`` such as "region=eu" ("": all). ``samples`` are few values
    as text, redacted where they are made. ``skew_s`` is how far ``at`` lay ahead of arrival; the core fills it in.
    """

    entity: str
    field: str
    over_s: float = 0.0
    type: ValueType = ""
    count: int = 0
    nulls: int = 0
    bad: int = 0
    scale: int = 5
    zero: int = 0
    positive: list[tuple[int, int]] = []
    negative: list[tuple[int, int]] = []
    low: float | None = None
    high: float | None = None
    total: float = 0.0
    categories: dict[str, int] = {}
    other: int = 0
    hashed: bool = False
    version: str = ""
    segment: str = ""
    samples: list[str] = []
    skew_s: float = 0.0


class SpanRecord(Record, frozen=True, kw_only=True, tag="span", omit_defaults=True, gc=False):
    """One span of a trace. ``at`` is its start.

    ``counted``: call records tell of it already, and it is only there to be joined with its parent and children.
    """

    trace: str
    span: str
    parent: str = ""
    entity: str = ""
    name: str = ""
    duration_s: float = 0.0
    error: bool = False
    attributes: dict[str, str] = {}
    counted: bool = False


class EntityRecord(Record, frozen=True, kw_only=True, tag="entity", omit_defaults=True, gc=False):
    """A node of the dependency graph, ``kind/name``. ``labels`` hold aliases such as namespace, instance, cluster.

    ``learned`` says from what it was gathered: then it is forgotten when it was not told again for long. "" is told as
    configuration and stays until it is removed.
    """

    entity: str
    labels: dict[str, str] = {}
    owner: str = ""
    tier: int | None = None
    removed: bool = False
    learned: Learned = ""


class DependencyRecord(
    Record, frozen=True, kw_only=True, tag="dependency", omit_defaults=True, rename={"from_": "from"}
):
    """``from_`` depends on ``to``; ``weight`` is the share of it that rests on ``to`` (runs_on: 1/replicas).

    ``learned`` is as of an entity.
    """

    from_: str
    to: str
    type: str = "depends_on"
    weight: float = 1.0
    confidence: float = 1.0
    removed: bool = False
    learned: Learned = ""


class VersionRecord(Record, frozen=True, kw_only=True, tag="version", omit_defaults=True, gc=False):
    """A version of a model, a dataset, a pipeline's code or a prompt, and what it was made of; ``at`` is when.

    Told again it adds to what is known of that version. ``columns`` are the schema as ``by`` sees it: when it differs
    from what ``by`` told before, that is a change. ``aliases`` point to this version now; another one than before is
    a change that ``promoted_by`` made. ``inputs`` are versions by entity. Without ``version`` only the columns count.
    ``learned`` is as of an entity, if this is the first that is heard of it.
    """

    entity: str
    version: str = ""
    by: str = ""
    run: str = ""
    commit: str = ""
    inputs: dict[str, str] = {}
    columns: list[Column] = []
    aliases: list[str] = []
    promoted_by: str = ""
    labels: dict[str, str] = {}
    url: str = ""
    learned: Learned = ""


class IncidentRecord(Record, frozen=True, kw_only=True, tag="incident", omit_defaults=True, gc=False):
    """Somebody else's incident; what duplicates it is not paged again while it is open."""

    status: Literal["open", "closed"]
    title: str = ""
    entity: str = ""
    labels: dict[str, str] = {}


class FeedbackRecord(Record, frozen=True, kw_only=True, tag="feedback", omit_defaults=True, gc=False):
    """A person's judgement of an incident, an alert, or a suggestion (by its id), which is then not made again."""

    verdict: Verdict
    incident: str = ""
    alert: str = ""
    suggestion: str = ""
    by: str = ""
    note: str = ""


class CommandRecord(Record, frozen=True, kw_only=True, tag="command", omit_defaults=True, gc=False):
    """A person's act.

    | verb | target | args |
    | --- | --- | --- |
    | ack, resolve, reopen | incident id | note |
    | assign | incident id | to: a person's id |
    | snooze | incident id | seconds |
    | follow | incident id ("": found by ``there``) | status there (open, acknowledged, resolved) or "note"; note; |
    | | | there: its id there; echo: our own deed made it so; who: id, name, email of the person |
    | drafted | incident id | note: where quell keeps the draft of its post-mortem |
    | merge | incident id, which stays | incident: the one that goes; note |
    | split | incident id | alerts: fingerprints, which get an incident of their own; note |
    | silence | silence id (chosen at the edge) | silence: a `quell.model.mute.Silence` as a mapping |
    | expire_silence | silence id | |
    | approve, reject | run id | note, answers (what it is a word on: approval or doubt) |
    | run | playbook name | incident ("": none), dry ("true") |
    | release | run id | note |
    | stop | run id | note |
    | pause, unpause | "" (every playbook) | note |
    | resumed | "" (the daemon is there again after it was down) | |
    | replay_quarantined, drop_quarantined | entry of the quarantine | |
    | take_rules, refuse_rules | commit of the rules | note |
    """

    verb: str
    target: str = ""
    by: str = ""
    args: dict[str, Any] = {}


class StepFinished(Record, frozen=True, kw_only=True, tag="step_finished", omit_defaults=True, gc=False):
    """What became of one `quell.model.decision.Perform`, named by its ledger ``key``.

    ``failure`` names the kind of failure: unreachable, refused, timeout, bug, or "" when done; "held" when it was not
    begun, because everything was paused before it could be; "denied" of a page or a digest to whom quell's credentials
    do not do.
    ``sentence`` says what is true now (or would be, after a dry run). ``retry_after_s`` is how long the other side
    wants to be left alone after an "unreachable": no retry is made before. ``unknown`` says of a failure that it may
    have taken effect all the same.
    """

    key: str
    outcome: Outcome
    output: dict[str, Any] = {}
    sentence: str = ""
    failure: str = ""
    error: str = ""
    check_after_s: float | None = None
    retry_after_s: float | None = None
    unknown: bool = False


class Tick(Record, frozen=True, kw_only=True, tag="tick", omit_defaults=True, gc=False):
    """Time passing without news."""


class DeliveryRecord(Record, frozen=True, kw_only=True, tag="delivery", omit_defaults=True, gc=False):
    """A recorded HTTP delivery; decoded by the connector that owns ``path`` before it reaches the core.

    ``body`` is JSON already decoded, or text when it was not JSON.
    """

    path: str
    body: Any = None
    headers: dict[str, str] = {}
    method: str = "POST"


AnyRecord = (
    AlertRecord
    | ChangeRecord
    | SampleRecord
    | SamplesRecord
    | TotalsRecord
    | LogRecord
    | SpanRecord
    | CallRecord
    | DistributionRecord
    | EntityRecord
    | DependencyRecord
    | VersionRecord
    | IncidentRecord
    | FeedbackRecord
    | CommandRecord
    | StepFinished
    | Tick
    | DeliveryRecord
)
