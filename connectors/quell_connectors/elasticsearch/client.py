"""The calls to the search API: a view that does not change while it is read (a point in time), and its pages.

Pages are narrowed by time and not by ``search_after``: OpenSearch has no tie-breaker between documents of one moment
that holds over shards. Documents of the last moment come again on the next page, and count once by their ids.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from quell.errors import BadPayload, ConnectorError, Refused, Unreachable
from quell.sdk.http import Http
from quell.sdk.json_api import JsonApi, basic, part
from quell.sdk.log_pull import Span
from quell.sdk.secret import Secret

PAGE = 1000
_KEEP = "1m"
_MOST_OFFSET = 10_000
"""How deep one moment's documents can be paged through."""


class Hit(msgspec.Struct, frozen=True):
    """A document; ``sort`` is its time in ms or ns."""

    id: str = msgspec.field(name="_id")
    index: str = msgspec.field(name="_index", default="")
    sort: list[Any] = []
    fields: dict[str, list[Any]] = {}


class _Hits(msgspec.Struct, frozen=True):
    hits: list[Hit]


class _Shards(msgspec.Struct, frozen=True):
    total: int = 0
    failed: int = 0


class _Answer(msgspec.Struct, frozen=True):
    hits: _Hits
    timed_out: bool = False
    shards: _Shards = msgspec.field(name="_shards", default=_Shards())
    pit_id: str = ""


class _Opened(msgspec.Struct, frozen=True):
    id: str = ""
    pit_id: str = ""


class Client:
    """Raises `Unreachable`, `Refused` or `BadPayload`. Part of an answer is none: what is missing is not there."""

    def __init__(self, options: Mapping[str, Any], http: Http, who: str, timeout_s: float) -> None:
        key: Secret | None = options.get("api_key")
        password: Secret | None = options.get("password")
        credentials = {}
        if key:
            credentials = {"Authorization": Secret(f"ApiKey {key.reveal()}")}
        elif password:
            credentials = {"Authorization": basic(str(options.get("user") or ""), password)}
        self._who = who
        self._api = JsonApi(http, str(options["url"]), who, credentials, hide=(key, password))
        self._open = options.get("product") == "opensearch"
        self._index = str(options.get("index") or "logs-*")
        self._query = options.get("query")
        self._time = str(options.get("time") or "@timestamp")
        self._timeout_s = timeout_s

    async def hits(self, span: Span, names: list[str]) -> AsyncGenerator[list[Hit], None]:
        """Pages in order of time, with the fields of these names."""
        async with self._view() as view:
            begin, strict, skip = span.since, True, 0
            while True:
                answer = await self._page(view, begin, span.until, names, strict=strict, skip=skip)
                found = answer.hits.hits
                view["id"] = answer.pit_id or view["id"]
                if found:
                    yield found
                if len(found) < PAGE:
                    return
                first, last = moment(found[0]), moment(found[-1])
                if first == last and not strict and begin == last:
                    skip += PAGE
                    if skip >= _MOST_OFFSET:
                        raise Refused(
                            f"{self._who} has more than {_MOST_OFFSET} documents of one moment; narrow the query"
                        )
                else:
                    begin, strict, skip = last, False, 0

    @asynccontextmanager
    async def _view(self) -> AsyncGenerator[dict[str, str], None]:
        index = ",".join(part(name) for name in self._index.split(",")).replace("%2A", "*")
        path = f"/{index}/_search/point_in_time" if self._open else f"/{index}/_pit"
        query = {"keep_alive": _KEEP}
        opened = await self._api.ask("POST", path, _Opened, timeout_s=self._timeout_s, query=query)
        view = {"id": opened.pit_id or opened.id}
        if not view["id"]:
            raise BadPayload(f"{self._who} opened no point in time; is it the other product?")
        try:
            yield view
        finally:
            path, body = ("/_search/point_in_time", {"pit_id": [view["id"]]}) if self._open else ("/_pit", view)
            with suppress(ConnectorError):  # it ends by itself
                await self._api.do("DELETE", path, timeout_s=self._timeout_s, json=body)

    async def _page(
        self, view: Mapping[str, str], begin: float, until: float, names: list[str], *, strict: bool, skip: int
    ) -> _Answer:
        low = {"gt" if strict else "gte": int(begin * 1000), "lte": int(until * 1000), "format": "epoch_millis"}
        wanted = [{"range": {self._time: low}}, *([self._query] if self._query else [])]
        body = {
            "size": PAGE,
            "from": skip,
            "pit": {"id": view["id"], "keep_alive": _KEEP},
            "query": {"bool": {"filter": wanted}},
            "sort": [{self._time: {"order": "asc"}}],
            "track_total_hits": False,
            "_source": False,
            "fields": names,
        }
        try:
            answer = await self._api.ask("POST", "/_search", _Answer, timeout_s=self._timeout_s, json=body)
        except Refused as error:
            if " answered 404" in str(error):
                raise Unreachable(f"{self._who} has lost the point in time that was being read") from error
            raise
        if answer.timed_out or answer.shards.failed:
            raise Unreachable(
                f"{self._who} answered in part: {answer.shards.failed} of {answer.shards.total} shards failed"
                + (", and its time was over" if answer.timed_out else "")
            )
        return answer


def moment(hit: Hit) -> float:
    """A document's time in seconds, from its place in the order: milliseconds, or nanoseconds. Raises `BadPayload`."""
    value = hit.sort[0] if hit.sort else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadPayload(f"document {hit.id}: expected a time to sort by, not {value!r:.40}", field="sort")
    return value / 1e9 if value > 1e16 else value / 1000
