"""The receiver of ``constraint_violations.json``, which a monitoring job writes to S3 at each execution."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from quell.errors import BadPayload
from quell.sdk.connector import Context, Received, Request
from quell.sdk.monitor import Check, Finding, Score, Subject, Unread, received, schema_change, subject_of
from quell.sdk.parts import list_of, mapping_of, report_of, text_of
from quell.sdk.spec import Spec
from quell.sdk.vocabulary import scalar_text
from quell_connectors.sagemaker.spec import SPEC

_NAMES = {
    "data_type_check": "SchemaChanged",
    "missing_column_check": "SchemaChanged",
    "extra_column_check": "SchemaChanged",
    "completeness_check": "MissingValues",
    "baseline_drift_check": "FeatureDrift",
    "categorical_values_check": "UnknownCategories",
    "bias_drift_check": "FairnessGap",
    "feature_attribution_drift_check": "AttributionDrift",
}
_OF_QUALITY = frozenset({"LessThanThreshold", "GreaterThanThreshold", "less_than_threshold", "greater_than_threshold"})
_OF_MODEL = frozenset({"FairnessGap", "AttributionDrift", "ModelPerformance"})
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?=%|[^\w.]|\.?$|\.\s)")


class SageMaker:
    """An alert for each violation, for as long as executions go on to tell of it: none tells that one is over."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 3 * 3600.0)

    def receive(self, request: Request, now: float) -> Received:
        """Raises `BadPayload` for what is no such file. One without violations is good news and no record."""
        report = mapping_of(report_of(request.body), "report")
        violations = list_of(report.get("violations"), "violations")
        subject = subject_of(request, self._options)
        findings = self._findings(violations, subject, now)
        return received(findings, subject, source=self._source, now=now, holds_s=self._holds_s)

    def _findings(self, violations: list[Any], subject: Subject, now: float) -> Iterator[Finding]:
        for index, entry in enumerate(violations):
            place = f"violations[{index}]"
            try:
                violation = mapping_of(entry, place)
                check = text_of(violation.get("constraint_check_type"), f"{place}.constraint_check_type")
                said = text_of(violation.get("description"), f"{place}.description")
                about = _about(violation, place)
            except BadPayload as error:
                yield Unread(str(error), entry)
                continue
            name = _NAMES.get(check) or ("ModelPerformance" if check in _OF_QUALITY else "ConstraintViolated")
            entity = subject.scored if name in _OF_MODEL else subject.data
            value, threshold = (None, None) if name == "SchemaChanged" else _numbers(said)
            if value is not None:
                yield Score(entity=entity, metric=f"{check}{{of={about}}}", value=value)
            feature = scalar_text(violation.get("feature_name"))
            yield Check(
                name=name,
                entity=entity,
                about=f"{check}/{about}",
                passed=False,
                summary=f"{about}: {said}"[:2000],
                impact="fairness" if name == "FairnessGap" else "",
                value=value,
                threshold=threshold,
                labels={"check": check, "feature": feature, "metric": scalar_text(violation.get("metric_name"))},
            )
            if name == "SchemaChanged":
                yield schema_change(
                    entity, f"{about}: {check}: {said}", source=self._source, now=now, told=subject.labels
                )


def _about(violation: Mapping[str, Any], place: str) -> str:
    """What was violated: a feature; or a metric, of a facet and its value where it is one of fairness."""
    parts = [scalar_text(violation.get(name)) for name in ("feature_name", "facet", "facet_value", "metric_name")]
    return "/".join(part for part in parts if part) or text_of(None, f"{place}.feature_name (or metric_name)")


def _numbers(said: str) -> tuple[float | None, float | None]:
    """Value and limit of a description that names two numbers, as those of the monitors do; else neither."""
    found = [float(number) for number in _NUMBER.findall(said)]
    return (found[0], found[1]) if len(found) == 2 else (None, None)
