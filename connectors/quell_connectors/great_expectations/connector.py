"""The receiver: each validation of a delivery is about a data set of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Context, Received, Request
from quell.sdk.monitor import Finding, Subject, merged, received, subject_of
from quell.sdk.parts import mapping_of, report_of
from quell.sdk.spec import Spec
from quell_connectors.great_expectations.results import validations_of
from quell_connectors.great_expectations.spec import SPEC
from quell_connectors.great_expectations.translate import findings_of


class GreatExpectations:
    """An alert for each expectation that fails, over when it holds; a schema that differs is a change too."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 26 * 3600.0)

    def receive(self, request: Request, now: float) -> Received:
        """Raises `BadPayload` for what is no result."""
        report = mapping_of(report_of(request.body), "report")
        return merged(
            received(findings, subject, source=self._source, now=now, holds_s=self._holds_s, suite=suite)
            for subject, findings, suite in self._parts(request, report, now)
        )

    def _parts(
        self, request: Request, report: Mapping[str, Any], now: float
    ) -> Iterator[tuple[Subject, Iterator[Finding], str]]:
        for validation in validations_of(report):
            subject = subject_of(request, self._options, {"dataset": validation.dataset})
            yield subject, findings_of(validation, subject, self._source, now), validation.suite
