"""The receiver of log entries, as they are or in the envelope of a Pub/Sub push."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from quell.errors import BadPayload
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.monitor import Check, Finding, Score, Subject, Unread, received, subject_of
from quell.sdk.parts import expected, list_of, mapping_of, moment_of, number_of, optional_number, report_of, text_of
from quell.sdk.spec import Spec
from quell.sdk.vocabulary import scalar_text
from quell_connectors.vertex.spec import SPEC

_TYPE = "ModelMonitoringAnomaliesLogEntry"
_NAMES = {
    "RAW_FEATURE_SKEW": "FeatureSkew",
    "RAW_FEATURE_DRIFT": "FeatureDrift",
    "FEATURE_ATTRIBUTION_SKEW": "AttributionSkew",
    "FEATURE_ATTRIBUTION_DRIFT": "AttributionDrift",
}
_SEVERITIES = {"EMERGENCY": "critical", "ALERT": "critical", "CRITICAL": "critical", "ERROR": "error"}


class Vertex:
    """An alert for each feature that deviates, for as long as executions go on to tell of it.

    A push is always answered with 200: Pub/Sub would repeat for days what nobody can read. It is kept aside.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 26 * 3600.0)
        self._models: Mapping[str, Any] = options.get("models") or {}

    def receive(self, request: Request, now: float) -> Received:
        """Raises `BadPayload` for what is no log entry and no push."""
        body = mapping_of(report_of(request.body), "entry")
        if "message" not in body or "jsonPayload" in body:
            return self._entry(request, body, now)
        try:
            return self._entry(request, mapping_of(report_of(_unpacked(body)), "message.data"), now, pushed=True)
        except BadPayload as error:
            return Received((), Reply(200), (Rejected(str(error), request.body),))

    def _entry(self, request: Request, entry: Mapping[str, Any], now: float, *, pushed: bool = False) -> Received:
        payload = mapping_of(entry.get("jsonPayload"), "jsonPayload")
        kind = scalar_text(payload.get("@type"))
        if not kind.endswith(_TYPE):
            expected("jsonPayload.@type", f'{_TYPE}, not "{kind[:120]}"')
        deployed = scalar_text(payload.get("deployedModelId"))
        named = scalar_text(self._models.get(deployed)) or str(self._options.get("model") or "") or deployed
        subject = subject_of(request, self._options, {"model": named})
        at = moment_of(entry.get("timestamp") or payload.get("endTime"), now)
        findings = list(_findings(payload, entry, subject, at))
        got = received(findings, subject, source=self._source, now=now, holds_s=self._holds_s)
        return Received(got.records, Reply(200), got.rejected) if pushed else got


def _unpacked(push: Mapping[str, Any]) -> bytes:
    data = text_of(mapping_of(push["message"], "message").get("data"), "message.data")
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPayload(f"message.data: expected base64: {error}", field="message.data") from error


def _findings(
    payload: Mapping[str, Any], entry: Mapping[str, Any], subject: Subject, at: float | None
) -> Iterator[Finding]:
    objective = text_of(payload.get("anomalyObjective"), "jsonPayload.anomalyObjective")
    job = scalar_text(payload.get("modelDeploymentMonitoringJob"))
    for index, each in enumerate(list_of(payload.get("featureAnomalies"), "jsonPayload.featureAnomalies")):
        place = f"jsonPayload.featureAnomalies[{index}]"
        try:
            anomaly = mapping_of(each, place)
            feature = text_of(anomaly.get("featureDisplayName"), f"{place}.featureDisplayName")
            deviation = number_of(anomaly.get("deviation"), f"{place}.deviation")
        except BadPayload as error:
            yield Unread(str(error), each)
            continue
        threshold = optional_number(anomaly.get("threshold"))
        limit = "" if threshold is None else f", limit {threshold:g}"
        metric = f"{objective.lower()}{{feature={feature}}}"
        yield Score(entity=subject.data, metric=metric, value=deviation, at=at)
        yield Check(
            name=_NAMES.get(objective, "ModelMonitoringAnomaly"),
            entity=subject.data,
            about=f"{objective}/{feature}",
            passed=False,
            summary=f"{feature}: {objective.lower().replace('_', ' ')} {deviation:g}{limit}",
            severity=_SEVERITIES.get(str(entry.get("severity")), "warning"),
            value=deviation,
            threshold=threshold,
            labels={"feature": feature, "objective": objective, "job": job.rpartition("/")[2]},
            annotations={"from": scalar_text(payload.get("startTime")), "until": scalar_text(payload.get("endTime"))},
            at=at,
        )
