"""The receiver: events in, counts out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload, Misconfigured, Problem
from quell.model.prediction import Event, OutcomeEvent, PredictionEvent
from quell.model.records import AnyRecord, SampleRecord
from quell.sdk.connector import Context, Received, Rejected, Reply, Request
from quell.sdk.moments import read_moment
from quell.sdk.spec import Spec
from quell_connectors.predictions.counting import Counts
from quell_connectors.predictions.privacy import Guard
from quell_connectors.predictions.reading import events_of
from quell_connectors.predictions.spec import SPEC

_MOST_KEY = 128


class Predictions:
    """Answers 200 with how many events were counted and how many refused; 400 when none can be read.

    It has no memory: a label must come with what was predicted, as `quell.emit` sends it. Raises `Misconfigured`.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._source = context.source
        drop, tokenise, keep = (list(options.get(name) or []) for name in ("drop", "tokenise", "keep"))
        secret = options.get("secret")
        place = f'predictions "{context.source}"'
        if tokenise and secret is None:
            hint = "name where it is kept: secret: env:NAME"
            raise Misconfigured(
                [Problem(place, 0, 0, 'tokenise: tokens are made with a key, "secret" is missing', hint)]
            )
        try:
            self._guard = Guard(drop, tokenise, keep, secret)
        except re.error as error:
            raise Misconfigured(
                [Problem(place, 0, 0, f"drop, tokenise or keep: no regular expression: {error}", "")]
            ) from None
        positive = options.get("positive")
        self._positive = frozenset(str(one) for one in (["yes", "positive"] if positive is None else positive))
        contexts, segments, samples = (options.get(name) for name in ("contexts", "segments", "samples"))
        self._contexts = 1.0 if contexts is None else float(contexts)
        self._segments = 100 if segments is None else int(segments)
        self._samples = 3 if samples is None else max(int(samples), 0)

    def receive(self, request: Request, now: float) -> Received:
        """Never raises: the delivery would be kept as it is, with whatever is in it."""
        counts = Counts(self._guard, self._positive, self._contexts, self._segments)
        key = request.headers.get("idempotency-key", "")[:_MOST_KEY]
        records: list[AnyRecord] = []
        rejected: list[Rejected] = []
        taken = 0
        try:
            for index, (place, event) in enumerate(events_of(request)):
                if isinstance(event, Rejected):
                    rejected.append(event)
                    continue
                try:
                    records += self._told(event, counts, now, f"{key}/o{index}" if key else "")
                    taken += 1
                except BadPayload as error:
                    rejected.append(Rejected(f"{place}: {error}", b"(not kept)", private=True))
        except BadPayload as error:
            rejected.append(Rejected(str(error), b"(not kept)", private=True))
        records += counts.records(self._source, key, self._samples)
        told = {"accepted": taken, "refused": len(rejected), "rejected": [one.reason for one in rejected[:20]]}
        status = 400 if rejected and not taken else 200
        return Received(records, Reply(status, msgspec.json.encode(told), "application/json"), rejected)

    def _told(self, event: Event, counts: Counts, now: float, identity: str) -> list[AnyRecord]:
        """Counts an event; an outcome is a record of its own. Raises `BadPayload` without any value."""
        try:
            at = read_moment(event.at)
        except ValueError:
            raise BadPayload("at: expected RFC 3339 text or seconds since 1970") from None
        at = now if at is None else at
        if isinstance(event, OutcomeEvent):
            kpi = _named(event.kpi, "kpi")
            return [
                SampleRecord(
                    at=at, source=self._source, id=identity, entity=f"kpi/{kpi}", metric=kpi, value=event.value,
                    unit=event.unit[:64],
                )
            ]  # fmt: skip
        _named(event.model, "model")
        if event.version and not event.version.isprintable():
            raise BadPayload("version: expected printable text")
        if isinstance(event, PredictionEvent):
            counts.prediction(event, at)
            return []
        if event.label is None:
            raise BadPayload("label: expected what the prediction should have been, not null")
        if event.predicted is None and event.score is None:
            raise BadPayload("predicted: expected what was predicted, here or as score: quell remembers no predictions")
        counts.label(event, at)
        return []


def _named(name: str, place: str) -> str:
    if name != name.strip() or not name.isprintable():
        raise BadPayload(f"{place}: expected printable text without spaces around it")
    return name
