"""The page's JSON to records."""

from __future__ import annotations

import msgspec

from quell.model.records import AlertRecord
from quell.sdk.payload import decode

_SEVERITIES = {"degraded_performance": "warning", "partial_outage": "error", "major_outage": "critical"}


class Component(msgspec.Struct, frozen=True):
    """A part of the vendor's service. ``status`` is "operational" when all is well."""

    id: str
    name: str
    status: str


class Page(msgspec.Struct, frozen=True):
    """What ``/api/v2/components.json`` says."""

    components: list[Component]


def to_records(body: bytes, source: str, now: float) -> list[AlertRecord]:
    """One observation per component. Raises `BadPayload`."""
    return [
        AlertRecord(
            at=now,
            seen=now,
            source=source,
            status="resolved" if component.status == "operational" else "firing",
            labels={
                "alertname": "VendorTrouble",
                "component": component.name,
                "severity": _SEVERITIES.get(component.status, "info"),
            },
            annotations={"summary": f"{component.name} is {component.status.replace('_', ' ')}"},
            key=component.id,
        )
        for component in decode(body, Page).components
    ]
