"""Pulls lines, page by page. Loki's pages end in the middle of a moment, so the last moment is read over again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Context, Pulled
from quell.sdk.http import checked
from quell.sdk.late import Cursor
from quell.sdk.log_pull import Batch, Line, Settings, check_entity, entity_in, pulled, severity_of, window_in
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.loki.spec import SPEC

PAGE = 5000
"""What Loki gives at once unless it is told otherwise."""
_NANO = 1_000_000_000
_FINEST_S = 1e-6
"""Seconds since 1970 are told apart no finer."""


class _Stream(msgspec.Struct, frozen=True):
    """Labels, and (time in ns, line) as texts; newer versions add structured metadata to a line."""

    stream: dict[str, str]
    values: list[list[Any]]


class _Data(msgspec.Struct, frozen=True, rename={"result_type": "resultType"}):
    result_type: str
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Answer(msgspec.Struct, frozen=True):
    status: str
    data: _Data


class Loki:
    """Lines become counted statements; lines that come late are counted once, whenever they come."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._settings = Settings.of(options, context.source)
        self._context = context
        self._url = str(options["url"]).rstrip("/")
        self._query = str(options["query"])
        self._entity = check_entity(str(options.get("entity") or "service/${service_name}"), context.source)
        self._severity = [str(name) for name in options.get("severity") or ("level", "severity", "detected_level")]
        self._tenant = str(options.get("tenant") or "")
        self._token: Secret | None = options.get("token")

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Raises `Unreachable`, `Refused` or `BadPayload`; nothing is taken for read that was not."""
        known = Cursor.of(cursor)
        window = window_in(known)
        span = self._settings.span(window, now)
        batch = Batch(span, window)
        begin, end = int(span.since * _NANO), int(span.until * _NANO) + 1
        while True:
            lines = sorted(self._lines(await self._asked(begin, end)), key=lambda line: line[0])
            for at, labels, text in lines:
                self._take(at, labels, text, batch)
            if len(lines) < PAGE:
                break
            last = lines[-1][0]
            if len(batch.lines) >= self._settings.limit:
                batch.cut(last / _NANO, _FINEST_S)
                break
            if last == begin:
                batch.miss(f"more than {PAGE} lines of one moment; the others of it are not read")
                last += 1
            begin = last
        # Thousands of lines are counted: in a thread, so that nothing else waits for it.
        return await asyncio.to_thread(pulled, batch, known, self._settings, now)

    async def _asked(self, begin: int, end: int) -> list[_Stream]:
        headers = {"X-Scope-OrgID": self._tenant} if self._tenant else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        answer = await self._context.http.request(
            "GET",
            f"{self._url}/loki/api/v1/query_range",
            headers=headers,
            query={
                "query": self._query,
                "start": str(begin),
                "end": str(end),
                "limit": str(PAGE),
                "direction": "forward",
            },
            timeout_s=self._settings.timeout_s,
        )
        said = decode(checked(answer, f'loki "{self._context.source}"', (self._token,)).body, _Answer)
        if said.status != "success" or said.data.result_type != "streams":
            raise BadPayload(
                f'expected streams of lines, not "{said.data.result_type[:40]}"; the query must not count them',
                answer.body[:4096],
                "data.resultType",
            )
        return decode(bytes(said.data.result), list[_Stream])

    def _lines(self, streams: list[_Stream]) -> Iterator[tuple[int, Mapping[str, str], str]]:
        for stream in streams:
            for entry in stream.values:
                at, text = entry[:2] if len(entry) > 1 else (None, None)
                if not (isinstance(at, str) and at.isdecimal() and len(at) <= 20 and isinstance(text, str)):
                    raise BadPayload(
                        f"values: expected a time in ns and a line, as texts, not {entry!r:.80}", field="values"
                    )
                yield int(at), stream.stream, text

    def _take(self, at: int, labels: Mapping[str, str], text: str, batch: Batch) -> None:
        entity = entity_in(self._entity, labels)
        if not entity:
            batch.miss(f"streams lack a label of {self._entity}")
        elif text.strip():
            word = next((labels[name] for name in self._severity if labels.get(name)), "")
            identity = f"{at}\x00{sorted(labels.items())}\x00{text}"
            batch.take(Line(at / _NANO, identity, entity, severity_of(word), text))
