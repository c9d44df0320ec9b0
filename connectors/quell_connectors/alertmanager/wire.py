"""Shapes on the wire, both ways, with the names Alertmanager gives their fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from quell.model.times import format_time, parse_time
from quell.sdk.connector import Reply

JSON = "application/json"
_encoder = msgspec.json.Encoder(order="deterministic")


Pairs = dict[str, str | None]
"""Labels or annotations; null is the empty text, as it is to Go."""


class PostableAlert(msgspec.Struct, rename="camel", frozen=True):
    """An alert as `POST /api/v2/alerts` takes it. ``labels`` None: left out or null."""

    labels: Pairs | None = None
    annotations: Pairs | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    generator_url: str | None = msgspec.field(name="generatorURL", default=None)


class WebhookAlert(msgspec.Struct, rename="camel", frozen=True):
    """An alert in a webhook of Alertmanager, or of Grafana, which adds ``values`` and links.

    No alert is lost for its ``values``: they are numbers, but what is none (null, "NaN") is passed over.
    """

    labels: Pairs
    status: str = ""
    annotations: Pairs | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    generator_url: str | None = msgspec.field(name="generatorURL", default=None)
    values: Any = None
    panel_url: str | None = msgspec.field(name="panelURL", default=None)


class Webhook(msgspec.Struct, rename="camel", frozen=True):
    """A webhook delivery; its alerts are decoded one by one where not all can be read."""

    alerts: list[WebhookAlert]
    truncated_alerts: int = 0


class RawWebhook(msgspec.Struct, rename="camel", frozen=True):
    """The same with its alerts still encoded."""

    alerts: list[msgspec.Raw]
    truncated_alerts: int = 0


class PostableMatcher(msgspec.Struct, rename="camel", frozen=True):
    """A matcher of a silence; None: left out."""

    name: str | None = None
    value: str | None = None
    is_regex: bool | None = None
    is_equal: bool | None = None


class PostableSilence(msgspec.Struct, rename="camel", frozen=True):
    """A silence as `POST /api/v2/silences` takes it; None: left out."""

    id: str | None = None
    comment: str | None = None
    created_by: str | None = None
    ends_at: str | None = None
    matchers: list[PostableMatcher | None] | None = None
    starts_at: str | None = None
    annotations: dict[str, str] | None = None


class GettableAlert(msgspec.Struct, rename="camel", omit_defaults=True):
    """An alert as it is answered."""

    annotations: dict[str, str]
    ends_at: str
    fingerprint: str
    receivers: list[dict[str, str]]
    starts_at: str
    status: dict[str, Any]
    updated_at: str
    labels: dict[str, str]
    generator_url: str = msgspec.field(name="generatorURL", default="")


def moment(text: str | None) -> float | None:
    """Seconds; None for nothing, for "" and for year 1. A time without a zone is UTC. Raises ValueError."""
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        if text[-1] in "zZ" or not text[0].isdigit():
            raise
        return parse_time(text + "Z" if "T" in text else text + "T00:00:00Z")


def text_of(at: float) -> str:
    """The time as Alertmanager writes it: UTC with milliseconds."""
    return format_time(at)


def answer(value: Any, status: int = 200) -> Reply:
    """A JSON answer, ended by a line break as Go's encoder does."""
    return Reply(status, _encoder.encode(value) + b"\n", JSON)


def complaint(status: int, message: str) -> Reply:
    """What handlers say: the bare message as a JSON text."""
    return answer(message, status)


def refusal(status: int, message: str, code: int | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """What is said before a handler is reached: code and message."""
    reply = answer({"code": status if code is None else code, "message": message}, status)
    return Reply(status, reply.body, JSON, headers or {})


def fingerprint(labels: Mapping[str, str]) -> str:
    """The fingerprint that Alertmanager and Prometheus give to labels: 64 bits of FNV-1a, in hex."""
    return _fnv(tuple(sorted(labels.items())))


@lru_cache(maxsize=32_768)
def _fnv(pairs: tuple[tuple[str, str], ...]) -> str:
    value = 0xCBF29CE484222325
    text = b"\xff".join(part.encode("utf-8", "surrogatepass") for pair in pairs for part in pair)
    for byte in text + b"\xff" if pairs else b"":
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
