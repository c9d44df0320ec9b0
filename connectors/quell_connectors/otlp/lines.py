"""Log records to counted statements: what varies in a line, and with it most of what names persons, is not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quell.model.records import LogRecord
from quell.model.statements import MOST_CHARACTERS, statement
from quell_connectors.otlp.homes import Home, Homes
from quell_connectors.otlp.models import Meter, is_evaluation
from quell_connectors.otlp.samples import Table
from quell_connectors.otlp.spans import MINUTE
from quell_connectors.otlp.tally import Tally
from quell_connectors.otlp.wire import NANO, Encoding, Scalar, text_of

MOST_STATEMENTS = 500
"""Of one delivery; the rest is counted together, by entity, severity and minute."""
REST = "(other lines)"
MOST_SAMPLE = 500
"""Characters of a line that is kept as it is, where the source asks for samples."""
_READ = frozenset({
    b"event.name", b"exception.type", b"exception.message", b"error.type", b"gen_ai.evaluation.name",
    b"gen_ai.evaluation.score.value", b"gen_ai.evaluation.score.label", b"gen_ai.evaluation.score",
    b"gen_ai.evaluation.label", b"gen_ai.request.model", b"gen_ai.response.model",
})  # fmt: skip
_SEVERITIES = ((21, "fatal"), (17, "error"), (13, "warning"), (9, "info"), (5, "debug"), (1, "trace"))
_WORDS = {
    "warn": "warning", "err": "error", "critical": "fatal", "crit": "fatal", "emerg": "fatal", "emergency": "fatal",
    "alert": "fatal", "panic": "fatal", "severe": "error", "information": "info", "notice": "info", "verbose": "trace",
}  # fmt: skip
_TALK = "gen_ai."
"""Events whose bodies are what people and models said to each other: only their names are counted."""
_BODIES = ("message", "msg", "body", "log", "event", "text")
"""Where structured lines have their text."""
_Key = tuple[str, str, str, int]


@dataclass(slots=True)
class _Counted:
    count: int = 0
    first: int = 1 << 63
    last: int = 0
    sample: tuple[int, str] = (1 << 63, "")


class Lines:
    """Reads the log records of one delivery."""

    def __init__(self, encoding: Encoding, homes: Homes, tally: Tally, meter: Meter, *, samples: bool) -> None:
        self._encoding = encoding
        self._homes = homes
        self._tally = tally
        self._meter = meter
        self._samples = samples
        self._counted: dict[_Key, _Counted] = {}
        self.table = Table()
        self.homes: list[Home] = []

    def read(self, request: Any) -> None:
        """Takes all lines of a request in. Raises `quell.errors.BadPayload`."""
        for resource in request.resource_logs:
            home = self._homes.of(self._encoding, resource.resource)
            self.homes.append(home)
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    self._take(home, record)

    def records(self, source: str, now: float) -> Iterator[LogRecord]:
        """Counted statements, in an order that does not depend on that of the lines."""
        counted = self._counted
        if len(counted) > MOST_STATEMENTS:
            counted = _fewer(counted)
        for (entity, severity, template, _), told in sorted(counted.items()):
            yield LogRecord(
                at=told.first / NANO,
                seen=now,
                source=source,
                entity=entity,
                severity=severity,
                text=told.sample[1],
                template=template,
                count=told.count,
                over_s=(told.last - told.first) / NANO,
            )

    def _take(self, home: Home, record: Any) -> None:
        at = record.time_unix_nano or record.observed_time_unix_nano
        if not self._tally.oldest <= at <= self._tally.newest:
            self._tally.reject_time(home.entity, at, f"a log record of {home.entity}")
            return
        told: dict[str, Scalar] = {}
        if picked := self._encoding.picked(record.attributes, _READ):
            told = dict(self._encoding.pairs(picked))
        event = record.event_name or text_of(told.get("event.name", ""))
        if is_evaluation(event):
            model = text_of(told.get("gen_ai.request.model") or told.get("gen_ai.response.model") or "")
            self._meter.evaluated(self.table, told, f"model/{model}" if model else home.entity, at, event=event)
            return
        talk = event.startswith(_TALK)
        text = ("" if talk else _text(self._encoding.value(record.body))) or _exception(told) or event
        if not text:
            self._tally.reject(home.entity, "no_value", f"a log record of {home.entity}")
            return
        key = (home.entity, _severity(record), _template(text, told), at // MINUTE)
        counted = self._counted.setdefault(key, _Counted())
        counted.count += 1
        counted.first = min(counted.first, at)
        counted.last = max(counted.last, at)
        if self._samples:
            counted.sample = min(counted.sample, (at, text[:MOST_SAMPLE]))


def _severity(record: Any) -> str:
    number = record.severity_number
    if isinstance(number, str):  # SEVERITY_NUMBER_ERROR2
        word = str(number).rpartition("_")[2].rstrip("234").lower()
        return _WORDS.get(word, word)
    for least, word in _SEVERITIES:
        if number >= least:
            return word
    word = str(record.severity_text).strip().lower()[:20]
    return _WORDS.get(word, word)


def _text(body: Any) -> str:
    if isinstance(body, str):
        return body.strip()
    if isinstance(body, Mapping):
        for name in _BODIES:
            if isinstance(body.get(name), str) and body[name].strip():
                return str(body[name]).strip()
        return " ".join(sorted(str(name) for name in body))  # a structure is known by its fields, not by their values
    if isinstance(body, list):
        return " ".join(text for each in body if (text := _text(each)))
    return "" if body is None or isinstance(body, bytes) else str(body)


def _exception(told: Mapping[str, Scalar]) -> str:
    kind, said = text_of(told.get("exception.type", "")), text_of(told.get("exception.message", ""))
    return f"{kind}: {said}" if kind and said else kind or said


def _template(text: str, told: Mapping[str, Scalar]) -> str:
    """The statement of a line's first words; an exception's type is part of it."""
    template: str = statement(text[:MOST_CHARACTERS])
    kind = text_of(told.get("exception.type", ""))
    return f"{template} {kind}" if kind and kind not in template else template


def _fewer(counted: Mapping[_Key, _Counted]) -> dict[_Key, _Counted]:
    """The statements met most, and of severities that matter before others; the rest together."""
    ranked = sorted(counted.items(), key=lambda pair: (pair[0][1] not in {"error", "fatal"}, -pair[1].count, pair[0]))
    kept = dict(ranked[:MOST_STATEMENTS])
    for (entity, severity, _, minute), told in ranked[MOST_STATEMENTS:]:
        rest = kept.setdefault((entity, severity, REST, minute), _Counted())
        rest.count += told.count
        rest.first, rest.last = min(rest.first, told.first), max(rest.last, told.last)
    return kept
