"""Where deliveries arrive: limits, the connector that owns the path, then the inbox, and only then the answer.

A raw ASGI callable, because this is the path that every alert takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from quell.daemon import aside
from quell.daemon.auth import Doors
from quell.daemon.body import BodyRefused, Gone, Limits, read_body
from quell.daemon.bounds import Bounds
from quell.daemon.clock import Clock
from quell.daemon.committing import Told
from quell.daemon.foreign import called, misbehaved, sound_received
from quell.daemon.inbox import Inbox, TooMany
from quell.daemon.logs import Masker, Sparing
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.daemon.replies import error_reply, json_reply, not_kept, send_reply
from quell.daemon.sources import Source, Sources
from quell.errors import BadPayload, Overloaded, StoreError
from quell.model.records import AnyRecord, CommandRecord
from quell.sdk.chat import Heard
from quell.sdk.connector import Received, Reply, Request, View
from quell.store.port import Quarantined

_MOST_TOGETHER = 1_000
"""Records of deliveries that are kept as one; one more delivery may go beyond."""
_SEEN_WITHIN_S = 2.0
"""How long a command's sender waits for its turn."""


def _from(told: Callable[[int, int, Reply], None], first: int, begin: int, end: int, reply: Reply) -> None:
    told(first + begin, first + end, reply)


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
        self._counted: dict[tuple[str, int], int] = {}
        self._under_way: set[asyncio.Task[None]] = set()
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

    def turned_away(self) -> None:
        """A connection was closed as there is no room for it."""
        self._metrics.turned_away.inc()
        self._sparing.error("turned away", "connections are turned away: too many, or no file is free")

    # The short way

    def sole_owner(self, path: str, headers: Mapping[str, str], peer: str) -> tuple[Source, bool] | None:
        """The one source that takes a POST with such a head, and whether its head alone proves who sent it.

        None where that is not plain: there may be several owners, or the request is not to be believed.
        """
        owners = self._sources.owners(path)
        if len(owners) != 1 or (owners[0].receives is None and owners[0].serves is None):
            return None
        source = owners[0]
        if source.settings.auth is not None:
            return source, False
        proved = not self._doors.refusal(source.settings, Request("POST", path, b"", headers), peer, self._clock.now())
        return (source, True) if proved else None

    @property
    def edition(self) -> int:
        """Changes with whose paths are whose, and with who is believed."""
        return self._sources.edition + self._doors.edition

    def deliver(self, source: Source, request: Request, told: Callable[[Reply], None], *, proved: bool) -> None:
        """Takes a POST whose body is there: ``told`` gets the answer after the commit, or at once.

        Nothing waits here, so nothing is made that could. What is not plain is done as `__call__` does it.
        """
        if reason := self._not_ready():
            self._end(source, error_reply(503, f"not ready: {reason}"), told)
            return
        if full := self._inbox.full():
            self._metrics.refused.labels("overloaded").inc()
            self._end(source, error_reply(503, f"overloaded: {full}; nothing was accepted"), told)
            return
        if not proved and (reason := self._doors.refusal(source.settings, request, "", self._clock.now())):
            self._end(source, self._stranger(reason), told)
            return
        now = self._clock.now()
        found = self._tried(source, request, now)
        if type(found) is not Received or found.rejected or not self._bounds.plain(found.records):
            self._follow(self._rest(source, request, found, told))
        else:
            self._take(source, found, told, now)

    def coming(self, count: int) -> None:
        """So many are about to be delivered (fewer if negative)."""
        self._inbox.coming(count)

    def deliver_all(self, source: Source, requests: Sequence[Request], told: Callable[[int, int, Reply], None]) -> None:
        """The same of several whose heads prove who sent them: ``told`` gets the first and the end of those it is for.

        Neighbours that are plain, and answered alike, are kept as one. Each is decoded, bounded and counted for itself.
        """
        if self._not_ready() or self._inbox.full():
            for place, request in enumerate(requests):
                self.deliver(source, request, partial(told, place, place + 1), proved=True)
            return
        now, first, records = 0.0, 0, 0
        alike: list[Received] = []
        for place, request in enumerate(requests):
            now = self._clock.now()  # of each: who is told of twice at one time is nobody's mere repeat
            found = self._tried(source, request, now)
            plain = type(found) is Received and not found.rejected and self._bounds.plain(found.records)
            taken = found if plain and type(found) is Received else None
            if alike and (taken is None or taken.reply is not alike[0].reply or records >= _MOST_TOGETHER):
                self._take_all(source, alike, partial(_from, told, first), now)
                alike = []
            if taken is None:
                self._follow(self._rest(source, request, found, partial(told, place, place + 1)))
                continue
            if not alike:
                first, records = place, 0
            alike.append(taken)
            records += len(taken.records)
        if alike:
            self._take_all(source, alike, partial(_from, told, first), now)

    def _take_all(
        self, source: Source, found: Sequence[Received], told: Callable[[int, int, Reply], None], now: float
    ) -> None:
        """Keeps several as one, if there is room for all of them."""
        count, reply = len(found), found[0].reply
        if count == 1 or not self._inbox.takes_together(sum([len(each.records) for each in found])):
            for place, each in enumerate(found):
                self._take(source, each, partial(told, place, place + 1), now)
            return

        def kept(_seq: int, error: StoreError | None) -> None:
            said = reply if error is None else not_kept(error)
            if error is None:
                self._well(source, now)
            self._count(source.id, said.status, count)
            told(0, count, said)

        def apart() -> list[tuple[Sequence[AnyRecord], Told]]:
            return [
                (each.records, partial(self._kept, source, each.reply, partial(told, place, place + 1), now))
                for place, each in enumerate(found)
            ]

        self._inbox.add_together([each.records for each in found], kept, apart)

    def _take(self, source: Source, found: Received, told: Callable[[Reply], None], now: float) -> None:
        try:
            self._inbox.add(found.records, partial(self._kept, source, found.reply, told, now))
        except Overloaded as error:
            self._end(source, not_kept(error), told)
        except TooMany as error:
            self._end(source, error_reply(413, str(error)), told)

    def _kept(
        self, source: Source, reply: Reply, told: Callable[[Reply], None], now: float,
        _seq: int, error: StoreError | None,
    ) -> None:  # fmt: skip
        if error is not None:
            self._end(source, not_kept(error), told)
        else:
            self._well(source, now)
            self._end(source, reply, told)

    def late(self, source: Source, message: str) -> Reply:
        """The answer to a delivery whose body did not come, counted as `__call__` does it."""
        self._metrics.refused.labels("body").inc()
        self._count(source.id, 408)
        return error_reply(408, message)

    async def _rest(
        self, source: Source, request: Request, found: Received | Reply | Exception, told: Callable[[Reply], None]
    ) -> None:
        try:
            reply = await self._delivered(source, request, found)
        except Exception as error:  # noqa: BLE001 - a bug: reported, and its sender is not left waiting
            self._log.error("a delivery failed", source=source.id, exc_info=error)
            reply = error_reply(500, "quell failed on this delivery")
        self._end(source, reply, told)

    def _follow(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _end(self, source: Source, reply: Reply, told: Callable[[Reply], None]) -> None:
        self._count(source.id, reply.status)
        told(reply)

    def _count(self, source_id: str, status: int, count: int = 1) -> None:
        key = source_id, status
        self._counted[key] = self._counted.get(key, 0) + count

    def tell_counts(self) -> None:
        """Brings the metric of deliveries up to date: kept apart until asked for, for each has its lock."""
        counted, self._counted = self._counted, {}
        for (source_id, status), count in counted.items():
            self._metrics.requests.labels(source_id, str(status)).inc(count)

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
            return self._stranger(reason)
        if request.method not in {"POST", "PUT"}:
            # Who reads after having been answered sees what he wrote.
            with self._loop.readers.asking():
                await self._loop.seen(self._inbox.last_seq)
        return await self._delivered(source, request, self._tried(source, request, self._clock.now()))

    def _stranger(self, reason: str) -> Reply:
        self._metrics.refused.labels("unauthorized").inc()
        return json_reply(401, {"error": reason}, {"www-authenticate": "Bearer"})

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

    def _tried(self, source: Source, request: Request, now: float) -> Received | Reply | Exception:
        """What the connector makes of it; what it raises is something that it made."""
        try:
            if source.serves_soundly is not None and not request.path.startswith("/in/"):
                return source.serves_soundly.serve(request, self._view, now)
            return self._received(source, request, now)
        except Exception as error:  # noqa: BLE001 - somebody else's connector may fail in any way; `_delivered` says how
            return error
        except BaseException as error:  # noqa: BLE001 - as above
            return misbehaved(error)

    async def _delivered(self, source: Source, request: Request, found: Received | Reply | Exception) -> Reply:
        """Keeps what was ``found`` and says what to answer."""
        try:
            if isinstance(found, Exception):
                raise found  # noqa: TRY301 - what the connector raised is told apart as what keeping raises
            if isinstance(found, Reply):
                return found
            if found.records or found.rejected:
                await self._put(source, request, found)
        except BadPayload as error:
            return await self._unreadable(aside.whole(self._clock.now(), source.id, request, str(error)), error)
        except TooMany as error:
            return error_reply(413, str(error))
        except (Overloaded, StoreError) as error:
            return not_kept(error)
        except Exception as error:  # noqa: BLE001 - somebody else's connector may fail in any way: kept, marked, reported
            return await self._bug(source, request, error)
        self._well(source, self._clock.now())
        return found.reply

    def _well(self, source: Source, now: float) -> None:
        if source.health.state != "ok":
            self._sources.worked(source)
        source.health.last_ok_at = now

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

    def _received(self, source: Source, request: Request, now: float) -> Received | Reply:
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
