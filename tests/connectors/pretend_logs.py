"""Log stores that cannot be had here, on real sockets: each answers as its API's documentation says, and can fail."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
from aiohttp import web

from connectors.wire import Pretend
from quell.sdk.testkit import CANARY

TOKEN = f"{CANARY}-logs"


def _within(value: int, bounds: dict[str, Any]) -> bool:
    ways = {"gt": value > bounds.get("gt", -1), "gte": value >= bounds.get("gte", -1),
            "lte": value <= bounds.get("lte", 1 << 62)}  # fmt: skip
    return all(holds for name, holds in ways.items() if name in bounds)


class PretendElastic(Pretend):
    """Documents in ``documents`` (id, time in ms, fields); a point in time holds those there were when it began."""

    kind = "elasticsearch"

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[tuple[str, int, dict[str, Any]]] = []
        self.views: dict[str, list[tuple[str, int, dict[str, Any]]]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.failed_shards = 0
        self.forgetful = False

    def add(self, number: int, at: float, **fields: Any) -> None:
        self.documents.append(
            (f"d{number}", int(at * 1000), {name.replace("_", "."): each for name, each in fields.items()})
        )

    async def answer(self, request: web.Request, body: Any) -> web.Response:
        if request.headers.get("Authorization") != f"ApiKey {TOKEN}":
            error = {"root_cause": [], "type": "security_exception", "reason": "missing authentication credentials"}
            return web.json_response({"error": error, "status": 401}, status=401)
        opened = "/_search/point_in_time" if self.kind == "opensearch" else "/_pit"
        match request.method, request.path:
            case "POST", "/logs-*" | "/a,b" as _path:
                return web.json_response({"error": "no"}, status=405)
            case "POST", path if path.endswith(opened) and path != opened:
                if "keep_alive" not in request.query:
                    return web.json_response({"error": "[keep_alive] is required", "status": 400}, status=400)
                name = f"view-{len(self.views)}"
                self.views[name] = list(self.documents)
                return web.json_response({"pit_id" if self.kind == "opensearch" else "id": name})
            case "DELETE", path if path == opened:
                names = body["pit_id"] if self.kind == "opensearch" else [body["id"]]
                for name in names:
                    self.views.pop(name, None)
                return web.json_response({"succeeded": True})
            case "POST", "/_search":
                return self._search(body)
        return web.json_response({"error": f"no handler for {request.method} {request.path}"}, status=400)

    def _search(self, body: dict[str, Any]) -> web.Response:
        self.bodies.append(body)
        if body.get("from", 0) + body["size"] > 10_000:
            return web.json_response({"error": "Result window is too large", "status": 400}, status=400)
        view = None if self.forgetful else self.views.get(body["pit"]["id"])
        if view is None:
            error = {"type": "search_context_missing_exception", "reason": "No search context found"}
            return web.json_response({"error": error, "status": 404}, status=404)
        [(field, bounds)] = body["query"]["bool"]["filter"][0]["range"].items()
        assert (field, bounds["format"], body["sort"]) == ("@timestamp", "epoch_millis", [{field: {"order": "asc"}}])
        wanted = body["query"]["bool"]["filter"][1:]
        found = [one for one in view if _within(one[1], bounds) and all(_term(one[2], each) for each in wanted)]
        found.sort(key=lambda one: (one[1], crc32(one[0].encode())))  # ties in an order of their own
        page = found[body.get("from", 0) :][: body["size"]]
        hits = [{"_index": "logs-1", "_id": name, "sort": [at],
                 "fields": {key: [value] for key, value in fields.items() if key in body["fields"]}}
                for name, at, fields in page]  # fmt: skip
        return web.json_response({
            "timed_out": False, "pit_id": body["pit"]["id"],
            "_shards": {"total": 5, "successful": 5 - self.failed_shards, "failed": self.failed_shards},
            "hits": {"hits": hits},
        })  # fmt: skip


def _term(fields: dict[str, Any], query: dict[str, Any]) -> bool:
    [(field, value)] = query["term"].items()
    return bool(fields.get(field) == value)


class PretendOpenSearch(PretendElastic):
    kind = "opensearch"


class PretendLoki(Pretend):
    """Entries in ``entries`` (time in ns, labels, line). ``start`` is part of an answer, ``end`` is not."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[int, dict[str, str], str]] = []
        self.asked: list[dict[str, str]] = []
        self.says: bytes = b""

    def add(self, at: float, line: str, **labels: str) -> None:
        self.entries.append((round(at * 1_000_000) * 1000, labels, line))

    async def answer(self, request: web.Request, body: Any) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        if request.headers.get("X-Scope-OrgID") != "shop":
            return web.Response(status=401, text="no org id")
        if "{" not in query["query"]:
            return web.Response(status=400, text="parse error at line 1, col 1: syntax error: unexpected IDENTIFIER")
        if self.says:
            return web.Response(body=self.says, content_type="application/json")
        assert (request.path, query["direction"]) == ("/loki/api/v1/query_range", "forward")
        limit = int(query["limit"])
        if limit > 5000:
            return web.Response(status=400, text="max entries limit per query exceeded, limit > max_entries_limit")
        within = [one for one in self.entries if int(query["start"]) <= one[0] < int(query["end"])]
        streams: dict[bytes, list[Any]] = {}
        for at, labels, line in sorted(within, key=lambda one: one[0])[:limit]:
            streams.setdefault(msgspec.json.encode(labels, order="sorted"), []).append([str(at), line, {"trace": "x"}])
        result = [{"stream": msgspec.json.decode(labels), "values": values} for labels, values in streams.items()]
        return web.json_response(
            {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}
        )
