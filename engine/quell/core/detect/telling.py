"""What a detector found as an alert, worded as any other sender's."""

from __future__ import annotations

from math import isfinite

from quell.core.detect.words import lasting, number
from quell.errors import ExpressionError
from quell.expressions.templates import Template
from quell.model.detect import Burn, DetectRule
from quell.model.detecting import Watch
from quell.model.records import AlertRecord
from quell.model.topology import Entity

SOURCE = "detect"


def firing(rule: DetectRule, watch: Watch, entity: Entity, now: float) -> AlertRecord:
    """The alert of a series that was found bad; ``watch.since`` says since when."""
    finding = watch.finding
    labels = {
        **entity.labels,
        "alertname": rule.name,
        **({entity.kind: entity.name} if "/" in entity.entity else {"entity": entity.entity}),
        "severity": (finding.severity if finding is not None else "") or rule.severity,
        **({"impact": rule.impact} if rule.impact else {}),
        **(finding.labels if finding is not None else {}),
        **rule.labels,
    }
    text = said(rule, watch)
    value, threshold = (None, None) if finding is None else (_finite(finding.value), _finite(finding.threshold))
    annotations = {
        "summary": _summary(rule, watch, labels, text) if rule.summary else f"{watch.entity}: {text}",
        "description": text,
        "detector": f"{rule.name} ({rule.place.file}:{rule.place.line})",
        "metric": watch.metric,
        **(finding.details if finding is not None else {}),
        **({"runbook_url": rule.runbook} if rule.runbook else {}),
    }
    return AlertRecord(
        at=now,
        source=SOURCE,
        status="firing",
        labels=labels,
        annotations=annotations,
        starts_at=watch.since,
        key=key_of(rule.name, watch),
        value=value,
        threshold=threshold,
        entity=watch.entity,
    )


def over(name: str, watch: Watch, now: float) -> AlertRecord:
    """The end of an alert of the rule ``name``."""
    return AlertRecord(at=now, source=SOURCE, status="resolved", labels={}, key=key_of(name, watch))


def key_of(name: str, watch: Watch) -> str:
    """What tells the alerts of detectors apart."""
    metric = watch.metric.replace("%", "%25").replace("/", "%2F")  # or a/b of c were told apart from b of c/a by nobody
    return f"{name}/{watch.entity}/{metric}"


def said(rule: DetectRule, watch: Watch) -> str:
    """What was found, in a sentence."""
    if watch.finding is None:
        return rule.name
    by = getattr(rule.when, "by", "")
    text = watch.finding.text.replace("{metric}", f"{watch.metric} / {by}" if by else watch.metric, 1)
    if rule.of > 1 and not isinstance(rule.when, Burn):
        bad = sum(watch.slots.values())
        text += f"; in {bad} of the last {rule.of} windows of {lasting(rule.every_s)}"
    return text


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _summary(rule: DetectRule, watch: Watch, labels: dict[str, str], text: str) -> str:
    finding = watch.finding
    context = {
        "labels": labels,
        "entity": watch.entity,
        "metric": watch.metric,
        "text": text,
        "value": "" if finding is None or finding.value is None else number(finding.value),
        "threshold": "" if finding is None or finding.threshold is None else number(finding.threshold),
    }
    try:
        return str(Template(rule.summary).render(context))
    except ExpressionError as error:
        return f"{watch.entity}: {text} (the summary of the rule cannot be worded: {error})"
