"""Pulls: every query once, in a thread of its own, so that a slow database delays nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from quell.model.records import AnyRecord
from quell.sdk.connector import Context, Pulled
from quell.sdk.late import Cursor, Window, since
from quell.sdk.monitor import input_told
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.sql.queries import Query, read_queries
from quell_connectors.sql.spec import SPEC


class Sql:
    """Rows become samples of entities. A query that cannot be answered is an alert and stops no other."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._url: Secret = options["url"]
        self._timeout_s = float(options.get("timeout") or 10.0)
        self._source = context.source
        self._queries = read_queries(options.get("queries") or {}, context.source)

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Raises `Unreachable` or `Refused` when the database cannot be asked at all."""
        return await asyncio.to_thread(self._pulled, Cursor.of(cursor), now)

    def _pulled(self, known: Cursor, now: float) -> Pulled:
        # Loaded here: whoever only checks a configuration needs no database driver.
        asking, reading = (import_module(f"quell_connectors.sql.{name}") for name in ("database", "translate"))
        database = asking.Database(self._url.reveal(), f'sql "{self._source}"', self._timeout_s)
        questions, ends = [], []
        for query in self._queries:
            until = now - query.delay_s
            window = known.windows.get(query.name)
            begin = since(window, now=until, lookback_s=query.lookback_s, overlap_s=query.overlap_s)
            times = {"since": begin, "until": until}
            moments = {name: reading.bound(at, query.time_as, database.dialect) for name, at in times.items()}
            bound = {name: value for name, value in {**query.params, **moments}.items() if name in query.binds}
            questions.append(asking.Question(query.sql, bound, query.limit))
            ends.append(until)
        records: list[AnyRecord] = []
        after: dict[str, Window] = {}
        wrong: set[str] = set()
        for query, until, table in zip(self._queries, ends, database.answers(questions), strict=True):
            window = known.windows.get(query.name)
            found = reading.read(query, table, window, until=until, now=now, source=self._source)
            records += found.samples
            records += self._judged(query, found.wrong, before=query.name in known.wrong, now=now)
            if found.window is not None:
                after[query.name] = found.window
            if found.wrong:
                wrong.add(query.name)
        return Pulled(records, Cursor(after, frozenset(wrong)).text())

    def _judged(self, query: Query, wrong: str, *, before: bool, now: float) -> list[AnyRecord]:
        what, labels = f'query "{query.name}"', {"query": query.name}
        return input_told(self._source, what, wrong, before=before, now=now, labels=labels)
