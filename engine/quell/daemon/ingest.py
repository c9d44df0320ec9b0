"""Where deliveries arrive: limits, the connector that owns the path, then the inbox, and only then the answer.

A raw ASGI callable, because this is the path that every alert takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

import msgspec
import structlog
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from quell.daemon import aside
from quell.daemon.auth import Doors
from quell.daemon.body import BodyRefused, Gone, Limits, read_body
from quell.daemon.bounds import Bounds
from quell.daemon.clock import Clock
from quell.daemon.foreign import called, sound_received
from quell.daemon.inbox import Inbox, TooMany
from quell.daemon.logs import Masker, Sparing
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.daemon.sources import Source, Sources
from quell.errors import BadPayload, Overloaded, StoreError
from quell.model.records import CommandRecord
from quell.sdk.chat import Heard
from quell.sdk.connector import Received, Reply, Request, View
from quell.store.port import Quarantined

RETRY_AFTER_S = 5
_SEEN_WITHIN_S = 2.0
"""How long a reader, or a command's sender, waits for the turn of what was accepted before."""


def json_reply(status: int, content: object, headers: dict[str, str] | None = None) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, msgspec.json.encode(content), "application/json", headers or {})


def error_reply(status: int, message: str, **more: object) -> Reply:
    """An error as every part of quell's own HTTP interface writes it."""
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else {}
    return json_reply(status, {"error": message, **more}, headers)


async def send_reply(send: Send, reply: Reply, *, close: bool = False) -> None:
    """Writes a whole response."""
    headers = [(b"content-length", str(len(reply.body)).encode())]
    if reply.content_type:
        headers.append((b"content-type", reply.content_type.encode("latin-1", "replace")))
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


