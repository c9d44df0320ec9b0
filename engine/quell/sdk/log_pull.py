"""What pulls of log stores share: lines become counted statements, late lines are told once, and lag is said.

Only what is constant in a line is kept; what varies, and with it most of what names persons, is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import Misconfigured, Problem
from quell.model.records import LogRecord
from quell.model.statements import statement
from quell.sdk.connector import Pulled
from quell.sdk.late import Cursor, Window, fresh, mark_of
from quell.sdk.monitor import input_told
from quell.sdk.parts import MOST_SKEW_S
from quell.sdk.spec import Option

MOST_STATEMENTS = 2000
"""Of one pull; the rest is counted together, by entity, severity and minute."""
REST = "(other lines)"
MOST_LAG_S = 600.0
"""Farther behind than this is said."""
_STREAM = "lines"
HOLE = re.compile(r"\$\{\s*([^}\s]+)\s*\}")
_MINUTE_S = 60.0
_WORDS: Mapping[str, str] = {
    "warn": "warning", "err": "error", "critical": "fatal", "crit": "fatal", "emerg": "fatal", "emergency": "fatal",
    "alert": "fatal", "panic": "fatal", "severe": "error", "information": "info", "notice": "info", "verbose": "trace",
}  # fmt: skip

PULL_OPTIONS = (
    Option(
        name="delay",
        type="duration",
        summary="How long after they were written lines are read first; stores show new ones late.",
        default=30.0,
        example="30s",
    ),
    Option(
        name="overlap",
        type="duration",
        summary="How far back each pull reads over again for lines that came late; each is counted once.",
        default=60.0,
        example="2m",
    ),
    Option(
        name="lookback",
        type="duration",
        summary="How far back the first pull reads.",
        default=300.0,
        example="10m",
    ),
    Option(
        name="limit",
        type="integer",
        summary="Lines read in one pull at most; the next one goes on from there.",
        default=10_000,
    ),
    Option(name="timeout", type="duration", summary="How long to wait for one answer.", default=20.0, example="20s"),
)
"""The options of every such source."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line; ``identity`` tells it from others of the same moment."""

    at: float
    identity: str
    entity: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """From when (not itself) to when lines are asked for."""

    since: float
    until: float


class Batch:
    """What a pull read: lines that are new, up to when they are all there, and what was wrong, with how often."""

    def __init__(self, span: Span, window: Window | None) -> None:
        self.until = span.until
        self.lines: list[Line] = []
        self.wrong: dict[str, int] = {}
        self._before = span.since if window is None else window.until
        self._known = set() if window is None else {mark for _, mark in window.seen}

    def take(self, line: Line) -> None:
        """Keeps a line unless it was told before; a page may hold one twice, and a pull reads over again."""
        mark = mark_of(line.at, line.identity)
        if mark not in self._known:
            self._known.add(mark)
            self.lines.append(line)

    def miss(self, reason: str) -> None:
        """One more thing that could not be read."""
        self.wrong[reason] = self.wrong.get(reason, 0) + 1

    def cut(self, last: float, least_s: float) -> None:
        """Only lines before ``last`` are all there; the next pull goes on ``least_s``, the finest step, before it."""
        self.until = last - least_s
        if self.until <= self._before:
            self.until = last
            self.miss("there are more lines of one moment than the limit; the others of it are not read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a source pulls; in seconds and lines."""

    source: str
    delay_s: float
    overlap_s: float
    lookback_s: float
    limit: int
    timeout_s: float

    @classmethod
    def of(cls, options: Mapping[str, Any], source: str) -> Settings:
        """From decoded options. Raises `Misconfigured` for a limit that is none."""
        given = {option.name: options.get(option.name) for option in PULL_OPTIONS}
        known: dict[str, Any] = {
            option.name: option.default if given[option.name] is None else given[option.name] for option in PULL_OPTIONS
        }
        if not 1 <= int(known["limit"]) <= 100_000:
            raise Misconfigured([Problem(f'source "{source}"', 0, 0, "limit: expected 1 to 100000 lines")])
        return cls(
            source=source,
            delay_s=float(known["delay"]),
            overlap_s=float(known["overlap"]),
            lookback_s=float(known["lookback"]),
            limit=int(known["limit"]),
            timeout_s=float(known["timeout"]),
        )

    def span(self, window: Window | None, now: float) -> Span:
        """What to ask for. What lies farther back than can be caught up with in a day is given up."""
        until = now - self.delay_s
        if window is None:
            return Span(until - self.lookback_s, until)
        return Span(max(min(window.until, until) - self.overlap_s, until - 86_400.0), until)


def window_in(cursor: Cursor) -> Window | None:
    """The one window of a log source."""
    return cursor.windows.get(_STREAM)


def pulled(batch: Batch, cursor: Cursor, settings: Settings, now: float) -> Pulled:
    """Records of what a pull read for the first time, and its cursor."""
    rows = [(line.at, line.identity, line) for line in batch.lines if line.at <= now + MOST_SKEW_S]
    if len(rows) < len(batch.lines):
        batch.wrong["the time is ahead of the clock"] = len(batch.lines) - len(rows)
    told, after = fresh(window_in(cursor), rows, batch.until, settings.overlap_s)
    lag = now - settings.delay_s - batch.until
    wrong = [f"{reason} ({count} times)" if count > 1 else reason for reason, count in list(batch.wrong.items())[:5]]
    if lag > MOST_LAG_S:
        wrong.append(f"{lag / 60:.0f} minutes behind: there are more lines than the limit of {settings.limit} a pull")
    before = _STREAM in cursor.wrong
    alert = input_told(settings.source, "the log", "; ".join(wrong), before=before, now=now)
    then = Cursor({_STREAM: after}, frozenset({_STREAM} if wrong else ()))
    return Pulled([*counted(told, settings.source, now), *alert], then.text())


def counted(lines: Iterable[Line], source: str, now: float) -> Iterable[LogRecord]:
    """Counts by entity, severity, statement and minute, in an order that does not depend on that of the lines."""
    found: dict[tuple[str, str, str, int], list[float]] = {}
    for line in lines:
        key = (line.entity, line.severity, statement(line.text), int(line.at // _MINUTE_S))
        if key not in found and len(found) >= MOST_STATEMENTS:
            key = (line.entity, line.severity, REST, key[3])
        found.setdefault(key, []).append(line.at)
    for (entity, severity, template, _), times in sorted(found.items()):
        first, last = min(times), max(times)
        yield LogRecord(
            at=min(first, now),
            seen=now,
            source=source,
            entity=entity,
            severity=severity,
            template=template,
            count=len(times),
            over_s=last - first,
        )


def entity_in(template: str, fields: Mapping[str, str]) -> str:
    """The entity of a line, "" when it lacks one of the fields that name it."""
    holes = HOLE.findall(template)
    if any(not fields.get(hole, "").strip() for hole in holes):
        return ""
    return HOLE.sub(lambda hole: fields[hole[1]].strip()[:256], template)


def check_entity(template: str, source: str) -> str:
    """The template, if it is one of an entity. Raises `Misconfigured`."""
    if not re.match(r"[^/\s]+/.", template):
        message = f'entity: "{template}" is none; write kind/name, such as service/${{service}}'
        raise Misconfigured([Problem(f'source "{source}"', 0, 0, message)])
    return template


def severity_of(word: str) -> str:
    """A severity in quell's words; "" for none."""
    plain = word.strip().lower()[:20]
    return _WORDS.get(plain, plain)
