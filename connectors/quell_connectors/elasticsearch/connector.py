"""Pulls lines, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, ClassVar

from quell.sdk.connector import Context, Pulled
from quell.sdk.late import Cursor
from quell.sdk.log_pull import HOLE, Batch, Line, Settings, check_entity, entity_in, pulled, severity_of, window_in
from quell.sdk.spec import Spec
from quell.sdk.vocabulary import scalar_text
from quell_connectors.elasticsearch.client import Client, Hit, moment
from quell_connectors.elasticsearch.spec import SPEC

_FINEST_S = 0.001
"""Times of documents are kept in milliseconds."""


class Elasticsearch:
    """Lines become counted statements; documents that come late are counted once, whenever they come."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._settings = Settings.of(options, context.source)
        who = f'{options.get("product") or "elasticsearch"} "{context.source}"'
        self._client = Client(options, context.http, who, self._settings.timeout_s)
        self._entity = check_entity(str(options.get("entity") or "service/${service.name}"), context.source)
        self._message = str(options.get("message") or "message")
        self._severity = str(options.get("severity") or "log.level")

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Raises `Unreachable`, `Refused` or `BadPayload`; nothing is taken for read that was not."""
        known = Cursor.of(cursor)
        window = window_in(known)
        span = self._settings.span(window, now)
        batch, names = Batch(span, window), sorted({*HOLE.findall(self._entity), self._message, self._severity})
        async with aclosing(self._client.hits(span, names)) as pages:
            async for page in pages:
                for hit in page:
                    self._take(hit, batch)
                if len(batch.lines) >= self._settings.limit:
                    batch.cut(moment(page[-1]), _FINEST_S)
                    break
        # Thousands of lines are counted: in a thread, so that nothing else waits for it.
        return await asyncio.to_thread(pulled, batch, known, self._settings, now)

    def _take(self, hit: Hit, batch: Batch) -> None:
        fields = {name: scalar_text(values[0]) for name, values in hit.fields.items() if values}
        entity = entity_in(self._entity, fields)
        text = fields.get(self._message, "")
        if not entity:
            batch.miss(f"documents lack a field of {self._entity}")
        elif not text.strip():
            batch.miss(f'documents have no text in "{self._message}"')
        else:
            severity = severity_of(fields.get(self._severity, ""))
            batch.take(Line(moment(hit), f"{hit.index}/{hit.id}", entity, severity, text))
