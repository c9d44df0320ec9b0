"""What tools say that watch models and data, as records: an alert per check, which is over when the check passes.

A connector reads its tool's report and yields `Check` and `Score` values, or `Unread` for a part that cannot be read;
`received` makes one answer of them. Which model and data set a report is about is its `Subject`: the address says it
(``/in/evidently?model=fraud``), else the report itself, else the source's options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.clocks import OFF
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, SampleRecord
from quell.sdk.connector import Received, Rejected, Reply, Request
from quell.sdk.partitions import whole
from quell.sdk.parts import MOST_SKEW_S
from quell.sdk.payload import annotation_problem, label_problem
from quell.sdk.spec import Option
from quell.sdk.vocabulary import scalar_text

_LONGEST_NAME = 256
_INPUT_HOLDS_S = 26 * 3600.0


def monitor_options(holds_s: float, more: tuple[Option, ...] = ()) -> tuple[Option, ...]:
    """The options of every such source. ``holds_s`` is the usual time between reports, and some more."""
    return (
        Option(
            name="model",
            type="text",
            summary="The model that reports are about, where neither the address (?model=) nor the report names one.",
            example="fraud",
        ),
        Option(
            name="dataset",
            type="text",
            summary="The data set that reports are about, where neither the address (?dataset=) nor the report says.",
            example="payments",
        ),
        Option(
            name="holds",
            type="duration",
            summary="How long a failed check counts as firing when no further report tells of it.",
            default=holds_s,
            example="26h",
        ),
        *more,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a report is about; at least one of model and data set is named."""

    model: str = ""
    dataset: str = ""
    version: str = ""

    @property
    def data(self) -> str:
        """The entity of what is wrong with data: the data set (of a partition the whole), or else the model fed it."""
        return f"dataset/{whole(self.dataset).name}" if self.dataset else self.scored

    @property
    def scored(self) -> str:
        """The entity of what is wrong with predictions: the model, or else the data set."""
        return f"model/{self.model}" if self.model else f"dataset/{whole(self.dataset).name}"

    @property
    def labels(self) -> dict[str, str]:
        """Those of the three that are known."""
        named = {"model": self.model, "dataset": self.dataset, "version": self.version}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked. ``name`` is the kind of finding, ``about`` tells it from others of the subject.

    What could not be judged is a finding of its own, with another ``about``. ``holds_s`` replaces the source's own;
    ``impact`` is one of system, model, business and fairness, "" what the kind of the entity says.
    """

    name: str
    entity: str
    about: str
    passed: bool
    summary: str
    severity: str = "warning"
    impact: str = ""
    value: float | None = None
    threshold: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    at: float | None = None
    holds_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number that a report tells. ``points`` are (time, value)."""

    entity: str
    metric: str
    value: float | None = None
    at: float | None = None
    points: tuple[tuple[float, float], ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a report that cannot be read: where, what was expected, and the part."""

    reason: str
    part: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """A check that could not run, and why. Nobody knows whether it would have passed: its own alert stays as it is."""

    check: str
    reason: str = ""


Finding = Check | Score | Unread | Broken | ChangeRecord


def schema_change(entity: str, summary: str, *, source: str, now: float, told: Mapping[str, str]) -> ChangeRecord:
    """A schema that is no more what it was: a change, the same one for as long as reports tell the same of it."""
    identity = blake2b(f"{entity}\x00{summary}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return ChangeRecord(
        at=now,
        seen=now,
        source=source,
        id=f"schema/{identity}",
        type="schema",
        entity=entity,
        labels=dict(told),
        summary=summary[:2000],
    )


def subject_of(request: Request, options: Mapping[str, Any], told: Mapping[str, Any] | None = None) -> Subject:
    """What a report is about. Raises `BadPayload` when nobody says."""
    asked = dict(request.query)
    found: dict[str, str] = {}
    for name in ("model", "dataset", "version"):
        value = asked.get(name) or scalar_text((told or {}).get(name)) or str(options.get(name) or "")
        found[name] = name_of(value, name)
    if not found["model"] and not found["dataset"]:
        raise BadPayload(
            "nothing says which model or data set this is about; write ?model=NAME or ?dataset=NAME behind the "
            'address, or set the option "model" or "dataset" of the source',
            request.body,
            "model",
        )
    return Subject(**found)


def name_of(text: str, field_name: str = "name") -> str:
    """A name as it may stand in an entity. Raises `BadPayload` for one that is too long or not printable."""
    name = text.strip()
    if len(name) > _LONGEST_NAME or (name and not name.isprintable()):
        raise BadPayload(f"{field_name}: {name[:40]!r} is no name; send printable text of {_LONGEST_NAME} characters")
    return name


def received(
    findings: Iterable[Finding],
    subject: Subject | None,
    *,
    source: str,
    now: float,
    holds_s: float,
    suite: str | None = None,
) -> Received:
    """Records of the findings and the answer, which names what could not be read; 400 when nothing could.

    ``suite`` is the name of what ran, for one alert about all of it that could not run; None: checks cannot fail to.
    """
    records: list[AnyRecord] = []
    rejected: list[Rejected] = []
    broken: list[Broken] = []
    ahead_s = 0.0
    named = {} if subject is None else subject.labels
    for finding in findings:
        if isinstance(finding, (Check, Score)) and finding.at is not None:
            ahead_s = max(ahead_s, finding.at - now)
        try:
            match finding:
                case ChangeRecord():
                    records.append(finding)
                case Broken():
                    broken.append(finding)
                case Unread():
                    rejected.append(Rejected(finding.reason, _encoded(finding.part)))
                case Score():
                    records.append(_sample(finding, source, now))
                case Check():
                    records.append(_alert(finding, named, source, now, holds_s))
        except BadPayload as error:
            rejected.append(Rejected(str(error), _encoded(repr(finding))))
    if suite is not None and subject is not None and (records or broken):
        records.append(_alert(_ran(broken, subject, suite), named, source, now, holds_s))
    if records and ahead_s > MOST_SKEW_S:
        records.append(
            SampleRecord(at=now, seen=now, source=source, entity=f"source/{source}", metric=OFF, value=ahead_s)
        )
    return _answered(records, rejected)


def _ran(broken: list[Broken], subject: Subject, suite: str) -> Check:
    named = "; ".join(f"{each.check}: {each.reason}" if each.reason else each.check for each in broken[:5])
    more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
    return Check(
        name="CheckFailedToRun",
        entity=subject.data,
        about=f"failed to run/{suite}",
        passed=not broken,
        summary=f"could not run: {named}{more}"[:2000] if broken else "every check ran",
        value=float(len(broken)),
        labels={"suite": suite[:200]},
    )


def _alert(check: Check, named: Mapping[str, str], source: str, now: float, holds_s: float) -> AlertRecord:
    at = check.at if check.at is not None and check.at <= now else now
    own = {"alertname": check.name, "severity": check.severity, "impact": check.impact}
    labels = {name: value for name, value in {**named, **check.labels, **own}.items() if value}
    annotations = {"summary": check.summary, **{name: value for name, value in check.annotations.items() if value}}
    problem = label_problem(labels) or annotation_problem(annotations)
    if problem:
        raise BadPayload(f"{check.about}: {problem}", field=check.about)
    ends_at = at + (check.holds_s or holds_s)
    return AlertRecord(
        at=at,
        seen=now,
        source=source,
        status="resolved" if check.passed else "firing",
        labels=labels,
        annotations=annotations,
        ends_at=None if check.passed else ends_at,
        timeout=not check.passed,
        key=_key(check),
        value=check.value,
        threshold=check.threshold,
        entity=check.entity,
        url=check.url,
    )


def _key(check: Check) -> str:
    identity = f"{check.entity}\x00{check.about}"
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _sample(score: Score, source: str, now: float) -> SampleRecord:
    at = score.at if score.at is not None else score.points[-1][0] if score.points else now
    return SampleRecord(
        at=min(at, now),
        seen=now,
        source=source,
        entity=score.entity,
        metric=score.metric,
        value=score.value,
        points=list(score.points),
        unit=score.unit,
    )


def _encoded(part: Any) -> bytes:
    try:
        return msgspec.json.encode(part)
    except (TypeError, ValueError, RecursionError):
        return repr(part)[:4096].encode("utf-8", "replace")


def merged(parts: Iterable[Received]) -> Received:
    """Several answers as one: 400 only when nothing of any could be read."""
    listed = list(parts)
    records = [record for part in listed for record in part.records]
    rejected = [entry for part in listed for entry in part.rejected]
    return _answered(records, rejected)


def _answered(records: list[AnyRecord], rejected: list[Rejected]) -> Received:
    body = msgspec.json.encode({"accepted": len(records), "rejected": [entry.reason for entry in rejected[:20]]})
    status = 400 if rejected and not records else 200
    return Received(records, Reply(status, body, "application/json"), rejected)


def input_told(
    source: str, what: str, wrong: str, *, before: bool, now: float, labels: Mapping[str, str] | None = None
) -> list[AnyRecord]:
    """An alert of its own for input that cannot be read, which is quell's business; its end, once, if ``before``."""
    if not wrong and not before:
        return []
    check = Check(
        name="InputUnreadable",
        entity=f"source/{source}",
        about=what,
        passed=not wrong,
        summary=f'{what} of source "{source}": {wrong or "it can be read"}'[:2000],
        impact="system",
        labels=labels or {},
    )
    return list(received([check], None, source=source, now=now, holds_s=_INPUT_HOLDS_S).records)
