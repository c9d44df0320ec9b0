"""The recorded storm: deliveries in order, moved in time so that they happen on the daemon's clock."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

import quell
from quell.cli.exits import Failed
from quell.model.records import DeliveryRecord
from quell.model.times import format_time, parse_time
from quell.replay.reader import decode_record

STREAM = "stream.jsonl.gz"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)\Z")


@dataclass(frozen=True)
class Storm:
    """Deliveries in order of arrival; ``span_s`` from the first to the last."""

    deliveries: tuple[DeliveryRecord, ...]
    folder: Path

    @property
    def starts_at(self) -> float:
        """When the first delivery arrived."""
        return self.deliveries[0].at

    @property
    def span_s(self) -> float:
        """From the first delivery to the last."""
        return self.deliveries[-1].at - self.starts_at

    @property
    def events(self) -> int:
        """How many events the tools sent."""
        return sum(events_in(delivery.body) for delivery in self.deliveries)

    def moved_to(self, start: float) -> Iterator[DeliveryRecord]:
        """The deliveries as if the first had arrived at ``start``, with all times in their bodies moved alike."""
        by_s = start - self.starts_at
        for delivery in self.deliveries:
            yield msgspec.structs.replace(delivery, at=delivery.at + by_s, body=_moved(delivery.body, by_s))


def find_storm(folder: Path | None = None) -> Storm:
    """The recorded storm of ``folder``, else the one that ships with quell. Raises `Failed` when there is none."""
    places = [folder] if folder else _places()
    for place in places:
        if (place / STREAM).is_file():
            with gzip.open(place / STREAM) as stream:
                records = [decode_record(line) for line in stream]
            return Storm(tuple(record for record in records if isinstance(record, DeliveryRecord)), place)
    tried = ", ".join(str(place) for place in places)
    raise Failed(
        f"no recorded storm: {STREAM} is not in {tried}; name its folder with --storm (examples/storm of the source)"
    )


def events_in(body: Any) -> int:
    """How many alerts or changes a body carries: a list of alerts counts each, a graph not at all."""
    if isinstance(body, list):
        return len(body)
    if isinstance(body, dict) and ("nodes" in body or "entities" in body):
        return 0
    alerts = body.get("alerts") if isinstance(body, dict) else None
    return len(alerts) if isinstance(alerts, list) else 1


def post(url: str, delivery: DeliveryRecord, timeout_s: float = 10.0) -> int:
    """Sends a delivery as its tool would; returns the status. Raises OSError when there is no answer."""
    body = delivery.body.encode() if isinstance(delivery.body, str) else msgspec.json.encode(delivery.body)
    request = Request(url + delivery.path, body, delivery.headers, method=delivery.method)  # noqa: S310 -- our daemon
    with build_opener(ProxyHandler({})).open(request, timeout=timeout_s) as answer:
        return int(answer.status)


def _places() -> list[Path]:
    packaged = Path(str(files("quell"))) / "starter" / "storm"
    return [packaged, Path(quell.__file__).parents[2] / "examples" / "storm"]


def _moved(value: Any, by_s: float) -> Any:
    """``value`` with every RFC 3339 text moved; Go's "not set" in year 1 stays."""
    if isinstance(value, str):
        if not _TIME.match(value):
            return value
        moment = parse_time(value)
        return value if moment is None else format_time(moment + by_s)
    if isinstance(value, dict):
        return {name: _moved(item, by_s) for name, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, by_s) for item in value]
    return value