class Ingest:
    """An ASGI application for every path that sources own."""

    def __init__(
        self,
        sources: Sources,
        inbox: Inbox,
        loop: Loop,
        *,
        view: View,
        clock: Clock,
        metrics: Metrics,
        masker: Masker,
        doors: Doors,
        limits: Limits,
        bounds: Bounds,
        not_ready: Callable[[], str],
        heard: Callable[[Source, Heard], None],
    ) -> None:
        self._heard = heard
        self._sources = sources
        self._inbox = inbox
        self._loop = loop
        self._view = view
        self._clock = clock
        self._metrics = metrics
        self._masker = masker
        self._doors = doors
        self._limits = limits
        self._bounds = bounds
        self._not_ready = not_ready
        self._counters: dict[tuple[str, int], Counter] = {}
        self._log = structlog.get_logger("quell.ingest")
        self._sparing = Sparing(self._log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        owners = self._sources.owners(scope["path"])
        close = False
        try:
            reply = await self._answer(owners, scope, receive)
        except BodyRefused as error:
            reply, close = error_reply(error.status, str(error)), True
            self._metrics.refused.labels("body").inc()
        except Gone:
            return
        self._count(owners[0].id if owners else "", reply.status)
        await send_reply(send, reply, close=close)

    def _count(self, source_id: str, status: int) -> None:
        counter = self._counters.get((source_id, status))
        if counter is None:
            counter = self._counters[source_id, status] = self._metrics.requests.labels(source_id, str(status))
        counter.inc()

    async def _answer(self, owners: Sequence[Source], scope: Scope, receive: Receive) -> Reply:
        # First of all: senders take any other refusal for final, and nobody knows the sources yet in a start.
        if reason := self._not_ready():
            return error_reply(503, f"not ready: {reason}")
        if not owners:
            return error_reply(404, f'nothing is served at "{scope["path"]}"')
        if scope["method"] in {"POST", "PUT"} and (full := self._inbox.full()):
            self._metrics.refused.labels("overloaded").inc()
            return error_reply(503, f"overloaded: {full}; nothing was accepted")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await read_body(receive, headers, self._limits)
        except BadPayload as error:
            entry = aside.unbelieved(self._clock.now(), owners[0].id, scope["path"], error)
            return await self._unreadable(entry, error)
        asked = scope["query_string"]
        query = parse_qsl(asked.decode("latin-1"), keep_blank_values=True) if asked else ()
        request = Request(scope["method"], scope["path"], body, headers, query)
        client = scope.get("client")
        source, reason = self._believed(owners, request, client[0] if client else "")
        if source is None:
            self._metrics.refused.labels("unauthorized").inc()
            return json_reply(401, {"error": reason}, {"www-authenticate": "Bearer"})
        return await self._delivered(source, request)

    def _believed(self, owners: Sequence[Source], request: Request, peer: str) -> tuple[Source | None, str]:
        """The first owner that the request can prove to be for; connectors with a scheme of their own check it."""
        reason = ""
        for source in owners:
            if source.hears is not None and source.receives is None and source.settings.auth is None:
                return source, ""  # it knows its vendor's signatures itself
            reason = self._doors.refusal(source.settings, request, peer, self._clock.now())
            if not reason:
                return source, ""
        return None, reason

    async def _delivered(self, source: Source, request: Request) -> Reply:
        try:
            if request.method not in {"POST", "PUT"}:
                # Who reads after having been answered sees what he wrote.
                await self._loop.passed(self._inbox.last_seq, _SEEN_WITHIN_S)
            received = self._received(source, request)
            if isinstance(received, Reply):
                return received
            if received.records or received.rejected:
                await self._put(source, request, received)
        except BadPayload as error:
            return await self._unreadable(aside.whole(self._clock.now(), source.id, request, str(error)), error)
        except TooMany as error:
            return error_reply(413, str(error))
        except Overloaded as error:
            return error_reply(503, f"overloaded: {error}; nothing was accepted")
        except StoreError as error:
            return error_reply(503, f"the store could not keep it; nothing was accepted: {error}")
        except Exception as error:  # noqa: BLE001 - somebody else's connector may fail in any way: kept, marked, reported
            return await self._bug(source, request, error)
        if source.health.state != "ok":
            self._sources.worked(source)
        source.health.last_ok_at = self._clock.now()
        return received.reply

    async def _put(self, source: Source, request: Request, received: Received) -> None:
        records, excess = self._bounds.split(received.records)
        rejected: list[Quarantined] = []
        if received.rejected or excess:
            now = self._clock.now()
            kept = aside.parts(now, source.id, request, received.rejected, taken=bool(received.records))
            rejected = [self._masked(each) for each in kept]
            rejected += [aside.record(now, source.id, request, each) for each in excess]
        seq = await self._inbox.put(records, quarantined=rejected)
        if any(isinstance(record, CommandRecord) for record in records):
            await self._loop.passed(seq, _SEEN_WITHIN_S)

    def _received(self, source: Source, request: Request) -> Received | Reply:
        now = self._clock.now()
        if source.hears is not None and request.path.startswith("/in/") and source.receives is None:
            heard = called(source.hears.heard, request, now)
            self._heard(source, heard)
            return heard.reply
        # A path of its own beats the drop-in API: a connector may have both verbs.
        if source.receives is not None and (source.serves is None or request.path.startswith("/in/")):
            if request.method not in {"POST", "PUT"}:
                return json_reply(405, {"error": f"{request.method} is not taken here; POST"}, {"allow": "POST, PUT"})
            return sound_received(source.connector, called(source.receives.receive, request, now))
        if source.serves is not None:
            return sound_received(source.connector, called(source.serves.serve, request, self._view, now))
        return error_reply(404, f'source "{source.id}" takes no deliveries')

    async def _unreadable(self, entry: Quarantined, error: BadPayload) -> Reply:
        reason = self._masker.text(entry.reason)
        self._sparing.warning(f"bad {entry.source}", "delivery in quarantine", source=entry.source, reason=reason)
        await self._keep(entry)
        return error_reply(400, reason, **({"field": error.field} if error.field else {}))

    async def _bug(self, source: Source, request: Request, error: Exception) -> Reply:
        text = f"{type(error).__name__}: {error}"
        self._log.error("a bug in a connector; the delivery is in quarantine", source=source.id, exc_info=error)
        self._sources.failed(source, "broken", self._masker.text(text))
        await self._keep(aside.whole(self._clock.now(), source.id, request, f"a bug in the connector: {text}"))
        return error_reply(500, f'the connector of source "{source.id}" failed; the delivery is in quarantine')

    def _masked(self, entry: Quarantined) -> Quarantined:
        return msgspec.structs.replace(entry, reason=self._masker.text(entry.reason))

    async def _keep(self, entry: Quarantined) -> None:
        try:
            await self._inbox.put((), quarantined=[self._masked(entry)])
        except (Overloaded, StoreError) as error:
            self._sparing.warning("quarantine", "a bad delivery could not be kept", source=entry.source,
                                  reason=entry.reason, error=str(error))  # fmt: skip
