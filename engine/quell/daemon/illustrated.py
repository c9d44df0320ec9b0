"""Pictures that go with what people are told of an incident: its drift reports, drawn when the action is performed.

They are drawn from what the core found and the alert carries; nothing is looked at again. An action gets them if it
declares the parameter ``pictures`` and was given none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from quell.chatops.drift_card import reported
from quell.core.detect.drift_text import drift_lines
from quell.daemon.logs import Sparing
from quell.errors import PictureError
from quell.model.decision import Perform
from quell.model.drift_report import DriftReport, report_of
from quell.model.state import State
from quell.picture.drift import svg
from quell.picture.png import png
from quell.sdk.pictures import PARAMETER, Png
from quell.sdk.spec import ActionSpec

_log = Sparing(structlog.get_logger("quell.perform"))


class Illustrated:
    """``state`` is that of the core now."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    async def given(self, deed: Perform, spec: ActionSpec, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters, with pictures if the action shows some and there are any."""
        if params.get(PARAMETER) or deed.dry_run or all(option.name != PARAMETER for option in spec.params):
            return params
        incident = self._state().incidents.get(deed.incident)
        alerts = reported(self._state(), incident) if incident is not None else []
        reports = [found for alert in alerts if (found := report_of(alert.annotations)) is not None]
        if not reports:
            return params
        return {**params, PARAMETER: [one.told() for one in await asyncio.to_thread(_drawn, reports)]}


def _drawn(reports: list[DriftReport]) -> list[Png]:
    return [
        Png(
            name=f"drift-{report.entity}",
            alt=f"Drift of {report.entity}, before and after: {', '.join(one.field for one in report.drifted)}",
            text="\n".join(drift_lines(report)),
            png=_png(report),
        )
        for report in reports
    ]


def _png(report: DriftReport) -> bytes:
    try:
        return png(svg(report))
    except PictureError as error:
        _log.warning("pictures", "people are told of drift in words only", reason=str(error))
    except Exception as error:  # noqa: BLE001 - reported; a page must not wait for a picture
        _log.error("pictures", "a drift report cannot be drawn; it is told in words", error=str(error))
    return b""
