"""The short way of a delivery: from its connection to the inbox, and after the commit the answer straight back.

A POST with a body of known length, from a sender whom its head proves, is nearly every request there is. For it no
task, no event and no future is made: one call takes it in, one call writes the answer. What is unusual in any way (a
query, chunks, compression, ``Expect``, requests sent before the last was answered, several sources at one path) goes
through the ASGI application, which gives the same answers.

A head that was read once is known again by its bytes: the same bytes from the same peer mean the same.
"""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from quell.daemon.body import Limits
from quell.daemon.gathered import Gathered
from quell.daemon.ingest import Ingest
from quell.daemon.replies import Written, error_reply
from quell.daemon.sources import Source
from quell.sdk.connector import Reply, Request

_MOST_HEADS = 4096
MOST_HEADERS = 48
"""Of a head that is known again: thousands of small ones, which anybody may send, take far more than their bytes."""
_PLAIN_URL = frozenset(b"/-._~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:@!$&'()*+,;=")
_UNUSUAL = frozenset({"transfer-encoding", "expect", "upgrade"})


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """What a head says: whose the delivery is, and how many bytes its body has.

    ``proved``: the head alone shows who sent it. ``edition`` is of the configuration that says so.
    """

    source: Source
    path: str
    headers: Mapping[str, str]
    peer: str
    length: int
    proved: bool
    edition: int


def _of_length(headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    """The headers with the length of this body: the receiver knows heads by all but that."""
    return {**headers, "content-length": str(len(body))}


def _behind(told: Callable[[int, int, Reply], None], before: int, first: int, end: int, reply: Reply) -> None:
    told(before + first, before + end, reply)


class Direct:
    """``own`` says which paths are quell's own, which no source can take."""

    def __init__(self, ingest: Ingest, limits: Limits, own: Callable[[str], bool]) -> None:
        self.body_within_s = limits.within_s
        self.written = Written().bytes_of
        self._ingest = ingest
        self.most = limits.sent
        """Bytes of the largest body."""
        self.back: Callable[[Transport], bool] | None = None
        """Takes a connection on which nothing is under way off this process's hands, if there is somebody for that."""
        self._own = own
        self._ways: dict[tuple[str, bytes], Way] = {}
        self.gathered = Gathered[Way](ingest.coming, self.take_together)
        """Where small deliveries wait for those that come with them."""

    def known(self, peer: str, head: bytes) -> Way | None:
        """The way of a head that was read before."""
        way = self._ways.get((peer, head))
        return way if way is not None and way.edition == self._ingest.edition else None

    def learn(self, peer: str, head: bytes, way: Way) -> None:
        """Remembers a head that was read."""
        if len(way.headers) > MOST_HEADERS:
            return
        if len(self._ways) >= _MOST_HEADS:
            self._ways.clear()
        self._ways[peer, head] = way

    def way(self, peer: str, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Way | None:
        """The short way of a POST, if it may go it. ``headers`` have lower-case names."""
        if url[:1] != b"/" or url[:2] == b"//" or not _PLAIN_URL.issuperset(url):
            return None
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        length = named.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10 and 0 < int(length) <= self.most):
            return None
        if not _UNUSUAL.isdisjoint(named) or named.get("content-encoding", "identity").strip().lower() != "identity":
            return None
        path = url.decode("ascii")
        if self._own(path):
            return None
        edition = self._ingest.edition
        found = self._ingest.sole_owner(path, named, peer)
        return None if found is None else Way(found[0], path, named, peer, int(length), found[1], edition)

    def current(self, way: Way) -> bool:
        """Whether the configuration is still the one under which a head was read."""
        return way.edition == self._ingest.edition

    def take(self, way: Way, body: bytes, told: Callable[[Reply], None]) -> None:
        """Takes a whole delivery; ``told`` gets what to answer, after the commit or at once."""
        headers = way.headers if len(body) == way.length else _of_length(way.headers, body)
        request = Request("POST", way.path, body, headers)
        if way.edition == self._ingest.edition:
            self._ingest.deliver(way.source, request, told, proved=way.proved)
            return
        found = self._ingest.sole_owner(way.path, way.headers, way.peer)  # anew: sources or tokens changed meanwhile
        if found is None:
            told(error_reply(503, "the configuration changed while this came in; nothing was accepted"))
        else:
            self._ingest.deliver(found[0], request, told, proved=found[1])

    def take_together(self, came: Sequence[tuple[Way, bytes]], told: Callable[[int, int, Reply], None]) -> None:
        """Takes several that came at one time, each on a way of its own: ``told`` as of `take_all`."""
        edition, first = self._ingest.edition, 0
        while first < len(came):
            way, end = came[first][0], first + 1
            source = way.source
            if way.edition != edition or not way.proved:
                self.take(*came[first], partial(told, first, end))
                first = end
                continue
            while end < len(came) and (other := came[end][0]).source is source and other.proved:
                if other.edition != edition:
                    break
                end += 1
            requests = [Request("POST", each.path, body, each.headers) for each, body in came[first:end]]
            self._ingest.deliver_all(source, requests, partial(_behind, told, first))
            first = end

    def take_all(self, way: Way, bodies: Sequence[bytes], told: Callable[[int, int, Reply], None]) -> None:
        """Takes several of one way, in order: ``told`` gets the first and the end of those that an answer is for."""
        if way.edition != self._ingest.edition or not way.proved:
            for place, body in enumerate(bodies):
                self.take(way, body, partial(told, place, place + 1))
            return
        path, length, headers = way.path, way.length, way.headers
        requests = [
            Request("POST", path, body, headers if len(body) == length else _of_length(headers, body))
            for body in bodies
        ]  # fmt: skip
        self._ingest.deliver_all(way.source, requests, told)

    def turned_away(self) -> None:
        """A connection was closed, as there is no room for it."""
        self._ingest.turned_away()

    def late(self, way: Way) -> Reply:
        """What to answer, and to count, when the body does not come."""
        return self._ingest.late(way.source, f"the body did not arrive within {self.body_within_s:g} s")
