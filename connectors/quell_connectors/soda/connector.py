"""The receiver: each check of a scan is about a table, which is the data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from quell.errors import BadPayload
from quell.sdk.connector import Context, Received, Request
from quell.sdk.monitor import Finding, Subject, Unread, merged, received, subject_of
from quell.sdk.parts import list_of, mapping_of, moment_of, report_of
from quell.sdk.spec import Spec
from quell.sdk.vocabulary import scalar_text
from quell_connectors.soda.spec import SPEC
from quell_connectors.soda.translate import check_findings


class Soda:
    """An alert for each check that warns or fails, over when it passes; a schema that differs is a change too."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 26 * 3600.0)

    def receive(self, request: Request, now: float) -> Received:
        """Raises `BadPayload` for what is no scan result."""
        scan = mapping_of(report_of(request.body), "scan")
        if "checks" not in scan:
            raise BadPayload("not a scan result of Soda Core 3: expected checks", field="checks")
        return merged(self._parts(request, scan, now))

    def _parts(self, request: Request, scan: Mapping[str, Any], now: float) -> Iterator[Received]:
        at = moment_of(scan.get("scanEndTimestamp") or scan.get("dataTimestamp"), now)
        name = scalar_text(scan.get("definitionName"))
        by_subject: dict[Subject | None, list[Finding]] = {}
        for index, entry in enumerate(list_of(scan["checks"], "checks")):
            place = f"checks[{index}]"
            subject: Subject | None = None
            try:
                check = mapping_of(entry, place)
                subject = subject_of(request, self._options, {"dataset": check.get("table")})
                found = list(check_findings(check, place, subject, scan=name, source=self._source, now=now, at=at))
            except BadPayload as error:
                found = [Unread(str(error), entry)]
            by_subject.setdefault(subject, []).extend(found)
        for subject, findings in by_subject.items():
            yield received(findings, subject, source=self._source, now=now, holds_s=self._holds_s, suite=name)
