"""What an endpoint calls: a prediction, its label, an outcome."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from random import random
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlsplit
from zlib import crc32

from quell.emit.sender import Counts, Sender, Target

Label = str | bool | int | float
When = float | datetime | None
"""Seconds since 1970, or a time; a time without a zone is of the zone that the process runs in."""
_TEXTS = frozenset({"model", "version", "request_id", "region", "kpi", "unit"})
"""What is text, also where a caller has a number for it."""
_JOINED = ("model", "version", "segment", "region", "score", "confidence")


class Emitter:
    """Tells quell at ``url`` (``https://…/in/SOURCE``). One for a process; used from any thread, sync or async.

    ``room`` events wait at most, sent every ``every_s`` seconds or when there are 250; when there is no room an event
    is dropped and counted. ``features`` is the share of predictions whose features are sent, always the same for one
    request id. ``remember`` predictions are kept in memory so that a label that comes later finds its own.
    Raises ValueError for a url, a token or a setting that makes no sense: nothing else raises.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        room: int = 10_000,
        every_s: float = 1.0,
        timeout_s: float = 10.0,
        features: float = 1.0,
        remember: int = 100_000,
    ) -> None:
        _check(url, token)
        for name, value, least in (("room", room, 1), ("every_s", every_s, 0.001), ("timeout_s", timeout_s, 0.001)):
            if not least <= value < float("inf"):
                raise ValueError(f"{name} is {value}; expected a number of at least {least}")
        self._sender = Sender(Target(url, token, every_s, timeout_s), room)
        self._features = features
        self._remember = remember
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._last_at = 0.0

    def prediction(
        self,
        *,
        model: str,
        version: str = "",
        request_id: str = "",
        score: float | None = None,
        label: Label | None = None,
        confidence: float | None = None,
        segment: Mapping[str, str] | None = None,
        region: str = "",
        features: Mapping[str, Any] | None = None,
        latency_s: float | None = None,
        at: When = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        cost: float | None = None,
        refusal: bool | None = None,
        quality: float | None = None,
    ) -> None:
        """One prediction. ``score`` is the chance of the positive class, ``confidence`` that of ``label`` (0 to 1).

        ``at`` in seconds since 1970, or a datetime (None: now). Of language models: tokens, ``cost`` in any one
        currency, whether it refused, and ``quality`` of the answer from 0 to 1.
        """
        told = {
            "model": model, "version": version, "request_id": request_id, "score": score, "label": label,
            "confidence": confidence, "segment": segment, "region": region, "features": features,
            "latency_s": latency_s, "tokens_in": tokens_in, "tokens_out": tokens_out, "cost": cost,
            "refusal": refusal, "quality": quality,
        }  # fmt: skip
        self._tell("prediction", told, at)

    def label(
        self,
        request_id: str,
        label: Label,
        *,
        by: Literal["", "human"] = "",
        at: When = None,
        model: str = "",
        version: str = "",
        predicted: Label | None = None,
        score: float | None = None,
        confidence: float | None = None,
        segment: Mapping[str, str] | None = None,
        region: str = "",
    ) -> None:
        """What a prediction should have been, when that is known; ``by`` "human" when a person judged it.

        The prediction is found by its request id among those this process told of; the first label counts. In another
        process say what was predicted: ``model``, and ``predicted`` or ``score``.
        """
        told: dict[str, Any] = {
            "model": model, "version": version, "predicted": predicted, "score": score, "confidence": confidence,
            "segment": segment, "region": region,
        }  # fmt: skip
        if not model:
            known = self._recalled(request_id)
            if known is None:
                self._sender.count(unjoined=1)
                return
            told = known
        self._tell("label", {**told, "request_id": request_id, "label": label, "by": by}, at)

    def outcome(self, *, kpi: str, value: float, at: When = None, unit: str = "") -> None:
        """A business outcome: a point of the series ``kpi`` of the entity ``kpi/KPI``."""
        self._tell("outcome", {"kpi": kpi, "value": value, "unit": unit}, at)

    @property
    def counts(self) -> Counts:
        """What became of what was told."""
        return self._sender.counts

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Waits until all that was told so far is sent; False when it is not after that time."""
        return self._sender.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Sends what waits, as far as that goes, and ends. Happens by itself at the end of a process."""
        self._sender.close(timeout_s)

    def __enter__(self) -> Emitter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Emitter:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio  # noqa: PLC0415 - whoever is here has it already, and nobody else needs it

        await asyncio.to_thread(self.close)

    def _tell(self, kind: str, told: Mapping[str, Any], at: When) -> None:
        try:
            event = {
                name: dict(value) if isinstance(value, Mapping) else str(value) if name in _TEXTS else value
                for name, value in told.items()
                if value is not None and not (isinstance(value, str) and not value)
            }
            if kind == "prediction":
                if "features" in event and not self._sampled(str(told["request_id"])):
                    del event["features"]
                self._keep(event)
            self._sender.put({"kind": kind, "at": self._now() if at is None else _seconds(at), **event})
        except Exception as error:  # noqa: BLE001 - whatever is wrong with what is told, the caller's request goes on
            self._sender.count(refused=1)
            self._sender.warn("told", f"quell.emit cannot tell of a {kind}: {error}")

    def _now(self) -> float:
        """Times of one process all differ, so that two outcomes at once are two."""
        with self._sender.lock:
            self._last_at = max(time.time(), self._last_at + 1e-6)
            return self._last_at

    def _sampled(self, request_id: str) -> bool:
        if self._features >= 1.0:
            return True
        share = crc32(request_id.encode("utf-8", "replace")) / 2**32 if request_id else random()  # noqa: S311 - no secret
        return share < self._features

    def _recalled(self, request_id: str) -> dict[str, Any] | None:
        """What was told of a prediction, once."""
        with suppress(Exception):  # whatever it is that a caller's id does when it is read
            key = str(request_id)
            with self._sender.lock:
                return self._known.pop(key, None)
        return None

    def _keep(self, event: Mapping[str, Any]) -> None:
        request_id = event.get("request_id", "")
        if not request_id or self._remember <= 0:
            return
        known = {name: event[name] for name in _JOINED if name in event}
        if "label" in event:
            known["predicted"] = event["label"]
        with self._sender.lock:
            self._known[request_id] = known
            while len(self._known) > self._remember:
                self._known.popitem(last=False)


def _check(url: str, token: str) -> None:
    """Raises ValueError for what could never be posted to."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is no number
        fine = False
    if not fine or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f'"{url}" is no address; write such as https://quell.example:8080/in/predictions')
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token is none: expected letters, digits and signs, without spaces or line ends")


def _seconds(at: float | datetime) -> float:
    return at.timestamp() if isinstance(at, datetime) else at
