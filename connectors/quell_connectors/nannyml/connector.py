"""The receiver of frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Context, Received, Request
from quell.sdk.monitor import received, subject_of
from quell.sdk.spec import Spec
from quell_connectors.nannyml.frame import rows_of
from quell_connectors.nannyml.spec import SPEC
from quell_connectors.nannyml.translate import findings_of


class NannyML:
    """An alert for each metric and column whose last chunk is outside its limits; chunks are points of a series."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._holds_s = float(options.get("holds") or 7 * 86400.0)
        self._predictions = frozenset(str(name) for name in options.get("predictions") or ("y_pred", "y_pred_proba"))

    def receive(self, request: Request, now: float) -> Received:
        """Raises `BadPayload` for what is no frame of results."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        rows = rows_of(request.body, kind)
        subject = subject_of(request, self._options)
        findings = list(findings_of(rows, subject, self._predictions, now))
        return received(findings, subject, source=self._source, now=now, holds_s=self._holds_s)
