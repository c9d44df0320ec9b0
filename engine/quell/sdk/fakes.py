"""Stand-ins for what a connector is given: an HTTP client with a script and a view of an engine over plain lists."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quell.errors import ExpressionError
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Matcher, Silence
from quell.sdk.http import Answer
from quell.sdk.identity import Identity

NOW = 1_772_359_200.0
"""2026-03-01T10:00:00Z, the time that checks hand in."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that a connector made."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    data: bytes | None = None
    timeout_s: float = 10.0
    identity: Identity | None = None


Scripted = Answer | Exception | Callable[[Sent], Answer]


class FakeHttp:
    """Answers from a script, the last entry over and over; without one, 200 with an empty JSON object."""

    def __init__(self, *script: Scripted) -> None:
        self.script: list[Scripted] = list(script) or [Answer(200, {}, b"{}")]
        self.sent: list[Sent] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
        timeout_s: float = 10.0,
        identity: Identity | None = None,
    ) -> Answer:
        """Records the request; gives, raises or computes the next answer."""
        sent = Sent(method, url, dict(headers or {}), dict(query or {}), json, data, timeout_s, identity)
        self.sent.append(sent)
        await asyncio.sleep(0)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else answer(sent)


@dataclass(slots=True)
class FakeView:
    """A `quell.sdk.connector.View` over plain lists."""

    all_alerts: Sequence[Alert] = ()
    all_silences: Sequence[Silence] = ()
    all_incidents: Sequence[Incident] = ()
    started: float = NOW - 60.0
    release: str = "0.0.0"

    def alerts(self) -> Sequence[Alert]:
        """All of them."""
        return self.all_alerts

    def alert(self, fingerprint: str) -> Alert | None:
        """By fingerprint."""
        return next((alert for alert in self.all_alerts if alert.fingerprint == fingerprint), None)

    def silences(self) -> Sequence[Silence]:
        """All of them."""
        return self.all_silences

    def silence(self, silence_id: str) -> Silence | None:
        """By id."""
        return next((silence for silence in self.all_silences if silence.id == silence_id), None)

    def incidents(self) -> Sequence[Incident]:
        """All of them."""
        return self.all_incidents

    def started_at(self) -> float:
        """When the pretended daemon started."""
        return self.started

    def version(self) -> str:
        """The pretended release."""
        return self.release

    def matchers(self, text: str) -> Sequence[Matcher]:
        """Reads ``name<operator>"value"`` only, joined by commas; enough for tests without an engine."""
        found = [_MATCHER.fullmatch(part) for part in text.strip("{}").split(",")]
        return tuple(_matcher(text, one) for one in found)

    def matching(self, matchers: Sequence[Matcher]) -> Callable[[Mapping[str, str]], bool]:
        """Matches with Python's own expressions, where an engine uses RE2."""
        tests = [(matcher, _pattern(matcher)) for matcher in matchers]
        return lambda labels: all(
            (pattern.fullmatch(labels.get(matcher.name, "")) is not None) == matcher.is_equal
            for matcher, pattern in tests
        )


_MATCHER = re.compile(r"""\s*([^=!~"\s]+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*""", re.DOTALL)


def _matcher(text: str, found: re.Match[str] | None) -> Matcher:
    if found is None:
        raise ExpressionError(f'"{text}" is not a matcher', 1)
    return Matcher(name=found[1], value=found[3], is_regex="~" in found[2], is_equal="!" not in found[2])


def _pattern(matcher: Matcher) -> re.Pattern[str]:
    try:
        return re.compile(matcher.value if matcher.is_regex else re.escape(matcher.value), re.DOTALL)
    except re.error as error:
        raise ExpressionError(f'"{matcher.value}" is not a regular expression: {error}') from error
