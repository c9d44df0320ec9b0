"""The receiver: tells which Evidently wrote a report, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from quell.errors import BadPayload
from quell.sdk.connector import Context, Received, Request
from quell.sdk.monitor import Finding, received, subject_of
from quell.sdk.parts import mapping_of, moment_of, report_of
from quell.sdk.spec import Spec
from quell.sdk.vocabulary import scalar_text
from quell_connectors.evidently.current import current_findings
from quell_connectors.evidently.drift import Told
from quell_connectors.evidently.legacy import report_findings, suite_findings
from quell_connectors.evidently.spec import SPEC


class Evidently:
    """An alert for each column and data set that drifted and each test that failed, over when a later report is good.

    Every score is a sample too.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 26 * 3600.0)
        self._predictions = frozenset(str(name) for name in options.get("predictions") or ("prediction",))

    def receive(self, request: Request, now: float) -> Received:
        """Takes what ``json()`` of a report, run or test suite gives. Raises `BadPayload` for what is none."""
        report = mapping_of(report_of(request.body), "report")
        metadata = report.get("metadata")
        subject = subject_of(request, self._options, metadata if isinstance(metadata, dict) else None)
        told = Told(
            subject=subject,
            predictions=self._predictions,
            at=moment_of(report.get("timestamp"), now),
            version=scalar_text(report.get("version"))[:40],
        )
        return received(_findings(report, told), subject, source=self._source, now=now, holds_s=self._holds_s, suite="")


def _findings(report: Mapping[str, Any], told: Told) -> Iterator[Finding]:
    metrics, tests = report.get("metrics"), report.get("tests")
    first = metrics[0] if isinstance(metrics, list) and metrics else None
    if isinstance(first, dict) and ("metric_id" in first or "metric_name" in first):
        return current_findings(report, told)
    if isinstance(first, dict) and "result" in first:
        return report_findings(metrics, told)
    if first is None and isinstance(tests, list):
        return suite_findings(tests, told)
    if metrics == []:
        return iter(())
    version = f', version "{told.version}"' if told.version else ""
    raise BadPayload(
        f"not a report of Evidently as versions 0.2 to 0.7 write it{version}: expected metrics with metric_name (or "
        "metric_id) and value, metrics with result, or tests",
        field="metrics",
    )
